"""Corpora whose two sides have slipped: from some line on, each sentence stands beside its neighbour's translation.

One lost line of a parallel file moves all that follow, and no rule that looks at one pair alone notices. What does:
sentences of one language that share words have translations that share words. So the likeness of a sentence to its
neighbours is compared with that of its translation to its own, and with that of the translations a few lines on
(representational similarity, Kriegeskorte et al., 2008). It takes no dictionary, and memory for one window of lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mt.data.fingerprints import Fingerprints, Words
from mt.data.pair import Pair
from mt.errors import DataError
from mt.wording import counted

OFFSETS = (1, -1, 2, -2, 3, -3)
WINDOW = 512
"""Pairs that are looked at together."""
MIN_LINES = 40
"""A shorter slip is not told from a few bad pairs."""
# No window of a real corpus comes near, not even one whose sides do not belong together; slips of 200 lines pass it.
_MIN_GAIN, _MIN_ERRORS = 0.08, 5.0
_FEWEST_PAIRS = 60
# A slip that ends so near the end of its window is likely to go on.
_OPEN_LINES = 10
# Words of more of the lines tell nothing, and would fill the table.
_COMMON_SHARE = 1 / 8
_Floats = NDArray[np.float32]


class Slip(NamedTuple):
    """Pairs of a window that do not belong together."""

    first: int
    last: int
    """Indices in the window."""
    offset: int
    """The source belongs to the target of so many lines further on."""

    def moved(self, by: int) -> Slip:
        """The same in a window that begins so many lines earlier."""
        return Slip(self.first + by, self.last + by, self.offset)


_NONE = Words(np.empty(0, np.uint64), np.empty(0, np.int64))


@dataclass(frozen=True)
class _Part:
    """Successive pairs."""

    sources: Words = _NONE
    targets: Words = _NONE
    origins: list[str] = field(default_factory=list)

    def __add__(self, other: _Part) -> _Part:
        sources, targets = _joined(self.sources, other.sources), _joined(self.targets, other.targets)
        return _Part(sources, targets, self.origins + other.origins)

    def cut(self, size: int) -> tuple[_Part, _Part]:
        """The first so many pairs, and the rest."""
        parts = (_halves(self.sources, size), _halves(self.targets, size))
        first, rest = zip(*parts, strict=True)
        return _Part(*first, self.origins[:size]), _Part(*rest, self.origins[size:])


@dataclass
class SlipWatch:
    """Looks at the pairs of a corpus as they come, window by window."""

    _waiting: _Part = field(default_factory=_Part)
    _before: _Part = field(default_factory=_Part)
    """The last window, in case that the next one shows what began in it."""

    def add(self, sources: Words, targets: Words, origins: Sequence[str]) -> str | None:
        """More pairs, in file order; where a window of them has slipped, a clause that says from which line on."""
        self._waiting = self._waiting + _Part(sources, targets, list(origins))
        found = None
        while len(self._waiting.origins) >= 2 * WINDOW and found is None:
            found = self._look(WINDOW)
        return found

    def finish(self) -> str | None:
        """Likewise for the pairs that are left."""
        found = None
        while (left := len(self._waiting.origins)) >= _FEWEST_PAIRS and found is None:
            # Two halves tell more than a whole window and a few lines.
            found = self._look(left if left <= WINDOW else -(-left // 2))
        return found

    def _look(self, size: int) -> str | None:
        window, self._waiting = self._waiting.cut(size)
        slip = find_slip(window.sources, window.targets)
        if slip is not None and slip.first < MIN_LINES and self._before.origins:
            window = self._before + window
            slip = find_slip(window.sources, window.targets) or slip.moved(len(self._before.origins))
        self._before = window
        return None if slip is None else _in_words(slip, window.origins)


class SlipWatches:
    """A watch on each of some corpora, of which pairs come in chunks. Raises `DataError` where one has slipped."""

    def __init__(self, corpora: Iterable[int]) -> None:
        self._watches = {corpus: SlipWatch() for corpus in corpora}

    def add(self, pairs: Sequence[Pair], prints: Fingerprints) -> None:
        """The pairs of a chunk that no rule rejected, and their fingerprints."""
        corpora = np.array([pair.corpus for pair in pairs], np.int64)
        for corpus in np.unique(corpora).tolist():
            if corpus in self._watches:
                rows = np.flatnonzero(corpora == corpus)
                origins = [pairs[row].origin for row in rows.tolist()]
                sources, targets = _rows(prints.source.words, rows), _rows(prints.target.words, rows)
                _refuse(self._watches[corpus].add(sources, targets, origins))

    def finish(self) -> None:
        """To be called when all pairs have been seen."""
        for watch in self._watches.values():
            _refuse(watch.finish())


def _rows(words: Words, rows: NDArray[np.int64]) -> Words:
    if len(rows) == len(words.counts):
        return words
    is_here = np.zeros(len(words.counts), bool)
    is_here[rows] = True
    return Words(words.hashes[np.repeat(is_here, words.counts)], words.counts[rows])


def _refuse(found: str | None) -> None:
    if found is not None:
        raise DataError(f"{found}; mend the file, or take it as it is with --data.cleaning.slipped_lines false")


def find_slip(sources: Words, targets: Words) -> Slip | None:
    """The stretch of a window's lines that another offset suits better, if that is clear beyond chance."""
    ours, theirs = _likeness(sources), _likeness(targets)
    still = _agreement(ours, theirs, 0)
    if _is_sound(still):
        return None
    slips = [slip for k in OFFSETS if (slip := _stretch(_agreement(ours, theirs, k) - still, k)) is not None]
    return max(slips, key=lambda slip: slip.last - slip.first, default=None)


