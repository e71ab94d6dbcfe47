"""The report says what scores.json says, escapes what it shows, sets Arabic from right to left, and works."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from playwright.sync_api import Browser, Page, expect

from mt.evaluation.results import Evaluation
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.test_set import TestSet
from mt.files import write_text
from mt.report.charts import is_on_frontier, trade_off
from mt.report.comparison_report import render_markdown, render_report
from mt.report.model_card import render_model_card
from mt.report.scores_json import as_json, finite
from mt.text.glossary import Glossary, Term
from tests.helpers import REFERENCES, cells_of

SCRIPT = "<script>alert('x')</script> & \"quotes\" </script><!--"
GLOSSARY = Glossary([Term(("Raqqa",), ("الرقة",), "place")])


def evaluated() -> Evaluation:
    sources = ["The city fell in 2014.", f"He said {SCRIPT}.", "Troops left Raqqa.", "It fell."] * 10
    references = ["سقطت المدينة عام 2014.", "قال: «نعم» YPG 25%.", "غادرت القوات الرقة.", "سقطت."] * 10
    base = ["المدينة", "قال", "غادرت القوات.", "سقطت."] * 10
    tuned = ["سقطت المدينة عام 2014.", SCRIPT, "غادرت القوات الرقة.", ""] * 10
    news = TestSet("news", sources, references, ["desk", "wire"] * 20)
    flores = TestSet("flores", sources[::-1], references[::-1], is_general=True)
    lines = {"base": base, "tuned": tuned}
    hypotheses = {"news": lines, "flores": {name: each[::-1] for name, each in lines.items()}}
    evaluation = evaluate_hypotheses([news, flores], hypotheses, 100, glossary=GLOSSARY, word_counts={"city": 9})
    evaluations = [
        {"update": 0, "eval_loss": 4.5, "eval_chrF": 10.0},
        {"update": 10, "eval_loss": 4.1, "eval_chrF": 12.0},
    ]
    evaluation.curves = {"tuned": evaluations}
    return evaluation


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluated()


@pytest.fixture(scope="module")
def html(evaluation: Evaluation) -> str:
    return render_report(f"Run {SCRIPT}", evaluation, {"seed": "1", "corpora": SCRIPT}, glossary=GLOSSARY)


@pytest.fixture
def report(html: str, tmp_path: Path, page: Page) -> Page:
    write_text(tmp_path / "report.html", html)
    page.goto(f"file://{tmp_path / 'report.html'}")
    return page


def test_nothing_is_fetched(html: str):
    assert not re.search(r"""(src|href)=["'](?!#)""", html)
    assert "@import" not in html
    # The title's and the facts' markup is text, and the data holds no end of its script element.
    assert html.count("<script") == html.count("</script>") == 2


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(item)
    elif isinstance(value, int | float):
        yield float(value)


@pytest.mark.browser
def test_every_number_stands_in_scores_json(report: Page, evaluation: Evaluation):
    content = json.loads(json.dumps(as_json(evaluation)))
    known = set(numbers_in(content))
    report.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    report.get_by_role("button", name="Show 15 more").click()
    shown = report.evaluate("[...document.querySelectorAll('data')].map((d) => [d.value, d.textContent])")
    assert len(shown) > 200
    for value, text in shown:
        assert float(value) in known
        digits = len(text.partition(".")[2])
        assert float(text.replace("\u2212", "-")) == pytest.approx(float(value), abs=0.5001 * 10**-digits)
    # Whatever else looks like a score stands in a verdict, which scores.json repeats.
    texts = [entry["text"] for entry in content["verdicts"]]
    assert report.locator("p.verdict:not(.advice)").all_inner_texts() == texts
    assert report.locator("p.advice").inner_text() == content["advice"]
    elsewhere = "data, p.verdict, p.source, p.target, svg, code, a.number"
    report.evaluate("(css) => document.querySelectorAll(css).forEach((d) => d.remove())", elsewhere)
    rest = report.locator("main").inner_text()
    assert not re.findall(r"\d+\.\d+", rest), re.findall(r".*\d+\.\d+.*", rest)


