"""Where the terms of a glossary are in a sentence and in its translation."""

from __future__ import annotations

import time

import pytest

from mt.serving.terms import find_terms
from mt.text.glossary import Glossary, Term

GLOSSARY = Glossary(
    [
        Term(("Aleppo",), ("حلب",), "place"),
        Term(("air strike",), ("غارة جوية", "قصف جوي عنيف", "عنيف"), "weapon"),
    ]
)


@pytest.mark.parametrize(
    ("source", "translation", "found"),
    [
        ("Aleppo", "في حلب.", [(True, 3, 6)]),
        ("Aleppo", "في «وحَلَب»!", [(True, 4, 10)]),
        ("Aleppo", "في المدينة", [(False, None, None)]),
        ("air strike", "غارة\u00a0 جوية", [(True, 0, 10)]),
        # The fewest words, though a longer form begins before them.
        ("An air strike", "قصف جوي عنيف", [(True, 8, 12)]),
        ("Aleppo, Aleppo", "حلب، حلب", [(True, 0, 3), (True, 0, 3)]),
        ("Aleppo", "كلمة " * 1000 + "حلب", [(True, 5000, 5003)]),
    ],
)
def test_places_of_terms(source: str, translation: str, found: list[tuple[bool, int | None, int | None]]):
    terms = find_terms(source, translation, GLOSSARY)
    assert [(each["found"], each["translation_start"], each["translation_end"]) for each in terms] == found


def test_a_term_a_thousand_times_is_looked_for_once():
    began = time.process_time()
    terms = find_terms("air strike " * 1000, "غارة جوية " * 299, GLOSSARY)
    assert time.process_time() - began < 1
    assert [(each["translation_start"], each["translation_end"]) for each in terms] == [(0, 9)] * 1000
