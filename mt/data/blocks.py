"""Corpora whose lines are in document order: how alike neighbouring lines are, and blocks of consecutive lines.

Sentences of one article share names and rare words without being near-duplicates. Training on one of them helps with
the next, so a test split of scattered sentences scores higher than a new article would.

A corpus of 400 lines, articles of about 20 lines: lines 1 and 2 share a rare word in 30 of 100 cases, lines 1 and 200
in 3, and the excess is gone after 24 lines. So `measure_likeness` finds a reach of 24, `block_size` takes 16 lines, and
`cut_blocks` ends each block where the text before and after differ most, between line 12 and line 24 of the block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mt.data.fingerprints import Hashes, Words, hash_of, scramble
from mt.data.selection import Indices
from mt.data.store import SideColumns

SIZES = (16, 64, 256)
"""Possible lines per block; far apart, because a growing corpus that gets another size has its pairs moved."""

# Of a large corpus, evenly spread windows are measured.
_WINDOW, _WINDOWS = 2048, 8
_NEAR = (1, 2, 3)
_LAGS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_FEWEST_LINES = 40
# A word is rare if at most this share of the lines contain it; in a small corpus, at most three lines.
_RARE_SHARE = 0.01
_FEWEST_BLOCKS = 12
_BLOCKS_PER_START = 8
# Preceding lines in which the frequency of a word is counted, and lines processed at once.
_PAST, _CHUNK = 512, 100_000
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Likeness:
    """How often two lines share a rare word, near-duplicates aside, depending on their distance."""

    near: float
    """Share of line pairs with a shared rare word, one to three lines apart; 0 to 1."""
    far: float
    """The same for lines that are far apart."""
    reach: int
    """Distance in lines at which nine tenths of the excess of `near` over `far` are gone; 0 if there is no excess."""

    @property
    def is_ordered(self) -> bool:
        """Whether the lines are in document order."""
        return self.reach > 0


UNKNOWN = Likeness(0.0, 0.0, 0)
"""For a corpus with too few lines to tell."""


def measure_likeness(source: SideColumns, lines: Indices) -> Likeness:
    """Compare neighbouring lines with distant ones.

    lines: int (lines,), the pairs of a corpus in file order.
    """
    if len(lines) < _FEWEST_LINES:
        return UNKNOWN
    sample = _Sample(source, lines)
    near, compared = sample.share_alike(_NEAR)
    longest = min(len(lines), _WINDOW)
    far, _ = sample.share_alike(np.unique(np.linspace(longest // 4, longest // 2, 12).astype(int)))
    noise = max(far * (1 - far) / max(compared, 1), 1 / max(compared, 1) ** 2) ** 0.5
    # The excess must be clear beyond chance, and large enough to matter.
    if near < 2 * far or near - far < 0.02 or near - far < 5 * noise:
        return Likeness(near, far, 0)
    gone = (lag for lag in _LAGS if lag <= longest // 4 and sample.excess(lag, far) < (near - far) / 10)
    return Likeness(near, far, next(gone, longest // 4))


class _Sample:
    """The lines of a corpus, or windows of them, as rows of words."""

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
        """(share of the line pairs at these distances that share a rare word, number of line pairs)."""
        found = [self._at(int(lag)) for lag in lags]
        alike, compared = sum(one for one, _ in found), sum(all_ for _, all_ in found)
        return alike / max(compared, 1), compared

    def excess(self, lag: int, far: float) -> float:
        """How much more alike lines at about this distance are than distant ones."""
        share, _ = self.share_alike(tuple({lag, lag + lag // 8, lag + lag // 4}))
        return share - far

    def _at(self, lag: int) -> tuple[int, int]:
        one, other = slice(None, -lag), slice(lag, None)
        both = self.all[one].multiply(self.all[other]).sum(axis=1)
        # Near-duplicates go to one split anyway, in whatever order they are.
        is_near_duplicate = both >= 0.6 * (self.words[one] + self.words[other] - both)
        counts = (self.rare_words[one] > 0) & (self.rare_words[other] > 0) & ~is_near_duplicate
        counts &= self.window[one] == self.window[other]
        shared = self.rare[one].multiply(self.rare[other]).sum(axis=1) > 0
        return int((shared & counts).sum()), int(counts.sum())


def _rows_of_words(words: Words) -> csr_array:
    """int32 (lines, different words): 1 where a line contains a word; numbers, all the same word here, are left out."""
    is_word = words.hashes != np.uint64(hash_of("0"))
    line = np.repeat(np.arange(len(words.counts)), words.counts)[is_word]
    names, column = np.unique(words.hashes[is_word], return_inverse=True)
    rows = csr_array((np.ones(len(line), np.int32), (line, column)), shape=(len(words.counts), len(names)))
    rows.sum_duplicates()
    rows.data[:] = 1
    return rows


def block_size(likeness: Likeness, lines: int) -> int:
    """Lines per block: about the reach of the likeness, if that leaves enough blocks to hold some of them out."""
    wanted = next((size for size in SIZES if 1.5 * size >= likeness.reach), SIZES[-1])
    return max([size for size in SIZES if size <= wanted and lines >= size * _FEWEST_BLOCKS], default=SIZES[0])


@dataclass(frozen=True)
class Blocks:
    """The blocks of one corpus."""

    starts: Indices
    """int (blocks,): the first line of each, counted from 0."""
    names: Hashes
    positions: NDArray[np.float64]
    """0 to 1, decides the split; spread evenly over any stretch of the corpus."""
    unsettled: int
    """The first line of those at the end that may begin another block once the corpus has grown."""
    next_position: float
    """The position that such a block would have."""

    def of_lines(self, lines: int) -> Indices:
        """int (lines,): the number of the block that each line is in."""
        return np.searchsorted(self.starts, np.arange(lines), side="right").astype(np.int64) - 1


def cut_blocks(source: SideColumns, lines: Indices, size: int, split_key: str) -> Blocks:
    """Blocks of three quarters to one and a half of `size` lines, each cut where the text before and after differ most.

    So most articles are whole in one block. A border depends only on the lines around it and before it: lines added at
    the end move no border.

    lines: int (lines,), the pairs of a corpus in file order.
    """
    shortest, longest, window = max(1, size * 3 // 4), max(1, size * 3 // 2), max(1, size // 4)
    likeness, starts = likeness_at_gaps(source, lines, window), [0]
    while starts[-1] + longest + window <= len(lines):
        first = starts[-1] + shortest
        starts.append(first + int(np.argmin(likeness[first : starts[-1] + longest + 1])))
    hashes = source.keys[lines[starts]]
    *positions, following = _positions(hashes.tolist(), split_key)
    names = scramble(hashes + scramble(np.array(starts, np.uint64)))
    unsettled = min(len(lines), starts[-1] + shortest)
    return Blocks(np.array(starts, np.int64), names, np.array(positions, np.float64), unsettled, following)


def likeness_at_gaps(source: SideColumns, lines: Indices, window: int) -> NDArray[np.float64]:
    """float64 (lines + 1,): how alike the `window` lines before and after each gap between lines are, 0 to 1.

    TextTiling (Hearst, 1997): the cosine of weighted words. The more of the last `_PAST` lines contain a word, the
    less it weighs.
    """
    found = np.empty(len(lines) + 1)
    for start in range(0, len(found), _CHUNK):
        first, last = max(0, start - _PAST - window), min(len(lines), start + _CHUNK + window)
        part = _gaps_of(source.words_at(lines[first:last]), window, is_begin=first == 0)
        found[start : start + _CHUNK] = part[start - first : start - first + _CHUNK]
    return found


def _gaps_of(words: Words, window: int, *, is_begin: bool) -> NDArray[np.float64]:
    """`likeness_at_gaps` for lines processed at once; is_begin: they are the first of the corpus."""
    count = len(words.counts)
    line, word = _occurrences(words)
    # Sorted keys of word and line: the number of keys between two is how often the word occurred in those lines.
    # With _PAST = 512 and count = 100, word 3 in lines 5 and 9 has the keys 1841 and 1845.
    key = word * np.int64(count + _PAST) + line
    before = np.searchsorted(key, np.maximum(key - _PAST + 1, word * np.int64(count + _PAST)))
    seen = np.minimum(line + 1, _PAST) if is_begin else np.full(len(line), _PAST)
    weight = np.log((seen + 1) / (np.arange(len(key)) - before + 1)) ** 2
    again = np.append(word[1:] == word[:-1], False) if len(word) else np.zeros(0, bool)
    following = np.where(again, np.append(line[1:], 0), count + 2 * window)
    previous = np.full(len(line), -2 * window)
    previous[1:][again[:-1]] = line[:-1][again[:-1]]
    # Weight of the words in the window before each gap, in the window after it, and in both.
    left = _add_up(line + 1, np.minimum(line + window, following), weight, count)
    right = _add_up(np.maximum(line - window + 1, previous + 1), line, weight, count)
    first, second = line[again], following[again]
    heavy = np.append(weight[1:], 0)[again]
    shared = _add_up(np.maximum(first + 1, second - window + 1), np.minimum(second, first + window), heavy, count)
    # Rounded, because sums leave traces where nothing is shared, and a trace must not decide where a block begins.
    return np.round(np.maximum(shared, 0) / np.sqrt(np.maximum(left * right, 1e-9)), 6)


def _occurrences(words: Words) -> tuple[Indices, Indices]:
    """(line, number of the word) of each occurrence, sorted by word and line, without repetitions and numbers."""
    is_word = words.hashes != np.uint64(hash_of("0"))
    line = np.repeat(np.arange(len(words.counts)), words.counts)[is_word]
    word = np.unique(words.hashes[is_word], return_inverse=True)[1].astype(np.int64)
    both = np.unique(word * np.int64(len(words.counts) + 1) + line)
    return both % (len(words.counts) + 1), both // (len(words.counts) + 1)


def _add_up(first: Indices, last: Indices, weight: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """float64 (count + 1,): at each gap, the summed weights of the spans from `first` to `last` that contain it."""
    is_span = first <= last
    steps = np.zeros(count + 2)
    np.add.at(steps, np.clip(first[is_span], 0, count + 1), weight[is_span])
    np.add.at(steps, np.clip(last[is_span] + 1, 0, count + 1), -weight[is_span])
    return np.cumsum(steps)[: count + 1]


def _positions(hashes: list[int], split_key: str) -> list[float]:
    """The positions of blocks whose first lines have these hashes, and of the block that would follow.

    Steps of the golden ratio from a hashed start, as in 0.20, 0.82, 0.44, 0.05: evenly spread. Hashing each block by
    itself would hold out anything from a twentieth to a fifth of a corpus of 50 blocks. A new start about every eight
    blocks limits the effect of lines inserted further up. The next position never depends on the next line.
    """
    start = hash_of(f"{split_key}\0{hashes[0]}") / 2**64
    steps, positions = 0, [start]
    for hashed in hashes:
        steps += 1
        if (hashed >> 32) % _BLOCKS_PER_START == 0:
            start, steps = hash_of(f"{split_key}\0{hashed}\0next") / 2**64, 0
        positions.append((start + steps * _GOLDEN) % 1)
    return positions
