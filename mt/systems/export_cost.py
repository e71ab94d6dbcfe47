"""The cost of an export: its scores beside the model's, with the tests of any comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mt.evaluation.metrics import chrf
from mt.evaluation.results import PRIMARY, Evaluation
from mt.evaluation.test_set import TestSet
from mt.evaluation.verdicts import verdict

MODEL, EXPORT = "model", "export"


def describe(evaluation: Evaluation) -> list[str]:
    """One text per test set: how similar the translations are, both scores, and the verdict."""
    return [_describe(evaluation, each, evaluation.hypotheses[each.name]) for each in evaluation.test_sets]


def _describe(evaluation: Evaluation, test_set: TestSet, lines: Mapping[str, Sequence[str]]) -> str:
    same = sum(ours == theirs for ours, theirs in zip(lines[MODEL], lines[EXPORT], strict=True))
    scores = ", ".join(
        f"{metric} {evaluation.score(MODEL, test_set.name, metric).score:.1f} and "
        f"{evaluation.score(EXPORT, test_set.name, metric).score:.1f}"
        for metric in (PRIMARY, "BLEU")
    )
    return (
        f"{test_set.name}: {same} of {len(lines[MODEL])} translations are the same, chrF between the two is "
        f"{chrf(list(lines[EXPORT]), list(lines[MODEL])):.1f}; against the references {scores}. "
        f"{verdict(evaluation, EXPORT, test_set.name)}"
    )
