"""The page of a blind review: one HTML file on which a person compares two translations of each sentence.

Nothing on it depends on which system is which: `draw_items` gives the same items when the systems change places.
Who wrote what is found again from the translations' hashes (`mt.evaluation.ratings`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mt.errors import DataError
from mt.evaluation.templates import render_page
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


def render_review(test_set: str, items: Sequence[ReviewItem]) -> str:
    """The page, which needs no other file; all text is escaped."""
    content: dict[str, Any] = {"test_set": test_set, "items": [_with_hashes(item) for item in items]}
    page = _sha256(json.dumps(content, ensure_ascii=False, sort_keys=True))
    return render_page(
        "review.html.jinja",
        styles=["page.css", "review.css"],
        script="review.js",
        title=f"Blind review: {test_set}",
        review={"format": RATINGS_FORMAT, "page": page, **content},
        sentences=len(items),
    )


def _with_hashes(item: ReviewItem) -> dict[str, Any]:
    return {**asdict(item), "left_hash": hypothesis_hash(item.left), "right_hash": hypothesis_hash(item.right)}
