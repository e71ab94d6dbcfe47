"""A review page tells nothing of the systems, keeps what is rated, and exports just that."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import expect

from mt.config import CorpusConfig
from mt.data.readers import read_corpus
from mt.errors import DataError
from mt.evaluation.blind_review import ReviewItem, draw_items, hypothesis_hash
from mt.evaluation.ratings import read_ratings
from mt.evaluation.test_set import TestSet
from mt.report.review_page import render_review
from tests.contrast import contrasts
from tests.helpers import only_line, run

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = "<script>document.title = 'x'</script> & </script><!--"
COUNT = 6
SOURCES = [f"Sentence {n}." for n in range(COUNT - 1)] + [SCRIPT]
REFERENCES = [f"مرجع {n}" for n in range(COUNT)]
FIRST = [f"أول {n}" for n in range(COUNT)]
SECOND = [f"ثان {n}" for n in range(COUNT - 1)] + [SCRIPT]
TEST_SET = TestSet("news", SOURCES, REFERENCES)


def drawn(
    first: list[str] = FIRST, second: list[str] = SECOND, sentences: int = 100, seed: int = 1
) -> list[ReviewItem]:
    return draw_items(TEST_SET, first, second, sentences, seed).items


# The draw


def test_systems_may_change_places():
    """Nothing on the page depends on which system is which, so nothing can tell."""
    assert render_review("news", drawn(FIRST, SECOND)) == render_review("news", drawn(SECOND, FIRST))


def test_draw_depends_on_the_seed_alone():
    assert drawn() == drawn()
    assert [i.sentence for i in drawn(seed=2)] != [i.sentence for i in drawn()]
    assert sorted(i.sentence for i in drawn(seed=2)) == list(range(COUNT))
    assert drawn(sentences=3) == drawn()[:3]


def test_sides_are_shuffled():
    many = TestSet("news", ["a"] * 1000, ["b"] * 1000)
    first, second = ([f"{name} {n}" for n in range(1000)] for name in "ab")
    items = draw_items(many, first, second, 1000, 1).items
    lefts = [item.left.startswith("a") for item in items]
    assert 450 < sum(lefts) < 550  # the standard deviation of a fair coin is 16
    # A page that was unblinded says nothing about the next one with the same seed.
    others = draw_items(many, [f"c {n}" for n in range(1000)], second, 1000, 1).items
    assert 450 < sum(x == item.left.startswith("c") for x, item in zip(lefts, others, strict=True)) < 550


def test_translations_alike_are_left_out():
    second = [FIRST[0], f" {FIRST[1]}  ", *SECOND[2:]]
    draw = draw_items(TEST_SET, FIRST, second, 100, 1)
    assert sorted(item.sentence for item in draw.items) == [2, 3, 4, 5]
    assert (draw.alike, draw.sentences) == (2, 6)
    with pytest.raises(
        DataError, match="the two systems translate all 6 sentences identically, so there is nothing to review"
    ):
        draw_items(TEST_SET, FIRST, FIRST, 100, 1)


def test_hash_of_a_hypothesis():
    # printf 'سقطت المدينة.' | sha256sum
    digest = "70b94e5587b22cf4b165302ea1a663c3cd36af9d1b98fa330d200a9105ea6838"
    assert hypothesis_hash("سقطت المدينة.") == hypothesis_hash("سقطت\nالمدينة.\n") == digest


# The page as a file


class Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and data.strip():
            self.scripts[-1] += data


def test_text_is_escaped():
    parser = Scripts()
    parser.feed(render_review(SCRIPT, drawn()))
    data, _program = parser.scripts
    review = json.loads(data)
    assert review["test_set"] == SCRIPT
    assert {item["source"] for item in review["items"]} == set(SOURCES)
    assert SCRIPT in {text for item in review["items"] for text in (item["left"], item["right"])}


def test_nothing_is_fetched():
    html = render_review("news", drawn())
    assert not re.search(r"""(src|href)=["'](?!#|data:,)""", html)
    assert "default-src 'none'" in html


# The command


