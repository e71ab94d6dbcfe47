"""From hypotheses to an `Evaluation`: scores, comparisons, checks, slices, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from mt.evaluation.comet import comet_scores
from mt.evaluation.faults import find_cautions
from mt.evaluation.fidelity import REFERENCE, Failure, Fidelity, check_fidelity, unchecked
from mt.evaluation.metrics import (
    COMET,
    METRICS,
    NORMALISED,
    SPBLEU,
    MetricStatistics,
    collect_statistics,
    segment_metric,
    spbleu_model,
)
from mt.evaluation.ngrams import ngram_differences
from mt.evaluation.overlap import Overlaps, fair_rows
from mt.evaluation.results import MIN_SENTENCES, PRIMARY, Comparison, Evaluation, Score
from mt.evaluation.significance import BOOTSTRAP, RANDOMISATION, PairedResult, holm, interval, paired_test
from mt.evaluation.slices import count_words, score_slices, slices_of
from mt.evaluation.test_set import Hypotheses, TestSet
from mt.evaluation.verdicts import advice, verdicts
from mt.evaluation.workers import workers
from mt.languages import LanguagePair
from mt.progress import ProgressMeter
from mt.text.glossary import Glossary, read_glossary
from mt.text.languages import knowledge_of

_NOTHING_SEEN = Overlaps()


def evaluate_hypotheses(
    test_sets: Sequence[TestSet],
    hypotheses: Hypotheses,
    resamples: int,
    *,
    metrics: Sequence[str] = METRICS + NORMALISED,
    extra: Mapping[str, Sequence[MetricStatistics]] | None = None,
    glossary: Glossary | None = None,
    word_counts: Mapping[str, int] | None = None,
    overlaps: Overlaps = _NOTHING_SEEN,
) -> Evaluation:
    """Score every system on every test set and compare it with the first one, the baseline.

    `hypotheses`: by test set, then by system, the same systems in the same order. `extra`: by test set, metrics that
    were computed elsewhere. `word_counts`: how often each source word occurs in the training data, for the slices by
    rare words. `overlaps`: what systems that are runs have seen of the test sets. Raises `DataError` where hypotheses
    and references differ in number.
    """
    baseline = next(iter(hypotheses[test_sets[0].name]))
    evaluation = Evaluation(baseline, list(test_sets), hypotheses, overlaps=list(overlaps.found))
    results: dict[_Key, _Result] = {}
    glossary = glossary or read_glossary(None, evaluation.languages)
    sentences = sum(len(lines) for systems in hypotheses.values() for lines in systems.values())
    with workers(sentences) as executor, ProgressMeter("scoring", _steps(test_sets, metrics, extra), "steps") as meter:
        for test_set in test_sets:
            systems = hypotheses[test_set.name]
            measured = collect_statistics(test_set.name, systems, test_set.references, metrics, executor)
            measured = [
                m.clustered(test_set.drawn_together) for m in (*measured, *(extra or {}).get(test_set.name, []))
            ]
            meter.advance()
            evaluation.cautions += find_cautions(test_set, systems, evaluation.overlaps, glossary)
            checks = _start_checks(executor, test_set, systems, glossary)
            for each in measured:
                evaluation.scores += _scores(test_set, each, list(systems), resamples)
                results |= _compare(evaluation, test_set, each, resamples)
                meter.advance()
            primary = next(each for each in measured if each.metric.name == PRIMARY)
            _look_closer(evaluation, test_set, primary, resamples, glossary, word_counts)
            meter.advance()
            for fidelity, failures in (check.result() for check in checks):
                evaluation.fidelity += fidelity
                evaluation.failures += failures
            meter.advance()
    for comparison in _comparisons(results):
        (evaluation.comparisons if comparison.baseline == evaluation.baseline else evaluation.other_comparisons).append(
            comparison
        )
    evaluation.cautions += overlaps.unknown
    evaluation.verdicts, evaluation.advice = verdicts(evaluation), advice(evaluation)
    return evaluation


def _steps(
    test_sets: Sequence[TestSet], metrics: Sequence[str], extra: Mapping[str, Sequence[MetricStatistics]] | None
) -> int:
    """How many steps the progress meter of `evaluate_hypotheses` has."""
    further = sum(len((extra or {}).get(test_set.name, [])) for test_set in test_sets)
    return len(test_sets) * (len(metrics) + 3) + further


_Key = tuple[str, str, str, str]
"""System, baseline, test set, metric."""


class _Result(NamedTuple):
    """A comparison before Holm's correction."""

    paired: PairedResult
    sentences: int
    distinct: int
    refused: str


def _compare(
    evaluation: Evaluation, test_set: TestSet, measured: MetricStatistics, resamples: int
) -> dict[_Key, _Result]:
    """Compare systems by one metric on one test set, without the few sentences that one of them may have seen."""
    rows = fair_rows(test_set, evaluation.overlaps)
    distinct = _distinct(test_set, rows)
    few = _too_few(distinct, len(rows))
    part = measured if len(rows) == len(test_set.sources) else measured.part(rows)
    results = {}
    for baseline, system in _pairs(list(part.statistics), part.metric.name):
        reason = evaluation.refusal(test_set.name, system, baseline) or few
        paired = paired_test(part, system, baseline, resamples)
        results[system, baseline, test_set.name, part.metric.name] = _Result(paired, len(rows), distinct, reason)
    return results


def _distinct(test_set: TestSet, rows: NDArray[np.int64]) -> int:
    return len(np.unique(test_set.clusters[rows]))


