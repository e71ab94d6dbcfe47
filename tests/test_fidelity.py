"""Precision of the checks on cases that were labelled by reading, before the checks had seen them.

tests/fidelity holds 44 cases a check, 24 of them translations that are right and look wrong.
"""

from pathlib import Path

import pytest

from mt.evaluation.fidelity import CHECKS, Failure, Fidelity, check_fidelity, count_terms
from mt.evaluation.glossary import Glossary

CASES = Path(__file__).parent / "fidelity"
# Found and false alarms, of 20 failures and 24 right translations.
EXPECTED = {
    "numbers": (18, 0),
    "names": (20, 0),
    "negation": (16, 1),
    "attribution": (19, 0),
    "untranslated": (20, 0),
    "repetition": (20, 0),
    "length": (20, 0),
    "dropped sentences": (17, 0),
    "characters": (20, 0),
    "quotes": (20, 0),
}


def cases(check: str) -> list[tuple[str, str, str]]:
    """(label, source, hypothesis)."""
    lines = (CASES / f"{check.replace(' ', '_')}.tsv").read_text(encoding="utf-8").splitlines()
    return [(label, source, hypothesis) for label, source, hypothesis, _ in (line.split("\t") for line in lines[1:])]


@pytest.mark.parametrize("check", CHECKS)
def test_precision(check: str):
    labelled = cases(check)
    assert [label for label, _, _ in labelled].count("fail") == 20
    assert len(labelled) == 44
    glossary = Glossary.read()
    flagged = [label for label, source, hypothesis in labelled if CHECKS[check](source, hypothesis, glossary)]
    found, false_alarms = flagged.count("fail"), flagged.count("ok")
    # First, so that nobody only counts anew what a change has made worse than it may be.
    assert found / (found + false_alarms) >= 0.94
    assert (found, false_alarms) == EXPECTED[check]


@pytest.mark.parametrize(
    ("check", "source", "hypothesis", "detail"),
    [
        ("numbers", "20,000 fled.", "فر 2000.", "20000 of the source is missing; 2000 is not in the source"),
        ("numbers", "He spoke on Monday.", "تحدث يوم الاثنين.", ""),
        ("numbers", "Some 20,000 fled.", "فر نحو ٢٠ ألفا.", ""),
        ("numbers", "1,182 police", "182 1 شرطيا", ""),
        ("names", "Raqqa fell.", "سقطت المدينة.", "not named: Raqqa (الرقة)"),
        ("names", "The city fell.", "سقطت المدينة.", None),
        ("names", "Raqqa fell.", "وسقطت الرقه.", ""),
        ("negation", "It did not end.", "انتهى.", "the source denies something, the translation does not"),
        ("negation", "It ended.", "لم ينته.", "the translation denies something that the source does not"),
        ("negation", "It ended.", "انتهى.", ""),
        ("attribution", "Troops reportedly left.", "غادرت القوات.", "`reportedly` is lost: a claim reads as a fact"),
        ("attribution", "Troops left.", "غادرت القوات.", None),
        ("untranslated", "The convoy left.", "غادرت convoy.", "left in Latin letters: convoy"),
        ("repetition", "The convoy left.", "غادرت غادرت غادرت القافلة", "`غادرت` 3 times in a row"),
        ("length", "The convoy left.", " ", "nothing was translated"),
        ("length", "The convoy left the town.", "غادرت القافلة من", "ends in the middle: …غادرت القافلة من"),
        ("dropped sentences", "The convoy left.", "غادرت القافلة.", None),
        ("characters", "The convoy left.", "غادرت\u202b القافلة", "U+202B RIGHT-TO-LEFT EMBEDDING"),
        ("quotes", 'He said "no".', "قال «لا", "1 « and 0 »"),
        ("quotes", "He left (see para. 17).", "غادر (انظر الفقرة 17).", ""),
        ("quotes", "He left.", "غادر.", ""),
    ],
)  # fmt: skip
def test_what_a_check_says(check: str, source: str, hypothesis: str, detail: str | None):
    assert CHECKS[check](source, hypothesis, Glossary.read()) == detail


def test_counts_and_failures():
    sources, lines = ["Raqqa fell.", "Aleppo fell.", "It fell."], ["سقطت الرقة.", "سقطت.", "سقطت."]
    results, failures = check_fidelity("a", "news", sources, lines, Glossary.read())
    assert Fidelity("a", "news", "names", 1, 2) in results
    assert Fidelity("a", "news", "numbers", 3, 3) in results
    assert Fidelity("a", "news", "attribution", 0, 0) in results
    assert failures == [Failure("a", "news", "names", 2, "not named: Aleppo (حلب)")]
    assert Fidelity("a", "news", "terms", 1, 2) in results


def test_terms_are_counted_once_a_sentence_and_behind_clitics():
    sources = ["Shelling hit Raqqa and again Raqqa.", "Mortar shells fell on Aleppo.", "Nothing is named."]
    hypotheses = ["قصف على الرقة", "سقطت قذائف الهاون بحلب", "لا شيء"]
    # Shelling and Raqqa; mortar shells and Aleppo: all four, the last behind a preposition.
    assert count_terms(sources, hypotheses, Glossary.read()) == (4, 4)
    assert count_terms(sources, ["", "بحلب", ""], Glossary.read()) == (1, 4)
