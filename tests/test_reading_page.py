"""The page of `mt translate --page`: what it shows first, what it keeps, and what it saves."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from mt.config import CorpusConfig, DataConfig
from mt.data.builder import build_data
from mt.data.readers import read_corpus
from mt.documents import review_files
from mt.documents.bilingual import BilingualTable
from mt.documents.checking import Row
from mt.evaluation.confidence import Confidence
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair, pair_named
from mt.report.reading_page import render_page
from mt.systems import translating
from tests.contrast import contrast, contrasts
from tests.document_cases import Shouting
from tests.helpers import run

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = "<script>document.title = 'x'</script> & </script><!--"


def sure(mean: float) -> Confidence:
    return Confidence(60 + 20 * mean, 45 + 20 * mean, 75 + 20 * mean, mean)


ROWS = [
    Row("It was quiet.", "كان هادئا.", sure(-0.5), (), "line 1"),
    Row("Twelve (12) men left.", "غادر الرجال.", sure(-0.6), ("numbers: 12 of the source is missing",), "line 2"),
    Row("", "", None, (), "line 3"),
    Row("Nobody came.", "Nobody came.", None, ("not translated",), "line 4"),
    Row('He said: "No".', 'قال: "لا".', sure(-1.5), (), "line 5"),
    Row("45", "45", None, (), "line 6"),
    Row(SCRIPT, SCRIPT, sure(-0.4), (), "line 7"),
    Row("=1+1 is two.", "=1+1 اثنان.", sure(-0.3), (), "line 8"),
]


def written(rows: list[Row], edits: dict[int, str]) -> bytes:
    """The table that `mt translate --bilingual` would have written, with edited targets."""
    stream = io.BytesIO()
    with BilingualTable(stream, "news.txt") as table:
        table.add(rows)
    lines = list(csv.reader(io.StringIO(stream.getvalue().decode("utf-8"), newline=""), "excel-tab"))
    for number, text in edits.items():
        lines[number][1] = text
    edited = io.StringIO(newline="")
    csv.writer(edited, "excel-tab", lineterminator="\n").writerows(lines)
    return edited.getvalue().encode()


def open_page(page: Page, directory: Path, rows: list[Row] = ROWS, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Page:
    file = directory / "news.ar.txt.review.html"
    file.write_text(render_page("news.txt", rows, languages), encoding="utf-8")
    page.goto(file.as_uri())
    return page


@pytest.fixture
def reading(page: Page, tmp_path: Path) -> Page:
    """The page of all rows, just opened."""
    return open_page(page, tmp_path)


def headings(page: Page) -> list[str]:
    return [heading.inner_text() for heading in page.query_selector_all(".sentence h2")]


def numbers(page: Page) -> list[int]:
    return [int(re.findall(r"\d+", heading)[0]) for heading in headings(page)]


def box(page: Page, number: int):
    return page.get_by_label(f"Translation of sentence {number}", exact=True)


def saved(page: Page) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.click("#save")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


# As a file


def test_text_is_escaped_and_nothing_is_fetched():
    html = render_page(SCRIPT, ROWS, ENGLISH_TO_ARABIC)
    assert html.count("<script>") == 1
    assert not re.search(r"""(src|href)=["'](?!#|data:,)""", html)
    assert "default-src 'none'" in html
    data = json.loads(re.search(r'id="reading-data">(.*?)</script>', html, re.DOTALL)[1])  # type: ignore[index]
    assert [row["source"] for row in data["sentences"]] == [row.source for row in ROWS]
    assert [row["rank"] for row in data["sentences"]] == [4, 3, None, 1, 2, None, 5, 6]
    # The fifth of six, rounded up.
    assert data["first"] == 2


