"""Pages and tables that people open: whatever a text, a label or a name holds, it is shown and never acts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from faults.box import Box, must
from faults.registry import fault
from faults.stock import CONFIG, as_tsv, starter_pairs

_PAYLOADS = {
    "an element": "<evil-tag onclick=evil()>",
    "an attribute": "\" evil-attr='1' evil-attr=\"1",
    "the end of a script": "</script><evil-tag>",
    "the end of a comment": "--><evil-tag>",
    "the end of a title": "</title></style><evil-tag>",
}
_PLAIN = {
    "an element": "a <evil-tag>",
    "an attribute": "a\" evil-attr ' evil-attr b",
    "the end of a comment": "a --><evil-tag>",
}
"""Those that a name may hold, which holds no slash, and on a command line no equals sign."""
_FETCHED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "object": "data", "embed": "src"}


class _Page(HTMLParser):
    """What is wrong with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.policies: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag == "evil-tag" or "evil-attr" in named:
            self.faults.append(f"<{tag}> was taken for markup")
        if any(name.startswith("on") and "evil" in (value or "") for name, value in attributes):
            self.faults.append(f"<{tag}> would run code")
        if re.match(r"https?:|//", named.get(_FETCHED.get(tag, "")) or ""):
            self.faults.append(f"<{tag}> fetches something from elsewhere")
        if tag == "meta" and (named.get("http-equiv") or "").lower() == "content-security-policy":
            self.policies.append(named.get("content") or "")


