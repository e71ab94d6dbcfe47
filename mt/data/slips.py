"""Corpora whose two sides are out of step: from some line on, each sentence is paired with its neighbour's translation.

One line lost from a parallel file shifts all that follow, and no rule for single pairs notices. But sentences that
share words have translations that share words. So the likeness of a sentence to its neighbours is compared with that
of its translation to its own neighbours, and with that of the translations a few lines further on (representational
similarity, Kriegeskorte et al., 2008). This takes no dictionary, and memory for one window of lines.
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
from mt.data.store import SIDES, PairStore
from mt.errors import DataError
from mt.wording import counted

OFFSETS = (1, -1, 2, -2, 3, -3)
WINDOW = 512
"""Pairs that are compared with each other."""
MIN_LINES = 40
"""A shorter slip cannot be told from a few bad pairs."""
# No window of a real corpus comes near these, not even one with unrelated sides; slips of 200 lines exceed them.
_MIN_GAIN, _MIN_ERRORS = 0.08, 5.0
_FEWEST_PAIRS = 60
# A slip that ends this near the end of its window probably goes on.
_OPEN_LINES = 10
# Words in more of the lines say nothing, and would fill the table.
_COMMON_SHARE = 1 / 8
_Floats = NDArray[np.float32]


class Slip(NamedTuple):
    """A stretch of a window whose sides do not belong together."""

    first: int
    last: int
    """Indices in the window."""
    offset: int
    """Each source belongs to the target this many lines further on."""

    def moved(self, by: int) -> Slip:
        """The same stretch in a window that begins this many lines earlier."""
        return Slip(self.first + by, self.last + by, self.offset)


_NONE = Words(np.empty(0, np.uint64), np.empty(0, np.int64))


@dataclass(frozen=True)
class _Part:
    """Consecutive pairs."""

    sources: Words = _NONE
    targets: Words = _NONE
    origins: list[str] = field(default_factory=list)

    def __add__(self, other: _Part) -> _Part:
        sources, targets = _joined(self.sources, other.sources), _joined(self.targets, other.targets)
        return _Part(sources, targets, self.origins + other.origins)

    def cut(self, size: int) -> tuple[_Part, _Part]:
        """(the first `size` pairs, the rest)."""
        parts = (_halves(self.sources, size), _halves(self.targets, size))
        first, rest = zip(*parts, strict=True)
        return _Part(*first, self.origins[:size]), _Part(*rest, self.origins[size:])


@dataclass
class SlipWatch:
    """Watches the pairs of one corpus as they come, window by window."""

    _waiting: _Part = field(default_factory=_Part)
    _before: _Part = field(default_factory=_Part)
    """The previous window, in which a slip found in the next one may have begun."""

    def add(self, sources: Words, targets: Words, origins: Sequence[str]) -> str | None:
        """Take more pairs, in file order. Returns a clause with the first line of a slip, or None."""
        self._waiting = self._waiting + _Part(sources, targets, list(origins))
        found = None
        while len(self._waiting.origins) >= 2 * WINDOW and found is None:
            found = self._look(WINDOW)
        return found

    def finish(self) -> str | None:
        """Look at the pairs that are left; returns the same as `add`."""
        found = None
        while (left := len(self._waiting.origins)) >= _FEWEST_PAIRS and found is None:
            # Two halves tell more than a full window and a few lines.
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
    """A watch per corpus, for pairs that come in chunks. Raises `DataError` if a corpus is out of step."""

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

    def resume(self, store: PairStore) -> None:
        """Be as after all pairs of the store; none of them are out of step, or they would not be there.

        What a watch remembers are the last windows, so only these are watched again.
        """
        corpora, sides = store.column("corpora", np.int32), [store.side(name) for name in SIDES]
        for corpus, watch in self._watches.items():
            rows = np.flatnonzero(corpora == corpus)
            rows = rows[max(0, len(rows) // WINDOW - 2) * WINDOW :]
            sources, targets = (side.words_at(rows) for side in sides)
            watch.add(sources, targets, store.origins(rows).to_pylist())

    def finish(self) -> None:
        """Call this after the last chunk."""
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
        raise DataError(f"{found}; mend the file, or accept it as it is with --data.cleaning.slipped_lines false")


def find_slip(sources: Words, targets: Words) -> Slip | None:
    """The longest stretch of a window for which another offset fits better, clearly beyond chance; None if none."""
    ours, theirs = _likeness(sources), _likeness(targets)
    still = _agreement(ours, theirs, 0)
    if _is_sound(still):
        return None
    slips = [slip for k in OFFSETS if (slip := _stretch(_agreement(ours, theirs, k) - still, k)) is not None]
    return max(slips, key=lambda slip: slip.last - slip.first, default=None)


def _is_sound(agreement: _Floats) -> bool:
    """Whether all stretches agree so well that none can have slipped, as in most windows."""
    sums = np.concatenate([[0.0], np.cumsum(agreement)])
    means = (sums[MIN_LINES:] - sums[:-MIN_LINES]) / MIN_LINES
    return bool((means > 2 * _MIN_GAIN).all())


def _likeness(words: Words) -> _Floats:
    """float32 (lines, lines): how alike any two lines are by the words they share, rare ones above all.

    Rows have mean 0 and length 1; the likeness of a line to itself is 0 before that.
    """
    table = _weights(words)
    likeness = (table @ table.T).toarray()
    np.fill_diagonal(likeness, 0)
    likeness -= likeness.mean(axis=1, keepdims=True)
    likeness /= np.maximum(np.sqrt(np.einsum("ij,ij->i", likeness, likeness)), 1e-9)[:, None]
    return np.asarray(likeness)


def _weights(words: Words) -> csr_array:
    """float32 (lines, words): the weight of each word that several but not many lines have; rows have length 1."""
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
    """float32 (lines,): how a source's likeness to others agrees with that of the target `offset` lines on, or 0."""
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
        f"{origins[slip.first]}: the two sides are out of step: from about here {until}, each sentence belongs to the "
        f"translation {by} {where}"
    )


def _joined(first: Words, second: Words) -> Words:
    return Words(np.concatenate([first.hashes, second.hashes]), np.concatenate([first.counts, second.counts]))


def _halves(words: Words, size: int) -> tuple[Words, Words]:
    counts, rest = words.counts[:size], words.counts[size:]
    border = counts.sum()
    return Words(words.hashes[:border], counts), Words(words.hashes[border:], rest)
