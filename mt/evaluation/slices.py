"""Scores on slices of a test set, which show where systems differ, and not only by how much."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mt.evaluation.metrics import MetricStatistics
from mt.evaluation.significance import interval, paired_test
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.glossary import Glossary
from mt.text.languages import knowledge_of
from mt.text.normalise import comparison_words
from mt.text.numbers import digit_numbers, word_numbers

MIN_SLICE = 5
"""Slices of fewer sentences are left out: their intervals would mean nothing."""
CORPUS = "corpus"
"""The group of slices by corpus, for a test set made from several corpora."""
RARE = 3
"""A word is rare if the training data has it fewer times than this."""
_LENGTHS = ((1, 10), (11, 20), (21, 30), (31, None))
_ACRONYM = re.compile(r"(?<![\w-])[A-Z][A-Z&.]*[A-Z](?![a-z])")


@dataclass(frozen=True)
class Slice:
    """Sentences of a test set that have something in common."""

    group: str
    name: str
    rows: tuple[int, ...]
    """Indices of its sentences, from 0."""


@dataclass(frozen=True)
class SliceScore:
    """One system's score on one slice."""

    test_set: str
    group: str
    slice: str
    system: str
    metric: str
    score: float
    ci_low: float
    ci_high: float
    sentences: int
    difference: float | None
    """From the baseline; None for the baseline itself."""
    p_value: float | None
    """By paired approximate randomization, not corrected for the number of slices: a hint where to look, not proof.
    None if the comparison on the whole test set is refused."""


def slices_of(
    sources: Sequence[str],
    corpora: Sequence[str],
    glossary: Glossary,
    word_counts: Mapping[str, int] | None,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
) -> list[Slice]:
    """All slices of at least `MIN_SLICE` sentences, by length, corpus, names, numbers, acronyms and rare words.

    Numbers in words count where the source's language has them in `mt.text.numbers`; acronyms are in Latin letters.
    """
    reads_words = knowledge_of(languages.source).reads_numbers
    labels: dict[str, list[str]] = {
        "length": [_length(source) for source in sources],
        CORPUS: list(corpora) if len(set(corpora)) > 1 else [],
        "place names": _presence(sources, lambda source: glossary.names_place(source), "a place"),
        "numbers": _presence(sources, lambda source: _has_number(source, reads_words=reads_words), "a number"),
        "acronyms": _presence(sources, lambda source: bool(_ACRONYM.search(source)), "an acronym"),
        "rare words": [] if word_counts is None else [_rare_words(source, word_counts) for source in sources],
    }
    slices = []
    for group, of_rows in labels.items():
        for name in sorted(set(of_rows), key=_order):
            rows = tuple(index for index, label in enumerate(of_rows) if label == name)
            # A slice of all sentences says nothing new.
            if MIN_SLICE <= len(rows) < len(sources):
                slices.append(Slice(group, name, rows))
    return slices


def _order(label: str) -> tuple[int, str]:
    """Sort key: the number that a label begins with, then the label."""
    digits = re.match(r"\d+", label)
    return int(digits.group()) if digits else 0, label


def _length(source: str) -> str:
    words = len(source.split())
    low, high = next((low, high) for low, high in _LENGTHS if high is None or words <= high)
    return f"{low} or more words" if high is None else f"{low} to {high} words"


def _presence(sources: Sequence[str], holds: Callable[[str], bool], what: str) -> list[str]:
    return [f"with {what}" if holds(source) else "without" for source in sources]


def _has_number(source: str, *, reads_words: bool) -> bool:
    return bool(digit_numbers(source) or (reads_words and word_numbers(source)))


def _rare_words(source: str, word_counts: Mapping[str, int]) -> str:
    """How many words of the source occur fewer than `RARE` times in the training data, as a label."""
    rare = sum(word_counts.get(word, 0) < RARE for word in set(comparison_words(source)))
    return "none" if rare == 0 else "1 or 2" if rare <= 2 else "3 or more"


def count_words(sources: Sequence[str]) -> dict[str, int]:
    """How often each word occurs in the training sources, for `slices_of`."""
    counts: dict[str, int] = {}
    for source in sources:
        for word in comparison_words(source):
            counts[word] = counts.get(word, 0) + 1
    return counts


def score_slices(
    test_set: str,
    slices: Sequence[Slice],
    measured: MetricStatistics,
    baseline: str,
    resamples: int,
    refused: Collection[str] = (),
) -> list[SliceScore]:
    """Every system's score on every slice. refused: systems without a verdict, which get no p-values either."""
    scores = []
    for each in slices:
        rows = np.array(each.rows)
        part = measured.part(rows)
        for system in part.statistics:
            low, high = interval(part, system, resamples)
            result = None if system == baseline else paired_test(part, system, baseline, resamples)
            scores.append(
                SliceScore(
                    test_set,
                    each.group,
                    each.name,
                    system,
                    measured.metric.name,
                    part.score(system),
                    low,
                    high,
                    len(rows),
                    None if result is None else result.difference,
                    None if result is None or system in refused else result.p_randomisation,
                )
            )
    return scores
