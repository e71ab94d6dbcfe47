"""Precision of the checks on cases that were labelled by reading, before the checks had seen them.

tests/fidelity holds 44 cases for each of ten checks, 24 of them translations that are right and look wrong;
tests/fidelity/in_context 78 more, with words around them that are cues elsewhere.
"""

from pathlib import Path

import pytest

from mt.evaluation.fidelity import CHECKS, WORTH, Failure, Fidelity, check_fidelity, count_terms
from mt.text.glossary import Glossary

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


def cases(check: str, directory: Path = CASES) -> list[tuple[str, str, str]]:
    """(label, source, hypothesis)."""
    lines = (directory / f"{check.replace(' ', '_')}.tsv").read_text(encoding="utf-8").splitlines()
    return [(label, source, hypothesis) for label, source, hypothesis, _ in (line.split("\t") for line in lines[1:])]


# (failures, right translations); all failures are found and no right translation is flagged.
IN_CONTEXT = {
    "numbers": (10, 10),
    "negation": (10, 10),
    "attribution": (10, 10),
    "repetition": (3, 1),
    "quotes": (1, 3),
    "punctuation": (6, 4),
}


@pytest.mark.parametrize("check", EXPECTED)
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


@pytest.mark.parametrize("check", IN_CONTEXT)
def test_in_context(check: str):
    labelled = cases(check, CASES / "in_context")
    labels = [label for label, _, _ in labelled]
    assert (labels.count("fail"), labels.count("ok")) == IN_CONTEXT[check]
    wrong = [case for case in labelled if bool(CHECKS[check](*case[1:], Glossary.read())) != (case[0] == "fail")]
    assert wrong == []


def test_every_check_says_what_a_pass_is_worth():
    assert list(WORTH) == list(CHECKS)


SAME_NUMBERS = [
    ("Some 20k fled.", "فر نحو 20 ألفا."),
    ("It cost $1.2m.", "كلف مليونا و200 ألف دولار."),
    ("It cost $2bn.", "كلف ملياري دولار."),
    ("1.3 million people fled.", "فر مليون و300 ألف شخص."),
    ("Some 2,300 men left.", "غادر ألفان و300 رجل."),
    ("Between 10,000 and 15,000 fled.", "فر ما بين 10 و15 ألف شخص."),
    ("Two to three million fled.", "فر ما بين 2 و3 ملايين."),
    ("Half a million fled.", "فر 500 ألف شخص."),
    ("About 1.5m people fled.", "فر نحو مليون ونصف المليون."),
    ("It began on 7 October 2023.", "بدأ في 7/10/2023."),
    ("It began on 07.10.2023.", "بدأ في 7 تشرين الأول 2023."),
    ("It began at 0600 GMT.", "بدأ الساعة 6:00 بتوقيت غرينتش."),
    ("It began at 0600 GMT.", "بدأ الساعة السادسة صباحا بتوقيت غرينتش."),
    ("It began at 6 p.m. on Monday.", "بدأ عند الساعة 18:00 يوم الاثنين."),
    ("It began at noon.", "بدأ الساعة 12 ظهرا."),
    ("Two dozen men died.", "قُتل 24 رجلا."),
    ("Some 25 per cent of the homes fell.", "دُمر ربع المنازل."),
    ("Two thirds of the homes fell.", "دُمر 66% من المنازل."),
    ("In the 1990s 12 men died.", "قُتل 12 رجلا في التسعينيات."),
    ("Chapter VII of the Charter.", "الفصل 7 من الميثاق."),
    ("The 3rd Division moved.", "تحركت الفرقة الثالثة."),
    ("Call +963 11 555 1234.", "اتصل على الرقم 00963115551234."),
    ("In fiscal 2023-24 the deficit rose.", "ارتفع العجز في السنة المالية 2023-2024."),
    ("In January 2022 thousands fled.", "في يناير 2022 فر آلاف العائلات."),
    ("The raid came in July.", "وقعت الغارة في شهر 7."),
    ("The October War began.", "بدأت حرب تشرين."),
    ("He was born in '82.", "ولد عام 1982."),
    ("In the first 100 days 12 men died.", "في أول مئة يوم قُتل 12 رجلا."),
    ("He spoke at 12 noon.", "تحدث ظهرا."),
    ("At 12 midnight the truce began.", "بدأت الهدنة عند منتصف الليل."),
    ("The Sunday Times reported it.", "ذكرت صنداي تايمز ذلك."),
]
OTHER_NUMBERS = [
    ("Some 12 people died.", "قُتل 21 شخصا.", "12 of the source is missing; 21 is not in the source"),
    (
        "Some 1.3 million fled.",
        "فر 1.3 مليار شخص.",
        "1300000 of the source is missing; 1300000000 is not in the source",
    ),
    ("It began at 2 p.m. today.", "بدأ في الساعة 2 صباحا اليوم.", "the time of day is different"),
    ("It began at 18:00.", "بدأ الساعة 6 صباحا.", "the time of day is different"),
    ("They met in the morning.", "اجتمعوا مساء.", "the part of the day is different"),
    ("On 7 October 2023.", "في 7/11/2023.", "11 is not in the source; October of the source is missing"),
    ("He left in May.", "غادر في آذار.", "May of the source is missing; آذار is not in the source"),
    ("He left on Monday.", "غادر يوم الثلاثاء.", "Monday of the source is missing"),
    ("In the 1990s.", "في الثمانينيات.", "the 90s of the source are missing"),
    ("Chapter VII of the Charter.", "الفصل الثامن من الميثاق.", "7 of the source is missing"),
    ("Half a million fled.", "فر نصف مليار.", "500000 of the source is missing"),
    ("The raid came in July.", "وقعت الغارة في شهر 8.", "8 is not in the source; July of the source is missing"),
    (
        "The October War began.",
        "بدأت حرب تشرين الثاني.",
        "October of the source is missing; تشرين الثاني is not in the source",
    ),
    (
        "He spoke at 12 noon.",
        "تحدث عند منتصف الليل.",
        "the part of the day is different",
    ),
    ("He was born in '82.", "ولد عام 1983.", "82 of the source is missing; 1983 is not in the source"),
    ("They met on Sunday.", "اجتمعوا أمس.", "Sunday of the source is missing"),
    ("It killed 14 and hurt 37.", "أصاب 37 وقتل 14.", "14, 37 are in a different order"),
]


