"""The report says what scores.json says, escapes what it shows, and sets Arabic from right to left."""

import re
from html.parser import HTMLParser

from mt.evaluation.model_card import render_model_card
from mt.evaluation.report import render_report
from mt.evaluation.scoring import TestSet, evaluate_hypotheses

SCRIPT = "<script>alert('x')</script> & \"quotes\""


def page() -> str:
    test_set = TestSet("news", ["The city fell.", SCRIPT], ["سقطت المدينة.", "قال: «نعم»"])
    hypotheses = {"news": {"base": ["المدينة", "قال"], "finetuned": ["سقطت المدينة.", SCRIPT]}}
    evaluation = evaluate_hypotheses([test_set], hypotheses, 100)
    return render_report(f"Run {SCRIPT}", evaluation, {"seed": "1", "corpora": SCRIPT})


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed() -> Elements:
    elements = Elements()
    elements.feed(page())
    return elements


def test_text_is_escaped():
    elements = parsed()
    assert "script" not in [tag for tag, _ in elements.found]
    assert "".join(elements.text).count(SCRIPT) == 5  # title, heading, source, hypothesis and fact


def test_arabic_is_right_to_left():
    arabic = [attributes for tag, attributes in parsed().found if attributes.get("class") == "arabic"]
    assert len(arabic) == 2 * 3  # reference and two systems for each of two sentences
    assert all((a["dir"], a["lang"]) == ("rtl", "ar") for a in arabic)


def test_nothing_is_fetched():
    assert not re.search(r"""(src|href)=["'](?!#)""", page())
    assert "@import" not in page()


def test_scores_stand_on_the_page():
    reference = "سقطت المدينة في تموز/يوليو."
    test_set = TestSet("news", ["The city fell in July."] * 4, [reference] * 4)
    hypotheses = {"news": {"base": ["المدينة"] * 4, "finetuned": [reference] * 4}}
    evaluation = evaluate_hypotheses([test_set], hypotheses, 100)
    html = render_report("Run", evaluation, {})
    assert evaluation.score("finetuned", "news", "chrF").score == 100.0
    for score in evaluation.scores:
        assert f"{score.score:.2f} " in html
        assert score.signature in html.replace("&#43;", "+")
    assert "significantly better" in html
    card = render_model_card("demo", evaluation, "finetuned", {"seed": "1"})
    assert "| news | **finetuned** | 4 | 100.00 | 100.00 | 100.00 | 0.00 |" in card
