"""Where the terms of a glossary are in a sentence and in its translation."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import Any

from mt.text.glossary import Glossary, Term, fold_for_terms

_WORD = re.compile(r"\S+")
_MOST_WORDS = 6


def find_terms(source: str, translation: str, glossary: Glossary) -> list[dict[str, Any]]:
    """The terms of a sentence: `start` and `end` in the source, `translation_start` and `translation_end`.

    The latter two are None where no accepted form was found. Positions count characters (code points); the end is
    exclusive.
    """
    found = []
    folded, words = fold_for_terms(translation), _Words(translation)
    # A text may name a term a thousand times.
    known: dict[str, tuple[bool, tuple[int, int] | None]] = {}
    for start, end, term in glossary.find(source):
        if term.name not in known:
            known[term.name] = (term.pattern.search(folded) is not None, words.span_of(term))
        is_found, span = known[term.name]
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


class _Words:
    """The words of a translation, in which terms are looked for."""

    def __init__(self, translation: str) -> None:
        self._translation = translation
        self._spans = [match.span() for match in _WORD.finditer(translation)]
        self._folded = [fold_for_terms(translation[start:end]) for start, end in self._spans]
        self._text = " ".join(self._folded)
        self._starts = list(accumulate((len(word) + 1 for word in self._folded), initial=0))

    def span_of(self, term: Term) -> tuple[int, int] | None:
        """The fewest words that hold an accepted form, without the punctuation around them."""
        candidates = self._touched(term)
        for count in range(1, _MOST_WORDS + 1):
            for first in candidates:
                if term.pattern.search(" ".join(self._folded[first : first + count])):
                    last = min(first + count, len(self._spans)) - 1
                    return _trimmed(self._translation, self._spans[first][0], self._spans[last][1])
        return None

    def _touched(self, term: Term) -> list[int]:
        """The numbers of the words that hold a part of an accepted form: only with them can one begin.

        Trying all words for all terms takes seconds for a long text.
        """
        touched: dict[int, None] = {}
        for match in term.pattern.finditer(self._text):
            first = bisect_right(self._starts, match.start()) - 1
            touched.update(dict.fromkeys(range(first, bisect_right(self._starts, match.end() - 1))))
        return list(touched)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return start, end
