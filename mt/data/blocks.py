"""Corpora whose lines stand in document order: how far neighbouring lines are alike, and contiguous blocks of them.

Sentences of one article share names and rarer words without being near-duplicates. One that is trained on helps with
the next one, so a test split of scattered sentences scores better than a new article would.
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
"""Lines of a block. Far apart, so that a corpus that grows seldom gets another size, which would move its pairs."""

# A measurement takes evenly spread windows of a large corpus.
_WINDOW, _WINDOWS = 2048, 8
_NEAR = (1, 2, 3)
_LAGS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_FEWEST_LINES = 40
# A word is rare if at most this share of the lines hold it; in a small corpus, three lines.
_RARE_SHARE = 0.01
_FEWEST_BLOCKS = 12
_BLOCKS_PER_START = 8
# Lines by which a word is found to be common or rare, and lines that are worked on at once.
_PAST, _CHUNK = 512, 100_000
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


@dataclass(frozen=True)
class Blocks:
    """Blocks of a corpus."""

    starts: Indices
    """int (blocks,): their first lines, from 0."""
    names: Hashes
    positions: NDArray[np.float64]
    """0 to 1, as evenly spread as can be over any stretch of the corpus; decides the split."""
    unsettled: int
    """First of the last lines, of which it is not yet known whether they begin another block."""
    next_position: float
    """The position of that block."""

    def of_lines(self, lines: int) -> Indices:
        """int (lines,): the number of the block that each line is in."""
        return np.searchsorted(self.starts, np.arange(lines), side="right").astype(np.int64) - 1


def cut_blocks(source: SideColumns, lines: Indices, size: int, split_key: str) -> Blocks:
    """Blocks of three quarters to one and a half of `size` lines, each cut where the text before and after differ most.

    So most articles are in one block whole. A border depends on nothing that comes later than its own surroundings:
    lines that are added at the end move no border.

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
    """float64 (lines + 1,): how alike the `window` lines before each line are to it and those that follow it, 0 to 1.

    TextTiling (Hearst, 1997): the cosine of the words' weights. A word weighs the less, the more of the last
    `_PAST` lines hold it.
    """
    found = np.empty(len(lines) + 1)
    for start in range(0, len(found), _CHUNK):
        first, last = max(0, start - _PAST - window), min(len(lines), start + _CHUNK + window)
        part = _gaps_of(source.words_at(lines[first:last]), window, is_begin=first == 0)
        found[start : start + _CHUNK] = part[start - first : start - first + _CHUNK]
    return found


def _gaps_of(words: Words, window: int, *, is_begin: bool) -> NDArray[np.float64]:
    """`likeness_at_gaps` of lines that are read as a whole; `is_begin`: no line precedes them."""
    count = len(words.counts)
    line, word = _occurrences(words)
    # One key for both, in order: how often a word stood in the last lines is how many keys lie between.
    key = word * np.int64(count + _PAST) + line
    before = np.searchsorted(key, np.maximum(key - _PAST + 1, word * np.int64(count + _PAST)))
    seen = np.minimum(line + 1, _PAST) if is_begin else np.full(len(line), _PAST)
    weight = np.log((seen + 1) / (np.arange(len(key)) - before + 1)) ** 2
    again = np.append(word[1:] == word[:-1], False) if len(word) else np.zeros(0, bool)
    following = np.where(again, np.append(line[1:], 0), count + 2 * window)
    previous = np.full(len(line), -2 * window)
    previous[1:][again[:-1]] = line[:-1][again[:-1]]
    # The gaps that have the word in the window before them, behind them, and in both.
    left = _add_up(line + 1, np.minimum(line + window, following), weight, count)
    right = _add_up(np.maximum(line - window + 1, previous + 1), line, weight, count)
    first, second = line[again], following[again]
    heavy = np.append(weight[1:], 0)[again]
    shared = _add_up(np.maximum(first + 1, second - window + 1), np.minimum(second, first + window), heavy, count)
    # Sums leave traces where nothing is shared, and a trace must not decide where a block begins.
    return np.round(np.maximum(shared, 0) / np.sqrt(np.maximum(left * right, 1e-9)), 6)


def _occurrences(words: Words) -> tuple[Indices, Indices]:
    """(line, number of the word), by word and line, each once; numbers, all one word here, are left out."""
    is_word = words.hashes != np.uint64(hash_of("0"))
    line = np.repeat(np.arange(len(words.counts)), words.counts)[is_word]
    word = np.unique(words.hashes[is_word], return_inverse=True)[1].astype(np.int64)
    both = np.unique(word * np.int64(len(words.counts) + 1) + line)
    return both % (len(words.counts) + 1), both // (len(words.counts) + 1)


def _add_up(first: Indices, last: Indices, weight: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """float64 (count + 1,): at each gap the weights of the spans `first` to `last` that it is in."""
    is_span = first <= last
    steps = np.zeros(count + 2)
    np.add.at(steps, np.clip(first[is_span], 0, count + 1), weight[is_span])
    np.add.at(steps, np.clip(last[is_span] + 1, 0, count + 1), -weight[is_span])
    return np.cumsum(steps)[: count + 1]


def _positions(hashes: list[int], split_key: str) -> list[float]:
    """The positions of blocks that begin with lines of these hashes, and of the one that will follow.

    Steps of the golden ratio from a hashed start: hashing each block by itself would hold out anything from a twentieth
    to a fifth of a corpus of 50 blocks. A new start every eight blocks or so ends the effect of lines put in further
    up. What the next position is never depends on the next line.
    """
    start = hash_of(f"{split_key}\0{hashes[0]}") / 2**64
    steps, positions = 0, [start]
    for hashed in hashes:
        steps += 1
        if (hashed >> 32) % _BLOCKS_PER_START == 0:
            start, steps = hash_of(f"{split_key}\0{hashed}\0next") / 2**64, 0
        positions.append((start + steps * _GOLDEN) % 1)
    return positions
