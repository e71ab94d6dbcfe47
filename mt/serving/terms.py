"""Where the terms of a glossary are in a sentence and in its translation."""

from __future__ import annotations

import re
from typing import Any

from mt.text.glossary import Glossary, Term, fold_for_terms

_WORD = re.compile(r"\S+")
_MOST_WORDS = 6
_MOST_CHARACTERS = 3000
"""Of a translation in which terms are looked for word by word."""


def find_terms(source: str, translation: str, glossary: Glossary) -> list[dict[str, Any]]:
    """The terms of a sentence: `start` and `end` in the source, `translation_start` and `translation_end`.

    The latter two are None where no accepted form was found. Positions count characters (code points); the end is
    exclusive.
    """
    found = []
    folded = ""
    for start, end, term in glossary.find(source):
        folded = folded or fold_for_terms(translation)
        is_found = term.pattern.search(folded) is not None
        span = _span_of(term, translation) if is_found else None
        found.append(
            {
                "term": source[start:end],
                "expected": list(term.arabic),
                "kind": term.kind,
                "found": is_found,
                "start": start,
                "end": end,
                "translation_start": None if span is None else span[0],
                "translation_end": None if span is None else span[1],
            }
        )
    return found


def missing_terms(source: str, translation: str, glossary: Glossary) -> str:
    """Which terms other than names have no accepted form in the translation, in words; empty if all have one."""
    folded = fold_for_terms(translation)
    terms = [term for term in glossary.terms_in(source) if not term.is_name]
    missing = [term for term in terms if not term.pattern.search(folded)]
    return "; ".join(f"{term.name} should be {term.arabic[0]}" for term in missing)


def _span_of(term: Term, translation: str) -> tuple[int, int] | None:
    """The fewest words of the translation that hold an accepted form, without the punctuation around them."""
    if len(translation) > _MOST_CHARACTERS:
        return None
    words = [match.span() for match in _WORD.finditer(translation)]
    for count in range(1, _MOST_WORDS + 1):
        for first in range(len(words) - count + 1):
            start, end = words[first][0], words[first + count - 1][1]
            if term.pattern.search(fold_for_terms(translation[start:end])):
                return _trimmed(translation, start, end)
    return None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return start, end
