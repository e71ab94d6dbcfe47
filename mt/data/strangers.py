"""Which pairs a pair is compared with: its own sentences, with those of other lines nearby that are about as long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mt.data.selection import Indices, Mask

Floats = NDArray[np.float64]

FOLDS = 4
"""A pair is judged by what was learnt from the other three quarters of the corpora."""
WINDOW = 256
"""Lines that are strangers to each other, at most."""

# Neighbouring lines are in one fold, so that a line is compared with those of its own article.
_BLOCK = 32
# Sentences that share so many of their words may have each other's translations.
_MOST_SHARED = 0.5


class Margins(NamedTuple):
    """How much better than strangers the two sides of each pair fit: float64 (pairs,) each, NaN where unknown."""

    own: Floats
    """Nats per word."""
    strangers: Floats
    """The same for one stranger of each pair, compared with its other strangers."""
    words: Floats
    """From how many words it is known."""

    def rounded(self) -> Margins:
        """Without the last digits, in which the logarithms of different CPUs differ."""
        return Margins(np.round(self.own, 6), np.round(self.strangers, 6), self.words)

    @classmethod
    def unknown(cls, size: int) -> Margins:
        """Those of pairs of which nothing is known."""
        return cls(np.full(size, np.nan), np.full(size, np.nan), np.zeros(size))


def folds_of(lines: int) -> Indices:
    """int (lines,): the fold of each line of a corpus; of 300 lines the first 32 are in fold 0, the next in 1."""
    folds: Indices = np.arange(lines) // _BLOCK % FOLDS
    return folds


def windows_of(pairs: Indices, size: int = WINDOW) -> Iterator[Indices]:
    """`pairs` in windows of about the same number of lines, at most 1.5 times `size`."""
    if len(pairs):
        yield from np.array_split(pairs, max(1, round(len(pairs) / size)))


def similar(table: csr_array) -> Mask:
    """bool (sentences, sentences): which share at least half of their words (Jaccard similarity), and each itself.

    table: the words of each sentence, as `mt.data.word_links.word_table` has them.
    """
    shared = (table @ table.T).toarray()
    sizes = np.diff(table.indptr)
    alike: Mask = shared >= _MOST_SHARED * np.maximum(sizes[:, None] + sizes - shared, 1)
    np.fill_diagonal(alike, True)
    return alike


def nearest_in_length(lengths: NDArray[np.integer], count: int) -> Indices:
    """int (sentences, at most count + 1): for each, others of about its length and itself, the nearest first.

    Lengths 5, 1, 2, 6 with count 2: sorted by length they are 1, 2, 0, 3, and three in a row are taken around each:
    for the first 0, 3, 2.
    """
    order = np.argsort(lengths, kind="stable")
    width = min(count + 1, len(order))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    starts = np.clip(ranks - width // 2, 0, len(order) - width)
    near: Indices = order[starts[:, None] + np.arange(width)]
    distance = np.abs(lengths[near] - lengths[:, None])
    return np.take_along_axis(near, np.argsort(distance, axis=1, kind="stable"), axis=1)