def _too_few(distinct: int, sentences: int) -> str:
    """That a test set has too few sentences for a verdict, as a clause; empty if it has enough."""
    if distinct >= MIN_SENTENCES:
        return ""
    kind = "sentence" if distinct == sentences else "distinct sentence"
    counted = f"1 {kind} is" if distinct == 1 else f"{distinct} {kind}s are"
    return f"{counted} too few to tell (at least {MIN_SENTENCES})"


def _start_checks(
    executor: Executor, test_set: TestSet, systems: Mapping[str, Sequence[str]], glossary: Glossary
) -> list[Future[tuple[list[Fidelity], list[Failure]]]]:
    # The reference goes through the checks too: what fails there is the check's error or the translator's freedom.
    checked = {**systems, REFERENCE: test_set.references}
    sources = list(test_set.sources)
    return [
        executor.submit(check_fidelity, system, test_set.name, sources, list(lines), glossary, test_set.languages)
        for system, lines in checked.items()
    ]


def _pairs(systems: Sequence[str], metric: str) -> list[tuple[str, str]]:
    """Pairs of (baseline, system): each system with the first one; by the primary metric, all pairs."""
    return [*combinations(systems, 2)] if metric == PRIMARY else [(systems[0], system) for system in systems[1:]]


def _scores(test_set: TestSet, measured: MetricStatistics, systems: Sequence[str], resamples: int) -> list[Score]:
    scores = []
    drawn = f"|drawn:{test_set.known_documents} documents" if test_set.is_drawn_by_document else ""
    for system in systems:
        low, high = interval(measured, system, resamples)
        name, signature = measured.metric.name, f"{measured.metric.signature}|bs:{resamples}{drawn}"
        size, distinct = len(test_set.sources), test_set.distinct
        value = measured.score(system)
        scores.append(Score(system, test_set.name, name, value, low, high, signature, size, distinct))
    return scores


def _comparisons(results: Mapping[_Key, _Result]) -> list[Comparison]:
    """Both tests of every result. Holm's correction is per family: metric, method, and with the baseline or without."""
    p_values = {
        (key, method): result.paired.p_bootstrap if method == BOOTSTRAP else result.paired.p_randomisation
        for key, result in results.items()
        for method in (BOOTSTRAP, RANDOMISATION)
    }
    first = next((key[1] for key in results), "")
    families: dict[tuple[str, str, bool], dict[Any, float]] = {}
    for (key, method), p_value in p_values.items():
        families.setdefault((key[3], method, key[1] == first), {})[key, method] = p_value
    adjusted = {key: value for family in families.values() for key, value in holm(family).items()}
    return [
        Comparison(
            *key, paired.difference, p_values[key, method], method, adjusted[key, method],
            paired.ci_low, paired.ci_high, paired.detectable, sentences, distinct, refused,
        )
        for key, (paired, sentences, distinct, refused) in results.items()
        for method in (BOOTSTRAP, RANDOMISATION)
    ]  # fmt: skip


def _look_closer(
    evaluation: Evaluation,
    test_set: TestSet,
    measured: MetricStatistics,
    resamples: int,
    glossary: Glossary,
    word_counts: Mapping[str, int] | None,
) -> None:
    """Add where the systems differ on one test set: slices, n-grams, sentences."""
    name, systems = test_set.name, evaluation.hypotheses[test_set.name]
    slices = slices_of(test_set.sources, test_set.corpora, glossary, word_counts, test_set.languages)
    evaluation.slice_members[name] = slices
    rows = fair_rows(test_set, evaluation.overlaps)
    few = _too_few(_distinct(test_set, rows), len(rows))
    refused = {s for s in systems if evaluation.refusal(name, s, evaluation.baseline) or few}
    evaluation.slices += score_slices(name, slices, measured, evaluation.baseline, resamples, refused)
    evaluation.ngrams += ngram_differences(name, systems, test_set.references)
    evaluation.sentence_scores[name] = {s: [round(x, 2) for x in measured.of_sentences(s)] for s in systems}


def evaluate_all(
    test_sets: Sequence[TestSet],
    hypotheses: Hypotheses,
    resamples: int,
    glossary: Glossary,
    training: Dataset | None,
    overlaps: Overlaps = _NOTHING_SEEN,
) -> Evaluation:
    """Score by every metric that this machine has; `notes` say which are missing, and why."""
    has_spbleu = spbleu_model().is_file()
    languages = test_sets[0].languages
    metrics = (*METRICS, *_normalised(languages), *([SPBLEU] if has_spbleu else []))
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
    evaluation.notes += _left_out(languages)
    if not has_spbleu:
        evaluation.notes.append(
            f"{SPBLEU} is left out: its SentencePiece model is not at {spbleu_model()}. sacreBLEU fetches it there "
            "when it is run with `--tokenize flores200` and has a network."
        )
    return evaluation


def _normalised(languages: LanguagePair) -> tuple[str, ...]:
    return NORMALISED if knowledge_of(languages.target).folds_spelling else ()


def _left_out(languages: LanguagePair) -> list[str]:
    """What is not measured for a pair, as sentences."""
    spelling = f"{', '.join(NORMALISED)} are left out: they fold spellings of Arabic, not of {languages.target.name}."
    return [*filter(None, [unchecked(languages)]), *([] if _normalised(languages) else [spelling])]


def comet_metric(test_set: TestSet, hypotheses: Mapping[str, Sequence[str]]) -> MetricStatistics | None:
    """COMET's scores; None unless `mt comet-setup` was run, or if COMET fails."""
    result = comet_scores(test_set.sources, hypotheses, test_set.references)
    return None if result is None else segment_metric(COMET, result.signature, result.segments)
