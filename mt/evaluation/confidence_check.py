"""Whether a run's confidence is worth something: what it finds and how well it is calibrated, on its test split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mt.evaluation.confidence import Calibration
from mt.evaluation.test_set import TestSet

WORST, LOOKED_AT = 0.1, 0.2
"""The share of translations, by chrF, that should be found, and the share, by confidence, in which they are looked for.
Looking at random sentences finds `LOOKED_AT` of them."""
MIN_SENTENCES = 50
"""On fewer test sentences the worst tenth is fewer than five, and nothing is said of what is found."""
SHOWN = 10
_BINS, _BIN_SENTENCES = 10, 20


@dataclass(frozen=True)
class Share:
    """A share of sentences, 0 to 1, with its 95 % bootstrap interval."""

    share: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Bin:
    """Translations of similar expected chrF."""

    expected: float
    """Mean of the expected sentence chrF."""
    observed: float
    """Mean of the sentence chrF."""
    sentences: int


@dataclass(frozen=True)
class Doubtful:
    """One of the translations with the least confidence."""

    sentence: int
    """Position in the test set, from 1."""
    expected_chrf: float
    low: float
    high: float
    mean_log_probability: float
    chrf: float


@dataclass(frozen=True)
class ConfidenceCheck:
    """How well the confidence of a system predicts the sentence chrF of a test set."""

    system: str
    test_set: str
    sentences: int
    dev_sentences: int
    """By which it was calibrated."""
    found: Share | None
    """The share of the worst tenth that is in the fifth with the least confidence; None with too few sentences."""
    at_random: float
    coverage: Share | None
    """The share of sentences whose chrF is within their interval; None with too few sentences."""
    level: float
    """What the coverage should be."""
    half_width: float
    bins: list[Bin]
    """In order of the expected chrF, with nearly equal numbers of sentences; none with too few."""
    doubtful: list[Doubtful]
    """The translations to read first, the least sure one first."""


def check_confidence(
    system: str,
    test_set: TestSet,
    calibration: Calibration,
    values: Sequence[float],
    scores: Sequence[float],
    resamples: int,
) -> ConfidenceCheck:
    """Compare the confidence with what the references show.

    values: the mean log-probability of each translation; scores: its sentence chrF.
    """
    x, y = np.asarray(values, float), np.asarray(scores, float)
    expected = calibration.expected(values)
    low, high = calibration.interval(expected)
    within = (low <= y) & (y <= high)
    shares: list[Share | None] = [None, None]
    is_enough = len(x) >= MIN_SENTENCES
    if is_enough:
        measured = (lambda rows: found_share(x[rows], y[rows]), lambda rows: float(within[rows].mean()))
        shares = [_bootstrapped(share_of, test_set.drawn_together, resamples) for share_of in measured]
    columns = [column.tolist() for column in (expected, low, high, x, y)]
    return ConfidenceCheck(
        system=system,
        test_set=test_set.name,
        sentences=len(x),
        dev_sentences=calibration.sentences,
        found=shares[0],
        at_random=LOOKED_AT,
        coverage=shares[1],
        level=calibration.level,
        half_width=calibration.half_width,
        bins=bins_of(expected, y) if is_enough else [],
        doubtful=[
            Doubtful(i + 1, *(column[i] for column in columns)) for i in np.argsort(x, kind="stable")[:SHOWN].tolist()
        ],
    )


def found_share(values: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """The share of the worst tenth by score that is in the fifth with the lowest values; both rounded up to a sentence.

    Of ten sentences the worst one is found, or not, among the two with the lowest values.
    """
    worst = np.argsort(scores, kind="stable")[: math.ceil(WORST * len(scores))]
    looked_at = np.argsort(values, kind="stable")[: math.ceil(LOOKED_AT * len(values))]
    return float(np.isin(worst, looked_at).mean())


def bins_of(expected: NDArray[np.float64], scores: NDArray[np.float64]) -> list[Bin]:
    """Up to ten bins in order of the expected chrF, of at least 20 sentences each."""
    order = np.argsort(expected, kind="stable")
    parts = np.array_split(order, max(1, min(_BINS, len(order) // _BIN_SENTENCES)))
    return [Bin(float(expected[part].mean()), float(scores[part].mean()), len(part)) for part in parts]


def _bootstrapped(share_of: Callable[[NDArray[np.int64]], float], groups: NDArray[np.int64], resamples: int) -> Share:
    """A share on all sentences, with the percentile interval over resamples of groups, which stay together."""
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    generator = np.random.default_rng(0)
    drawn = (generator.integers(len(members), size=len(members)) for _ in range(resamples))
    shares = [share_of(np.concatenate([members[i] for i in each])) for each in drawn]
    low, high = np.quantile(shares, [0.025, 0.975])
    return Share(share_of(np.arange(len(groups))), float(low), float(high))


def confidence_in_words(check: ConfidenceCheck) -> str:
    """How well the confidence works, as sentences."""
    calibrated = f"Expected chrF was learnt from {check.dev_sentences} sentences of the dev split."
    if check.found is None or check.coverage is None:
        few = f"{check.test_set} has {check.sentences}, too few to say how well it finds bad translations"
        return f"{calibrated} {few} (at least {MIN_SENTENCES})."
    found, coverage = check.found, check.coverage
    chance = ", so it may find no more than chance does" if found.ci_low <= check.at_random else ""
    return (
        f"The fifth of {check.test_set} in which {check.system} is least sure contains {_percent(found.share)} of its "
        f"worst tenth by chrF (95 % interval {_range(found)}); a random fifth would contain "
        f"{_percent(check.at_random)}{chance}. The chrF of {_percent(coverage.share)} of the translations is within "
        f"the {_percent(check.level)} interval ({_range(coverage)}), which reaches {check.half_width:.0f} points down "
        f"and up from the expected chrF. {calibrated}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _range(share: Share) -> str:
    return f"{100 * share.ci_low:.0f} to {_percent(share.ci_high)}"
