"""Arrays of pairs: masks, indices, and equal keys among them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mt.data.fingerprints import Hashes, scramble

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


def first_of_equals(keys: Hashes) -> Indices:
    """int (pairs,): for each pair, the index of the first pair with the same key, often its own."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    # np.unique finds the first occurrence: its sort is stable when indices are asked for.
    return first[inverse].astype(np.int64)


def combine(*keys: NDArray[Any]) -> Hashes:
    """One hash of several keys: equal where all keys are equal."""
    mixed = np.zeros(len(keys[0]), np.uint64)
    for key in keys:
        mixed = scramble(mixed * np.uint64(3) + key.astype(np.uint64))
    return mixed


def rank_among_equals(keys: Hashes) -> Indices:
    """int (pairs,): the number of earlier pairs with the same key."""
    order = np.argsort(keys, kind="stable")
    starts = run_starts(keys[order])
    lengths = np.diff(np.append(starts, len(keys)))
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.arange(len(keys)) - np.repeat(starts, lengths)
    return ranks


def run_starts(values: NDArray[Any]) -> Indices:
    """The indices where runs of equal values begin in a sorted array: of 4, 4, 7 they are 0, 2."""
    if not len(values):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])).astype(np.int64)
