"""Finds shifted lines: translations that belong to the sentences before or after theirs.

One line lost from a file shifts all that follow it; the scores alone would only say that the system is bad. For
example, the second line of the hypotheses was lost. Their likeness to the references, by offset:

    hypotheses  references   offset 0      offset -1     gain
    h1          r1           h1~r1 = 0.9   h1~r2 = 0.1   -0.8
    h3          r2           h3~r2 = 0.1   h3~r3 = 0.9   +0.8
    h4          r3           h4~r3 = 0.1   h4~r4 = 0.9   +0.8

The stretch of lines with the largest sum of gains, here from line 2 on, is reported if it is clearly beyond chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mt.evaluation.checks.numbers import digit_numbers
from mt.text.glossary import Glossary, Term, fold_for_terms
from mt.text.normalise import comparison_words, normalise
from mt.wording import counted

OFFSETS = (1, -1, 2, -2, 3, -3)
_Array = NDArray[np.float64]

# A shift must gain at least this much likeness per line; unrelated lines reach less by chance.
_MIN_GAIN = 0.1
_STRAY_LIKENESS, _MAX_STRAYS, _SAMPLE = 0.4, 0.2, 300
_MIN_LEAD, _LONG_ENOUGH, _MIN_LONG = 1.3, 5, 20


class _Proof(NamedTuple):
    """What a stretch of lines needs to be reported as shifted.

    With these numbers no false alarm was seen on 7,000 pairs cut into test sets of 30, nor on real systems.
    """

    lines: int
    """The minimum length of the stretch."""
    errors: float
    """The minimum mean gain, in its standard errors."""
    deviations: float
    """The minimum distance to the mean gain of all lines, in standard errors of a stretch of this length. The best of
    many stretches always looks good, so it must be better than that."""


_BY_WORDS, _BY_CONTENT = _Proof(6, 5.0, 7.0), _Proof(10, 4.5, 4.5)


class Shift(NamedTuple):
    """A stretch of lines of one text that match other lines of the other text."""

    offset: int
    """1: each belongs to the line before, as after an added line; -1: to the line after, as after a lost one."""
    first: int
    """The first of these lines, counted from 1."""
    lines: int

    def __str__(self) -> str:
        """In words, to follow "are"."""
        by = counted(abs(self.offset), "line")
        return f"shifted by {by} from line {self.first} to line {self.first + self.lines - 1}"


def shift_between(hypotheses: Sequence[str], references: Sequence[str]) -> Shift | Literal["order"] | None:
    """The stretch of hypotheses that match the references of other lines, by the words they share; None if none do.

    "order" if nothing is shifted, but many hypotheses match the reference of another sentence better than their own.
    """
    ours, theirs = _word_weights(hypotheses, references)
    shift = _find({k: _products(ours, theirs, k) for k in (0, *OFFSETS)}, _BY_WORDS)
    return shift or ("order" if _is_shuffled(hypotheses, references, ours, theirs) else None)


def _is_shuffled(hypotheses: Sequence[str], references: Sequence[str], ours: csr_array, theirs: csr_array) -> bool:
    pairs = enumerate(zip(hypotheses, references, strict=True))
    # Short lines are often alike by chance.
    long = [i for i, pair in pairs if min(len(words_of(text)) for text in pair) >= _LONG_ENOUGH]
    if len(long) < _MIN_LONG:
        return False
    rows = np.array(long)[np.unique(np.linspace(0, len(long) - 1, _SAMPLE).astype(int))]
    likeness = (ours[rows] @ theirs.T).toarray()
    own, (second, best) = likeness[np.arange(len(rows)), rows], np.sort(likeness, axis=1)[:, -2:].T
    # The best of many unrelated lines is hardly better than the second best.
    is_stray = (best >= _STRAY_LIKENESS) & (best > 2 * own) & (best > _MIN_LEAD * second)
    return bool(is_stray.mean() > _MAX_STRAYS)


def shift_of_translations(sources: Sequence[str], translations: Sequence[str], glossary: Glossary) -> Shift | None:
    """The stretch of translations that match the sources of other lines, by length, numbers and glossary terms."""
    lengths = [np.log1p([len(normalise(text)) for text in texts]) for texts in (sources, translations)]
    expected = np.median(lengths[1] - lengths[0])
    content = _Content(sources, translations, glossary)
    likeness = {}
    for k in (0, *OFFSETS):
        gap = _moved(lengths[1], k) - lengths[0] - expected
        likeness[k] = np.nan_to_num(np.exp(-((gap / 0.25) ** 2))) * 0.5 + content.shared(k)
    return _find(likeness, _BY_CONTENT)


@lru_cache(maxsize=50_000)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text after normalisation, with numbers unchanged."""
    return tuple(comparison_words(normalise(text), fold_digits=False))


