"""Every page works under a policy that lets nothing run but its own script."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mt.data.pair import Pair, Rejection
from mt.data.report import CorpusReport, DataReport
from mt.documents.checking import Row
from mt.evaluation.blind_review import draw_items
from mt.evaluation.results import Evaluation
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.test_set import TestSet
from mt.languages import ENGLISH_TO_ARABIC
from mt.report.charts import bar_chart, intervals, lines, ranking, trade_off
from mt.report.comparison_report import render_markdown, render_report
from mt.report.data_card import card_view
from mt.report.data_page import render_data_card
from mt.report.pages import render_page
from mt.report.reading_page import render_page as render_reading
from mt.report.review_page import render_review
from mt.report.scores_json import finite
from mt.runs import write_text
from mt.text.glossary import Glossary, Term
from tests.helpers import BAD, GOOD, REFERENCES, varied

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EVIL = (
    "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">\"'>"
    "<svg onload=document.title='ran'>"
    "</script></style><!--\u2028`|[x](javascript:document.title='ran')"
)
"""A name or a sentence that does something wherever it is not shown as text."""


def evil_evaluation() -> Evaluation:
    sources = [f"{line} {EVIL}" for line in varied(["The city fell."] * 6, 6, english=True)]
    references = [f"{line} {EVIL}" for line in varied(REFERENCES, 6)]
    test_set = TestSet(EVIL, sources, references, [EVIL, "desk"] * 18)
    systems = {f"base {EVIL}": [f"{line} {EVIL}" for line in varied(BAD, 6)], EVIL: [*varied(GOOD, 6)[:-1], EVIL]}
    glossary = Glossary([Term(("city",), (EVIL,), "place")])
    evaluation = evaluate_hypotheses([test_set], {EVIL: systems}, 100, metrics=["chrF", "BLEU", "chrF++", "TER"],
                                     glossary=glossary)  # fmt: skip
    evaluations = [{"update": n, "eval_loss": 4.0 - n, "eval_chrF": 10.0} for n in range(3)]
    evaluation.curves = {EVIL: evaluations, "other": evaluations}
    evaluation.notes = [EVIL]
    return evaluation


def evil_data() -> DataReport:
    example = Pair(EVIL, EVIL, EVIL, fault=Rejection(EVIL, EVIL))
    corpus = CorpusReport(9, Counter({EVIL: 2}), examples={EVIL: [example]}, source_words=[1], target_words=[2])
    corpus.samples, corpus.place_names = [example], Counter({EVIL: 1})
    return DataReport({EVIL: corpus}, tokenizer=EVIL)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All kinds of pages, full of text that would like to run."""
    folder = tmp_path_factory.mktemp("pages")
    glossary = Glossary([Term(("city",), (EVIL,), "place")])
    test_set = TestSet(EVIL, [EVIL, EVIL], [EVIL, "ب"])
    texts = {
        "report": render_report(f"Run {EVIL}", evil_evaluation(), {EVIL: EVIL}, glossary=glossary),
        "review": render_review(EVIL, draw_items(test_set, [EVIL, "a"], ["c", EVIL], 9, 1).items),
        "reading": render_reading(EVIL, [Row(EVIL, EVIL, None, (EVIL,), EVIL)] * 2, ENGLISH_TO_ARABIC),
        "data card": render_data_card(f"Data {EVIL}", card_view(evil_data())),
    }
    for name, text in texts.items():
        write_text(folder / f"{name}.html", text)
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.browser
@pytest.mark.parametrize("name", ["report", "review", "reading", "data card"])
def test_nothing_of_the_text_runs(name: str, pages: dict[str, Path], page: Page):
    page.goto(f"file://{pages[name]}")
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    # The page's own script has run: it shows the first sentence, as it is written.
    shown = page.locator("#list p.source, #sentences p.source, #source, ul.examples p").first.inner_text()
    assert "onerror=\"document.title='ran'\"" in shown
    page.wait_for_timeout(100)
    assert page.title() != "ran"
    assert page.title().endswith("(javascript:document.title='ran')")
    assert page.locator("main img, main script:not([type]) ~ script, main [onload], main [onerror]").count() == 0
    assert page.locator("script").count() == (0 if name == "data card" else 2)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["report", "review", "reading", "data card"])
