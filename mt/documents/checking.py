"""What a person should look at in a translation: the checks that it fails, in words. None of them needs a reference."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mt.documents.assembly import Sentence
from mt.evaluation.confidence import Confidence
from mt.evaluation.fidelity import TERMS, checks_of
from mt.languages import LanguagePair
from mt.systems.streaming import Translation
from mt.text.glossary import fold_for_terms, read_glossary
from mt.text.normalise import western_digits

NOT_TRANSLATED = "not translated"
_NUMBER = re.compile(r"\d+")


class Row(NamedTuple):
    """A sentence, its translation, and what a reader should know of it."""

    source: str
    target: str
    """As the model wrote it."""
    confidence: Confidence | None = None
    """None for what the model has not translated, such as a blank line or a number alone, or without `--confidence`."""
    faults: tuple[str, ...] = ()
    """What to look at, in words."""
    place: str = ""
    """Where it is in the file, such as `line 3`."""

    @property
    def is_missing(self) -> bool:
        """Whether the model gave nothing for it."""
        return self.faults[:1] == (NOT_TRANSLATED,)


class Checker:
    """The checks that can be made for a pair of languages."""

    def __init__(self, languages: LanguagePair, terminology: str | None = None) -> None:
        """terminology: the user's own table of terms, of which a translation should have the listed form."""
        self._checks = checks_of(languages)
        self._glossary = read_glossary(terminology, languages)
        self._has_terms = terminology is not None

    def failed(self, source: str, target: str) -> Iterator[str]:
        """The checks that a translation fails, each with what is wrong: `numbers: 12 is missing`."""
        for name, check in self._checks.items():
            detail = check(source, target, self._glossary)
            if detail:
                yield f"{name}: {detail}"
        if "numbers" not in self._checks and loses_digits(source, target):
            yield "numbers: digits of the source are missing"
        if self._has_terms:
            folded = fold_for_terms(target)
            # Names have a check of their own.
            terms = [term for term in self._glossary.terms_in(source) if not term.is_name]
            missing = [f"{term.name} ({term.arabic[0]})" for term in terms if not term.pattern.search(folded)]
            if missing:
                yield f"{TERMS}: not as listed: {', '.join(missing)}"

    def row_of_line(self, number: int, source: str, translation: Translation) -> Row:
        """The row of a line, counted from 1."""
        faults: tuple[str, ...] = ()
        if source.strip():
            has_text = bool(translation.text.strip())
            faults = tuple(self.failed(source, translation.text)) if has_text else (NOT_TRANSLATED,)
        return Row(source, translation.text, translation.confidence, faults, f"line {number}")

    def row_of_sentence(self, sentence: Sentence, confidence: Confidence | None, place: str) -> Row:
        """The row of a document's sentence; one that was only copied has no faults."""
        if sentence.is_empty:
            return Row(sentence.source, sentence.target, None, (NOT_TRANSLATED,), place)
        faults = [fault for fault, is_found in faults_of_form(sentence).items() if is_found]
        if sentence.asked:
            faults += self.failed(sentence.source, sentence.target)
        return Row(sentence.source, sentence.target, confidence if sentence.asked else None, tuple(faults), place)


def faults_of_form(sentence: Sentence) -> dict[str, bool]:
    """What became of the addresses and marks of a sentence."""
    return {
        "address put back at the end": sentence.put_back > 0,
        "formatting or placeholder moved to the end": sentence.moved > 0,
    }


def loses_digits(source: str, target: str) -> bool:
    """Whether a number in digits is in the source more often than in the target, whatever digits these are."""
    ours, theirs = (Counter(_NUMBER.findall(western_digits(text))) for text in (source, target))
    return bool(ours - theirs)


def reading_order(rows: Sequence[Row]) -> list[int | None]:
    """When each row should be read, from 1; None for what the model has not translated."""
    return ranks([sort_key(row) for row in rows])


def sort_key(row: Row) -> float | None:
    """What rows are ordered by: missing translations first, then the least probable ones; None: not at all.

    A translation whose probability a model cannot compute counts as the least probable.
    """
    if row.is_missing:
        return float("-inf")
    mean = None if row.confidence is None else row.confidence.mean_log_probability
    return float("-inf") if mean is not None and math.isnan(mean) else mean


def ranks(keys: Sequence[float | None]) -> list[int | None]:
    """The rank of each key, from 1 for the lowest; of equal ones the first is first. [-1, None, -3]: [2, None, 1]."""
    found: list[int | None] = [None] * len(keys)
    known = [index for index, key in enumerate(keys) if key is not None]
    for rank, index in enumerate(sorted(known, key=lambda index: keys[index] or 0.0), start=1):
        found[index] = rank
    return found
