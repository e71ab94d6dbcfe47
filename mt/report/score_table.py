"""The scores of all systems as a table for the terminal."""

from __future__ import annotations

from mt.evaluation.metrics import METRICS
from mt.evaluation.results import Evaluation
from mt.evaluation.searches import describe_searches
from mt.evaluation.verdicts import _aligned, _cell, _corpus_lines, preference_in_words


def as_table(evaluation: Evaluation) -> str:
    """The scores as text for a terminal: one line a system and test set, with 95 % intervals; first by corpus."""
    lines = [line for test_set in evaluation.test_sets for line in _corpus_lines(evaluation, test_set.name)]
    rows: list[tuple[str, ...]] = [("test set", "system", *METRICS)]
    for test_set in evaluation.test_sets:
        for system in evaluation.hypotheses[test_set.name]:
            cells = [_cell(evaluation, system, test_set.name, metric) for metric in METRICS]
            rows.append((test_set.name, system, *cells))
    lines += _aligned(rows)
    if any("*" in cell for row in rows[1:] for cell in row[2:]):
        lines.append(f"* significantly unlike {evaluation.baseline}")
    lines += [f"{name}: {made}" for name, made in describe_searches(evaluation.decoding).items()]
    lines += [f"note: {remark}" for remark in evaluation.remarks]
    lines += [f"note: on {each.test_set}, {each.text}" for each in evaluation.cautions]
    return "\n".join(lines)


def as_text(evaluation: Evaluation) -> str:
    """What a command prints of an evaluation: the scores, then verdicts, advice and preferences in words."""
    said = [*(verdict.text for verdict in evaluation.verdicts), evaluation.advice]
    said += map(preference_in_words, evaluation.preferences)
    return "\n".join([as_table(evaluation), "", *filter(None, said)])