@pytest.mark.parametrize(
    "injected",
    [
        "<script>document.title = 'ran'</script>",
        "<img src='data:,' onerror=\"document.title = 'ran'\">",
        "<a id=trap href=\"javascript:document.title = 'ran'\">x</a>",
        "<iframe srcdoc=\"<script>parent.document.title = 'ran'</script>\"></iframe>",
        "<svg onload=\"document.title = 'ran'\"></svg>",
        "<style>h1 { display: none }</style>",
        "<base href='https://example.org/'>",
        "<form id=trap action='https://example.org/'><button id=trap-button>x</button></form>",
        "<img src='https://example.org/pixel.png'>",
        "<link rel=stylesheet href='https://example.org/a.css'>",
        "<script src='https://example.org/a.js'></script>",
    ],
)
def test_nothing_runs_even_where_escaping_failed(
    name: str, injected: str, pages: dict[str, Path], browser: Browser, tmp_path: Path
):
    text = pages[name].read_text(encoding="utf-8").replace("</h1>", f"</h1>{injected}", 1)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with browser.new_context() as context:
        page = context.new_page()
        sent: list[str] = []
        # A request that the policy forbids is announced, and fails before it leaves.
        page.on("response", lambda response: sent.append(response.url))
        blocked: list[str] = []
        page.on("console", lambda message: blocked.append(message.text) if message.type == "error" else None)
        page.goto(f"file://{tmp_path / 'page.html'}")
        for trap in ("a#trap", "#trap-button"):
            if page.locator(trap).count():
                page.locator(trap).dispatch_event("click")
        page.wait_for_timeout(100)
        assert page.title() != "ran"
        assert page.locator("h1").is_visible()
        assert page.evaluate("document.baseURI").startswith("file:")
        assert [url for url in sent if not url.startswith(("file:", "data:"))] == []
        assert page.url.startswith("file:")
        assert any("Content Security Policy" in text for text in blocked), blocked


def test_the_policy_names_what_the_page_holds():
    html = render_page("data_card.html.jinja", styles=["page.css"], title="x", data=card_view(evil_data()))
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', html)
    assert "unsafe" not in policy
    assert policy.startswith(
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-"
    )
    assert policy.endswith("script-src 'none'")
    assert html.index("Content-Security-Policy") < html.index("<style>")


LONG = "conflict_news_of_the_desk_in_November_2026-" * 3
"""A name without a place to break it."""


def wide_evaluation() -> Evaluation:
    """Two test sets with long names and five systems, some beside each other and at the top of the trade-off."""
    sources = varied(["The city fell."] * 6, 6, english=True)
    references = varied(REFERENCES, 6)
    sets = [
        TestSet(name, sources, references, ["desk"] * 36, is_general)
        for name, is_general in ((LONG, False), ("g", True))
    ]
    kept = {f"Helsinki-NLP/{LONG}": (2, 2), "runs/with-replay": (5, 3), "a": (4, 6), "b": (4, 6), LONG: (6, 1)}
    hypotheses = {
        each.name: {
            system: [" ".join(line.split()[: count[place]]) for line in references] for system, count in kept.items()
        }
        for place, each in enumerate(sets)
    }
    evaluation = evaluate_hypotheses(sets, hypotheses, 100, metrics=["chrF", "BLEU", "chrF++", "TER"])
    evaluations = [{"update": 100.0 * n, "eval_loss": 4.0 - n, "eval_chrF": 10.0 + n} for n in range(3)]
    evaluation.curves = {LONG: evaluations, "b": evaluations}
    return evaluation


def wide_data() -> DataReport:
    example = Pair(
        LONG, "سقطت المدينة في يوليو 2014.", "/data/" + "x" * 200 + ".tsv:7", fault=Rejection("numbers", LONG)
    )
    lengths = list(range(1, 40))
    corpus = CorpusReport(9, Counter({"numbers": 2}), examples={"numbers": [example]}, source_words=lengths,
                          target_words=lengths)  # fmt: skip
    corpus.samples, corpus.place_names = [example], Counter({LONG: 5, "Aleppo": 3})
    return DataReport({LONG: corpus}, tokenizer="./models/" + LONG)


