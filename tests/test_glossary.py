"""Terms are found in English, and their Arabic forms behind every clitic; a broken glossary is named by line."""

from pathlib import Path

import pytest

from mt.errors import DataError
from mt.text.glossary import KINDS, Glossary, Term, fold_for_terms

GLOSSARY = Glossary(
    [
        Term(("Deir ez-Zor", "Deir Ezzor"), ("دير الزور",), "place"),
        Term(("al-Hol",), ("الهول", "مخيم الهول"), "place"),
        Term(("Iraq",), ("العراق",), "place"),
        Term(("United Nations", "UN"), ("الأمم المتحدة",), "organisation"),
        Term(("Syrian Democratic Forces", "SDF"), ("قوات سوريا الديمقراطية", "قسد"), "armed_group"),
        Term(("ceasefire", "cease-fire"), ("وقف إطلاق النار", "هدنة"), "military"),
        Term(("air strike", "air strikes"), ("غارة جوية", "غارات جوية"), "weapon"),
        Term(("Germany",), ("ألمانيا",), "place"),
        Term(("landmine",), ("لغم", "ألغام"), "weapon"),
        Term(("minefield",), ("حقل ألغام",), "weapon"),
        Term(("Côte d’Ivoire",), ("ساحل العاج",), "place"),
    ]
)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Troops left Deir ez-Zor's airport.", [(12, 23, "Deir ez-Zor")]),
        ("Deir Ezzor and Al-Hol", [(0, 10, "Deir ez-Zor"), (15, 21, "al-Hol")]),
        ("Iraqi forces", []),
        ("The UN said; un homme", [(4, 6, "United Nations")]),
        ("Ceasefire talks after air strikes", [(0, 9, "ceasefire"), (22, 33, "air strike")]),
        ("A UN-brokered truce, 5 UNs", [(2, 4, "United Nations")]),
        ("Côte d'Ivoire and Côte d’Ivoire", [(0, 13, "Côte d’Ivoire"), (18, 31, "Côte d’Ivoire")]),
    ],
)
def test_terms_in_english(source: str, found: list[tuple[int, int, str]]):
    assert [(start, end, term.name) for start, end, term in GLOSSARY.find(source)] == found


@pytest.mark.parametrize(
    ("term", "text", "is_there"),
    [
        ("United Nations", "قالت الأمم المتحدة", True),
        ("United Nations", "وللأمم المتحدة", True),
        ("United Nations", "بالامم المتحده", True),
        ("United Nations", "الأمم", False),
        ("Iraq", "والعراق", True),
        ("Iraq", "الجيش العراقي", True),
        ("Iraq", "للعراق", True),
        ("Iraq", "عراقيون", True),
        ("Iraq", "عراقيل", False),
        ("Deir ez-Zor", "فدير الزور", True),
        ("Deir ez-Zor", "بديرالزور", True),
        ("Deir ez-Zor", "دير سانت", False),
        ("Syrian Democratic Forces", "وقسد", True),
        ("Syrian Democratic Forces", "قسدية", False),
        ("ceasefire", "الهدنة", True),
        ("ceasefire", "هدنتهم", True),
        ("ceasefire", "هدنتك هدنة", True),
        ("air strike", "للغارات الجوية", True),
        ("air strike", "غارة", False),
        # What begins with أل has no article of its own, and may get one.
        ("Germany", "السفير الألماني", True),
        ("Germany", "لألمانيا", True),
        ("landmine", "الألغام", True),
        ("landmine", "للألغام", True),
        ("landmine", "غامت السماء", False),
        ("minefield", "حقول", False),
        ("minefield", "حقل الألغام", True),
    ],
)
def test_forms_in_arabic(term: str, text: str, is_there: bool):
    pattern = next(t for t in GLOSSARY.terms if t.name == term).pattern
    assert bool(pattern.search(fold_for_terms(text))) is is_there


def test_the_glossary_that_comes_along():
    terms = Glossary.read().terms
    assert len(terms) >= 1000
    assert {term.kind for term in terms} == set(KINDS)
    names = {form for term in terms for form in term.english}
    assert {"Deir ez-Zor", "Raqqa", "SDF", "ISIL", "UNHCR", "barrel bomb", "ceasefire", "spokesman"} <= names
    for term in terms:
        # Every term recognises its own forms.
        assert all(term.pattern.search(fold_for_terms(form)) for form in term.arabic), term
        assert not any("\u064b" <= letter <= "\u0652" or letter == "\u0640" for form in term.arabic for letter in form)


def test_starter_set_uses_its_terms():
    starter = Path(__file__).parent.parent / "data" / "conflict_news" / "starter.tsv"
    glossary, missing, named = Glossary.read(), [], 0
    for line in starter.read_text(encoding="utf-8").splitlines()[1:]:
        source, target = line.split("\t")
        for found in glossary.find(source):
            named += 1
            if not found.term.pattern.search(fold_for_terms(target)):
                missing.append((found.term.name, source))
    assert named > 500
    assert len(missing) <= 0.02 * named, missing


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("english\tarabic\tkind\nA\tب\n", r":2: expected 3 tab-separated columns"),
        ("A\tب\tplace\nB\tت\tcity\n", r":2: `city` is no kind of term; write one of place, "),
        ("A\t\tplace\n", r":1: a term needs an English and an Arabic form"),
        ("A | B\tب\tplace\nB\tت\tplace\n", r":2: `B` is already in line 1"),
        ("english\tarabic\tkind\n", r"has no terms"),
    ],
)
def test_broken_glossaries(content: str, message: str, tmp_path: Path):
    file = tmp_path / "glossary.tsv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        Glossary.read(file)
    with pytest.raises(DataError, match="no such glossary"):
        Glossary.read(tmp_path / "none.tsv")
