"""Corpora whose lines stand in document order: how far neighbouring lines are alike, and contiguous blocks of them.

Sentences of one article share names and rarer words without being near-duplicates. One that is trained on helps with
the next one, so a test split of scattered sentences scores better than a new article would.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mt.data.fingerprints import Hashes, Words, hash_of, scramble
from mt.data.selection import Indices
from mt.data.store import SideColumns

SIZES = (16, 64, 256)
"""Lines of a block. Far apart, so that a corpus that grows seldom gets another size, which would move its pairs."""

# A measurement takes evenly spread windows of a large corpus.
_WINDOW, _WINDOWS = 2048, 8
_NEAR = (1, 2, 3)
_LAGS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_FEWEST_LINES = 40
# A word is rare if at most this share of the lines hold it; in a small corpus, three lines.
_RARE_SHARE = 0.01
_FEWEST_BLOCKS = 12
_BLOCKS_PER_SEGMENT = 32
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Likeness:
    """How often two lines share a rarer word, near-duplicates aside, by how far apart they stand."""

    near: float
    """Share of the pairs of lines that are one to three lines apart."""
    far: float
    """Share of those that are far apart."""
    reach: int
    """Lines after which nine tenths of the excess of `near` over `far` are gone; 0 if there is none."""

    @property
    def is_ordered(self) -> bool:
        """Whether the lines stand in the order of documents."""
        return self.reach > 0


UNKNOWN = Likeness(0.0, 0.0, 0)
"""That of lines too few to tell."""


def measure_likeness(source: SideColumns, lines: Indices) -> Likeness:
    """How alike neighbouring lines are.

    lines: int (lines,), the pairs of a corpus in file order.
    """
    if len(lines) < _FEWEST_LINES:
        return UNKNOWN
    sample = _Sample(source, lines)
    near, compared = sample.share_alike(_NEAR)
    longest = min(len(lines), _WINDOW)
    far, _ = sample.share_alike(np.unique(np.linspace(longest // 4, longest // 2, 12).astype(int)))
    noise = max(far * (1 - far) / max(compared, 1), 1 / max(compared, 1) ** 2) ** 0.5
    # The excess is to be sure, and large enough to matter.
    if near < 2 * far or near - far < 0.02 or near - far < 5 * noise:
        return Likeness(near, far, 0)
    gone = (lag for lag in _LAGS if lag <= longest // 4 and sample.excess(lag, far) < (near - far) / 10)
    return Likeness(near, far, next(gone, longest // 4))


class _Sample:
    """Lines, or windows of them, as rows of words."""

    def __init__(self, source: SideColumns, lines: Indices) -> None:
        starts = [0]
        if len(lines) > _WINDOW * _WINDOWS:
            starts = np.linspace(0, len(lines) - _WINDOW, _WINDOWS).astype(int).tolist()
            lines = np.concatenate([lines[start : start + _WINDOW] for start in starts])
            self.window = np.arange(len(lines)) // _WINDOW
        else:
            self.window = np.zeros(len(lines), np.int64)
        self.all = _rows_of_words(source.words_at(lines))
        held_by = self.all.sum(axis=0)
        most = max(3, _RARE_SHARE * len(lines))
        self.rare = self.all[:, np.flatnonzero((held_by >= 2) & (held_by <= most))]
        self.words, self.rare_words = self.all.sum(axis=1), self.rare.sum(axis=1)

    def share_alike(self, lags: Indices | tuple[int, ...]) -> tuple[float, int]:
        """(share of the pairs of lines at these distances that share a rare word, how many pairs there are)."""
        found = [self._at(int(lag)) for lag in lags]
        alike, compared = sum(one for one, _ in found), sum(all_ for _, all_ in found)
        return alike / max(compared, 1), compared

    def excess(self, lag: int, far: float) -> float:
        """How much more alike than far ones lines at about this distance are."""
        share, _ = self.share_alike(tuple({lag, lag + lag // 8, lag + lag // 4}))
        return share - far

    def _at(self, lag: int) -> tuple[int, int]:
        one, other = slice(None, -lag), slice(lag, None)
        both = self.all[one].multiply(self.all[other]).sum(axis=1)
        # Near-duplicates are kept together anyway, in any order.
        is_near_duplicate = both >= 0.6 * (self.words[one] + self.words[other] - both)
        counts = (self.rare_words[one] > 0) & (self.rare_words[other] > 0) & ~is_near_duplicate
        counts &= self.window[one] == self.window[other]
        shared = self.rare[one].multiply(self.rare[other]).sum(axis=1) > 0
        return int((shared & counts).sum()), int(counts.sum())


def _rows_of_words(words: Words) -> csr_array:
    """bool (lines, different words) as int32: which line holds which word; numbers, all one word here, are left out."""
    is_word = words.hashes != np.uint64(hash_of("0"))
    line = np.repeat(np.arange(len(words.counts)), words.counts)[is_word]
    names, column = np.unique(words.hashes[is_word], return_inverse=True)
    rows = csr_array((np.ones(len(line), np.int32), (line, column)), shape=(len(words.counts), len(names)))
    rows.sum_duplicates()
    rows.data[:] = 1
    return rows


def block_size(likeness: Likeness, lines: int) -> int:
    """Lines of a block: about as far as likeness reaches, if enough blocks remain to hold some of them out."""
    wanted = next((size for size in SIZES if 1.5 * size >= likeness.reach), SIZES[-1])
    return max([size for size in SIZES if size <= wanted and lines >= size * _FEWEST_BLOCKS], default=SIZES[0])


class Borders:
    """Lines of a corpus at which a block may begin, told by their text alone.

    A line that is added or removed shifts the borders around it and no others (content-defined chunking,
    Muthitacharoen et al., 2001); what the cleaning rules reject shifts none.
    """

    def __init__(self) -> None:
        self._first = 0
        self._ordinals = array("q")
        self._hashes = array("Q")

    def see(self, ordinal: int, source: str) -> None:
        """Note a line as it was read, all of them in order from 0."""
        hashed = hash_of(source)
        if ordinal == 0:
            self._first = hashed
        elif hashed % _one_in(SIZES[0]) == 0:
            self._ordinals.append(ordinal)
            self._hashes.append(hashed)

    def cut(self, size: int, lines: int, split_key: str) -> Blocks:
        """Blocks of about `size` lines, three quarters to one and a half of it; any size may be asked for."""
        starts, hashes = [0], [self._first]
        shortest, longest = max(1, size * 3 // 4), max(1, size * 3 // 2)
        for ordinal, hashed in [*zip(self._ordinals, self._hashes, strict=True), (lines, None)]:
            while ordinal - starts[-1] > longest:
                starts.append(starts[-1] + longest)
                hashes.append(hash_of(f"{hashes[-1]}"))
            if hashed is not None and hashed % _one_in(size) == 0 and ordinal - starts[-1] >= shortest:
                starts.append(ordinal)
                hashes.append(hashed)
        return Blocks(np.array(starts, np.int64), np.array(hashes, np.uint64), _positions(hashes, split_key))


def _one_in(size: int) -> int:
    """One line in so many may begin a block, which then has `size` lines in the mean."""
    return max(1, size // 4)


@dataclass(frozen=True)
class Blocks:
    """Blocks of a corpus; every array has a row for each."""

    starts: Indices
    """Their first lines, from 0."""
    hashes: Hashes
    """Of the texts of these lines."""
    positions: NDArray[np.float64]
    """0 to 1, as evenly spread as can be over any stretch of the corpus; decides the split."""

    def of_lines(self, ordinals: Indices) -> Indices:
        """The number of the block that each line is in."""
        return np.searchsorted(self.starts, ordinals, side="right").astype(np.int64) - 1

    def names(self) -> Hashes:
        """uint64 (blocks,): a name for each."""
        return scramble(self.hashes + scramble(self.starts.astype(np.uint64)))


def _positions(hashes: list[int], split_key: str) -> NDArray[np.float64]:
    """Steps of the golden ratio from a hashed start; in a large corpus a new start every so often.

    Hashing each block by itself would hold out anything from a twentieth to a fifth of a corpus of 50 blocks. The new
    starts end the effect of lines put in further up.
    """
    positions, start, steps = [], 0.0, 0
    for number, hashed in enumerate(hashes):
        if number == 0 or (hashed >> 32) % _BLOCKS_PER_SEGMENT == 0:
            start, steps = hash_of(f"{split_key}\0{hashed}") / 2**64, 0
        positions.append((start + steps * _GOLDEN) % 1)
        steps += 1
    return np.array(positions, np.float64)