@pytest.fixture(scope="module")
def wide_pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wide")
    card, evaluation = card_view(wide_data()), wide_evaluation()
    test_set = evaluation.test_sets[0]
    systems = list(evaluation.hypotheses[LONG].values())
    texts = {
        "report": render_report(f"Run {LONG}", evaluation, {f"system {LONG}": "/data/" + "x" * 200}, card),
        "reading": render_reading(LONG, [Row(LONG, LONG, None, (LONG,), LONG)], ENGLISH_TO_ARABIC),
        "review": render_review(LONG, draw_items(test_set, systems[0], systems[1], 9, 1).items),
        "data card": render_data_card(f"Data of {LONG}", card),
    }
    for name, text in texts.items():
        write_text(folder / f"{name}.html", text)
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["report", "review", "reading", "data card"])
def test_no_page_is_wider_than_its_window(name: str, width: int, wide_pages: dict[str, Path], page: Page):
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"file://{wide_pages[name]}")
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # What is wider than the window scrolls in a box of its own, which the keyboard reaches.
    boxes = page.locator(".wide")
    assert boxes.count() == (
        0 if name in ("review", "reading") else boxes.and_(page.locator("[tabindex='0'][role='region']")).count()
    )
    assert page.locator("table, svg.chart").count() == page.locator(".wide table, .wide svg.chart").count()
    for arabic in page.locator("[lang=ar]").all()[:20]:
        assert arabic.evaluate("(e) => getComputedStyle(e).direction") == "rtl"


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["report", "data card"])
def test_no_text_of_a_chart_covers_another(name: str, width: int, wide_pages: dict[str, Path], page: Page):
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"file://{wide_pages[name]}")
    charts = page.locator("svg.chart")
    assert charts.count() >= 2
    for chart in charts.all():
        overlaps, outside = chart.evaluate(TEXTS)
        assert overlaps == []
        assert outside == []


TEXTS = """(svg) => {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map((t) => [t.textContent, t.getBoundingClientRect()]);
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
  const others = (i, a) => texts.slice(i + 1).filter(([, b]) => meet(a, b));
  const pairs = texts.flatMap(([t, a], i) => others(i, a).map(([u]) => `${t} / ${u}`));
  const out = texts.filter(([, r]) => r.left < frame.left - 2 || r.right > frame.right + 2).map(([t]) => t);
  return [pairs, out];
}"""
"""[pairs of texts that cover each other, texts that reach out of the chart]"""


def test_markdown_of_evil_names():
    text = render_markdown(f"Run {EVIL}", evil_evaluation(), {EVIL: f"a\n# b {EVIL}"})
    assert not re.search(r"(?<!\\)<[a-z/!]", text)
    assert not re.search(r"(?<!\\)\[x", text)
    assert not re.search(r"^# b", text, re.MULTILINE)
    for line in text.splitlines():
        if line.startswith("| "):
            cells = len(re.findall(r"(?<!\\)\|", line)) - 1
            assert cells in (5, 4), line  # a system and four metrics; a check, two systems and the reference


@pytest.mark.slow
@pytest.mark.parametrize("label", ["a $x$ b $", r"$\frac", "_hidden", "<b>", 'style="fill: red"', "سورية", "a&b"])
def test_charts_show_labels_as_they_are(label: str):
    charts = {
        intervals(label, {label: (1, 2, 3)}, label): 3,
        ranking(label, {label: 3.0}, label): 3,
        lines(label, {label: [(0, 1), (1, 2)], "other": [(0, 1), (1, 2)]}, label, label): 4,
        bar_chart(label, [label], {label: [1.0], "other": [2.0]}, label, label): 5,
        trade_off(label, {label: ((1, 2, 3), (1, 2, 3))}, label, label): 4,
    }
    escaped = label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for chart, times in charts.items():
        assert len(re.findall(rf"<text[^>]*>{re.escape(escaped)}</text>", chart)) == times
        assert "style=" not in chart.replace(escaped, "").replace(escaped.replace('"', "&quot;"), "")
        assert "<style" not in chart


def test_long_names_leave_room_for_the_chart():
    chart = intervals("chrF", {"model " * 30: (1, 2, 3)}, "chrF")
    assert ">model model model model model model mod…</text>" in chart


def test_numbers_that_json_does_not_know():
    assert finite({"a": [float("nan"), 1.5, (float("inf"),)], "b": "x"}) == {"a": [None, 1.5, [None]], "b": "x"}
