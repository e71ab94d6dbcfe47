"""Rare word triples of all sentences of one side, in partitions on disk; sentences that share one may be alike.

    The army closed the road to the river on Monday.        triples: the army closed, army closed the, ...
    The army closed the road to the river on Friday.        shares all but the last one: a candidate

A partition holds all occurrences of its triples, so each can be searched by itself, by any process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.data.alike import Edges, may_be_alike, signatures
from mt.data.engines.engine import Engine
from mt.data.fingerprints import Hashes, Words, stretches
from mt.data.selection import Indices, run_starts
from mt.data.store import SideColumns

Levels = NDArray[np.int8]
"""The split of each pair: 0 train, 1 dev, 2 test."""

RAREST = 12
"""Triples per sentence that propose candidates."""

# Sentences processed at once: their numbers take 16 bits of a sorting key.
_CHUNK = 1 << 16
# Slots in which occurrences of triples are counted, up to 255; two triples in one slot only look more frequent.
_MAX_SLOTS = 1 << 29
_MOST = 255
# Held-out sentences compared with one training sentence per shared triple; only boilerplate has more.
_MAX_RIVALS = 256
# Candidates looked at at once.
_MAX_EDGES = 1 << 21
_OWNER_BITS = np.uint64(32)


class Sentences(NamedTuple):
    """The distinct sentences of one side; they are known by their number."""

    side: SideColumns
    examples: Indices
    """int (sentences,): a pair that holds the sentence."""
    levels: Levels
    """int8 (sentences,): the highest split of the sentence's pairs."""

    def chunks(self) -> Iterator[tuple[Indices, Indices]]:
        """(numbers, pairs) of some sentences at a time, in the order in which their pairs are stored."""
        order = np.argsort(self.examples)
        for start in range(0, len(order), _CHUNK):
            numbers = order[start : start + _CHUNK]
            yield numbers, self.examples[numbers]


def write_triples(sentences: Sentences, partitions: int, engine: Engine, directory: Path) -> None:
    """Write the rarest triples of each sentence, those shared with others, divided into partitions by their hash.

    Beside them are what `candidates_in` needs to know of the sentences: lengths, levels and signatures.
    """
    shared = sentences.side, _frequencies(sentences, engine)
    marks = np.zeros((len(sentences.examples), 2), np.uint64)
    with ExitStack() as stack:
        names = (partition_files(directory, number) for number in range(partitions))
        files = [tuple(stack.enter_context(path.open("wb")) for path in paths) for paths in names]
        for numbers, of_chunk, hashes, owners in engine.in_order(_rare, shared, sentences.chunks()):
            marks[numbers] = of_chunk
            # Sorted by triple and, for equal ones, by split: the level replaces the two lowest bits.
            triples = (hashes & ~np.uint64(3)) | sentences.levels[owners].astype(np.uint64)
            partition = ((hashes >> np.uint64(32)) * np.uint64(partitions)) >> np.uint64(32)
            for number, (of_triples, of_owners) in enumerate(files):
                here = np.flatnonzero(partition == np.uint64(number))
                triples[here].tofile(of_triples)
                owners[here].astype(np.uint32).tofile(of_owners)
    marks.tofile(directory / "signatures")
    sentences.side.counts[sentences.examples].tofile(directory / "lengths")
    sentences.levels.tofile(directory / "levels")


def _rare(
    shared: tuple[SideColumns, NDArray[np.uint8]], chunk: tuple[Indices, Indices]
) -> tuple[Indices, Hashes, Hashes, Indices]:
    """(numbers of the sentences, their signatures, their rarest triples, the sentence of each of these) of a chunk.

    shared: the side, and how often triples occur.
    """
    (side, frequency), (numbers, pairs) = shared, chunk
    words = side.words_at(pairs)
    hashes, owners = _rarest(words.ngrams(3), frequency)
    return numbers, signatures(words.ngrams(2)), hashes, numbers[owners]


def partition_files(directory: Path, number: int) -> tuple[Path, Path]:
    """The files of a partition: its triples, and the sentence that has each."""
    return directory / f"triples-{number:04}", directory / f"owners-{number:04}"


def _frequencies(sentences: Sentences, engine: Engine) -> NDArray[np.uint8]:
    """uint8 (slots,): how many occurrences of triples fell into each slot."""
    words = int(sentences.side.counts[sentences.examples].sum())
    frequency = np.zeros(1 << int(np.clip(4 * words, 1 << 16, _MAX_SLOTS) - 1).bit_length(), np.uint8)
    for slots, counts in engine.in_order(_counted, (sentences.side, len(frequency)), sentences.chunks()):
        frequency[slots] = np.minimum(frequency[slots] + counts, _MOST)
    return frequency