@pytest.mark.browser
def test_text_is_text(report: Page):
    assert report.locator("h1").inner_text() == f"Run {SCRIPT}"
    assert report.locator("#list > li").nth(1).locator("p.source").inner_text() == f"He said {SCRIPT}."
    assert report.locator("#list > li").nth(1).locator("p.target").nth(2).inner_text() == SCRIPT
    assert report.locator("#list script").count() == 0


@pytest.mark.browser
def test_arabic_is_right_to_left(report: Page):
    first = report.locator("#list > li").first
    for paragraph in first.locator("p.target").all():
        assert paragraph.evaluate("(p) => getComputedStyle(p).direction") == "rtl"
        assert paragraph.get_attribute("lang") == "ar"
    assert first.locator("p.source").evaluate("(p) => getComputedStyle(p).direction") == "ltr"
    # The first word of a line of Arabic stands to the right of its last one.
    left = report.locator("#list > li").nth(2).locator("p.target").first
    places = left.evaluate(
        "(p) => [0, p.textContent.length - 2].map((i) => { const r = document.createRange();"
        " r.setStart(p.firstChild, i); r.setEnd(p.firstChild, i + 1); return r.getBoundingClientRect().x; })"
    )
    assert places[0] > places[1]


@pytest.mark.browser
def test_search_and_filters(report: Page):
    count = report.locator("#count")
    expect(count).to_have_text("40 of 40 sentences match; 25 shown.")
    report.get_by_label("Search").fill("troops الرَّقة")
    expect(count).to_have_text("10 of 40 sentences match; 10 shown.")
    assert report.locator("#list abbr").first.get_attribute("title") == "الرقة"
    report.get_by_label("Search").fill("nothing of the kind")
    expect(count).to_have_text("No sentence matches. Clear the search or choose other filters.")
    report.get_by_label("Search").fill("")
    report.get_by_label("Only a sentence").select_option(label="that fails: names")
    expect(count).to_have_text("No sentence matches. Clear the search or choose other filters.")
    report.locator("#system").select_option(label="base")
    expect(count).to_have_text("10 of 40 sentences match; 10 shown.")
    assert "not named: Raqqa" in report.locator("#list ul.failed").first.inner_text()
    report.get_by_label("Only a sentence").select_option(label="any sentence")
    report.locator("#slice").select_option(label="desk (20)")
    expect(count).to_have_text("20 of 40 sentences match; 20 shown.")


@pytest.mark.browser
def test_order_and_marks(report: Page):
    report.get_by_label("Order").select_option(label="largest losses first")
    first = report.locator("#list > li").first
    assert first.locator("p.source").inner_text() == "It fell."
    assert "below" in first.locator("h4").nth(2).inner_text()
    assert "(empty)" in first.inner_text()
    report.get_by_label("Order").select_option(label="largest wins first")
    first = report.locator("#list > li").first
    assert "above" in first.locator("h4").nth(2).inner_text()
    report.get_by_label("Mark words not in").select_option(label="base")
    left = report.get_by_label("Search")
    left.fill("Troops")
    expect(report.locator("#list > li").first.locator("mark")).to_have_text(["القوات", "الرقة."])
    report.get_by_label("Mark words not in").select_option(label="nothing")
    assert report.locator("#list mark").count() == 0


@pytest.mark.browser
def test_a_sentence_has_a_link(report: Page):
    report.get_by_role("link", name="Link to sentence 3 of news").click()
    expect(report.locator("#list > li")).to_have_count(1)
    assert report.locator("#list p.source").inner_text() == "Troops left Raqqa."
    report.get_by_role("button", name="Show all sentences").click()
    expect(report.locator("#count")).to_have_text("40 of 40 sentences match; 25 shown.")


@pytest.mark.browser
def test_back_shows_the_list_again(report: Page):
    report.get_by_role("link", name="Link to sentence 3 of news").click()
    expect(report.locator("#list > li")).to_have_count(1)
    assert report.evaluate("document.activeElement.className") == "number"
    report.go_back()
    expect(report.locator("#count")).to_have_text("40 of 40 sentences match; 25 shown.")


