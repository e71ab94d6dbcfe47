"""The scores of all systems as a table for the terminal, and what is said of them below it."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from mt.evaluation.metrics import METRICS
from mt.evaluation.results import PRIMARY, Evaluation
from mt.evaluation.searches import describe_searches
from mt.evaluation.verdicts import preference_in_words


def as_text(evaluation: Evaluation) -> str:
    """What a command prints of an evaluation: the scores, then verdicts, advice and preferences in words."""
    said = [*(verdict.text for verdict in evaluation.verdicts), evaluation.advice]
    said += map(preference_in_words, evaluation.preferences)
    return "\n".join([as_table(evaluation), "", *filter(None, said)])


def as_table(evaluation: Evaluation) -> str:
    """The scores with 95 % intervals: one line per system and test set; before them the scores by corpus."""
    lines = [line for test_set in evaluation.test_sets for line in _corpus_lines(evaluation, test_set.name)]
    rows = [
        [test_set.name, system, *(_cell(evaluation, system, test_set.name, metric) for metric in METRICS)]
        for test_set in evaluation.test_sets
        for system in evaluation.hypotheses[test_set.name]
    ]
    lines += _aligned(["test set", "system", *METRICS], rows)
    if any("*" in cell for row in rows for cell in row[2:]):
        lines.append(f"* significantly different from {evaluation.baseline}")
    lines += [f"{name}: {made}" for name, made in describe_searches(evaluation.decoding, evaluation.engines).items()]
    lines += [f"note: {remark}" for remark in evaluation.remarks]
    lines += [f"note: on {each.test_set}, {each.text}" for each in evaluation.cautions]
    return "\n".join(lines)


def _corpus_lines(evaluation: Evaluation, test_set: str) -> list[str]:
    """The scores of each corpus of a test set that mixes several; empty for other test sets."""
    rows = [
        [
            corpus,
            str(scores[evaluation.baseline].sentences),
            *(f"{s.score:.2f} [{s.ci_low:.1f}, {s.ci_high:.1f}]" for s in scores.values()),
        ]
        for corpus, scores in evaluation.by_corpus(test_set).items()
    ]
    header = [f"{PRIMARY} on {test_set}, by corpus", "sentences", *evaluation.systems]
    return [*_aligned(header, rows), ""] if rows else []


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    text = str(tabulate(rows, header, tablefmt="simple", disable_numparse=True))
    return [line.rstrip() for line in text.split("\n")]


def _cell(evaluation: Evaluation, system: str, test_set: str, metric: str) -> str:
    score = evaluation.score(system, test_set, metric)
    mark = "" if evaluation.shows_better(system, test_set, metric) is None else "*"
    return f"{score.score:.2f}{mark} [{score.ci_low:.1f}, {score.ci_high:.1f}]"