def _counted(shared: tuple[SideColumns, int], chunk: tuple[Indices, Indices]) -> tuple[Indices, Indices]:
    """(slots, how many triples of a chunk fall into each). shared: the side, and the number of slots."""
    side, size = shared
    return np.unique(_slots(side.words_at(chunk[1]).ngrams(3).hashes, size), return_counts=True)


def _slots(hashes: Hashes, size: int) -> NDArray[np.int64]:
    return (hashes & np.uint64(size - 1)).astype(np.int64)


def _rarest(triples: Words, frequency: NDArray[np.uint8]) -> tuple[Hashes, Indices]:
    owners = np.repeat(np.arange(len(triples.counts)), triples.counts)
    frequencies = frequency[_slots(triples.hashes, len(frequency))]
    is_shared = frequencies > 1
    hashes, owners, frequencies = triples.hashes[is_shared], owners[is_shared], frequencies[is_shared]
    # Sorted by sentence, then by frequency; the hash breaks ties in the same way in every sentence.
    keys = (owners.astype(np.uint64) << np.uint64(40)) | (frequencies.astype(np.uint64) << np.uint64(32))
    order = np.argsort(keys | (hashes >> np.uint64(32)))
    hashes, owners = hashes[order], owners[order]
    sizes = np.bincount(owners, minlength=len(triples.counts))
    rank = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return hashes[rank < RAREST], owners[rank < RAREST]


def candidates_in(directory: Path, number: int, similarity: float) -> Indices:
    """The candidates of one partition of `write_triples` whose lengths and signatures leave them possible.

    Returns sorted codes: (one * sentences + other) of the numbers of two sentences, the smaller one first. Sentences
    that share a triple are candidates: each with the next one, so that similar sentences form a chain, and with those
    of a higher split, so that no leak across splits is missed.
    """
    triples, owners = _sorted(*partition_files(directory, number))
    found = [np.empty(0, np.int64)]
    if not len(triples):
        return found[0]
    # Mapped, because all partitions need them, at random places.
    levels = np.asarray(np.memmap(directory / "levels", np.int8, "r"))
    lengths = np.asarray(np.memmap(directory / "lengths", np.int64, "r"))
    marks = np.asarray(np.memmap(directory / "signatures", np.uint64, "r")).reshape(-1, 2)
    for edges in _candidates(triples, owners, levels):
        edges = edges[edges[:, 0] != edges[:, 1]]
        edges = edges[may_be_alike(lengths, marks, edges, similarity)]
        found.append(_distinct(edges.min(axis=1) * len(levels) + edges.max(axis=1)))
    return _distinct(np.concatenate(found))


def _distinct(codes: Indices) -> Indices:
    codes.sort()
    return codes[run_starts(codes)]


def _sorted(triples_file: Path, owners_file: Path) -> tuple[Hashes, Indices]:
    """(triples without the level, owners) of a partition, sorted by triple, level and owner."""
    triples, owners = np.fromfile(triples_file, np.uint64), np.fromfile(owners_file, np.uint32)
    order = np.argsort(triples)
    triples, owners = triples[order], owners[order]
    # The order of equals is not left to the sort, which depends on the instructions that the CPU has.
    run = np.zeros(len(triples), np.uint64)
    run[run_starts(triples)] = 1
    keys = (np.cumsum(run) << _OWNER_BITS) | owners
    keys.sort()
    return triples >> np.uint64(2), (keys & np.uint64((1 << 32) - 1)).astype(np.int64)


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
    members = stretches(starts[runs], lengths[runs])
    ends = np.repeat(starts[runs] + lengths[runs], lengths[runs])
    for level in range(int(of_owners.max())):
        is_low = of_owners[members] == level
        yield from _with_higher(members[is_low], ends[is_low], owners, of_owners)


def _with_higher(low: Indices, ends: Indices, owners: Indices, levels: Levels) -> Iterator[Edges]:
    """Edges between members of one level and those of a higher one, which follow the last one of this level."""
    first = _next_change(levels, low, ends)
    count = ends - first
    stride = np.maximum(-(-count // _MAX_RIVALS), 1)
    taken = -(-count // stride)
    blocks = np.cumsum(taken) // _MAX_EDGES
    for block in range(int(blocks.max(initial=-1)) + 1):
        here = slice(*np.searchsorted(blocks, [block, block + 1]))
        high = np.repeat(first[here], taken[here]) + stretches(np.zeros_like(taken[here]), taken[here]) * np.repeat(
            stride[here], taken[here]
        )
        yield np.stack([owners[np.repeat(low[here], taken[here])], owners[high]], axis=1)


def _next_change(levels: Levels, indices: Indices, ends: Indices) -> Indices:
    """For each index, the first one after it with another level, or its end."""
    changes = np.append(np.flatnonzero(levels[1:] != levels[:-1]) + 1, len(levels))
    following: Indices = np.minimum(changes[np.searchsorted(changes, indices, side="right")], ends)
    return following
