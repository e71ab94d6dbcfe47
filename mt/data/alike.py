"""Whether two sentences are alike: the Jaccard similarity of their words and word pairs.

    The army closed the road to the river on Monday.
    The army closed the road to the river on Friday.

They share 7 of 9 different words and 8 of 10 different word pairs: 15 / 19 = 0.79.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mt.data.fingerprints import Hashes, Words
from mt.data.selection import Indices, Mask, run_starts
from mt.data.store import SideColumns

Edges = NDArray[np.int64]
"""int (edges, 2): the numbers of two sentences."""

# Edges compared at once: their numbers take 16 bits of a sorting key.
_CHUNK = 1 << 16
_NUMBER_BITS = np.uint64(48)


def only_alike(side: SideColumns, examples: Indices, edges: Edges, similarity: float) -> Edges:
    """The edges whose sentences, given by `examples`, have at least this Jaccard similarity."""
    chunks = [edges[start : start + _CHUNK] for start in range(0, len(edges), _CHUNK)]
    found = [_only_alike(side, examples, chunk, similarity) for chunk in chunks]
    return np.concatenate([np.empty((0, 2), np.int64), *found])


def _only_alike(side: SideColumns, examples: Indices, edges: Edges, similarity: float) -> Edges:
    involved, index = np.unique(edges, return_inverse=True)
    index = index.reshape(edges.shape)
    words = side.words_at(examples[involved])
    is_alike = may_be_alike(words.counts, signatures(words.ngrams(2)), index, similarity)
    index = index[is_alike]
    ones, others = (words.at(column) for column in index.T)
    is_alike[is_alike] = jaccard(ones, others) >= similarity
    alike: Edges = edges[is_alike]
    return alike


def may_be_alike(counts: Indices, marks: Hashes, edges: Edges, similarity: float) -> Mask:
    """bool (edges,): False where lengths or signatures prove that the Jaccard similarity is lower.

    counts: int (sentences,), words of each. marks: their `signatures`. The shorter sentence must be long enough to
    contain that share of the longer one. A bit set in only one signature proves at least one word pair that only that
    sentence has. Of two sentences of 10 words, 19 words and word pairs each, with 6 such bits on either side, at most
    13 are shared: 13 / (13 + 12) = 0.52.
    """
    of_both = counts[edges]
    is_possible: Mask = (of_both.min(axis=1) + 1) >= similarity * of_both.max(axis=1)
    one, other = marks[edges[is_possible, 0]], marks[edges[is_possible, 1]]
    only = np.stack([_ones(one & ~other), _ones(other & ~one)], axis=1)
    # A sentence of n words has 2n - 1 words and word pairs.
    shared = (2 * of_both[is_possible] - 1 - only).min(axis=1)
    is_possible[is_possible] = shared >= similarity * (shared + only.sum(axis=1))
    return is_possible


def _ones(marks: Hashes) -> Indices:
    """int (sentences,): the number of bits set in each signature."""
    counts: Indices = np.bitwise_count(marks).sum(axis=1, dtype=np.int64)
    return counts


def signatures(word_pairs: Words) -> Hashes:
    """uint64 (sentences, 2): 128 bits, one of which is set for each word pair."""
    bits = np.uint64(1) << (word_pairs.hashes & np.uint64(63))
    half = (word_pairs.hashes >> np.uint64(6)) & np.uint64(1)
    has_any = word_pairs.counts > 0
    starts = (np.cumsum(word_pairs.counts) - word_pairs.counts)[has_any]
    marks = np.zeros((len(has_any), 2), np.uint64)
    for column in range(2) if len(starts) else ():
        marks[has_any, column] = np.bitwise_or.reduceat(np.where(half == column, bits, np.uint64(0)), starts)
    return marks


def jaccard(ones: Words, others: Words) -> NDArray[np.float64]:
    """float64 (sentences,): share of the words and word pairs of two sentences that both have, 0 to 1.

    At most 65,536 sentences.
    """
    keys = np.concatenate([_keys(ones, 0), _keys(others, 1)])
    keys.sort()
    keys = keys[run_starts(keys)]
    number = (keys >> _NUMBER_BITS).astype(np.int64)
    sizes = np.bincount(number, minlength=len(ones.counts))
    # The lowest bit says whose it is; an item that both have is there twice, with 0 and with 1.
    is_shared = (keys[1:] ^ keys[:-1]) == np.uint64(1)
    shared = np.bincount(number[1:][is_shared], minlength=len(sizes))
    return shared / (sizes - shared)


def _keys(words: Words, whose: int) -> Hashes:
    """uint64 keys of words and word pairs: 16 bits for the sentence, 47 for the item, 1 for whose it is."""
    pairs = words.ngrams(2)
    items = np.concatenate([words.hashes, pairs.hashes])
    counts = np.concatenate([words.counts, pairs.counts])
    number = np.repeat(np.tile(np.arange(len(words.counts), dtype=np.uint64), 2), counts)
    mask = np.uint64((1 << 48) - 2)
    return (number << _NUMBER_BITS) | (items & mask) | np.uint64(whose)
