"""What `evaluate.py` does: any systems, any test sets, one table and one report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset

from mt.arguments import EvaluateCommand
from mt.comparison_facts import describe_comparison, describe_search, remarks_on
from mt.config import CorpusConfig, DataConfig
from mt.data.builder import read_test_set
from mt.data.holding_out import how_held_out, too_easy
from mt.data.readers import check_corpus
from mt.data.report import DataReport
from mt.data.saved import load_splits
from mt.errors import DataError
from mt.evaluation.comet import comet_scores
from mt.evaluation.glossary import Glossary
from mt.evaluation.metrics import COMET, METRICS, NORMALISED, SPBLEU, Measured, segment_metric, spbleu_model
from mt.evaluation.overlap import Overlap, find_overlaps, overlap_caution
from mt.evaluation.rating_files import check_reviewers, check_test_set, read_ratings_file
from mt.evaluation.ratings import read_ratings
from mt.evaluation.report import render_markdown, render_report
from mt.evaluation.results import MIN_SENTENCES, Evaluation, as_json
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.slices import count_words
from mt.evaluation.test_set import Resampling, TestSet
from mt.evaluation.verdicts import advice, verdicts
from mt.files import write_json, write_text
from mt.outputs import claim, refuse_inputs_inside
from mt.run_settings import TranslationSettings
from mt.runs import EVALUATION, RunDirectory, read_metrics, sha256_of_rows
from mt.system_settings import settle
from mt.systems import System, hypotheses_of, hypotheses_of_text, parse_systems
from mt.text import arabic_share

logger = logging.getLogger(__name__)

OWN_TEST_SET = "test"
"""Name of the test split that a run brings."""


def run_comparison(command: EvaluateCommand) -> Evaluation:
    """Translate, score, compare, and write `scores.json`, the translations, `report.html` and `report.md`."""
    for name, corpus in (command.test_sets | command.general).items():
        check_corpus(name, corpus)
    glossary = read_glossary(command.glossary)
    systems = parse_systems(command.systems)
    settings = settle(systems, command.model, command.decoding)
    with claim_output(command, systems) as output:
        return compare(command, systems, settings, glossary, output)


def compare(
    command: EvaluateCommand,
    systems: Sequence[System],
    settings: Mapping[str, TranslationSettings],
    glossary: Glossary,
    output: RunDirectory,
) -> Evaluation:
    """The comparison itself, into a directory that is ours."""
    ratings = [Path(file) for file in command.ratings]
    test_sets = read_test_sets(command.test_sets, systems, command.general, command.resampling)
    refuse_small_gate(command, test_sets)
    overlaps, cautions = find_overlaps({s.label: s.path for s in systems if not s.is_text}, test_sets)
    refuse_seen_gate(command, test_sets, overlaps)
    check_rated_sets(ratings, test_sets)
    check_texts(systems, test_sets)
    hypotheses: dict[str, dict[str, list[str]]] = {test_set.name: {} for test_set in test_sets}
    output.clear()
    for system in systems:
        translations = hypotheses_of(system, test_sets, settings.get(system.label), use_cache=not command.no_cache)
        for name, lines in translations.items():
            hypotheses[name][system.label] = lines
            # At once, so that a later failure loses nothing that took time.
            output.write_translations(name, system.label, lines)
    runs = {system.label: system.run for system in systems if system.run}
    training = next((load_splits(run)["train"] for run in runs.values() if run.data.is_dir()), None)
    evaluation = evaluate_all(test_sets, hypotheses, command.resamples, glossary, training, overlaps)
    evaluation.cautions += cautions
    evaluation.preferences = read_ratings(ratings, hypotheses) if ratings else []
    evaluation.curves = {label: read_curve(run) for label, run in runs.items()}
    evaluation.remarks += remarks_on(runs)
    describe_search(evaluation, {label: each.decoding for label, each in settings.items()})
    facts = describe_comparison(command, systems, settings)
    kind = "Comparison" if len(systems) > 1 else "Evaluation"
    title = f"{kind} of {', '.join(s.label for s in systems)}"
    write_evaluation(output, evaluation, title, facts, glossary=glossary)
    return evaluation


def refuse_small_gate(command: EvaluateCommand, test_sets: Sequence[TestSet]) -> None:
    """A test set that is too small for a verdict would let everything pass."""
    for test_set in test_sets:
        if command.fail_if_worse and test_set.distinct < MIN_SENTENCES:
            size, distinct = len(test_set.sources), test_set.distinct
            counted = f"{size}" if size == distinct else f"{distinct} distinct ones, repeated to {size}"
            raise DataError(
                f"--fail_if_worse needs at least {MIN_SENTENCES} sentences in a test set, and `{test_set.name}` has "
                f"{counted}; add sentences or leave the option out"
            )


def refuse_seen_gate(command: EvaluateCommand, test_sets: Sequence[TestSet], overlaps: Sequence[Overlap]) -> None:
    """A test set that a system was trained on lets it pass, whatever it forgot."""
    named = {test_set.name: test_set for test_set in test_sets}
    cautions = (overlap_caution(overlap, named[overlap.test_set]) for overlap in overlaps)
    for caution in filter(None, cautions):
        if command.fail_if_worse and caution.forbids:
            raise DataError(
                f"--fail_if_worse cannot judge on test set `{caution.test_set}`: {caution.text}; take a test set "
                "that no system was trained on, or leave the option out and read in scores.json which they are"
            )


def check_rated_sets(ratings: Sequence[Path], test_sets: Sequence[TestSet]) -> None:
    """Refuse ratings of other test sets, before anything is decoded."""
    files = [read_ratings_file(file) for file in ratings]
    check_reviewers(files)
    names = [test_set.name for test_set in test_sets]
    for file in files:
        check_test_set(file, names)


def check_texts(systems: Sequence[System], test_sets: Sequence[TestSet]) -> None:
    """Refuse files of translations that cannot be those of a test set, before anything is decoded."""
    for system in systems:
        if system.is_text:
            hypotheses_of_text(system, test_sets)


def evaluate_all(
    test_sets: Sequence[TestSet],
    hypotheses: dict[str, dict[str, list[str]]],
    resamples: int,
    glossary: Glossary,
    training: Dataset | None,
    overlaps: Sequence[Overlap] = (),
) -> Evaluation:
    """Everything that can be said of these hypotheses on this machine; what cannot stands in `notes`."""
    has_spbleu = spbleu_model().is_file()
    metrics = (*METRICS, *NORMALISED, *([SPBLEU] if has_spbleu else []))
    comet = {each.name: comet_metric(each, hypotheses[each.name]) for each in test_sets}
    evaluation = evaluate_hypotheses(
        test_sets,
        hypotheses,
        resamples,
        metrics=metrics,
        extra={name: [measured] for name, measured in comet.items() if measured},
        glossary=glossary,
        word_counts=None if training is None else count_words(training["source"]),
        overlaps=overlaps,
    )
    if not has_spbleu:
        evaluation.notes.append(
            f"{SPBLEU} is left out: its SentencePiece model is not at {spbleu_model()}. sacreBLEU fetches it there "
            "when it is run with `--tokenize flores200` and has a network."
        )
    return evaluation


def comet_metric(test_set: TestSet, hypotheses: Mapping[str, Sequence[str]]) -> Measured | None:
    """COMET's scores, where `mt comet-setup` was run and they can be had."""
    result = comet_scores(test_set.sources, hypotheses, test_set.references)
    return None if result is None else segment_metric(COMET, result.signature, result.segments)


