"""Whether chance explains a difference: sacreBLEU's paired tests, on statistics that are extracted only once.

Resamples, trials, p-values and intervals are those of sacreBLEU 2.6, seed included (Koehn, 2004, "Statistical
Significance Tests for Machine Translation Evaluation"; Riezler and Maxwell, 2005, "On Some Pitfalls in Automatic
Evaluation and Significance Testing for MT"), with one exception: in the randomization test, trials that equal the
observed difference count as at least as large (Noreen, 1989, "Computer-Intensive Methods for Testing Hypotheses").
sacreBLEU itself extracts the statistics anew for each system and each test.

Both tests assume that sentences are independent, so repeats of a sentence are drawn, and swapped, together. Three
sentences, the last two of which are the same, with one statistic each:

    sentences  1 2 2   clusters  0 1 1   statistics of clusters  [1, 4]
    resamples  [2, 0]: the first cluster twice, sum 2   [1, 1]: each once, sum 5

Without repeats each cluster is one sentence, and the tests are sacreBLEU's.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from sacrebleu.significance import _compute_p_value, estimate_ci
from scipy.stats import norm

from mt.evaluation.metrics import Array, MetricStatistics

BOOTSTRAP, RANDOMISATION = "paired bootstrap", "paired approximate randomization"
POWER, LEVEL = 0.8, 0.05
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class PairedResult:
    """One system against another on the same sentences, by one metric."""

    difference: float
    ci_low: float
    """Lower end of the 95 % bootstrap interval of the difference."""
    ci_high: float
    p_bootstrap: float
    p_randomisation: float
    detectable: float
    """The difference that a test set of this kind detects four times out of five (`detectable_difference`)."""


def interval(measured: MetricStatistics, system: str, resamples: int) -> tuple[float, float]:
    """95 % bootstrap interval of a score, as sacreBLEU reports it: the mean of the resamples ± half the width."""
    mean, half = estimate_ci(resampled_scores(measured, system, resamples))
    return float(mean - half), float(mean + half)


def paired_test(measured: MetricStatistics, system: str, baseline: str, resamples: int) -> PairedResult:
    """Both tests of `system` against `baseline`. The difference is system minus baseline, in points of the metric."""
    difference = measured.score(system) - measured.score(baseline)
    if np.array_equal(measured.statistics[system], measured.statistics[baseline]):
        # For identical systems, sacreBLEU reports a significant difference.
        return PairedResult(0.0, 0.0, 0.0, 1.0, 1.0, 0.0)
    ours, theirs = (resampled_scores(measured, name, resamples) for name in (system, baseline))
    differences = ours.astype(np.float64) - theirs
    spread = np.abs(ours - theirs)
    low, high = np.quantile(differences, [LEVEL / 2, 1 - LEVEL / 2])
    return PairedResult(
        difference,
        float(low),
        float(high),
        float(_compute_p_value(spread - spread.mean(), abs(difference))),
        _randomisation_p_value(measured, system, baseline, abs(difference), resamples),
        detectable_difference(float(differences.std(ddof=1))),
    )


def resampled_scores(measured: MetricStatistics, system: str, resamples: int) -> Array:
    """Scores of bootstrap resamples, of the same clusters for every system; shape (resamples,)."""
    key = (system, resamples)
    if key not in measured.resampled:
        measured.resampled[key] = _resample(measured, system, resamples)
    return measured.resampled[key]


def _resample(measured: MetricStatistics, system: str, resamples: int) -> Array:
    statistics = measured.of_clusters(system)
    sums = _times_drawn(len(statistics), resamples, _seed()) @ statistics.astype(np.float64)
    # As sacreBLEU does: it sums in float32, which is exact for counts, and its scores have that precision.
    return np.array([measured.metric.score_of(row) for row in sums.astype(np.float32)])


def _randomisation_p_value(
    measured: MetricStatistics, system: str, baseline: str, difference: float, trials: int
) -> float:
    ours, theirs = measured.of_clusters(system), measured.of_clusters(baseline)
    drawn = np.random.default_rng(_seed()).integers(2, size=(trials, len(ours)), dtype=bool).astype(np.float64)
    total = (ours.astype(np.float64) + theirs).sum(axis=0)
    first = drawn @ theirs + (1 - drawn) @ ours
    kind = ours.dtype
    scores = [np.array([measured.metric.score_of(row) for row in sums.astype(kind)]) for sums in (first, total - first)]
    # Trials that equal the observed difference count as well. With sacreBLEU's "greater than", a single sentence that
    # differs would be significant, because every trial can only change the sign of the difference.
    as_large = np.count_nonzero(np.abs(scores[0] - scores[1]) >= difference - 1e-9)
    return float((as_large + 1) / (trials + 1))


@lru_cache(maxsize=4)
def _times_drawn(sentences: int, resamples: int, seed: int | None) -> Array:
    """How often each sentence is in each resample; float64, shape (resamples, sentences).

    A row such as [2, 0, 1] means that the first sentence was drawn twice and the third once. One product with the
    statistics then sums those of all resamples at once.
    """
    drawn = np.random.default_rng(seed).choice(sentences, size=(resamples, sentences), replace=True)
    return np.stack([np.bincount(row, minlength=sentences) for row in drawn]).astype(np.float64)


def _seed() -> int | None:
    seed = os.environ.get("SACREBLEU_SEED", "12345")
    return None if seed.lower() == "none" else int(seed)


def detectable_difference(standard_error: float) -> float:
    """The smallest true difference that a two-sided test at level 0.05 detects with a probability of 0.8.

    It is 2.80 standard errors of the difference (Card et al., 2020, "With Little Power Comes Great Responsibility").
    """
    return float(norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)) * standard_error


def holm(p_values: Mapping[_Key, float]) -> dict[_Key, float]:
    """p-values adjusted for their number (Holm, 1979, "A Simple Sequentially Rejective Multiple Test Procedure").

    p-values 0.01 0.04 0.03 become 0.03 0.06 0.06: times 3, 1 and 2 by rank, and never below that of a smaller one.
    """
    adjusted, highest = {}, 0.0
    for rank, key in enumerate(sorted(p_values, key=lambda k: p_values[k])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[key]))
        adjusted[key] = highest
    return {key: adjusted[key] for key in p_values}