def files(tmp_path: Path) -> list[str]:
    (tmp_path / "first.txt").write_text("".join(f"{line}\n" for line in FIRST), encoding="utf-8")
    (tmp_path / "second.txt").write_text("".join(f"{line}\n" for line in SECOND), encoding="utf-8")
    rows = "".join(f"{s}\t{r}\n" for s, r in zip(SOURCES, REFERENCES, strict=True))
    (tmp_path / "news.tsv").write_text(rows, encoding="utf-8")
    systems = [f"qzxfirst={tmp_path / 'first.txt'}", f"qzxsecond={tmp_path / 'second.txt'}"]
    return [*systems, "--output", str(tmp_path / "review.html"), "--test_set", f"news={tmp_path / 'news.tsv'}"]


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "mt", "review", *files(tmp_path), "--sentences", "4") == 0
    captured = capsys.readouterr()
    expected = "4 of 6 sentences that differ; 0 of 6 translated alike and left out\npage: "
    assert captured.out == f"{expected}{tmp_path}/review.html\n"
    html = (tmp_path / "review.html").read_text(encoding="utf-8")
    for telltale in ("qzx", "first.txt", "second.txt", str(tmp_path)):
        assert telltale not in html
    assert run(monkeypatch, "mt", "review", *files(tmp_path)) == 1
    assert "exists, and may be under review; replace it by --overwrite or choose" in only_line(capsys)
    assert run(monkeypatch, "mt", "review", *files(tmp_path), "--overwrite") == 0
    assert capsys.readouterr().out.startswith("6 of 6 sentences")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--sentences", "0"], 1, "--sentences must be at least 1, got 0"),
        (["--output", "{tmp}"], 1, "is a directory; name a file with --output FILE"),
        (["--output", "/dev/null", "--overwrite"], 1, "/dev/null: is a pipe or a device, which a file would replace"),
        (["--output", "{tmp}/first.txt/x.html"], 1, "x.html: cannot be written (File exists)"),
        (["--test_set", "more={tmp}/news.tsv"], 2, "a page holds one test set, got news, more; make a page of each"),
        (["third.txt"], 2, "third.txt"),
    ],
)
def test_refusals(
    options: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    argv = [*files(tmp_path), *(option.format(tmp=tmp_path) for option in options)]
    assert run(monkeypatch, "mt", "review", *argv) == status
    assert message in only_line(capsys)


def test_two_systems_are_needed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "mt", "review", "one.txt") == 2
    assert "required" in only_line(capsys)


def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        run(monkeypatch, "mt", "review", "--help")
    assert capsys.readouterr().out.startswith("usage: mt review A B [--test_set NAME=FILE]")


# The page in a browser


