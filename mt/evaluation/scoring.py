"""Hypotheses of several systems on several test sets in; everything that `scores.json` and the report say out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from mt.evaluation.cautions import Caution
from mt.evaluation.faults import find_cautions
from mt.evaluation.fidelity import REFERENCE, Failure, Fidelity, check_fidelity
from mt.evaluation.glossary import Glossary
from mt.evaluation.metrics import LOWER_IS_BETTER, METRICS, NORMALISED, Measured, measure
from mt.evaluation.ngrams import NgramDifference, ngram_differences
from mt.evaluation.overlap import Overlap, fair_rows
from mt.evaluation.ratings import Preference
from mt.evaluation.significance import BOOTSTRAP, LEVEL, RANDOMISATION, PairedResult, holm, interval, paired_test
from mt.evaluation.slices import Slice, SliceScore, score_slices, slices_of
from mt.evaluation.test_set import TestSet
from mt.evaluation.workers import workers

SIGNIFICANT = LEVEL
"""A difference counts as shown below this p-value, after Holm's correction, by both tests."""
MIN_SENTENCES = 30
"""No verdict on fewer: resamples of so few sentences say little about other sentences."""
PRIMARY = "chrF"
"""The metric of verdicts, slices and sentences: of those computed here, the closest to people's judgement."""


@dataclass(frozen=True)
class Score:
    """One system's score on one test set; sacreBLEU's are on its 0-100 scale."""

    system: str
    test_set: str
    metric: str
    score: float
    ci_low: float
    """Lower end of the 95 % bootstrap interval."""
    ci_high: float
    signature: str
    """The record of everything that could change the score."""
    sentences: int
    distinct: int
    """How many of the sentences differ in more than case, digits and punctuation."""


@dataclass(frozen=True)
class Comparison:
    """A system against another: the difference and how likely chance alone explains it."""

    system: str
    baseline: str
    test_set: str
    metric: str
    difference: float
    p_value: float
    method: str
    p_holm: float
    """`p_value` after Holm's correction over all systems and test sets that this metric and method judge."""
    ci_low: float
    """Lower end of the 95 % bootstrap interval of the difference."""
    ci_high: float
    detectable: float
    """The true difference that a test set like this shows in four of five tries."""
    sentences: int
    """How many sentences were compared: all of the test set but those that a system has seen, if these are few."""
    distinct: int
    """How many of these differ in more than case, digits and punctuation."""
    refused: str = ""
    """Why there is no verdict, as a clause; empty if there is one."""

    @property
    def is_significant(self) -> bool:
        """Whether chance is an unlikely explanation, and the comparison a fair one."""
        return self.p_holm < SIGNIFICANT and not self.refused

    @property
    def is_better(self) -> bool:
        """Whether the system beats the other, significantly or not; lower is better in TER."""
        return (self.difference < 0) == (self.metric in LOWER_IS_BETTER) and self.difference != 0


