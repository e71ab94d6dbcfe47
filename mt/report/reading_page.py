"""The page of `mt translate --page`: one HTML file on which a person reads and corrects the translations of a document.

What is saved from it is a table of corrections, as `mt translate --bilingual` writes it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

from mt.data.formats.formulas import FORMULA_BEGINS
from mt.documents.bilingual import COLUMNS
from mt.documents.checking import Row, reading_order
from mt.evaluation.confidence import LEVEL
from mt.evaluation.confidence_check import LOOKED_AT
from mt.languages import LanguagePair
from mt.report.pages import render_page as render_template


def render_page(document: str, rows: Sequence[Row], languages: LanguagePair, left_out: int = 0) -> str:
    """The page, which needs no other file; all text is escaped. left_out: sentences of the document not on it."""
    order = reading_order(rows)
    ranked = sum(rank is not None for rank in order)
    first = math.ceil(ranked * LOOKED_AT)
    sentences = [_as_json(row, rank) for row, rank in zip(rows, order, strict=True)]
    # The browser keeps corrections under this key: they stay when the same sentences are translated again.
    content = {"file": document, "sources": [each["source"] for each in sentences]}
    page = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
    return render_template(
        "reading.html.jinja",
        styles=["page.css", "reading.css"],
        script="reading.js",
        title=f"Read and correct: {document}",
        reading={
            "page": page,
            "file": document,
            "columns": COLUMNS,
            "formula": FORMULA_BEGINS,
            "first": first,
            "sentences": sentences,
        },
        count=len(rows),
        left_out=left_out,
        languages=languages,
        level=round(LEVEL * 100),
        share=round(LOOKED_AT * 100),
        has_chrf=any(row.confidence is not None and row.confidence.expected_chrf is not None for row in rows),
        has_order=ranked > 0,
    )


def _as_json(row: Row, rank: int | None) -> dict[str, Any]:
    """What the page's script needs of a sentence; texts as they are in the table."""
    source, machine = (" ".join(text.split()) for text in (row.source, row.target))
    known = row.confidence
    numbers = None
    # JSON has no infinity, which a model in half precision may find.
    if known is not None and math.isfinite(known.mean_log_probability):
        chrf = (known.expected_chrf, known.low, known.high)
        numbers = [
            *(None if each is None else round(each) for each in chrf),
            round(known.mean_log_probability, 2),
        ]
    return {
        "source": source,
        "machine": machine,
        "place": row.place,
        "rank": rank,
        "numbers": numbers,
        "faults": row.faults,
    }