@pytest.fixture
def review(page: Page, tmp_path: Path) -> Page:
    """The review page of all six sentences, just opened."""
    (tmp_path / "page.html").write_text(render_review("news", drawn()), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    return page


def choice(page: Page) -> str | None:
    return page.evaluate("document.querySelector('input[name=choice]:checked')?.value ?? null")


def progress(page: Page) -> str:
    return page.inner_text("#progress")


def export(page: Page) -> tuple[Path, dict[str, Any]]:
    with page.expect_download() as download:
        page.click("#export")
    path = Path(download.value.path())
    return path, json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.browser
def test_rate_by_keys_and_mouse_and_export(review: Page):
    items = drawn()
    review.keyboard.press("1")
    assert choice(review) == "left"
    review.keyboard.press("ArrowRight")
    assert (choice(review), review.inner_text("#heading")) == (None, "Sentence 2 of 6")
    review.get_by_label("Equally bad").check()
    review.keyboard.press("ArrowRight")  # from a focused radio button: goes on, and leaves the rating alone
    arabic_layout = "new KeyboardEvent('keydown', {key: '٢', bubbles: true})"
    review.evaluate(f"document.body.dispatchEvent({arabic_layout})")
    assert choice(review) == "right"
    review.keyboard.press("ArrowDown")  # scrolls: no radio button has the focus
    review.keyboard.press("ArrowLeft")
    assert (choice(review), progress(review)) == ("both_bad", "3 of 6 rated")
    review.fill("#reviewer", "نور / Noor")
    path, file = export(review)
    assert review.inner_text("#notice") == "3 of 6 rated, exported to ratings-news-نور_Noor.json."
    assert re.fullmatch("[0-9a-f]{64}", file.pop("page"))
    assert file == {
        "format": "mt-ratings-2",
        "reviewer": "نور / Noor",
        "test_set": "news",
        "items": [
            {
                "sentence": item.sentence,
                "left": hypothesis_hash(item.left),
                "right": hypothesis_hash(item.right),
                "choice": chosen,
                "comment": "",
                "saw_reference": False,
                "correction": None,
            }
            for item, chosen in zip(items[:3], ["left", "both_bad", "right"], strict=True)
        ],
    }
    (found,) = read_ratings([path], {"news": {"first": FIRST, "second": SECOND}})
    wins = {items[0].left, items[2].right}
    assert found.baseline_wins == len(wins & set(FIRST))
    assert found.system_wins == len(wins & set(SECOND))
    assert found.both_bad == 1


@pytest.mark.browser
def test_a_better_translation_is_exported_and_read_as_a_corpus(review: Page, tmp_path: Path):
    items = drawn()
    review.click("#better-details summary")
    review.click("#from-right")
    assert review.input_value("#better") == items[0].right
    review.fill("#reviewer", "Noor")
    review.click("#export")
    # What is only copied is no better.
    assert review.inner_text("#notice") == "Nothing is rated yet, so there is nothing to export."
    review.fill("#better", '  قال:\t"لا"\nوذهب. ')
    review.click("#heading")
    review.keyboard.press("1")
    review.keyboard.press("ArrowRight")
    assert review.input_value("#better") == ""
    review.click("#better-details summary")
    review.fill("#better", "ترجمة جديدة 4")
    review.reload()
    assert review.input_value("#better") == "ترجمة جديدة 4"
    path, file = export(review)
    assert review.inner_text("#notice") == (
        "1 of 6 rated and 2 better translations, exported to ratings-news-Noor.json."
    )
    assert [(row["choice"], row["correction"]) for row in file["items"]] == [
        ("left", {"source": items[0].source, "target": 'قال: "لا" وذهب.', "machine": items[0].right, "from": "right"}),
        (None, {"source": items[1].source, "target": "ترجمة جديدة 4", "machine": "", "from": None}),
    ]
    (found,) = read_ratings([path], {"news": {"first": FIRST, "second": SECOND}})
    assert found.sentences == 1
    exported = path.rename(tmp_path / "ratings-news-Noor.json")
    pairs = list(read_corpus("desk", CorpusConfig(path=str(exported), format="corrections")))
    assert [tuple(pair)[:5] for pair in pairs] == [
        (items[0].source, 'قال: "لا" وذهب.', f"{exported}:sentence {items[0].sentence + 1}", "news", None),
        (items[1].source, "ترجمة جديدة 4", f"{exported}:sentence {items[1].sentence + 1}", "news", None),
    ]
    # It comes back from a file as it went.
    review.once("dialog", lambda dialog: dialog.accept())
    review.click("#restart")
    assert review.input_value("#better") == ""
    review.set_input_files("#import-file", exported)
    expect(review.locator("#notice")).to_contain_text("imported")
    assert review.input_value("#better") == 'قال: "لا" وذهب.'
    assert export(review)[1] == file


@pytest.mark.browser
def test_what_is_written_is_not_replaced_unasked(review: Page):
    review.click("#better-details summary")
    review.fill("#better", "أفضل")
    review.once("dialog", lambda dialog: dialog.dismiss())
    review.click("#from-left")
    assert review.input_value("#better") == "أفضل"
    review.once("dialog", lambda dialog: dialog.accept())
    review.click("#from-left")
    assert review.input_value("#better") == drawn()[0].left
    review.reload()
    # It is no correction yet, and kept all the same.
    assert review.input_value("#better") == drawn()[0].left
    review.focus("#better")
    for key in ("1", "n"):
        review.keyboard.press(key)  # typed into the box, and no ratings
    assert progress(review) == "0 of 6 rated"


@pytest.mark.browser
def test_ratings_of_the_former_format_are_imported(review: Page):
    review.keyboard.press("2")
    review.fill("#reviewer", "Noor")
    path, file = export(review)
    del file["items"][0]["correction"]
    path.write_text(json.dumps({**file, "format": "mt-ratings-1"}), encoding="utf-8")
    review.keyboard.press("1")
    review.once("dialog", lambda dialog: dialog.accept())
    review.set_input_files("#import-file", {"name": "x", "mimeType": "application/json", "buffer": path.read_bytes()})
    expect(review.locator("#notice")).to_contain_text("imported")
    assert choice(review) == "right"


@pytest.mark.browser
def test_typing_does_not_rate(review: Page):
    review.click("#comment")
    review.keyboard.type("1234 n")
    review.keyboard.press("ArrowRight")
    review.click("#reviewer")
    review.keyboard.type("Noor 2n")
    review.keyboard.press("ArrowLeft")
    assert (choice(review), review.inner_text("#heading")) == (None, "Sentence 1 of 6")
    assert review.input_value("#comment") == "1234 n"
    review.click("#heading")
    review.keyboard.press("Control+1")
    review.get_by_label("Use these keys").uncheck()
    review.keyboard.press("1")
    assert progress(review) == "0 of 6 rated"


@pytest.mark.browser
def test_export_needs_a_rating_and_a_name(review: Page):
    review.click("#export")
    assert review.inner_text("#notice") == "Nothing is rated yet, so there is nothing to export."
    review.keyboard.press("1")
    review.click("#export")
    assert review.inner_text("#notice").startswith("Write your name first")
    assert review.evaluate("document.activeElement.id") == "reviewer"


@pytest.mark.browser
def test_reload_keeps_everything(review: Page):
    review.keyboard.press("3")
    review.fill("#comment", "دقيق <b>")
    review.keyboard.press("Tab")
    review.click("#next")
    review.click("#show-reference")
    assert review.inner_text("#reference-text") == REFERENCES[drawn()[1].sentence]
    review.fill("#reviewer", "Noor")
    review.reload()
    assert (review.inner_text("#heading"), review.input_value("#reviewer")) == ("Sentence 2 of 6", "Noor")
    assert not review.is_visible("#reference")
    review.keyboard.press("4")
    review.keyboard.press("ArrowLeft")
    assert (choice(review), review.input_value("#comment")) == ("both_good", "دقيق <b>")
    first, second = export(review)[1]["items"]
    assert (first["comment"], first["saw_reference"]) == ("دقيق <b>", False)
    assert (second["comment"], second["saw_reference"]) == ("", True)


@pytest.mark.browser
def test_import_restores(review: Page):
    for key in ("1", "ArrowRight", "2", "ArrowRight", "3"):
        review.keyboard.press(key)
    review.fill("#comment", "جيد")
    review.fill("#reviewer", "Noor")
    path, before = export(review)
    review.once("dialog", lambda dialog: dialog.accept())
    review.click("#restart")
    assert progress(review) == "0 of 6 rated"
    review.set_input_files("#import-file", path)
    expect(review.locator("#notice")).to_contain_text("imported")
    assert progress(review) == "3 of 6 rated"
    assert export(review)[1] == before
    # What is there is not replaced unasked.
    review.keyboard.press("4")
    asked = []
    review.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    with review.expect_event("dialog"):
        review.set_input_files("#import-file", path)
    assert asked == ["confirm"]
    assert choice(review) == "both_bad"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "it is not JSON"),
        ("null", "it holds no ratings"),
        ('{"format": "mt-ratings-1", "page": "x", "items": []}', "it belongs to another review page"),
        ('{"format": "mt-ratings-1", "page": "PAGE", "items": [{"sentence": 99}]}', "a rating in it does not fit"),
        (
            '{"format": "mt-ratings-1", "page": "PAGE", "items": [{"sentence": 0, "left": "x", "right": "x", '
            '"choice": "left", "comment": "", "saw_reference": false}]}',
            "a rating in it does not fit",
        ),
        ('{"format": "mt-ratings-3", "page": "PAGE", "items": []}', "it holds no ratings"),
    ],
)
def test_import_refuses(content: str, reason: str, review: Page):
    page_hash = json.loads(review.inner_text("#review-data"))["page"]
    file = {"name": "x.json", "mimeType": "application/json", "buffer": content.replace("PAGE", page_hash).encode()}
    review.set_input_files("#import-file", file)
    expect(review.locator("#notice")).not_to_be_empty()
    assert review.inner_text("#notice").startswith(f"x.json was not imported: {reason}")