def _word_weights(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[csr_array, csr_array]:
    """A row per text, of length 1, with a weight for each word in it; rare words weigh more (tf-idf)."""
    columns: dict[str, int] = {}
    texts = [set(words_of(text)) for text in (*hypotheses, *references)]
    rows = np.repeat(np.arange(len(texts)), list(map(len, texts)))
    indices = np.array([columns.setdefault(word, len(columns)) for words in texts for word in sorted(words)], np.int64)
    frequency = np.bincount(indices, minlength=len(columns))
    weights = np.log((len(texts) + 1) / frequency)[indices]
    norms = np.sqrt(np.bincount(rows, weights**2, minlength=len(texts)))
    table = csr_array((weights / np.maximum(norms, 1e-9)[rows], (rows, indices)), shape=(len(texts), len(columns)))
    return table[: len(hypotheses)], table[len(hypotheses) :]


def _products(ours: csr_array, theirs: csr_array, offset: int) -> _Array:
    """The likeness of each row to the row `offset` before it in the other table; 0 beyond the ends.

    Offset 1 of three rows: [0, ours[1]·theirs[0], ours[2]·theirs[1]].
    """
    size = ours.shape[0]
    low, high = max(0, offset), min(size, size + offset)
    found = np.zeros(size)
    found[low:high] = ours[low:high].multiply(theirs[low - offset : high - offset]).sum(axis=1)
    return found


def _moved(values: _Array, offset: int) -> _Array:
    """For each source line the value of the translation `offset` lines further on; NaN beyond the ends."""
    moved = np.full(len(values), np.nan)
    low, high = max(0, -offset), min(len(values), len(values) - offset)
    moved[low:high] = values[low + offset : high + offset]
    return moved


class _Content:
    """The numbers and terms of each source, and whether a translation some lines further on has them."""

    def __init__(self, sources: Sequence[str], translations: Sequence[str], glossary: Glossary) -> None:
        self._numbers = [{n for n in digit_numbers(source) if n >= 10} for source in sources]
        self._theirs = [digit_numbers(text) for text in translations]
        self._terms = [glossary.terms_in(source) for source in sources]
        self._folded = [fold_for_terms(text) for text in translations]
        frequency = Counter(feature for row in (*self._numbers, *self._terms) for feature in row)
        self._weights = {feature: np.log((len(sources) + 1) / count) for feature, count in frequency.items()}

    def shared(self, offset: int) -> _Array:
        """The share, by weight, of each source's numbers and terms that is found; 0 for a source without any."""
        found = np.zeros(len(self._numbers))
        for i in range(max(0, -offset), min(len(found), len(found) - offset)):
            held: list[tuple[Decimal | Term, bool]] = [(n, n in self._theirs[i + offset]) for n in self._numbers[i]]
            held += [(t, t.pattern.search(self._folded[i + offset]) is not None) for t in self._terms[i]]
            total = sum(self._weights[feature] for feature, _ in held)
            found[i] = sum(self._weights[feature] for feature, is_there in held if is_there) / total if total else 0
        return found


def _find(likeness: dict[int, _Array], proof: _Proof) -> Shift | None:
    """The longest stretch of lines that match better at another offset, if that is clearly beyond chance."""
    shifts = [found for k in OFFSETS if (found := _stretch(likeness[k] - likeness[0], k, proof)) is not None]
    return max(shifts, key=lambda each: each.lines, default=None)


def _stretch(gains: _Array, offset: int, proof: _Proof) -> Shift | None:
    low, high = _heaviest(gains - _MIN_GAIN / 2)
    inside = gains[low:high]
    if len(inside) < proof.lines or inside.mean() < _MIN_GAIN:
        return None
    ours, usual = (max(float(each.std(ddof=1)), 1e-9) / np.sqrt(len(inside)) for each in (inside, gains))
    is_sure = inside.mean() >= proof.errors * ours
    is_unusual = inside.mean() - min(gains.mean(), 0) >= proof.deviations * usual
    return Shift(offset, low + 1, high - low) if is_sure and is_unusual else None


def _heaviest(values: _Array) -> tuple[int, int]:
    """(start, end) of the run of values with the largest sum, in one pass (Kadane's algorithm).

    Values  -1  2  -1  3  -2 have the sums 0 -1 1 0 3 1; the largest rise, from -1 to 3, is the run 2 -1 3: (1, 4).
    """
    sums = np.concatenate([[0.0], np.cumsum(values)])
    lowest = np.minimum.accumulate(sums)
    end = int(np.argmax(sums - lowest))
    return int(np.argmin(sums[: end + 1])), end