def test_a_model_that_fails_in_a_sentence_spoils_no_page():
    """In half precision a model may find no number, or none but infinity; JSON has neither."""
    rows = [sure_row(-0.5), sure_row(math.nan), sure_row(-math.inf), sure_row(-2.0)]
    html = render_page("a.txt", rows, ENGLISH_TO_ARABIC)
    text = re.search(r'id="reading-data">(.*?)</script>', html, re.DOTALL)[1]  # type: ignore[index]
    data = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert [row["rank"] for row in data["sentences"]] == [4, 1, 2, 3]
    assert [row["numbers"] for row in data["sentences"]] == [[50, 40, 60, -0.5], None, None, [50, 40, 60, -2.0]]
    stream = io.BytesIO()
    with BilingualTable(stream, "a.txt", has_confidence=True) as table:
        table.add(rows)
    assert [line.split("\t")[5:] for line in stream.getvalue().decode().splitlines()[1:]] == [
        ["50.0", "40.0", "60.0", "-0.5000", "", "4"],
        ["", "", "", "", "", "1"],
        ["", "", "", "", "", "2"],
        ["50.0", "40.0", "60.0", "-2.0000", "", "3"],
    ]


def sure_row(mean: float) -> Row:
    chrf = (mean, mean, mean) if math.isnan(mean) else (50.0, 40.0, 60.0)
    return Row("One.", "واحد.", Confidence(*chrf, mean))


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(review_files, "MAX_ON_PAGE", 2)
    monkeypatch.setattr(translating, "open_translator", lambda *_: Shouting())
    monkeypatch.setattr("mt.systems.confidence.mean_log_probabilities", lambda _, sources, *__: [-1.0] * len(sources))
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("One.\nTwo.\nThree.\n")
    assert run(monkeypatch, "mt", "translate", "tiny-en-ar", "in.txt", "--page", "--decoding.engine", "torch") == 0
    html = Path("in.ar.txt.review.html").read_text(encoding="utf-8")
    assert "This page holds the first 2 sentences of the document; 1 more are not on it." in html
    assert "in.txt: has 3 sentences, and its page the first 2; split the file" in caplog.text


# In a browser


@pytest.mark.browser
def test_what_is_read_first(reading: Page):
    # Blank lines are not shown; the sentence that is missing comes first, what is only copied last.
    assert numbers(reading) == [4, 5, 2, 1, 7, 8, 6]
    badges = [badge.inner_text() for badge in reading.query_selector_all(".badge")]
    assert badges == ["Not translated", "Read first", "Look at this", "", "", "", ""]
    first = reading.locator(".sentence").nth(1)
    assert first.locator(".numbers").inner_text() == "expected chrF 30 (15 to 45) · number 2 in the order to read"
    failed = [item.inner_text() for item in reading.query_selector_all(".failed li")]
    assert failed == ["numbers: 12 of the source is missing"]
    reading.select_option("#order", "document")
    assert numbers(reading) == [1, 2, 4, 5, 6, 7, 8]
    reading.select_option("#show", "look")
    assert numbers(reading) == [2, 4, 5]
    reading.select_option("#show", "changed")
    assert numbers(reading) == []
    assert reading.is_visible("#none")


@pytest.mark.browser
def test_without_a_calibration(page: Page, tmp_path: Path):
    rows = [row._replace(confidence=row.confidence and Confidence(None, None, None, -0.5)) for row in ROWS]
    open_page(page, tmp_path, rows)
    assert page.locator(".sentence").nth(1).locator(".numbers").inner_text() == (
        "log-probability −0.50 · number 2 in the order to read"
    )
    page.click("summary")
    assert "0 would be certain" in page.inner_text(".help")
    assert "chrF" not in page.inner_text(".help")


@pytest.mark.browser
def test_a_document_without_sentences(page: Page, tmp_path: Path):
    open_page(page, tmp_path, [])
    assert page.inner_text("#none") == "No sentence is like that."
    assert page.inner_text("#progress") == "0 of 0 read, 0 changed"


