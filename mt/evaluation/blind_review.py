"""Blind review: chooses the sentences of two systems that are shown, and which system is on which side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mt.errors import DataError
from mt.evaluation.test_set import TestSet

STORAGE_KEY = b"mt-ratings-"
"""In every page: the prefix of the keys under which a browser stores a reviewer's choices."""


@dataclass(frozen=True)
class ReviewItem:
    """One sentence with its two translations, on shuffled sides."""

    sentence: int
    """Index in the test set, from 0."""
    source: str
    reference: str
    left: str
    right: str


@dataclass(frozen=True)
class Draw:
    """The sentences of a page, in random order, and counts of what they were drawn from."""

    items: list[ReviewItem]
    sentences: int
    """In the test set."""
    alike: int
    """Sentences left out because both systems translate them identically."""


def draw_items(
    test_set: TestSet, hypotheses: Sequence[str], others: Sequence[str], max_sentences: int, seed: int
) -> Draw:
    """At most `max_sentences` sentences that two systems translate differently, with shuffled sides.

    The order comes from a hash of seed and sentence number, so a smaller draw is the beginning of a larger one, and a
    review that stops early is a fair sample. The sides also depend on the translations, so who knows the sides of one
    page knows nothing about the next. Raises `DataError` if no translations differ.
    """
    rows = enumerate(zip(test_set.sources, test_set.references, hypotheses, others, strict=True))
    differing = [(index, row) for index, row in rows if row[2].split() != row[3].split()]
    if not differing:
        raise DataError(
            f"test set `{test_set.name}`: the two systems translate all {len(test_set.sources)} sentences identically, "
            "so there is nothing to review; choose other systems"
        )
    drawn = sorted(differing, key=lambda numbered: _sha256(f"{seed} {numbered[0]}"))[:max_sentences]
    items = [ReviewItem(index, row[0], row[1], *_shuffled(seed, index, row[2], row[3])) for index, row in drawn]
    return Draw(items, len(test_set.sources), len(test_set.sources) - len(differing))


def _shuffled(seed: int, index: int, hypothesis: str, other: str) -> tuple[str, str]:
    first, second = sorted((hypothesis, other))
    bit = int(_sha256(f"{seed} {index} {hypothesis_hash(first)} {hypothesis_hash(second)}"), 16) & 1
    return (second, first) if bit else (first, second)


def hypothesis_hash(hypothesis: str) -> str:
    """Hex SHA-256 of a translation as one line of UTF-8, as in the files of `translations/`."""
    return _sha256(" ".join(hypothesis.splitlines()))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
