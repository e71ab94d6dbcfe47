"""What `evaluate.py` does: any systems, any test sets, one table and one report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, load_from_disk

from mt.arguments import EvaluateCommand
from mt.config import CorpusConfig, DataConfig, DecodingConfig
from mt.data.builder import read_test_set
from mt.data.readers import check_corpus
from mt.errors import DataError, RunError
from mt.evaluation.report import render_report
from mt.evaluation.scoring import Evaluation, TestSet, evaluate_hypotheses
from mt.runs import RunDirectory, sha256_of_rows, write_json, write_lines, write_text
from mt.systems import System, hypotheses_of, parse_systems

logger = logging.getLogger(__name__)

OWN_TEST_SET = "test"
"""Name of the test split that a run brings."""


def run_comparison(command: EvaluateCommand) -> Evaluation:
    """Translate, score, compare, and write `scores.json`, the translations and `report.html`."""
    for name, corpus in command.test_sets.items():
        check_corpus(name, corpus)
    systems = parse_systems(command.systems)
    output = claim_output(Path(command.output_dir), command.overwrite)
    test_sets = read_test_sets(command, systems)
    hypotheses: dict[str, dict[str, list[str]]] = {test_set.name: {} for test_set in test_sets}
    for system in systems:
        translations = hypotheses_of(system, test_sets, command.model, command.decoding, use_cache=not command.no_cache)
        for name, lines in translations.items():
            hypotheses[name][system.label] = lines
            # At once, so that a later failure loses nothing that took time.
            write_lines(output.translations(name, system.label), lines)
    evaluation = evaluate_hypotheses(test_sets, hypotheses, command.resamples)
    facts = {f"system {system.label}": system.path for system in systems}
    facts |= {f"test set {name}": corpus.path for name, corpus in command.test_sets.items()}
    write_evaluation(
        output, evaluation, "Comparison of " + ", ".join(s.label for s in systems), facts, command.decoding
    )
    return evaluation


def claim_output(root: Path, overwrite: bool) -> RunDirectory:
    """The output directory, which must not hold a run, nor, without `overwrite`, an earlier evaluation."""
    output = RunDirectory(root)
    if output.is_run():
        raise RunError(f"{root}: the output directory holds a training run; choose another --output_dir")
    if output.scores.exists() and not overwrite:
        raise RunError(f"{root}: holds an earlier evaluation; replace it by --overwrite or choose another --output_dir")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{root}: the output directory cannot be written ({error.strerror})") from error
    return output


def read_test_sets(command: EvaluateCommand, systems: Sequence[System]) -> list[TestSet]:
    """The test sets of the command line, or the one that the runs among `systems` share."""
    if command.test_sets:
        return [read_named_test_set(name, corpus, DataConfig()) for name, corpus in command.test_sets.items()]
    splits = [load_from_disk(system.run.data)["test"] for system in systems if system.run]
    if not splits:
        raise DataError("no test set: none of the systems is a run that brings its own; add --test_set NAME=FILE")
    if len({sha256_of_rows(split) for split in splits}) > 1:
        raise DataError(
            "the runs hold different test splits, and one may have trained on another's test sentences; "
            "say --test_set NAME=FILE"
        )
    return [own_test_set(splits[0])]


def read_named_test_set(name: str, corpus: CorpusConfig, options: DataConfig) -> TestSet:
    """A test set from a file; sources are normalised as training data are, references stay as they are."""
    pairs = read_test_set(name, corpus, options)
    return TestSet(name, [pair.source for pair in pairs], [pair.target for pair in pairs])


def own_test_set(split: Dataset) -> TestSet:
    """The test split of a run."""
    return TestSet(OWN_TEST_SET, list(split["source"]), list(split["target"]))


def write_evaluation(
    output: RunDirectory,
    evaluation: Evaluation,
    title: str,
    facts: Mapping[str, str],
    decoding: DecodingConfig,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write `scores.json` and `report.html`, which shows `data` where there is a data card."""
    write_json(output.scores, evaluation.as_json())
    search = "greedy" if decoding.num_beams == 1 else f"beam {decoding.num_beams}"
    settings = f"{search}, at most {decoding.max_length_ratio:g} target tokens a source token plus 10"
    write_text(output.report, render_report(title, evaluation, {**facts, "decoding": settings}, data))
