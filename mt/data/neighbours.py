"""Which sentences are alike: shared rare word triples propose candidates, then all their words decide.

    The army closed the road to the river on Monday.        triples: the army closed, army closed the, ...
    The army closed the road to the river on Friday.        shares all but the last one: a candidate

They share 7 of 9 different words and 8 of 10 different word pairs: Jaccard similarity 15 / 19 = 0.79, so at the default
of 0.6 they are neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mt.data.fingerprints import Hashes, Words
from mt.data.selection import Indices, Mask, run_starts
from mt.data.store import SideColumns

Edges = NDArray[np.int64]
"""int (edges, 2): the numbers of two clusters."""

Levels = NDArray[np.int8]
"""The split of each pair: 0 train, 1 dev, 2 test."""

# Sentences processed at once: their numbers take 16 bits of a sorting key.
_CHUNK = 1 << 16
# Slots in which occurrences of triples are counted, up to 255; two triples in one slot only look more frequent.
_MAX_SLOTS = 1 << 29
_MOST = 255
# Rarest triples per sentence that propose candidates.
_RAREST = 12
# Held-out sentences compared with one training sentence per shared triple; only boilerplate has more.
_MAX_RIVALS = 256
_NO_EDGES = np.empty((0, 2), np.int64)


@dataclass(frozen=True)
class Clusters:
    """The distinct sentences of one side of a corpus."""

    of_pair: Indices
    """int (pairs,): the number of the pair's sentence; equal for sentences that differ only in case, digits,
    punctuation and diacritics; -1 for pairs that were left out."""
    size: int
    """Number of clusters."""
    edges: Edges
    """Clusters that are neighbours."""


def find_clusters(side: SideColumns, levels: Levels, kept: Mask, similarity: float) -> Clusters:
    """Cluster the sentences of one side and find which are neighbours.

    Neighbours have at least this Jaccard similarity of words and word pairs. Sentences that share one of their rarest
    word triples are candidates: each with the next one, so that similar sentences form a chain, and with those of a
    higher split, so that no leak across splits is missed. Then all their words decide. From a similarity of 0.7, two
    sentences of seven or more words always share a triple; at 0.6 they do unless their words are shuffled.
    """
    members = np.flatnonzero(kept)
    _, first, cluster = np.unique(side.keys[members], return_index=True, return_inverse=True)
    of_pair = np.full(len(kept), -1, np.int64)
    of_pair[members] = cluster
    highest = np.zeros(len(first), np.int8)
    np.maximum.at(highest, cluster, levels[members])
    return Clusters(of_pair, len(first), _neighbours(side, members[first], highest, similarity))


def _neighbours(side: SideColumns, examples: Indices, levels: Levels, similarity: float) -> Edges:
    """Edges between clusters. examples: a pair of each cluster. levels: the highest split of each cluster's pairs."""
    triples, owners = _rare_triples(side, examples)
    if not len(triples):
        return _NO_EDGES
    # Sorted by triple and, for equal ones, by split: the level replaces the two lowest bits.
    # Then by number of sentence: an unstable sort orders equals as the instructions of the CPU have it.
    triples = (triples & ~np.uint64(3)) | levels[owners].astype(np.uint64)
    order = np.argsort(triples, kind="stable")
    codes = np.concatenate(
        [_codes(edges, len(examples)) for edges in _candidates(triples[order] >> np.uint64(2), owners[order], levels)]
    )
    codes.sort()
    edges = np.stack(np.divmod(codes[run_starts(codes)], len(examples)), axis=1)
    return only_alike(side, examples, edges, similarity)


def only_alike(side: SideColumns, examples: Indices, edges: Edges, similarity: float) -> Edges:
    """The candidate edges whose sentences, given by `examples`, have at least this Jaccard similarity."""
    # The shorter one must be long enough to contain that share of the longer one.
    counts = side.counts[examples][edges]
    edges = edges[(counts.min(axis=1) + 1) >= similarity * counts.max(axis=1)]
    edges = edges[_may_be_alike(side, examples, edges, similarity)]
    pairs = zip(*examples[edges].T.tolist(), strict=True)
    is_alike = [jaccard(side.words_of(one), side.words_of(other)) >= similarity for one, other in pairs]
    neighbours: Edges = edges[np.array(is_alike, bool)]
    return neighbours


def _codes(edges: Edges, size: int) -> Indices:
    codes: Indices = edges.min(axis=1) * size + edges.max(axis=1)
    return codes


def _may_be_alike(side: SideColumns, examples: Indices, edges: Edges, similarity: float) -> Mask:
    """False if so many word pairs are in one sentence only that the Jaccard similarity cannot be reached.

    A bit set in only one signature proves at least one word pair that only that sentence has. Of two sentences of 10
    words, 19 words and word pairs each, with 6 such bits on either side, at most 13 are shared: 13 / (13 + 12) = 0.52.
    """
    involved = np.unique(edges)
    chunks = [involved[start : start + _CHUNK] for start in range(0, len(involved), _CHUNK)]
    signatures = np.concatenate(
        [np.empty((0, 2), np.uint64), *(_signatures(side.words_at(examples[chunk]).ngrams(2)) for chunk in chunks)]
    )
    index = np.searchsorted(involved, edges)
    one, other = signatures[index[:, 0]], signatures[index[:, 1]]
    only = np.stack([_ones(one & ~other), _ones(other & ~one)], axis=1)
    # A sentence of n words has 2n - 1 words and word pairs.
    shared = (2 * side.counts[examples][edges] - 1 - only).min(axis=1)
    is_possible: Mask = shared >= similarity * (shared + only.sum(axis=1))
    return is_possible


