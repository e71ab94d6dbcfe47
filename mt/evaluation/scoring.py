"""Hypotheses of several systems on several test sets in; scores, comparisons and `scores.json` out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mt.evaluation.metrics import LOWER_IS_BETTER, METRICS, Comparison, Score, score_systems

SIGNIFICANT = 0.05
"""A difference counts as shown below this p-value."""


@dataclass(frozen=True)
class TestSet:
    """Sentences with their reference translations, as they were written."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    name: str
    sources: Sequence[str]
    references: Sequence[str]


@dataclass
class Evaluation:
    """What was scored, and how it came out."""

    baseline: str
    test_sets: list[TestSet] = field(default_factory=list)
    hypotheses: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """By test set, then by system."""
    scores: list[Score] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The content of `scores.json`."""
        return {
            "scores": [asdict(score) for score in self.scores],
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
            "fidelity": [],
        }

    def score(self, system: str, test_set: str, metric: str) -> Score:
        """The one score that the arguments name."""
        return next(s for s in self.scores if (s.system, s.test_set, s.metric) == (system, test_set, metric))

    def comparison(self, system: str, test_set: str, metric: str) -> Comparison | None:
        """The comparison that the arguments name; None for the baseline itself."""
        wanted = (system, test_set, metric)
        return next((c for c in self.comparisons if (c.system, c.test_set, c.metric) == wanted), None)

    def significantly_worse(self, metric: str) -> list[Comparison]:
        """Where a system is worse than the baseline by more than chance explains."""
        return [c for c in self.comparisons if c.metric == metric and c.p_value < SIGNIFICANT and not is_better(c)]


def is_better(comparison: Comparison) -> bool:
    """Whether the system beats the baseline, significantly or not; lower is better in TER."""
    return (comparison.difference < 0) == (comparison.metric in LOWER_IS_BETTER) and comparison.difference != 0


def evaluate_hypotheses(
    test_sets: Sequence[TestSet], hypotheses: dict[str, dict[str, list[str]]], resamples: int
) -> Evaluation:
    """Score every system on every test set and compare it with the first one, the baseline.

    `hypotheses`: by test set, then by system, the same systems in the same order. Raises `DataError` where
    hypotheses and references differ in number.
    """
    evaluation = Evaluation(next(iter(hypotheses[test_sets[0].name])), list(test_sets), hypotheses)
    for test_set in test_sets:
        systems = hypotheses[test_set.name]
        scores, comparisons = score_systems(test_set.name, systems, test_set.references, resamples)
        evaluation.scores += scores
        evaluation.comparisons += comparisons
    return evaluation


def verdict(evaluation: Evaluation, system: str, test_set: str, metric: str = "chrF") -> str:
    """One sentence a person can act on: the difference to the baseline, and whether chance explains it."""
    score, comparison = evaluation.score(system, test_set, metric), evaluation.comparison(system, test_set, metric)
    if comparison is None:
        return f"{system} scores {score.score:.1f} {metric} on {test_set} ({score.sentences} sentences)."
    size = f"{abs(comparison.difference):.1f} {metric}"
    direction = "better" if is_better(comparison) else "worse"
    certainty = f"p = {comparison.p_value:.3f}, {score.sentences} sentences"
    if comparison.difference == 0:
        return (
            f"On {test_set}, {system} and {comparison.baseline} cannot be told apart: they score the same in {metric}."
        )
    if comparison.p_value < SIGNIFICANT:
        return f"On {test_set}, {system} is {size} {direction} than {comparison.baseline} ({certainty})."
    return (
        f"On {test_set}, {system} and {comparison.baseline} cannot be told apart: "
        f"{size} {direction}, which chance alone may explain ({certainty})."
    )


def as_table(evaluation: Evaluation) -> str:
    """The scores as text for a terminal: one line a system and test set, with 95 % intervals."""
    rows: list[tuple[str, ...]] = [("test set", "system", *METRICS)]
    for test_set in evaluation.test_sets:
        for system in evaluation.hypotheses[test_set.name]:
            cells = [_cell(evaluation, system, test_set.name, metric) for metric in METRICS]
            rows.append((test_set.name, system, *cells))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def _cell(evaluation: Evaluation, system: str, test_set: str, metric: str) -> str:
    score, comparison = evaluation.score(system, test_set, metric), evaluation.comparison(system, test_set, metric)
    mark = "*" if comparison is not None and comparison.p_value < SIGNIFICANT else ""
    return f"{score.score:.2f}{mark} [{score.ci_low:.1f}, {score.ci_high:.1f}]"
