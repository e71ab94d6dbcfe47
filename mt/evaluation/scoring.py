"""Hypotheses of several systems on several test sets in; everything that `scores.json` and the report say out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

from mt.evaluation.fidelity import REFERENCE, Failure, Fidelity, check_fidelity
from mt.evaluation.glossary import Glossary
from mt.evaluation.metrics import LOWER_IS_BETTER, METRICS, NORMALISED, Measured, measure
from mt.evaluation.ngrams import NgramDifference, ngram_differences
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

    @property
    def is_significant(self) -> bool:
        """Whether chance is an unlikely explanation."""
        return self.p_holm < SIGNIFICANT

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
        is_enough = self.score(system, test_set, metric).sentences >= MIN_SENTENCES
        return comparison.is_better if comparison is not None and comparison.is_significant and is_enough else None

    def significantly_worse(self, metric: str) -> list[Comparison]:
        """Where a system is worse than the baseline by more than chance explains."""
        pairs = dict.fromkeys((c.system, c.test_set) for c in self.comparisons if c.metric == metric)
        found = [self.comparison(system, test_set, metric) for system, test_set in pairs]
        return [c for c in found if c is not None and c.is_significant and not c.is_better]


def evaluate_hypotheses(
    test_sets: Sequence[TestSet],
    hypotheses: dict[str, dict[str, list[str]]],
    resamples: int,
    *,
    metrics: Sequence[str] = METRICS + NORMALISED,
    extra: Mapping[str, Sequence[Measured]] | None = None,
    glossary: Glossary | None = None,
    word_counts: Mapping[str, int] | None = None,
) -> Evaluation:
    """Score every system on every test set and compare it with the first one, the baseline.

    `hypotheses`: by test set, then by system, the same systems in the same order. `extra`: by test set, metrics that
    were measured elsewhere. `word_counts`: how often each source word stands in the training data, for the slices by
    rare words. Raises `DataError` where hypotheses and references differ in number.
    """
    evaluation = Evaluation(next(iter(hypotheses[test_sets[0].name])), list(test_sets), hypotheses)
    results: dict[tuple[str, str, str, str], PairedResult] = {}
    glossary = glossary or Glossary.read()
    sentences = sum(len(lines) for systems in hypotheses.values() for lines in systems.values())
    with workers(sentences) as executor:
        for test_set in test_sets:
            systems = hypotheses[test_set.name]
            measured = measure(test_set.name, systems, test_set.references, metrics, executor)
            measured += (extra or {}).get(test_set.name, [])
            checks = _start_checks(executor, test_set, systems, glossary)
            evaluation.scores += _scores(test_set, measured, list(systems), resamples)
            for each in measured:
                for baseline, system in _pairs(list(systems), each.metric.name):
                    key = (system, baseline, test_set.name, each.metric.name)
                    results[key] = paired_test(each, system, baseline, resamples)
            primary = next(each for each in measured if each.metric.name == PRIMARY)
            _look_closer(evaluation, test_set, primary, resamples, glossary, word_counts)
            for fidelity, failures in (check.result() for check in checks):
                evaluation.fidelity += fidelity
                evaluation.failures += failures
    for comparison in _comparisons(results):
        (evaluation.comparisons if comparison.baseline == evaluation.baseline else evaluation.rivals).append(comparison)
    return evaluation


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
    for each in measured:
        for system in systems:
            low, high = interval(each, system, resamples)
            name, signature = each.metric.name, f"{each.metric.signature}|bs:{resamples}"
            value = each.score(system)
            scores.append(Score(system, test_set.name, name, value, low, high, signature, len(test_set.sources)))
    return scores


def _comparisons(results: Mapping[tuple[str, str, str, str], PairedResult]) -> list[Comparison]:
    """Both tests of every result, with Holm's correction in each family: a metric, a method, a kind of opponent."""
    p_values = {
        (key, method): result.p_bootstrap if method == BOOTSTRAP else result.p_randomisation
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
            *key[:4], result.difference, p_values[key, method], method, adjusted[key, method],
            result.ci_low, result.ci_high, result.detectable,
        )
        for key, result in results.items()
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
    return {
        "scores": [asdict(score) for score in evaluation.scores],
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
        "notes": evaluation.notes,
    }
