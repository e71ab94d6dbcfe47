"""The report's part on what to check first: the translations with the least confidence, and what that is worth."""

from __future__ import annotations

from typing import Any

from mt.evaluation.confidence_check import confidence_in_words
from mt.evaluation.results import PRIMARY, Evaluation
from mt.report.charts import calibration


def confidence_view(evaluation: Evaluation) -> dict[str, Any] | None:
    """What `confidence.html.jinja` shows; None if no system's confidence was calibrated."""
    check = evaluation.confidence
    if check is None:
        return None
    test_set = next(each for each in evaluation.test_sets if each.name == check.test_set)
    hypotheses = evaluation.hypotheses[check.test_set][check.system]
    points = [(each.expected, each.observed) for each in check.bins]
    title = f"Expected and actual chrF of {check.system} on {check.test_set}"
    return {
        "check": check,
        "words": confidence_in_words(check),
        "chart": calibration(title, points, f"expected {PRIMARY}", f"actual {PRIMARY}") if len(points) > 1 else None,
        "rows": [(each, test_set.sources[each.sentence - 1], hypotheses[each.sentence - 1]) for each in check.doubtful],
    }