@pytest.mark.parametrize(("source", "hypothesis"), SAME_NUMBERS)
def test_numbers_written_otherwise(source: str, hypothesis: str):
    assert CHECKS["numbers"](source, hypothesis, Glossary.read()) == ""


@pytest.mark.parametrize(("source", "hypothesis", "detail"), OTHER_NUMBERS)
def test_other_numbers(source: str, hypothesis: str, detail: str):
    assert CHECKS["numbers"](source, hypothesis, Glossary.read()) == detail


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
        ("negation", "It did not end.", "انتهى.", "the source negates something, the translation does not"),
        ("negation", "It ended.", "لم ينته.", "the translation negates something that the source does not"),
        ("negation", "It ended.", "انتهى.", ""),
        ("negation", "No. It did not end.", "لا. لم ينته.", ""),
        ("negation", "Did it end? No.", "هل انتهى؟ كلا", ""),
        ("negation", "Nobody knows whether it ended or not.", "لا أحد يعرف إن انتهى أم لا.", ""),
        ("attribution", "Troops reportedly left.", "غادرت القوات.", "`reportedly` is lost: a claim reads as a fact"),
        ("attribution", "Troops left.", "غادرت القوات.", None),
        ("attribution", "Troops left, he said on Twitter.", "كتب على تويتر أن القوات غادرت.", ""),
        ("attribution", "Turkey warned that it would reply.", "توعدت تركيا بالرد.", ""),
        ("attribution", "Turkey warned that its threats stood.", "تهديدات تركيا قائمة.",
         "`warned` is lost: a claim reads as a fact"),
        ("attribution", "He accused Turkey of the raid.", "حمّل تركيا مسؤولية الغارة.", ""),
        ("attribution", "The paper reported that it fell.", "أوردت الصحيفة أنها سقطت.", ""),
        ("attribution", "By his claims it fell, he told state TV.", "سقطت، في حديث للتلفزيون الرسمي.", ""),
        ("attribution", "He claimed it fell.", "سقطت بزعمه.", ""),
        ("attribution", "He argued that it was banned under international law.", "وهو ممنوع وفق القانون الدولي.",
         "`argued` is lost: a claim reads as a fact"),
        ("attribution", "He wrote to the army, aides said.", "كتب إلى الجيش أن يغادر.",
         "`said` is lost: a claim reads as a fact"),
        ("untranslated", "The convoy left.", "غادرت convoy.", "left in Latin letters: convoy"),
        ("repetition", "The convoy left.", "غادرت غادرت غادرت القافلة", "`غادرت` 3 times in a row"),
        ("repetition", "It left.", "غادرت القافلة البلدة أمس. غادرت القافلة البلدة أمس.",
         "`غادرت القافله البلده امس` 2 times in a row"),
        ("characters", "The convoy left.", "غادرت\x85 القافلة", "U+0085 control"),
        ("punctuation", "Did it leave?", "هل غادرت؟?", "doubled: ؟?"),
        ("punctuation", "It left...", "غادرت...", ""),
        ("negation", "It did not end, it did not help.", "انتهى، ولم يساعد.",
         "the source negates 2 times, the translation only 1"),
        ("quotes", 'He sold an "S-300".', 'باع منظومة «"إس-300"».', ""),
        ("length", "The convoy left.", " ", "nothing was translated"),
        ("length", "The convoy left the town.", "غادرت القافلة من", "breaks off: …غادرت القافلة من"),
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