def read_glossary(path: str | None) -> Glossary:
    """The user's glossary, or the one that comes along. Raises `DataError`."""
    return Glossary.read() if path is None else Glossary.read(Path(path))


def read_curve(run: RunDirectory) -> list[dict[str, float]]:
    """The evaluations on the dev split that a run has logged."""
    return [entry for entry in read_metrics(run) if "eval_loss" in entry]


def claim_output(command: EvaluateCommand, systems: Sequence[System]) -> RunDirectory:
    """The output directory, ours until the end of the context that it is.

    Raises `RunError` if it holds a run, what we did not write, an input or, without `overwrite`, an earlier evaluation.
    """
    root = Path(command.output_dir)
    paths = {f"the test set `{name}`": corpus.path for name, corpus in (command.test_sets | command.general).items()}
    paths |= {f"the system `{system.label}`": system.path for system in systems if Path(system.path).exists()}
    paths |= {f"the ratings {number}": file for number, file in enumerate(command.ratings, start=1)}
    paths |= {"the glossary": command.glossary} if command.glossary else {}
    refuse_inputs_inside(root, paths)
    return RunDirectory(root, claim(root, EVALUATION, overwrite=command.overwrite))


def read_test_sets(
    test_sets: Mapping[str, CorpusConfig],
    systems: Sequence[System],
    general: Mapping[str, CorpusConfig] | None = None,
    resampling: Resampling = "auto",
) -> list[TestSet]:
    """The test sets that are named, or the one that the runs among `systems` share; then those of general text.

    Raises `DataError` where resamples of documents are asked for and a test set names too few.
    """
    options = DataConfig()
    found = [read_named_test_set(*each, options, resampling=resampling) for each in test_sets.items()]
    found = found or [shared_test_set(systems, resampling)]
    found += [
        read_named_test_set(*each, options, is_general=True, resampling=resampling) for each in (general or {}).items()
    ]
    for test_set in found:
        check_resampling(test_set)
    return found