@dataclass
class Evaluation:
    """What was scored, and how it came out."""

    baseline: str
    test_sets: list[TestSet] = field(default_factory=list)
    hypotheses: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """By test set, then by system."""
    scores: list[Score] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    """With the baseline, by every metric and both tests."""
    rivals: list[Comparison] = field(default_factory=list)
    """Of systems that are no baseline with each other, by the primary metric and both tests."""
    fidelity: list[Fidelity] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    slices: list[SliceScore] = field(default_factory=list)
    memberships: dict[str, list[Slice]] = field(default_factory=dict)
    """By test set, its slices with their sentences."""
    ngrams: list[NgramDifference] = field(default_factory=list)
    sentence_scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """By test set, then by system: the primary metric of each sentence, to two decimals."""
    preferences: list[Preference] = field(default_factory=list)
    """What reviewers preferred in blind reviews."""
    curves: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    """By system that is a run: the lines of its metrics.jsonl that look at the dev split."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""
    overlaps: list[Overlap] = field(default_factory=list)
    """Of every system that is a run with every test set."""
    cautions: list[Caution] = field(default_factory=list)

    @property
    def systems(self) -> list[str]:
        """All systems, the baseline first."""
        return list(self.hypotheses[self.test_sets[0].name])

    @property
    def metrics(self) -> list[str]:
        """All metrics, in the order in which they are shown."""
        return list(dict.fromkeys(score.metric for score in self.scores))

    def score(self, system: str, test_set: str, metric: str) -> Score:
        """The one score that the arguments name."""
        return next(s for s in self.scores if (s.system, s.test_set, s.metric) == (system, test_set, metric))

    def comparison(self, system: str, test_set: str, metric: str, baseline: str | None = None) -> Comparison | None:
        """The one that the arguments name, by the more cautious of the two tests; None for a system and itself."""
        wanted = (system, baseline or self.baseline, test_set, metric)
        found = [c for c in (*self.comparisons, *self.rivals) if (c.system, c.baseline, c.test_set, c.metric) == wanted]
        return max(found, key=lambda c: c.p_holm, default=None)

    def shows_better(self, system: str, test_set: str, metric: str) -> bool | None:
        """Whether the system is better than the baseline, or worse; None where that cannot be told."""
        comparison = self.comparison(system, test_set, metric)
        return comparison.is_better if comparison is not None and comparison.is_significant else None

    def refusal(self, test_set: str, *systems: str) -> str:
        """Why these systems get no verdict on a test set, as a clause; empty if only its size may forbid one."""
        reasons = [c.text for c in self.cautions if c.forbids and c.concerns(test_set, *systems)]
        return reasons[0] if reasons else ""

    def significantly_worse(self, metric: str) -> list[Comparison]:
        """Where a system is worse than the baseline by more than chance explains."""
        return [c for c in self._with_baseline(metric) if c.is_significant and not c.is_better]

    def without_verdict(self, metric: str) -> list[Comparison]:
        """Where it cannot be told whether a system is worse than the baseline, for another reason than chance."""
        return [c for c in self._with_baseline(metric) if c.refused]

    def _with_baseline(self, metric: str) -> list[Comparison]:
        pairs = dict.fromkeys((c.system, c.test_set) for c in self.comparisons if c.metric == metric)
        return [c for pair in pairs if (c := self.comparison(*pair, metric)) is not None]


def evaluate_hypotheses(
    test_sets: Sequence[TestSet],
    hypotheses: dict[str, dict[str, list[str]]],
    resamples: int,
    *,
    metrics: Sequence[str] = METRICS + NORMALISED,
    extra: Mapping[str, Sequence[Measured]] | None = None,
    glossary: Glossary | None = None,
    word_counts: Mapping[str, int] | None = None,
    overlaps: Sequence[Overlap] = (),
) -> Evaluation:
    """Score every system on every test set and compare it with the first one, the baseline.

    `hypotheses`: by test set, then by system, the same systems in the same order. `extra`: by test set, metrics that
    were measured elsewhere. `word_counts`: how often each source word stands in the training data, for the slices by
    rare words. `overlaps`: what systems that are runs have seen of the test sets. Raises `DataError` where hypotheses
    and references differ in number.
    """
    baseline = next(iter(hypotheses[test_sets[0].name]))
    evaluation = Evaluation(baseline, list(test_sets), hypotheses, overlaps=list(overlaps))
    results: dict[_Key, _Result] = {}
    glossary = glossary or Glossary.read()
    sentences = sum(len(lines) for systems in hypotheses.values() for lines in systems.values())
    with workers(sentences) as executor:
        for test_set in test_sets:
            systems = hypotheses[test_set.name]
            measured = measure(test_set.name, systems, test_set.references, metrics, executor)
            measured = [
                m.clustered(test_set.drawn_together) for m in (*measured, *(extra or {}).get(test_set.name, []))
            ]
            evaluation.cautions += find_cautions(test_set, systems, evaluation.overlaps, glossary)
            checks = _start_checks(executor, test_set, systems, glossary)
            evaluation.scores += _scores(test_set, measured, list(systems), resamples)
            results |= _compare(evaluation, test_set, measured, resamples)
            primary = next(each for each in measured if each.metric.name == PRIMARY)
            _look_closer(evaluation, test_set, primary, resamples, glossary, word_counts)
            for fidelity, failures in (check.result() for check in checks):
                evaluation.fidelity += fidelity
                evaluation.failures += failures
    for comparison in _comparisons(results):
        (evaluation.comparisons if comparison.baseline == evaluation.baseline else evaluation.rivals).append(comparison)
    return evaluation


_Key = tuple[str, str, str, str]
"""System, baseline, test set, metric."""


class _Result(NamedTuple):
    """A comparison before Holm's correction."""

    paired: PairedResult
    sentences: int
    distinct: int
    refused: str


def _compare(
    evaluation: Evaluation, test_set: TestSet, measured: Sequence[Measured], resamples: int
) -> dict[_Key, _Result]:
    """Every metric's pairs of systems on one test set, without the few sentences that one of them may have seen."""
    rows = fair_rows(test_set, evaluation.overlaps)
    distinct = len(np.unique(test_set.clusters[rows]))
    few = _too_few(distinct, len(rows)) if distinct < MIN_SENTENCES else ""
    results = {}
    for each in measured:
        part = each if len(rows) == len(test_set.sources) else each.part(rows)
        for baseline, system in _pairs(list(each.statistics), each.metric.name):
            reason = evaluation.refusal(test_set.name, system, baseline) or few
            paired = paired_test(part, system, baseline, resamples)
            results[system, baseline, test_set.name, each.metric.name] = _Result(paired, len(rows), distinct, reason)
    return results