@pytest.mark.browser
def test_next_unrated(review: Page):
    for key in ("1", "n", "1", "ArrowRight", "ArrowRight", "1", "ArrowLeft", "ArrowLeft"):
        review.keyboard.press(key)
    headings = []
    for _ in range(3):
        review.click("#unrated")
        headings.append(review.inner_text("#heading"))
        review.keyboard.press("2")
    assert headings == ["Sentence 3 of 6", "Sentence 5 of 6", "Sentence 6 of 6"]
    assert progress(review) == "6 of 6 rated"
    assert review.is_disabled("#unrated")
    assert review.inner_text("#notice") == "All sentences are rated. Export your ratings to a file."
    review.click("#clear")
    assert (choice(review), progress(review)) == (None, "5 of 6 rated")


@pytest.mark.browser
def test_without_storage(page: Page, tmp_path: Path):
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
    )
    (tmp_path / "page.html").write_text(render_review("news", drawn()), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    assert page.inner_text("#trouble").startswith("This browser does not keep your ratings. Export them")
    page.keyboard.press("1")
    assert progress(page) == "1 of 6 rated"
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]
    page.keyboard.press("1")
    page.fill("#reviewer", "Noor")
    export(page)
    page.reload()
    assert asked == ["beforeunload"]


@pytest.mark.browser
def test_damaged_storage_is_said(review: Page):
    review.keyboard.press("1")
    review.evaluate("localStorage.setItem(Object.keys(localStorage)[0], '{}')")
    review.reload()
    assert progress(review) == "0 of 6 rated"
    assert "cannot be used: it holds no ratings" in review.inner_text("#trouble")