@pytest.mark.browser
def test_search_for_a_phrase_in_any_spelling(report: Page):
    for text, found in (('"left raqqa"', 10), ('"raqqa left"', 0), ("الرقه", 10), ('"القوات الرقة"', 10)):
        report.get_by_label("Search").fill(text)
        expected = f"{found} of 40 sentences match; {found} shown." if found else "No sentence matches."
        expect(report.locator("#count")).to_contain_text(expected)


@pytest.mark.browser
def test_long_words_do_not_widen_the_page(page: Page, tmp_path: Path):
    long, text = "a" * 3000, "ا" * 3000
    test_set = TestSet("news", [f"He said {long}."] * 5, ["قال."] * 5)
    evaluation = evaluate_hypotheses([test_set], {"news": {"only": [text] * 5}}, 100)
    write_text(tmp_path / "report.html", render_report("Long", evaluation, {"corpus": long}))
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"file://{tmp_path / 'report.html'}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_keyboard(report: Page):
    for name in ("Search", "Test set", "System", "Order", "Only a sentence", "Part", "Mark words not in"):
        report.get_by_role("searchbox" if name == "Search" else "combobox", name=name, exact=True).focus()
        assert report.evaluate("document.activeElement.closest('#filters') !== null")
    report.get_by_role("button", name="Show 15 more").press("Enter")
    # The focus goes on to the first of the new sentences.
    assert report.evaluate("document.activeElement.textContent") == "26"


@pytest.mark.browser
def test_fits_a_phone(report: Page):
    report.set_viewport_size({"width": 390, "height": 800})
    assert report.evaluate("document.documentElement.scrollWidth") <= 390


def many_times(evaluation: Evaluation, times: int) -> Evaluation:
    """The evaluation, of one test set, as if that held its sentences so many times over; the scores are not changed."""
    (test_set,) = evaluation.test_sets
    name, count = test_set.name, len(test_set.sources)
    evaluation.test_sets = [TestSet(name, test_set.sources * times, test_set.references * times)]
    for by_system in (evaluation.hypotheses[name], evaluation.sentence_scores[name]):
        by_system.update({system: values * times for system, values in by_system.items()})  # type: ignore[attr-defined]
    offsets = range(0, count * times, count)
    evaluation.failures = [replace(f, sentence=f.sentence + offset) for offset in offsets for f in evaluation.failures]
    slices = evaluation.slice_members[name]
    rows = [tuple(row + offset for offset in offsets for row in each.rows) for each in slices]
    evaluation.slice_members[name] = [replace(each, rows=own) for each, own in zip(slices, rows, strict=True)]
    return evaluation