def _too_few(distinct: int, sentences: int) -> str:
    kind = "sentence" if distinct == sentences else "distinct sentence"
    counted = f"1 {kind} is" if distinct == 1 else f"{distinct} {kind}s are"
    return f"{counted} too few to tell (at least {MIN_SENTENCES})"


def _start_checks(
    executor: Executor, test_set: TestSet, systems: Mapping[str, Sequence[str]], glossary: Glossary
) -> list[Future[tuple[list[Fidelity], list[Failure]]]]:
    # The reference goes through the checks too: what fails there is the check's error or the translator's freedom.
    checked = {**systems, REFERENCE: test_set.references}
    return [
        executor.submit(check_fidelity, system, test_set.name, list(test_set.sources), list(lines), glossary)
        for system, lines in checked.items()
    ]


def _pairs(systems: Sequence[str], metric: str) -> list[tuple[str, str]]:
    """(baseline, system): each with the first, and, by the primary metric, each with each."""
    return [*combinations(systems, 2)] if metric == PRIMARY else [(systems[0], system) for system in systems[1:]]


def _scores(test_set: TestSet, measured: Sequence[Measured], systems: Sequence[str], resamples: int) -> list[Score]:
    scores = []
    drawn = f"|drawn:{test_set.known_documents} documents" if test_set.is_drawn_by_document else ""
    for each in measured:
        for system in systems:
            low, high = interval(each, system, resamples)
            name, signature = each.metric.name, f"{each.metric.signature}|bs:{resamples}{drawn}"
            value = each.score(system)
            size, distinct = len(test_set.sources), test_set.distinct
            scores.append(Score(system, test_set.name, name, value, low, high, signature, size, distinct))
    return scores


def _comparisons(results: Mapping[_Key, _Result]) -> list[Comparison]:
    """Both tests of every result, with Holm's correction in each family: a metric, a method, a kind of opponent."""
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
    measured: Measured,
    resamples: int,
    glossary: Glossary,
    word_counts: Mapping[str, int] | None,
) -> None:
    """Where the systems differ on one test set: slices, n-grams, sentences."""
    name, systems = test_set.name, evaluation.hypotheses[test_set.name]
    slices = slices_of(test_set.sources, test_set.corpora, glossary, word_counts)
    evaluation.memberships[name] = slices
    evaluation.slices += score_slices(name, slices, measured, evaluation.baseline, resamples)
    evaluation.ngrams += ngram_differences(name, systems, test_set.references)
    evaluation.sentence_scores[name] = {s: [round(x, 2) for x in measured.of_sentences(s)] for s in systems}


def as_json(evaluation: Evaluation, verdicts: Sequence[Mapping[str, str]], advice: str) -> dict[str, Any]:
    """The content of `scores.json`: all numbers of the report, and its sentences on them."""
    content = {
        "scores": [{k: v for k, v in asdict(score).items() if k != "distinct"} for score in evaluation.scores],
        "comparisons": [asdict(comparison) for comparison in evaluation.comparisons],
        "fidelity": [asdict(result) for result in evaluation.fidelity],
        "baseline": evaluation.baseline,
        "advice": advice,
        "verdicts": list(verdicts),
        "rivals": [asdict(comparison) for comparison in evaluation.rivals],
        "slices": [asdict(score) for score in evaluation.slices],
        "ngrams": [asdict(difference) for difference in evaluation.ngrams],
        "fidelity_failures": [asdict(failure) for failure in evaluation.failures],
        "sentences": evaluation.sentence_scores,
        "preferences": [preference.as_json() for preference in evaluation.preferences],
        "curves": evaluation.curves,
        "general_test_sets": [test_set.name for test_set in evaluation.test_sets if test_set.is_general],
        "notes": [*evaluation.notes, *(f"{each.test_set}: {each.text}" for each in evaluation.cautions)],
        "distinct_sentences": {test_set.name: test_set.distinct for test_set in evaluation.test_sets},
        "held_out": {test_set.name: test_set.held_out for test_set in evaluation.test_sets if test_set.held_out},
        "drawn_by": {
            test_set.name: "document" if test_set.is_drawn_by_document else "sentence"
            for test_set in evaluation.test_sets
        },
        "overlap": [asdict(overlap) for overlap in evaluation.overlaps],
        "cautions": [asdict(caution) for caution in evaluation.cautions],
    }
    return {key: finite(value) for key, value in content.items()}


def finite(value: Any) -> Any:
    """`value` without numbers that JSON does not know: infinite ones and NaN become None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value
