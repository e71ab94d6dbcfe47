"""Training pairs that contain a long piece of a held-out sentence.

The n-grams of held-out sentences are looked at one range of hashes at a time, so memory does not grow with their
number: 20 million n-grams in ranges of 16 million take two passes over the training pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mt.data.engines.engine import Engine
from mt.data.engines.local import Local
from mt.data.fingerprints import Hashes, Words
from mt.data.parts import make_parts
from mt.data.selection import Indices, Mask
from mt.data.store import SideColumns

_CHUNK_PAIRS = 50_000
# Many slots, so that few n-grams that are in no held-out pair hit one that is taken.
_SLOTS_PER_NGRAM = 8
_NGRAMS_PER_RANGE = 16_000_000
_FOUND = ("pairs", "places", "owners")


def overlaps_in_parts(
    side: SideColumns,
    training: Mask,
    held_out: Mask,
    length: int,
    directory: Path,
    engine: Engine,
    ranges: int | None = None,
) -> Indices:
    """What `find_overlaps` returns, through parts in `directory` (`mt.data.parts`), one for each range of hashes.

    ranges: by default as many as keep each of them small; the result does not depend on it. Raises `OSError`.
    """
    ngrams = int(np.maximum(side.counts[held_out] - length + 1, 0).sum())
    count = ranges or 1 + ngrams // _NGRAMS_PER_RANGE
    parts = [directory / f"overlaps-{number:04}" for number in range(count)]

    def write(engine: Engine, number: int, part: Path) -> None:
        found = _overlaps(side, training, held_out, length, (number, count), engine)
        for name, values in zip(_FOUND, found, strict=True):
            values.tofile(part / name)

    # One after the other: the memory is for the n-grams of one range. The engine divides the training pairs.
    numbered = [(part, number) for number, part in enumerate(parts)]
    make_parts(write, engine, numbered, Local(1), "ranges of the search for words of held-out pairs")
    columns = (np.concatenate([np.fromfile(part / name, np.int64) for part in parts]) for name in _FOUND)
    return _last(len(training), *columns)


def find_overlaps(side: SideColumns, training: Mask, held_out: Mask, length: int) -> Indices:
    """Training pairs that share `length` words in a row with a held-out pair, on this side (Brown et al., 2020).

    Returns int (pairs,): the index of that held-out pair, -1 if there is none. Case, punctuation and diacritics do not
    count, and all numbers are equal.
    """
    return _last(len(training), *_overlaps(side, training, held_out, length, (0, 1), Local(1)))


def _last(size: int, pairs: Indices, places: Indices, owners: Indices) -> Indices:
    """Of what several n-grams of a pair say, that of the last one in its sentence."""
    conflicting = np.full(size, -1, np.int64)
    order = np.lexsort((places, pairs))
    conflicting[pairs[order]] = owners[order]
    return conflicting


def _overlaps(
    side: SideColumns, training: Mask, held_out: Mask, length: int, part: tuple[int, int], engine: Engine
) -> tuple[Indices, Indices, Indices]:
    """(training pair, place of the n-gram in it, held-out pair) of each shared n-gram in a range of hashes.

    part: the number of the range and how many there are.
    """
    known, owners = _known(side, np.flatnonzero(held_out), length, part)
    nothing = np.empty(0, np.int64)
    if not len(known):
        return nothing, nothing, nothing
    shared = _HeldOut(side._replace(keys=side.keys[:0]), length, known, owners, LookUp(known))
    chunks = _chunks(side, np.flatnonzero(training), length)
    found = [(nothing,) * 3, *engine.in_order(_compare, shared, chunks)]
    pairs, places, conflicting = (np.concatenate(column) for column in zip(*found, strict=True))
    return pairs, places, conflicting


class _HeldOut(NamedTuple):
    """What training pairs are compared with."""

    side: SideColumns
    length: int
    known: Hashes
    """The n-grams of held-out pairs, sorted."""
    owners: Indices
    """Their pairs."""
    may_be_known: LookUp
    """Most n-grams are in no held-out pair; here one memory access says so, in a binary search twenty do."""


def _compare(held_out: _HeldOut, members: Indices) -> tuple[Indices, Indices, Indices]:
    """(training pair, place of the n-gram in it, held-out pair) of each n-gram that some training pairs share."""
    side, length, known, owners, may_be_known = held_out
    ngrams = _ngrams(side, members, length)
    worth_a_search = np.flatnonzero(may_be_known.may_hold(ngrams.hashes))
    hashes = ngrams.hashes[worth_a_search]
    index = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    is_shared = known[index] == hashes
    place = worth_a_search[is_shared]
    return members[np.searchsorted(np.cumsum(ngrams.counts), place, side="right")], place, owners[index[is_shared]]


def _chunks(side: SideColumns, pairs: Indices, length: int) -> Iterator[Indices]:
    """Pairs that are long enough, some at a time."""
    for start in range(0, len(pairs), _CHUNK_PAIRS):
        chunk = pairs[start : start + _CHUNK_PAIRS]
        yield chunk[side.counts[chunk] >= length]


def _known(side: SideColumns, pairs: Indices, length: int, part: tuple[int, int]) -> tuple[Hashes, Indices]:
    """(n-grams of held-out pairs in a range of hashes, their pairs), sorted by n-gram, then by pair."""
    number, count = part
    hashes, owners = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for chunk in _chunks(side, pairs, length):
        ngrams = _ngrams(side, chunk, length)
        # The high bits, because `LookUp` needs the low ones.
        is_here = ((ngrams.hashes >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32) == np.uint64(number)
        hashes.append(ngrams.hashes[is_here])
        owners.append(np.repeat(chunk, ngrams.counts)[is_here])
    known = np.concatenate(hashes)
    order = np.argsort(known, kind="stable")
    return known[order], np.concatenate(owners)[order]


class LookUp:
    """A set of scrambled hashes with quick membership tests; wrongly says yes to about one in eight non-members."""

    def __init__(self, known: Hashes) -> None:
        self._table = np.zeros(1 << (_SLOTS_PER_NGRAM * len(known)).bit_length(), bool)
        self._table[self._slots(known)] = True

    def may_hold(self, hashes: Hashes) -> Mask:
        """bool (hashes,): False for hashes that are certainly not in the set."""
        found: Mask = self._table[self._slots(hashes)]
        return found

    def _slots(self, hashes: Hashes) -> Indices:
        return (hashes & np.uint64(len(self._table) - 1)).astype(np.int64)


def _ngrams(side: SideColumns, pairs: Indices, length: int) -> Words:
    return side.words_at(pairs).ngrams(length)