def _ones(signatures: Hashes) -> Indices:
    """int (sentences,): the number of bits set in each signature."""
    counts: Indices = np.bitwise_count(signatures).sum(axis=1, dtype=np.int64)
    return counts


def _signatures(word_pairs: Words) -> Hashes:
    """uint64 (sentences, 2): 128 bits, one of which is set for each word pair."""
    bits = np.uint64(1) << (word_pairs.hashes & np.uint64(63))
    half = (word_pairs.hashes >> np.uint64(6)) & np.uint64(1)
    has_any = word_pairs.counts > 0
    starts = (np.cumsum(word_pairs.counts) - word_pairs.counts)[has_any]
    signatures = np.zeros((len(has_any), 2), np.uint64)
    for column in range(2) if len(starts) else ():
        signatures[has_any, column] = np.bitwise_or.reduceat(np.where(half == column, bits, np.uint64(0)), starts)
    return signatures


def _rare_triples(side: SideColumns, examples: Indices) -> tuple[Hashes, Indices]:
    """(hashes of each sentence's rarest triples among those that other sentences share, their sentences)."""
    chunks = [examples[start : start + _CHUNK] for start in range(0, len(examples), _CHUNK)]
    words = int(side.counts[examples].sum())
    frequency = np.zeros(1 << int(np.clip(4 * words, 1 << 16, _MAX_SLOTS) - 1).bit_length(), np.uint8)
    for chunk in chunks:
        slots, counts = np.unique(_slots(side.words_at(chunk).ngrams(3).hashes, frequency), return_counts=True)
        frequency[slots] = np.minimum(frequency[slots] + counts, _MOST)
    parts = [_rarest(side.words_at(chunk).ngrams(3), frequency) for chunk in chunks]
    hashes = np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _ in parts)])
    owners = [owners + number * _CHUNK for number, (_, owners) in enumerate(parts)]
    return hashes, np.concatenate([np.empty(0, np.int64), *owners])


def _slots(hashes: Hashes, frequency: NDArray[np.uint8]) -> NDArray[np.int64]:
    return (hashes & np.uint64(len(frequency) - 1)).astype(np.int64)


def _rarest(triples: Words, frequency: NDArray[np.uint8]) -> tuple[Hashes, Indices]:
    owners = np.repeat(np.arange(len(triples.counts)), triples.counts)
    frequencies = frequency[_slots(triples.hashes, frequency)]
    is_shared = frequencies > 1
    hashes, owners, frequencies = triples.hashes[is_shared], owners[is_shared], frequencies[is_shared]
    # Sorted by sentence, then by frequency; the hash breaks ties in the same way in every sentence.
    keys = (owners.astype(np.uint64) << np.uint64(40)) | (frequencies.astype(np.uint64) << np.uint64(32))
    order = np.argsort(keys | (hashes >> np.uint64(32)))
    hashes, owners = hashes[order], owners[order]
    sizes = np.bincount(owners, minlength=len(triples.counts))
    rank = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return hashes[rank < _RAREST], owners[rank < _RAREST]


def _candidates(triples: Hashes, owners: Indices, levels: Levels) -> Iterator[Edges]:
    """Edges between owners of equal triples; the owners of each triple are sorted by level."""
    is_same = triples[1:] == triples[:-1]
    yield np.stack([owners[:-1][is_same], owners[1:][is_same]], axis=1)
    starts = run_starts(triples)
    lengths = np.diff(np.append(starts, len(triples)))
    of_owners = levels[owners]
    is_mixed = of_owners[starts] != of_owners[starts + lengths - 1]
    # Every member of each run of three or more that contains several levels; in shorter ones the chain is complete.
    runs = np.flatnonzero(is_mixed & (lengths > 2))
    members = np.repeat(starts[runs], lengths[runs]) + _counting(lengths[runs])
    ends = np.repeat(starts[runs] + lengths[runs], lengths[runs])
    for level in np.unique(levels)[:-1]:
        is_low = of_owners[members] == level
        low, end = members[is_low], ends[is_low]
        # Members of a higher level follow the last one of this level.
        first = _next_change(of_owners, low, end)
        count = end - first
        stride = -(-count // _MAX_RIVALS)
        taken = np.where(count > 0, -(-count // np.maximum(stride, 1)), 0)
        high = np.repeat(first, taken) + _counting(taken) * np.repeat(stride, taken)
        yield np.stack([owners[np.repeat(low, taken)], owners[high]], axis=1)


def _counting(lengths: Indices) -> Indices:
    """0, 1, ... up to each length, one after the other: 2, 3 gives 0, 1, 0, 1, 2."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _next_change(levels: Levels, indices: Indices, ends: Indices) -> Indices:
    """For each index, the first one after it with another level, or its end."""
    changes = np.append(np.flatnonzero(levels[1:] != levels[:-1]) + 1, len(levels))
    following: Indices = np.minimum(changes[np.searchsorted(changes, indices, side="right")], ends)
    return following


def jaccard(one: list[int], other: list[int]) -> float:
    """Share of the words and word pairs of two sentences that both have, 0 to 1."""
    words, other_words = set(one), set(other)
    pairs, other_pairs = set(pairwise(one)), set(pairwise(other))
    shared = len(words & other_words) + len(pairs & other_pairs)
    return shared / (len(words) + len(pairs) + len(other_words) + len(other_pairs) - shared)