@pytest.mark.browser
def test_corrections_are_saved_as_the_table_is_written(reading: Page, tmp_path: Path):
    reading.click("#save")
    assert reading.inner_text("#notice") == "Nothing is changed yet, so there is nothing to save."
    box(reading, 2).fill("غادر\t12 رجلا\n«اليوم».")
    box(reading, 5).fill(' قال: "كلا"، ثم "لا". ')
    box(reading, 8).fill("=1+1 هو اثنان.")
    box(reading, 1).fill(" كان  هادئا. ")  # white space alone is no correction
    assert reading.inner_text("#progress") == "4 of 7 read, 3 changed"
    name, content = saved(reading)
    assert name == "news.txt.bilingual.tsv"
    assert reading.inner_text("#notice") == "4 of 7 read, 3 changed, saved as news.txt.bilingual.tsv."
    edits = {2: "غادر 12 رجلا «اليوم».", 5: 'قال: "كلا"، ثم "لا".', 8: "=1+1 هو اثنان."}
    assert content.decode() == written(ROWS, {**edits, 8: f"'{edits[8]}"}).decode()
    (tmp_path / name).write_bytes(content)
    pairs = [pair for pair in read_corpus("desk", CorpusConfig(path=str(tmp_path / name))) if pair.fault is None]
    assert [(pair.source, pair.target, pair.document) for pair in pairs] == [
        (ROWS[number - 1].source, text, "news.txt") for number, text in edits.items()
    ]


@pytest.mark.browser
def test_keys(reading: Page):
    box(reading, 4).focus()
    reading.keyboard.press("Control+Enter")
    assert reading.evaluate("document.activeElement.ariaLabel") == "Translation of sentence 5"
    assert reading.inner_text("#progress") == "1 of 7 read, 0 changed"
    assert reading.get_by_role("status").first.inner_text() == "Sentence 4 is read. 1 of 7 read, 0 changed."
    reading.keyboard.press("Tab")
    assert reading.evaluate("document.activeElement.ariaLabel") == "Sentence 5 is read"
    reading.keyboard.press("Space")
    assert reading.inner_text("#progress") == "2 of 7 read, 0 changed"
    box(reading, 6).focus()
    reading.keyboard.press("Control+Enter")  # the last one: nowhere to go
    assert reading.evaluate("document.activeElement.ariaLabel") == "Translation of sentence 6"


@pytest.mark.browser
def test_reload_keeps_and_reset_takes_back(reading: Page):
    box(reading, 1).fill("كان ذلك هادئا.")
    box(reading, 5).fill("")
    reading.get_by_label("Sentence 7 is read").check()
    reading.reload()
    assert reading.inner_text("#progress") == "3 of 7 read, 2 changed"
    assert box(reading, 1).input_value() == "كان ذلك هادئا."
    states = [state.inner_text() for state in reading.query_selector_all(".state")]
    assert states == ["", "Emptied: not learnt from", "", "Changed", "", "", ""]
    reading.get_by_label("Reset sentence 1").click()
    assert box(reading, 1).input_value() == ROWS[0].target
    assert reading.inner_text("#progress") == "3 of 7 read, 1 changed"
    assert reading.evaluate("document.activeElement.ariaLabel") == "Translation of sentence 1"
    reading.once("dialog", lambda dialog: dialog.accept())
    reading.click("#restart")
    assert reading.inner_text("#progress") == "0 of 7 read, 0 changed"
    assert box(reading, 5).input_value() == ROWS[4].target