def check_resampling(test_set: TestSet) -> None:
    """Raise `DataError` where resamples of documents are asked for and too few are known."""
    if test_set.resampling == "document" and test_set.known_documents < 2:
        raise DataError(
            f"resampling by document needs to know the documents of test set `{test_set.name}`: give it a column "
            "`document` or an empty line between documents, or resample by sentence"
        )


def shared_test_set(systems: Sequence[System], resampling: Resampling = "auto") -> TestSet:
    """The test split that the runs among `systems` bring."""
    runs = [system.run for system in systems if system.run]
    splits = [load_splits(run)["test"] for run in runs]
    if not splits:
        raise DataError("no test set: none of the systems is a run that brings its own; add --test_set NAME=FILE")
    if len({sha256_of_rows(split) for split in splits}) > 1:
        raise DataError(
            "the runs hold different test splits, and one may have trained on another's test sentences; "
            "say --test_set NAME=FILE"
        )
    return own_test_set(splits[0], runs[0], resampling)


def read_named_test_set(
    name: str,
    corpus: CorpusConfig,
    options: DataConfig,
    *,
    is_general: bool = False,
    resampling: Resampling = "auto",
) -> TestSet:
    """A test set from a file; sources are normalised as training data are, references stay as they are."""
    pairs = read_test_set(name, corpus, options)
    arabic = sum(arabic_share(pair.target) > 0.5 for pair in pairs)
    if arabic * 2 < len(pairs):
        raise DataError(
            f"{corpus.path}: {len(pairs) - arabic} of the {len(pairs)} references of test set `{name}` are not Arabic; "
            "put English first, or name the columns in a header: english, arabic"
        )
    columns = zip(*((pair.source, pair.target, pair.corpus, pair.document) for pair in pairs), strict=True)
    sources, references, corpora, documents = map(list, columns)
    return TestSet(name, sources, references, corpora, is_general, documents, resampling=resampling)


def own_test_set(split: Dataset, run: RunDirectory, resampling: Resampling = "auto") -> TestSet:
    """The test split of a run, with what the run's data card knows of how it was held out."""
    accounts = {}
    if run.data_report.is_file():
        report = DataReport.read(run.data_report)
        accounts = {name: each.held_out for name, each in report.corpora.items() if each.held_out is not None}
    corpora = list(split["corpus"])
    accounts = {name: account for name, account in accounts.items() if name in corpora}
    by_document = {name for name, account in accounts.items() if account.by == "document"}
    return TestSet(
        OWN_TEST_SET,
        list(split["source"]),
        list(split["target"]),
        corpora,
        documents=[g if c in by_document else "" for g, c in zip(split["group"], corpora, strict=True)],
        held_out=how_held_out(accounts),
        too_easy=too_easy(accounts),
        resampling=resampling,
    )


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
    write_json(output.scores, as_json(evaluation, verdicts(evaluation), advice(evaluation)))
    write_text(output.report, render_report(title, evaluation, facts, data, glossary))
    write_text(output.summary, render_markdown(title, evaluation, facts))
