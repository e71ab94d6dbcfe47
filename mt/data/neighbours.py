"""Which sentences are neighbours: shared rare word triples propose candidates, then all their words decide.

The search goes through parts on disk (`mt.data.parts`), so memory does not grow with the number of triples:

1. `triples`: the rare triples of all sentences, in partitions by their hash.
2. `candidates-0000` and so on: per partition, the sentences that share a triple.
3. `alike-0000` and so on: per range of sentences, the candidates of all partitions that are alike by all their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mt.data.alike import Edges, only_alike
from mt.data.engines.engine import Engine
from mt.data.parts import is_finished, make_part, make_parts
from mt.data.selection import Indices, Mask, run_starts
from mt.data.store import SideColumns
from mt.data.triples import RAREST, Levels, Sentences, candidates_in, write_triples
from mt.files import remove

# With a dozen bytes per triple, a partition is sorted in about a third of a gibibyte.
_TRIPLES_PER_PARTITION = 4_000_000
_CODES_PER_RANGE = 2_000_000
_CODES = "codes"


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


class Search(NamedTuple):
    """Where and how neighbours are looked for."""

    directory: Path
    """For the parts. What an interrupted search for the same has left there is used again."""
    engine: Engine
    partitions: int | None = None
    """Default: as many as keep each of them small. The result does not depend on the number."""


def find_clusters(side: SideColumns, levels: Levels, kept: Mask, similarity: float, search: Search) -> Clusters:
    """Cluster the sentences of one side and find which are neighbours.

    Neighbours have at least this Jaccard similarity of words and word pairs. Sentences that share one of their rarest
    word triples are candidates, as `candidates_in` says. Then all their words decide. From a similarity of 0.7, two
    sentences of seven or more words always share a triple; at 0.6 they do unless their words are shuffled. Raises
    `OSError` if the disk is full.
    """
    of_pair, sentences = _distinct(side, levels, kept)
    return Clusters(of_pair, len(sentences.examples), find_neighbours(sentences, similarity, search))


def _distinct(side: SideColumns, levels: Levels, kept: Mask) -> tuple[Indices, Sentences]:
    """(the number of each pair's sentence, the sentences); in a function of its own, whose arrays are gone after it."""
    members = np.flatnonzero(kept)
    _, first, cluster = np.unique(side.keys[members], return_index=True, return_inverse=True)
    of_pair = np.full(len(kept), -1, np.int64)
    of_pair[members] = cluster
    highest = np.zeros(len(first), np.int8)
    np.maximum.at(highest, cluster, levels[members])
    # Without the keys, which nothing after this needs: sentences may be sent to other machines.
    return of_pair, Sentences(side._replace(keys=side.keys[:0]), members[first], highest)


def find_neighbours(sentences: Sentences, similarity: float, search: Search) -> Edges:
    """The edges between sentences that are alike, sorted. Raises `OSError`."""
    size = len(sentences.examples)
    count = search.partitions or 1 + RAREST * size // _TRIPLES_PER_PARTITION
    triples = search.directory / "triples"
    parts = [search.directory / f"candidates-{number:04}" for number in range(count)]
    if not all(map(is_finished, parts)):
        make_part(triples, partial(write_triples, sentences, count, search.engine))
    numbered = [(part, number) for number, part in enumerate(parts)]
    what = "partitions of the search for neighbours"
    make_parts(_write_candidates, (triples, similarity), numbered, search.engine, what)
    remove(triples)
    files = [part / _CODES for part in parts]
    ranges = 1 + sum(file.stat().st_size for file in files) // 8 // _CODES_PER_RANGE
    borders = np.linspace(0, size, ranges + 1).astype(np.int64) * size
    alike = [search.directory / f"alike-{number:04}" for number in range(ranges)]
    ranged = [(part, (int(low), int(high))) for part, (low, high) in zip(alike, pairwise(borders), strict=True)]
    what = "parts of the comparison of sentences"
    make_parts(_write_alike, (files, sentences, similarity), ranged, search.engine, what)
    codes = np.concatenate([np.fromfile(part / _CODES, np.int64) for part in alike])
    return np.stack(np.divmod(codes, max(size, 1)), axis=1)


def _write_candidates(shared: tuple[Path, float], number: int, directory: Path) -> None:
    """shared: what `write_triples` wrote, and the similarity."""
    triples, similarity = shared
    candidates_in(triples, number, similarity).tofile(directory / _CODES)


def _write_alike(shared: tuple[Sequence[Path], Sentences, float], borders: tuple[int, int], directory: Path) -> None:
    """Those of the candidates between two codes that are alike. shared: the files of the candidates, and of whom."""
    files, sentences, similarity = shared
    codes = np.concatenate([_between(file, *borders) for file in files])
    codes.sort()
    size = len(sentences.examples)
    edges = np.stack(np.divmod(codes[run_starts(codes)], max(size, 1)), axis=1)
    edges = only_alike(sentences.side, sentences.examples, edges, similarity)
    (edges[:, 0] * size + edges[:, 1]).tofile(directory / _CODES)


def _between(file: Path, low: int, high: int) -> Indices:
    if not file.stat().st_size:
        return np.empty(0, np.int64)
    codes = np.memmap(file, np.int64, mode="r")
    return np.array(codes[slice(*np.searchsorted(codes, [low, high]))])
