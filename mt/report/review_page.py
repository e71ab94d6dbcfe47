"""The page of a blind review: one HTML file on which a person compares two translations of each sentence.

Nothing on it depends on which system is which: `draw_items` gives the same items when the systems change places.
Who wrote what is found again from the translations' hashes (`mt.evaluation.ratings`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mt.data.formats.corrections import FIRST_RATINGS_FORMAT, RATINGS_FORMAT
from mt.evaluation.blind_review import ReviewItem, _sha256, hypothesis_hash
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.report.pages import render_page


def render_review(test_set: str, items: Sequence[ReviewItem], languages: LanguagePair = ENGLISH_TO_ARABIC) -> str:
    """The page, which needs no other file; all text is escaped."""
    content: dict[str, Any] = {"test_set": test_set, "items": [_with_hashes(item) for item in items]}
    page = _sha256(json.dumps(content, ensure_ascii=False, sort_keys=True))
    return render_page(
        "review.html.jinja",
        styles=["page.css", "review.css"],
        script="review.js",
        title=f"Blind review: {test_set}",
        review={"format": RATINGS_FORMAT, "former_format": FIRST_RATINGS_FORMAT, "page": page, **content},
        sentences=len(items),
        languages=languages,
    )


def _with_hashes(item: ReviewItem) -> dict[str, Any]:
    return {**asdict(item), "left_hash": hypothesis_hash(item.left), "right_hash": hypothesis_hash(item.right)}
