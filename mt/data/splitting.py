"""Train, dev and test splits that cannot leak into each other and that stay put while corpora grow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mt.data.fingerprints import Hashes
from mt.data.neighbours import Clusters
from mt.data.selection import Indices, Mask
from mt.data.triples import Levels

SPLITS = ("train", "dev", "test")
"""Names of the splits by level."""

TRAIN, DEV, TEST = 0, 1, 2
"""Levels: of two similar pairs in different splits, the one with the lower level is dropped."""


def assign_levels(positions: NDArray[np.float64], dev_share: float, test_share: float) -> Levels:
    """int8 (pairs,): the split of each pair by its position alone, whatever the order and the other pairs."""
    levels = np.full(len(positions), TRAIN, np.int8)
    levels[positions < test_share + dev_share] = DEV
    levels[positions < test_share] = TEST
    return levels


def find_leaks(sides: Sequence[Clusters], levels: Levels, kept: Mask) -> Indices:
    """Pairs to drop so that no two similar ones are in different splits.

    Returns int (pairs,): the index of a similar pair of a higher split, -1 if there is none. First the pairs similar to
    a test pair are dropped, then the training pairs similar to a remaining dev pair. No pair is moved instead, because
    then the contents of training and test would change when pairs are added.
    """
    conflicting = np.full(len(levels), -1, np.int64)
    for level in (TEST, DEV):
        holders = np.flatnonzero(kept & (levels == level) & (conflicting < 0))
        near = [_pairs_near(side, holders) for side in sides]
        for side, near_cluster in zip(sides, near, strict=True):
            lower = np.flatnonzero(kept & (levels < level) & (conflicting < 0))
            conflicting[lower] = near_cluster[side.of_pair[lower]]
    return conflicting


def _pairs_near(side: Clusters, holders: Indices) -> Indices:
    """int (clusters,): a pair of `holders` in the cluster or a neighbouring one; -1 if there is none."""
    inside = np.full(side.size, -1, np.int64)
    inside[side.of_pair[holders]] = holders
    near = inside.copy()
    for one, other in (side.edges.T, side.edges.T[::-1]):
        is_found = (near[one] < 0) & (inside[other] >= 0)
        near[one[is_found]] = inside[other[is_found]]
    return near


def group_pairs(sides: Sequence[Clusters], kept: Mask) -> Indices:
    """int (pairs,): equal numbers for pairs that are similar, directly or through others; -1 for pairs not kept."""
    members = np.flatnonzero(kept)
    links = []
    for side in sides:
        first = np.full(side.size, -1, np.int64)
        first[side.of_pair[members[::-1]]] = members[::-1]
        firsts = first[side.of_pair[members]]
        # Most sentences are in one pair only, which needs no link to itself.
        is_link = firsts != members
        links.append(np.stack([members[is_link], firsts[is_link]]))
        edges = first[side.edges]
        links.append(edges[(edges >= 0).all(axis=1)].T)
    one, other = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(kept), len(kept)))
    groups = connected_components(graph, directed=False)[1].astype(np.int64)
    return np.where(kept, groups, -1)


def whole_units(groups: Indices, units: Hashes) -> Indices:
    """int (pairs,): `groups`, but with equal numbers for all pairs of a document or block; -1 stays.

    units: uint64 (pairs,), the name of the document or block, 0 for none. Similar sentences do not join documents: the
    line at the end of every article would join them all.
    """
    is_of_one = (groups >= 0) & (units > 0)
    numbers = np.unique(units[is_of_one], return_inverse=True)[1]
    whole = groups.copy()
    whole[is_of_one] = groups.max(initial=-1) + 1 + numbers
    return whole


def held_out_few(groups: Indices, members: Mask, levels: Levels, fewest: int) -> Mask:
    """The dev and test pairs among `members` whose group has at least `fewest` of them, half or more in training."""
    sizes = np.bincount(groups[members], minlength=groups.max(initial=-1) + 1)
    training = np.bincount(groups[members & (levels == TRAIN)], minlength=len(sizes))
    is_large = (sizes >= fewest) & (2 * training >= sizes)
    found: Mask = members & (levels > TRAIN)
    found[found] = is_large[groups[found]]
    return found


def group_names(groups: Indices, keys: Hashes) -> Hashes:
    """uint64 (pairs,): the smallest key in each pair's group, a name that depends on content, not on order."""
    names = np.full(groups.max(initial=-1) + 1, np.iinfo(np.uint64).max, np.uint64)
    is_kept = groups >= 0
    np.minimum.at(names, groups[is_kept], keys[is_kept])
    named: Hashes = names[groups] if len(names) else np.zeros(len(groups), np.uint64)
    return named


def over_limit(candidates: Mask, groups: Indices, positions: NDArray[np.float64], limit: int | None) -> Mask:
    """bool (pairs,): pairs of a split beyond its limit. Whole groups stay, in order of position, while they fit."""
    too_many = np.zeros(len(candidates), bool)
    members = np.flatnonzero(candidates)
    if limit is None or len(members) <= limit:
        return too_many
    ids, first, sizes = np.unique(groups[members], return_inverse=True, return_counts=True)
    lowest = np.ones(len(ids))
    np.minimum.at(lowest, first, positions[members])
    is_over = np.zeros(len(ids), bool)
    taken = 0
    for group in np.argsort(lowest, kind="stable"):
        is_over[group] = taken + sizes[group] > limit
        taken += 0 if is_over[group] else int(sizes[group])
    too_many[members] = is_over[first]
    return too_many


def fill_empty_splits(
    levels: Levels, movable: Mask, groups: Indices, positions: NDArray[np.float64], wanted: Sequence[int]
) -> Levels:
    """Give each empty split of `wanted` the nearest training group, while one is left for training.

    This is for corpora of a few pairs. Only here may a pair change splits later, once its corpus has grown so much that
    the hash alone fills the split.
    """
    levels = levels.copy()
    for level in sorted(wanted, reverse=True):
        candidates = np.flatnonzero(movable & (levels == TRAIN))
        if (levels[groups >= 0] == level).any() or len(np.unique(groups[candidates])) < 2:
            continue
        nearest = candidates[np.argmin(positions[candidates])]
        levels[groups == groups[nearest]] = level
    return levels