@pytest.mark.browser
def test_two_tabs(review: Page):
    other = review.context.new_page()
    other.goto(review.url)
    other.keyboard.press("ArrowRight")
    other.keyboard.press("2")
    expect(review.locator("#progress")).to_have_text("1 of 6 rated")
    review.keyboard.press("1")
    expect(other.locator("#progress")).to_have_text("2 of 6 rated")
    assert (choice(review), choice(other)) == ("left", "right")


@pytest.mark.browser
def test_text_stays_text_and_arabic_runs_right_to_left(review: Page):
    position = [item.sentence for item in drawn()].index(COUNT - 1)
    for _ in range(position):
        review.keyboard.press("ArrowRight")
    assert review.inner_text("#source") == SCRIPT
    assert SCRIPT in (review.inner_text("#left"), review.inner_text("#right"))
    assert review.title() == "Blind review: news"
    for translation in ("#left", "#right", "#reference-text"):
        style = f"getComputedStyle(document.querySelector('{translation}')).direction"
        assert review.evaluate(style) == "rtl"
        assert review.get_attribute(translation, "lang") == "ar"
    assert review.evaluate("getComputedStyle(document.querySelector('#source')).direction") == "ltr"


@pytest.mark.browser
def test_what_a_screen_reader_meets(review: Page):
    group = review.get_by_role("group", name="Which translation is better?")
    names = ["Left better", "Right better", "Equally good", "Equally bad"]
    assert [group.get_by_role("radio", name=name, exact=True).count() for name in names] == [1] * 4
    assert review.get_by_role("progressbar", name="Sentences rated").count() == 1
    assert review.get_by_role("textbox", name="Comment (optional)").count() == 1
    review.keyboard.press("2")
    assert review.get_by_role("status").first.inner_text() == "Right better. 1 of 6 rated."
    review.keyboard.press("ArrowRight")
    assert review.evaluate("document.activeElement.id") == "heading"
    stops = []
    for _ in range(7):
        review.keyboard.press("Tab")
        stops.append(
            review.evaluate(
                "document.activeElement.id || document.activeElement.value || document.activeElement.tagName"
            )
        )
    # "Take the rating back" and "Previous" would stand between, but there is nothing to take back yet.
    assert stops == ["show-reference", "left", "SUMMARY", "comment", "previous", "next", "unrated"]
    assert review.get_by_role("textbox", name="Better translation", exact=True, include_hidden=True).count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_page_fits_the_screen(width: int, review: Page):
    review.set_viewport_size({"width": width, "height": 800})
    assert review.evaluate("document.documentElement.scrollWidth") == width
    columns = review.evaluate("getComputedStyle(document.querySelector('.pair')).gridTemplateColumns.split(' ').length")
    assert columns == (1 if width == 390 else 2)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: Literal["light", "dark"], review: Page):
    review.emulate_media(color_scheme=scheme)
    review.keyboard.press("1")
    review.click("#better-details summary")
    review.click("#from-left")
    found = contrasts(review)
    assert {"Left better", "Start from the left one", "Better translation", "Next unrated", "1"} <= set(found)
    assert min(found.values()) >= 4.5, sorted(found.items(), key=lambda item: item[1])[:5]
