"""Train, dev and test splits that cannot leak into each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

from mt.data.readers import Pair
from mt.text import comparison_key

Split = Literal["train", "dev", "test"]


def group_pairs(pairs: Sequence[Pair]) -> list[str]:
    """One group id for each pair; pairs that share a sentence share the group.

    Two sentences are the same if they differ only in case, digits, punctuation, diacritics and spacing; English
    and Arabic both count, also through a third pair. The id is a hash of the group's content, not of its position.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = key = parent[parent[key]]
        return key

    sides = [_side_keys(pair) for pair in pairs]
    for source, target in sides:
        low, high = sorted((root(source), root(target)))
        parent[high] = low
    # The smaller hash became the root, so a group is named after its smallest key.
    return [root(source) for source, _ in sides]


def _side_keys(pair: Pair) -> tuple[str, str]:
    return (
        _digest("source " + (comparison_key(pair.source) or pair.source)),
        _digest("target " + (comparison_key(pair.target) or pair.target)),
    )


def assign_splits(groups: Iterable[str], dev_share: float, test_share: float, key: str) -> dict[str, Split]:
    """The split of each group: a hash keyed by `key`, so neither order nor other groups matter.

    The one exception serves tiny corpora: a split that was asked for but came out empty gets the group that
    hashed nearest to it, as long as the training split keeps one.
    """
    position = {group: _unit_interval(key, group) for group in groups}
    splits: dict[str, Split] = {}
    for group, value in position.items():
        splits[group] = "test" if value < test_share else "dev" if value < test_share + dev_share else "train"
    for split, share in (("test", test_share), ("dev", dev_share)):
        candidates = sorted((group for group in splits if splits[group] == "train"), key=position.__getitem__)
        if share > 0 and split not in splits.values() and len(candidates) > 1:
            splits[candidates[0]] = split  # type: ignore[assignment]
    return splits


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unit_interval(key: str, group: str) -> float:
    digest = hashlib.sha256(f"{key}\0{group}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
