"""Which sentences are alike: rare word triples propose, all the words decide."""

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
"""int (edges, 2): numbers of two clusters."""

Levels = NDArray[np.int8]
"""Which split each pair belongs to, 0 train, 1 dev, 2 test."""

# So many sentences at a time: their numbers take 16 bits of a sorting key.
_CHUNK = 1 << 16
# Slots in which the occurrences of triples are counted, up to 255; two in one slot only look more frequent.
_MAX_SLOTS = 1 << 29
_MOST = 255
# Triples by which a sentence finds its like.
_RAREST = 12
# Held-out sentences that one training sentence is compared with, for one shared triple; only boilerplate has more.
_MAX_RIVALS = 256
_NO_EDGES = np.empty((0, 2), np.int64)


@dataclass(frozen=True)
class Clusters:
    """The different sentences of one side of a corpus."""

    of_pair: Indices
    """int (pairs,): the number of the pair's sentence, equal for those that differ only in case, digits,
    punctuation and diacritics; -1 for pairs that were left out."""
    size: int
    """How many there are."""
    edges: Edges
    """Those that are neighbours."""


def find_clusters(side: SideColumns, levels: Levels, kept: Mask, similarity: float) -> Clusters:
    """Cluster the sentences of one side and find which are neighbours.

    Neighbours have at least this Jaccard similarity of words and word pairs. Sentences that share one of their rarest
    word triples are candidates, each with the next one, so that chains hold alike sentences together, and with those
    of a higher split, so that none across splits is missed; then all their words decide. From a similarity of 0.7 on
    two sentences of seven words or more share a triple for certain; at 0.6 they do unless their words are shuffled.
    """
    members = np.flatnonzero(kept)
    _, first, cluster = np.unique(side.keys[members], return_index=True, return_inverse=True)
    of_pair = np.full(len(kept), -1, np.int64)
    of_pair[members] = cluster
    highest = np.zeros(len(first), np.int8)
    np.maximum.at(highest, cluster, levels[members])
    return Clusters(of_pair, len(first), _neighbours(side, members[first], highest, similarity))


def _neighbours(side: SideColumns, examples: Indices, levels: Levels, similarity: float) -> Edges:
    """Edges between clusters, each given by an example and its highest split."""
    triples, owners = _rare_triples(side, examples)
    if not len(triples):
        return _NO_EDGES
    # By triple and, for equal ones, by split: the level takes the two lowest bits.
    triples = (triples & ~np.uint64(3)) | levels[owners].astype(np.uint64)
    order = np.argsort(triples)
    codes = np.concatenate(
        [_codes(edges, len(examples)) for edges in _candidates(triples[order] >> np.uint64(2), owners[order], levels)]
    )
    codes.sort()
    edges = np.stack(np.divmod(codes[run_starts(codes)], len(examples)), axis=1)
    return only_alike(side, examples, edges, similarity)


def only_alike(side: SideColumns, examples: Indices, edges: Edges, similarity: float) -> Edges:
    """Those of the candidate edges whose sentences, given by examples, have at least this Jaccard similarity."""
    # The shorter one must be long enough to hold that share of the longer one.
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
    """False where so many word pairs are in one sentence only that the Jaccard similarity cannot be reached.

    A bit that only one sentence's signature has stands for a word pair, at least, that only this one has.
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
    """int (sentences,): the bits set in each signature."""
    counts: Indices = np.bitwise_count(signatures).sum(axis=1, dtype=np.int64)
    return counts


def _signatures(word_pairs: Words) -> Hashes:
    """uint64 (sentences, 2): a bit set for each word pair, one of 128."""
    bits = np.uint64(1) << (word_pairs.hashes & np.uint64(63))
    half = (word_pairs.hashes >> np.uint64(6)) & np.uint64(1)
    has_any = word_pairs.counts > 0
    starts = (np.cumsum(word_pairs.counts) - word_pairs.counts)[has_any]
    signatures = np.zeros((len(has_any), 2), np.uint64)
    for column in range(2) if len(starts) else ():
        signatures[has_any, column] = np.bitwise_or.reduceat(np.where(half == column, bits, np.uint64(0)), starts)
    return signatures


def _rare_triples(side: SideColumns, examples: Indices) -> tuple[Hashes, Indices]:
    """(hashes of the rarest triples of each sentence that are not its alone, the sentences they are in)."""
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
    # By sentence, then by frequency; the hash settles ties, alike in every sentence.
    keys = (owners.astype(np.uint64) << np.uint64(40)) | (frequencies.astype(np.uint64) << np.uint64(32))
    order = np.argsort(keys | (hashes >> np.uint64(32)))
    hashes, owners = hashes[order], owners[order]
    sizes = np.bincount(owners, minlength=len(triples.counts))
    rank = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return hashes[rank < _RAREST], owners[rank < _RAREST]


def _candidates(triples: Hashes, owners: Indices, levels: Levels) -> Iterator[Edges]:
    """Edges between owners of equal triples; the owners of a triple come in order of their level."""
    is_same = triples[1:] == triples[:-1]
    yield np.stack([owners[:-1][is_same], owners[1:][is_same]], axis=1)
    starts = run_starts(triples)
    lengths = np.diff(np.append(starts, len(triples)))
    of_owners = levels[owners]
    is_mixed = of_owners[starts] != of_owners[starts + lengths - 1]
    # Of each run that holds several levels, and in which the chain is not all there is, every member.
    runs = np.flatnonzero(is_mixed & (lengths > 2))
    members = np.repeat(starts[runs], lengths[runs]) + _counting(lengths[runs])
    ends = np.repeat(starts[runs] + lengths[runs], lengths[runs])
    for level in np.unique(levels)[:-1]:
        is_low = of_owners[members] == level
        low, end = members[is_low], ends[is_low]
        # Those of a higher level follow the last one of this level.
        first = _next_change(of_owners, low, end)
        count = end - first
        stride = -(-count // _MAX_RIVALS)
        taken = np.where(count > 0, -(-count // np.maximum(stride, 1)), 0)
        high = np.repeat(first, taken) + _counting(taken) * np.repeat(stride, taken)
        yield np.stack([owners[np.repeat(low, taken)], owners[high]], axis=1)


def _counting(lengths: Indices) -> Indices:
    """0, 1, ... for each length, one after the other."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _next_change(levels: Levels, indices: Indices, ends: Indices) -> Indices:
    """For each index the first one after it with another level, or its end."""
    changes = np.append(np.flatnonzero(levels[1:] != levels[:-1]) + 1, len(levels))
    following: Indices = np.minimum(changes[np.searchsorted(changes, indices, side="right")], ends)
    return following


def jaccard(one: list[int], other: list[int]) -> float:
    """Shared words and word pairs among all of two sentences, 0 to 1."""
    words, other_words = set(one), set(other)
    pairs, other_pairs = set(pairwise(one)), set(pairwise(other))
    shared = len(words & other_words) + len(pairs & other_pairs)
    return shared / (len(words) + len(pairs) + len(other_words) + len(other_pairs) - shared)