def renderer_seconds(browser: Browser) -> float:
    """Processor time of the pages, which a busy machine does not lengthen."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return sum(process["cpuTime"] for process in processes if process["type"] == "renderer")


@pytest.mark.browser
@pytest.mark.slow
def test_large_reports_open_at_once(browser: Browser, page: Page, tmp_path: Path):
    generator = random.Random(1)
    words = " ".join(REFERENCES).split()
    # 2,000 sentences of five systems are a large page; to score so many would show nothing more.
    lines, *systems = ([" ".join(generator.choices(words, k=22)) + "." for _ in range(100)] for _ in range(6))
    sources = ["Troops of the government left the city of Raqqa and five people were killed near the river."] * 100
    hypotheses = {"news": {f"system {n}": system for n, system in enumerate(systems)}}
    scored = evaluate_hypotheses([TestSet("news", sources, lines)], hypotheses, 100, metrics=["chrF", "BLEU"])
    html = render_report("Large", many_times(scored, 20), {})
    assert 2 * 2**20 < len(html.encode()) <= 8 * 2**20
    write_text(tmp_path / "report.html", html)
    start = renderer_seconds(browser)
    page.goto(f"file://{tmp_path / 'report.html'}")
    expect(page.locator("#count")).to_have_text("2000 of 2000 sentences match; 25 shown.")
    opened = renderer_seconds(browser)
    assert 0 < opened - start < 2
    page.get_by_label("Order").select_option(label="largest losses first")
    page.get_by_label("Search").fill("المدينة")
    expect(page.locator("#count")).to_contain_text("25 shown.")
    assert renderer_seconds(browser) - opened < 2


def test_scores_stand_on_the_card_and_in_markdown(evaluation: Evaluation):
    bleu, score = (evaluation.score("tuned", "news", metric) for metric in ("BLEU", "chrF"))
    card = render_model_card("demo", evaluation, "tuned", {"seed": "1"})
    row = ["news", "**tuned**", "40", f"{bleu.score:.2f}", f"{score.score:.2f}"]
    assert row in [cells_of(line)[:5] for line in card.splitlines()]
    text = render_markdown("Comparison", evaluation, {"system a": "x"})
    assert text.startswith(f"# Comparison\n{evaluation.advice}\n")
    assert f"{score.score:.2f} [{score.ci_low:.1f}, {score.ci_high:.1f}] (+" in text
    assert ["names", "0 of 10", "10 of 10", "10 of 10"] in list(map(cells_of, text.splitlines()))
    assert f"- chrF: `{score.signature}`" in text
    # The fourth sentence of every four was right and is empty now.
    assert "Largest losses of tuned:\n\n4. It fell. (chrF 100.0 → 0.0)\n   - \n8. It fell." in text
    assert "Largest losses of base" not in text
    twin = evaluate_hypotheses([TestSet("n", ["x"], ["ص"])], {"n": {"<b>*a*": ["ص"]}}, 100)
    assert "| &lt;b>\\*a\\* " in render_markdown("Comparison", twin, {})


def test_no_tag_is_left_on_the_card(evaluation: Evaluation):
    card = render_model_card("<b>demo</b> -->", evaluation, "tuned", {})
    assert ModelCard(card).data.model_name == "‹b›demo‹/b› --›"
    assert "<b>" not in card


def test_the_card_has_metadata_that_the_hub_reads(evaluation: Evaluation):
    data = ModelCard(
        render_model_card("demo: *", evaluation, "tuned", {}, base_model="Helsinki-NLP/opus-mt-en-ar")
    ).data
    assert (data.language, data.base_model, data.model_name) == (["en", "ar"], "Helsinki-NLP/opus-mt-en-ar", "demo: *")
    assert (data.pipeline_tag, data.library_name, data.metrics) == (
        "translation",
        "transformers",
        ["bleu", "chrf", "ter"],
    )
    results = {(each.dataset_name, each.metric_name): each for each in data.eval_results}
    assert set(results) == {
        (name, metric) for name in ("news", "flores") for metric in ("BLEU", "chrF", "chrF++", "TER")
    }
    for (name, metric), each in results.items():
        score = evaluation.score("tuned", name, metric)
        assert each.metric_value == round(score.score, 2)
        assert each.metric_config == score.signature
    assert results["news", "chrF++"].metric_type == "chrf"
    assert "base_model" not in render_model_card("demo", evaluation, "tuned", {})


def test_frontier():
    points = {
        name: ((0, x, 0), (0, y, 0)) for name, (x, y) in {"a": (0, 0), "b": (3, -1), "c": (2, -2), "d": (1, 0)}.items()
    }
    assert [name for name in points if is_on_frontier(name, points)] == ["b", "d"]


def test_names_of_near_points_do_not_cover_each_other():
    near = {
        name: ((-0.3 + x, x, 0.3 + x), (5.9 + x, 6.0 + x, 6.1 + x)) for name, x in (("mixed", 0.0), ("close", 0.02))
    }
    far = {"full": ((-5.1, -5.0, -4.9), (6.9, 7.0, 7.1))}
    chart = trade_off("Trade-off", near | far, "general, chrF", "domain, chrF")
    places = {
        name: (float(x), float(y))
        for x, y, name in re.findall(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>(mixed|close|full)<', chart)
    }
    assert len(places) == 3
    # Letters of 10 points: a line each, or one name left and one right of the points.
    (x, y), (other_x, other_y) = places["mixed"], places["close"]
    assert abs(y - other_y) > 9 or abs(x - other_x) > 30


def test_numbers_that_json_does_not_know_become_null():
    value = {"ratio": float("nan"), "scores": [1.0, float("inf"), {"low": float("-inf")}], "text": "NaN"}
    assert finite(value) == {"ratio": None, "scores": [1.0, None, {"low": None}], "text": "NaN"}
