"""Blind review: which sentences of two systems are shown, and on which side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mt.errors import DataError
from mt.evaluation.test_set import TestSet

STORAGE_KEY = b"mt-ratings-"
"""Every page holds it: what a browser keeps a reviewer's choices under begins so."""


RATINGS_FORMAT = "mt-ratings-1"
"""The `format` of a ratings file; a new number for any change that an old reader would misunderstand."""


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
    """The sentences of a page, in random order, and what they were drawn from."""

    items: list[ReviewItem]
    sentences: int
    """In the test set."""
    alike: int
    """Left out because both systems translate them in the same way."""


def draw_items(
    test_set: TestSet, hypotheses: Sequence[str], others: Sequence[str], max_sentences: int, seed: int
) -> Draw:
    """At most `max_sentences` sentences that two systems translate differently, their sides shuffled.

    The order comes from a hash of seed and sentence number, so fewer sentences are the beginning of more, and a review
    that stops early is a fair sample. The sides come from a hash of the translations, too: sides known of one page
    say nothing about the next. Raises `DataError` if no translation differs.
    """
    rows = enumerate(zip(test_set.sources, test_set.references, hypotheses, others, strict=True))
    differing = [(index, row) for index, row in rows if row[2].split() != row[3].split()]
    if not differing:
        raise DataError(
            f"test set `{test_set.name}`: the two systems translate all {len(test_set.sources)} sentences alike, "
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
    """Hex SHA-256 of a translation as one line of UTF-8, which is how `translations/` files hold it."""
    return _sha256(" ".join(hypothesis.splitlines()))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