def check_page(path: Path) -> None:
    """Raise `Wrong` for a page in which a payload acts, or which fetches something."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    must(not page.faults, f"{path.name}: {page.faults[:1]}")


def check_pages(directory: Path) -> None:
    """Check every page in a directory, and every Markdown file, which others turn into pages."""
    for path in directory.rglob("*.html"):
        check_page(path)
    for path in directory.rglob("*.md"):
        # What stands between backticks is shown as it is.
        content = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        must(re.search(r"(?<!\\)<evil-tag", content) is None, f"{path.name}: markup stands in it as it came")


def _pairs(payload: str, side: int) -> list[tuple[str, str]]:
    """Forty pairs, with the payload in every fourth source (0) or reference (1)."""
    pairs = [list(pair) for pair in starter_pairs()[200:240]]
    for pair in pairs[::4]:
        pair[side] = f"{pair[side]} {payload}"
    return [(source, target) for source, target in pairs]


def _evaluate(box: Box, *argv: str) -> None:
    box.evaluate(*argv)
    check_pages(box.out)


@fault({f"{name} in a {where}": (value, where) for name, value in _PAYLOADS.items()
        for where in ("source", "reference", "translation")})  # fmt: skip
def sentence_in_a_report(box: Box, case: tuple[str, str]) -> None:
    payload, where = case
    pairs = (
        _pairs(payload, 1)
        if where == "reference"
        else _pairs(payload, 0)
        if where == "source"
        else starter_pairs()[200:240]
    )
    box.write("set.tsv", as_tsv(pairs))
    lines = [target for _, target in _pairs(payload if where == "translation" else "", 1)]
    box.write("lines.txt", "".join(f"{line}\n" for line in lines))
    _evaluate(box, "worse.txt", "lines.txt", "--test_set", "news=set.tsv")
    box.mt(
        "review", "worse.txt", "lines.txt", "--test_set", "news=set.tsv", "--output", "page.html", writes=["page.html"]
    )
    check_page(box.work / "page.html")


@fault(_PLAIN)
def label_in_a_report(box: Box, payload: str) -> None:
    _evaluate(box, f"{payload}=hypotheses.txt", "worse.txt", "--test_set", "news=test.tsv")


@fault(_PLAIN)
def test_set_name_in_a_report(box: Box, payload: str) -> None:
    _evaluate(box, "hypotheses.txt", "worse.txt", "--test_set", f"{payload}=test.tsv")


@fault(_PLAIN)
def file_name_in_a_report(box: Box, payload: str) -> None:
    (box.work / "test.tsv").rename(box.work / f"{payload}.tsv")
    (box.work / "worse.txt").rename(box.work / f"{payload}.txt")
    _evaluate(box, "hypotheses.txt", f"worse={payload}.txt", "--test_set", f"news={payload}.tsv")


@fault(_PLAIN)
def term_in_a_report(box: Box, payload: str) -> None:
    box.write(
        "terms.tsv", f"english\tarabic\tkind\nwater {payload}\tمياه {payload}\tplace\nwater\tمياه {payload}\tplace\n"
    )
    _evaluate(box, "hypotheses.txt", "worse.txt", "--test_set", "news=test.tsv", "--glossary", "terms.tsv")


def _config(box: Box, **values: object) -> str:
    box.write("odd.yaml", json.dumps(CONFIG | values))
    return "odd.yaml"


@fault({**_PAYLOADS, "a link": "[evil](javascript:evil())"})
def sentence_in_a_data_card(box: Box, payload: str) -> None:
    pairs = starter_pairs()[:100] + _pairs(payload, 0) + _pairs(payload, 1)
    box.write("corpus.tsv", as_tsv(pairs))
    box.mt("data", "small.yaml", "--output_dir", "out", writes=["out"])
    check_pages(box.out)


@fault(_PLAIN)
def corpus_name_in_a_data_card(box: Box, payload: str) -> None:
    config = _config(box, data={"workers": 1, "corpora": {payload: {"path": "corpus.tsv"}}})
    box.mt("data", config, "--output_dir", "out", writes=["out"])
    check_pages(box.out)


@fault(
    {f"{name} as {where}": (value, where) for name, value in _PLAIN.items() for where in ("run", "corpus", "test set")}
)
def names_in_the_report_of_a_run(box: Box, case: tuple[str, str]) -> None:
    payload, where = case
    sets = {payload if where == "test set" else "held": {"path": "test.tsv"}}
    config = _config(
        box,
        name=payload if where == "run" else "small",
        data={"workers": 1, "corpora": {payload if where == "corpus" else "news": {"path": "corpus.tsv"}}},
        evaluation={"resamples": 100, "test_sets": sets},
    )
    box.train(config=config)
    check_pages(box.out)


def _report(box: Box) -> Path:
    box.evaluate("hypotheses.txt", "worse.txt", "--test_set", "news=test.tsv")
    return box.out / "report.html"


def _review(box: Box) -> Path:
    argv = ["review", "hypotheses.txt", "worse.txt", "--test_set", "news=test.tsv", "--output", "page.html"]
    box.mt(*argv, writes=["page.html"])
    return box.work / "page.html"


def _data_card(box: Box) -> Path:
    box.mt("data", "small.yaml", "--output_dir", "out", writes=["out"])
    return box.out / "data_card.html"


def _run_report(box: Box) -> Path:
    return box.put("finished") / "report.html"


@fault({"a comparison": _report, "a review": _review, "a data card": _data_card, "a run": _run_report})
def policy_of(box: Box, make: Callable[[Box], Path]) -> None:
    """A page that cannot fetch or send anything, whatever it holds."""
    page = _Page()
    page.feed(make(box).read_text(encoding="utf-8"))
    must(any("default-src 'none'" in policy for policy in page.policies), "no policy that forbids all fetching")
    must(not page.faults, f"{page.faults[:1]}")


_FORMULAS = ("=cmd|' /C calc'!A0", "+1+cmd", "-1+cmd", "@SUM(1)", "=HYPERLINK(0)")


@fault(_FORMULAS)
def formula_in_the_rejected_pairs(box: Box, formula: str) -> None:
    """The table of rejected pairs is opened with a spreadsheet: no cell begins as a formula does."""
    pairs = [*starter_pairs()[:100], (f"{formula} in English only", f"{formula} in English only")]
    box.write("corpus.tsv", as_tsv(pairs))
    box.mt("data", "small.yaml", "--output_dir", "out", writes=["out"])
    rows = (box.out / "rejected.tsv").read_text(encoding="utf-8").splitlines()
    must(len(rows) > 1, "the pair was not rejected")
    cells = [cell for row in rows for cell in row.split("\t")]
    must(not any(cell.strip('"')[:1] in ("=", "+", "-", "@") for cell in cells), "a cell begins as a formula does")


@fault({"a bar": "a|b", "a line of dashes": "---", "stars": "**bold**", "a heading": "# a"})
def label_that_is_markdown(box: Box, label: str) -> None:
    box.evaluate(f"{label}=hypotheses.txt", "worse.txt", "--test_set", "news=test.tsv")
    if not (box.out / "report.md").exists():
        return
    lines = (box.out / "report.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|") and "chrF" not in line and "---" not in line]
    header = next(line for line in lines if line.startswith("|"))
    bars = {len(re.findall(r"(?<!\\)\|", row)) for row in rows if row.startswith("| news")}
    must(bars <= {header.count("|")}, "a label breaks the table")
