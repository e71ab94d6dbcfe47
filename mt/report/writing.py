"""The files of a comparison: `scores.json`, `report.html` and `report.md`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mt.evaluation.results import Evaluation
from mt.files import write_json, write_text
from mt.report.comparison_report import render_markdown, render_report
from mt.report.scores_json import as_json
from mt.runs import RunDirectory
from mt.text.glossary import Glossary

logger = logging.getLogger(__name__)


def write_evaluation(
    output: RunDirectory,
    evaluation: Evaluation,
    title: str,
    facts: Mapping[str, str],
    data: Mapping[str, Any] | None = None,
    glossary: Glossary | None = None,
) -> None:
    """Write `scores.json`, `report.html`, which shows `data` where there is a data card, and `report.md`."""
    output.check_there()
    logger.info("writing the report")
    write_text(output.report, render_report(title, evaluation, facts, data, glossary))
    write_text(output.summary, render_markdown(title, evaluation, facts))
    # Last: where it is, everything is, and a sweep that was stopped has nothing more to do.
    write_json(output.scores, as_json(evaluation))