def _is_sound(agreement: _Floats) -> bool:
    """Whether no stretch of lines agrees so badly that it could have slipped; most windows are sound."""
    sums = np.concatenate([[0.0], np.cumsum(agreement)])
    means = (sums[MIN_LINES:] - sums[:-MIN_LINES]) / MIN_LINES
    return bool((means > 2 * _MIN_GAIN).all())


def _likeness(words: Words) -> _Floats:
    """How alike any two lines are, by the words that they share, rare ones above all: float (lines, lines).

    Rows have mean 0 and length 1; the likeness of a line to itself is left out.
    """
    table = _weights(words)
    likeness = (table @ table.T).toarray()
    np.fill_diagonal(likeness, 0)
    likeness -= likeness.mean(axis=1, keepdims=True)
    likeness /= np.maximum(np.sqrt(np.einsum("ij,ij->i", likeness, likeness)), 1e-9)[:, None]
    return np.asarray(likeness)


def _weights(words: Words) -> csr_array:
    """The words of each line that several lines have but not many, by their rarity; rows of length 1."""
    lines = len(words.counts)
    different, columns = np.unique(words.hashes, return_inverse=True)
    rows = np.repeat(np.arange(lines), words.counts)
    rows, columns = np.divmod(np.unique(rows * len(different) + columns), max(len(different), 1))
    frequency = np.bincount(columns, minlength=len(different))[columns]
    is_telling = (frequency > 1) & (frequency < max(_COMMON_SHARE * lines, 3))
    rows, columns, frequency = rows[is_telling], columns[is_telling], frequency[is_telling]
    weights = np.log(lines / frequency).astype(np.float32)
    lengths = np.sqrt(np.bincount(rows, weights**2, minlength=lines)).astype(np.float32)
    return csr_array((weights / np.maximum(lengths[rows], 1e-9), (rows, columns)), shape=(lines, len(different)))


def _agreement(ours: _Floats, theirs: _Floats, offset: int) -> _Floats:
    """By source line, how its likeness to others agrees with that of the target `offset` lines on; 0 at the ends."""
    size = len(ours)
    low, high = max(0, -offset), min(size, size - offset)
    found = np.zeros(size, np.float32)
    there = slice(low + offset, high + offset)
    found[low:high] = np.einsum("ij,ij->i", ours[low:high, low:high], theirs[there, there])
    return found


def _stretch(gains: _Floats, offset: int) -> Slip | None:
    sums = np.concatenate([[0.0], np.cumsum(gains - _MIN_GAIN / 2)])
    end = int(np.argmax(sums - np.minimum.accumulate(sums)))
    start = int(np.argmin(sums[: end + 1]))
    inside = gains[start:end]
    if len(inside) < MIN_LINES or inside.mean() < _MIN_GAIN:
        return None
    errors = (max(float(each.std(ddof=1)), 1e-9) / np.sqrt(len(inside)) for each in (inside, gains))
    is_sure = all(inside.mean() >= _MIN_ERRORS * error for error in errors)
    return Slip(start, end - 1, offset) if is_sure else None


def _in_words(slip: Slip, origins: Sequence[str]) -> str:
    is_open = slip.last >= len(origins) - _OPEN_LINES
    until = "on" if is_open else f"to {origins[slip.last]}"
    by = counted(abs(slip.offset), "line")
    where = "further down" if slip.offset > 0 else "further up"
    return (
        f"{origins[slip.first]}: the two sides have slipped; from about here {until}, each sentence belongs to the "
        f"translation {by} {where}"
    )


def _joined(first: Words, second: Words) -> Words:
    return Words(np.concatenate([first.hashes, second.hashes]), np.concatenate([first.counts, second.counts]))


def _halves(words: Words, size: int) -> tuple[Words, Words]:
    counts, rest = words.counts[:size], words.counts[size:]
    border = counts.sum()
    return Words(words.hashes[:border], counts), Words(words.hashes[border:], rest)