@pytest.mark.browser
def test_a_document_that_is_translated_again(reading: Page, tmp_path: Path):
    """A correction is of its sentence, so it outlives the translation; that a translation was read does not."""
    box(reading, 1).fill("كان الهدوء سائدا.")
    box(reading, 5).fill("قال شيئا.")
    box(reading, 5).fill(ROWS[4].target)
    reading.get_by_label("Sentence 8 is read", exact=True).check()
    reading.get_by_label("Sentence 7 is read", exact=True).check()
    again = [row._replace(target=f"{row.target} ثانية") if n in (0, 4, 7) else row for n, row in enumerate(ROWS)]
    open_page(reading, tmp_path, again)
    assert reading.inner_text("#notice") == (
        "The document has been translated again. What you corrected before is still here; changed: 1."
    )
    assert [box(reading, n).input_value() for n in (1, 5, 8)] == ["كان الهدوء سائدا.", again[4].target, again[7].target]
    assert reading.inner_text("#progress") == "2 of 7 read, 1 changed"
    assert saved(reading)[1].decode() == written(again, {1: "كان الهدوء سائدا."}).decode()
    # Other sentences are another document.
    open_page(reading, tmp_path, [*again[1:], again[0]])
    assert reading.inner_text("#progress") == "0 of 7 read, 0 changed"


@pytest.mark.browser
def test_two_tabs(reading: Page):
    other = reading.context.new_page()
    other.goto(reading.url)
    box(other, 1).fill("أول")
    expect(reading.locator("#progress")).to_have_text("1 of 7 read, 1 changed")
    assert box(reading, 1).input_value() == "أول"
    box(reading, 2).fill("ثان")
    expect(other.locator("#progress")).to_have_text("2 of 7 read, 2 changed")


@pytest.mark.browser
def test_without_storage(page: Page, tmp_path: Path):
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
    )
    open_page(page, tmp_path)
    assert page.inner_text("#trouble").startswith("This browser does not keep your corrections. Save them")
    box(page, 1).fill("أول")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]
    box(page, 1).fill("أول")
    saved(page)
    page.reload()
    assert asked == ["beforeunload"]


@pytest.mark.browser
def test_storage_that_is_switched_off(page: Page, tmp_path: Path):
    """Firefox with `dom.storage.enabled` false has null in its place."""
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { return null; }});")
    open_page(page, tmp_path)
    assert page.inner_text("#trouble").startswith("This browser does not keep your corrections. Save them")


@pytest.mark.browser
def test_damaged_storage_is_said(reading: Page):
    box(reading, 1).fill("أول")
    reading.reload()
    reading.evaluate("localStorage.setItem(Object.keys(localStorage)[0], '[[99, {}]]')")
    # Leaving the page keeps what is on it.
    reading.evaluate("window.addEventListener('pagehide', (event) => event.stopImmediatePropagation(), true)")
    other = reading.context.new_page()
    other.goto(reading.url)
    assert other.inner_text("#trouble") == "The corrections that this browser kept are damaged and cannot be used."


@pytest.mark.browser
@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        (("en", "ar"), [("en", "ltr"), ("ar", "rtl")]),
        (("ar", "en"), [("ar", "rtl"), ("en", "ltr")]),
        (("en", "fr"), [("en", "ltr"), ("fr", "ltr")]),
    ],
)
def test_each_side_in_its_direction(
    languages: tuple[str, str], expected: list[tuple[str, str]], page: Page, tmp_path: Path
):
    open_page(page, tmp_path, languages=pair_named(*languages))
    for selector, (code, direction) in zip((".source", ".target"), expected, strict=True):
        assert page.locator(selector).first.get_attribute("lang") == code
        style = f"getComputedStyle(document.querySelector('{selector}')).direction"
        assert page.evaluate(style) == direction
    assert page.title() == "Read and correct: news.txt"


def test_contrast_of_colours():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    # WebAIM's contrast checker: #777777 on white is 4.48:1, #767676 is 4.54:1.
    assert contrast((0x77,) * 3, (255,) * 3) == pytest.approx(4.48, abs=0.005)
    assert contrast((0x76,) * 3, (255,) * 3) == pytest.approx(4.54, abs=0.005)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: Literal["light", "dark"], reading: Page):
    reading.emulate_media(color_scheme=scheme)
    reading.click("summary")
    box(reading, 1).fill("أول")
    reading.click("#save")
    found = contrasts(reading)
    assert {"Read first", "Not translated", "Look at this", "Save corrections", "Changed", "Reset", "أول"} <= set(found)
    assert min(found.values()) >= 4.5, sorted(found.items(), key=lambda item: item[1])[:5]


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_the_screen(width: int, reading: Page):
    reading.set_viewport_size({"width": width, "height": 800})
    assert reading.evaluate("document.documentElement.scrollWidth") == width
    columns = reading.evaluate(
        "getComputedStyle(document.querySelector('.sides')).gridTemplateColumns.split(' ').length"
    )
    assert columns == (1 if width == 390 else 2)


@pytest.mark.browser
@pytest.mark.slow
def test_five_thousand_sentences(page: Page, tmp_path: Path):
    rows = [
        Row(
            f"Sentence {n} says where the {n} men went. " * 2,
            f"الجملة {n} تقول أين ذهب الرجال. " * 2,
            sure(-n / 5000),
            (),
        )
        for n in range(5000)
    ]
    began = time.monotonic()
    open_page(page, tmp_path, rows)
    box(page, 5000).fill("أول")  # the least sure one, and so at the top
    assert time.monotonic() - began < 20
    expect(page.locator(".sentence")).to_have_count(5000)
    took = page.evaluate(
        """() => {
          const box = document.querySelector('textarea');
          const began = performance.now();
          for (let n = 0; n < 20; n++) {
            box.value += 'x';
            box.dispatchEvent(new Event('input', { bubbles: true }));
            box.offsetHeight;
          }
          return (performance.now() - began) / 20;
        }"""
    )
    # Measured 1 ms on a busy core; below 100 ms nobody sees it.
    assert took < 100
    _, content = saved(page)
    assert len(content.decode().splitlines()) == 5001


# From a document to the next corpus


@pytest.mark.browser
@pytest.mark.slow
def test_from_a_document_to_a_corpus(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Translate, correct on the page, save, and build data from it: the corrections are there, with their places."""
    monkeypatch.chdir(tmp_path)
    sentences = ["The bridge was reopened on Thursday.", "Farmers lost their wheat.", "The port received four ships."]
    Path("desk.html").write_text("".join(f"<p>{sentence}</p>" for sentence in sentences))
    search = ["--decoding.num_beams", "1", "--decoding.max_length_ratio", "1"]
    options = ["--confidence", "--bilingual", "--page", *search]
    assert run(monkeypatch, "mt", "translate", "tiny-en-ar", "desk.html", *options) == 0
    page.goto((tmp_path / "desk.ar.html.review.html").as_uri())
    box(page, 1).fill("أعيد فتح الجسر يوم الخميس.")
    box(page, 3).fill("استقبل الميناء أربع سفن.")
    name, content = saved(page)
    assert name == "desk.html.bilingual.tsv"
    Path(name).write_bytes(content)
    news = "".join(f"Word {letter}.\tكلمة {letter}\n" for letter in "abcdefghijkl")
    Path("news.tsv").write_text(news, encoding="utf-8")
    corpora = {"news": CorpusConfig(path="news.tsv"), "desk": CorpusConfig(path=name)}
    # The second is in a test set that is named: it must not be learnt from.
    Path("test.tsv").write_text("The port received four ships.\tاستقبل الميناء أربع سفن.\n", encoding="utf-8")
    data, report = build_data(DataConfig(corpora=corpora), tmp_path, {"desk": CorpusConfig(path="test.tsv")})
    learnt = [row for row in data["train"] if row["corpus"] == "desk"]
    assert [(row["source"], row["target"]) for row in learnt] == [(sentences[0], "أعيد فتح الجسر يوم الخميس.")]
    assert dict(report.corpora["desk"].dropped) == {"not corrected": 1, "like a held-out pair": 1}
    rejected = Path("rejected.tsv").read_text(encoding="utf-8")
    assert f"{name}:4" in rejected
