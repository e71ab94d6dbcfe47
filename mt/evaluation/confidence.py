"""How good a translation probably is, without a reference: its expected chrF, with an interval.

The model's mean log-probability per token orders translations; a run's dev split, where there are references, tells
which sentence chrF goes with it. The expected chrF is the isotonic regression on one half of the dev sentences: the
closest function that never falls. The other half shows how far off it is, which makes an interval that a new sentence
is in with the stated probability, whatever the distribution (split conformal prediction: Vovk et al., 2005,
"Algorithmic Learning in a Random World"; Lei et al., 2018, "Distribution-Free Predictive Inference for Regression").
That holds for sentences like those of the dev split, decoded the same way.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics import CHRF
from scipy.optimize import isotonic_regression

from mt.errors import RunError

VERSION = 1
MIN_SENTENCES = 50
"""No calibration on fewer: the interval would rest on the largest few of 25 errors."""
MAX_SENTENCES = 500
"""Dev sentences that are translated for it."""
LEVEL = 0.8
"""The share of sentences whose chrF is to be within their interval."""
_HALVES_SEED = 0

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Confidence:
    """What is known of one translation without a reference; chrF is a sentence's, 0-100."""

    expected_chrf: float | None
    """None without a calibration."""
    low: float | None
    """Lower end of the interval that the chrF is in with probability `LEVEL`."""
    high: float | None
    mean_log_probability: float
    """Natural logarithm, per token; translations are in order of it, also where `expected_chrf` is equal."""


@dataclass(frozen=True)
class Calibration:
    """The sentence chrF that goes with a mean log-probability, as the dev split of a run shows it."""

    knots: list[tuple[float, float]]
    """Points (mean log-probability, expected chrF), neither of which ever falls; straight lines join them."""
    half_width: float
    """The interval reaches from the expected chrF this far down and up, within 0 to 100."""
    sentences: int
    """Dev sentences, one half for the knots and the other for the interval."""
    level: float = LEVEL
    decoding: dict[str, Any] = field(default_factory=dict)
    """How the dev sentences were decoded, by option."""
    engine: str = ""
    """What decoded them, in words."""

    def expected(self, values: Sequence[float]) -> Numbers:
        """The expected chrF for each mean log-probability; beyond the knots that of the nearest one."""
        x, y = np.array(self.knots).T
        expected: Numbers = np.interp(np.asarray(values, float), x, y)
        return expected

    def interval(self, expected: Numbers) -> tuple[Numbers, Numbers]:
        """The lower and the upper ends of the intervals around expected chrF."""
        return np.maximum(expected - self.half_width, 0.0), np.minimum(expected + self.half_width, 100.0)

    def confidences(self, values: Sequence[float]) -> list[Confidence]:
        """The confidence in translations with these mean log-probabilities."""
        expected = self.expected(values)
        low, high = self.interval(expected)
        return [
            Confidence(chrf, down, up, value)
            for chrf, down, up, value in zip(expected.tolist(), low.tolist(), high.tolist(), values, strict=True)
        ]


def sentence_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """sacreBLEU's chrF of each sentence on its own, 0-100."""
    scorer = CHRF()
    return [float(scorer.sentence_score(h, [r]).score) for h, r in zip(hypotheses, references, strict=True)]


def calibrate(values: Sequence[float], scores: Sequence[float], **facts: Any) -> Calibration:
    """The calibration by mean log-probabilities and sentence chrF of dev sentences.

    facts: the fields of `Calibration` that say how the sentences were decoded. Raises `ValueError` for fewer than
    `MIN_SENTENCES`.
    """
    if len(values) < MIN_SENTENCES:
        raise ValueError(f"{len(values)} sentences are too few to calibrate on")
    order = np.random.default_rng(_HALVES_SEED).permutation(len(values))
    fitted, held_out = order[: len(order) // 2], order[len(order) // 2 :]
    x, y = np.asarray(values, float), np.asarray(scores, float)
    calibration = Calibration(isotonic_knots(x[fitted], y[fitted]), 0.0, len(values), **facts)
    errors = np.abs(y[held_out] - calibration.expected(x[held_out].tolist()))
    return Calibration(calibration.knots, conformal_quantile(errors, LEVEL), len(values), **facts)


def isotonic_knots(x: Numbers, y: Numbers) -> list[tuple[float, float]]:
    """The ends of the steps of the isotonic regression of `y` on `x`, in order of x; equal x count as their mean y.

    x 1 2 3 4 5, y 10 30 20 40 40: the falling pair 30 20 becomes its mean, 25, and the knots are (1, 10), (2, 25),
    (3, 25), (4, 40), (5, 40).
    """
    places, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(which, weights=y) / counts
    fitted = isotonic_regression(means, weights=counts.astype(float)).x
    # Inside a step a point tells nothing.
    is_end = np.ones(len(fitted), bool)
    is_end[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    return list(zip(places[is_end].tolist(), fitted[is_end].tolist(), strict=True))


def conformal_quantile(errors: Numbers, level: float) -> float:
    """The error that a new one does not exceed with probability `level`: of n errors the ceil((n + 1) level)-th.

    Of the errors 1 to 9 at level 0.8 the eighth, 8. Infinite if that is more than there are.
    """
    rank = math.ceil((len(errors) + 1) * level - 1e-9)
    return math.inf if rank > len(errors) else float(np.sort(errors)[rank - 1])


def confidences_of(calibration: Calibration | None, values: Sequence[float]) -> list[Confidence]:
    """The confidence in translations with these mean log-probabilities, without a calibration no more than these."""
    if calibration is None:
        return [Confidence(None, None, None, value) for value in values]
    return calibration.confidences(values)


def calibration_as_json(calibration: Calibration) -> dict[str, Any]:
    """The content of `confidence.json`."""
    return {"version": VERSION, **asdict(calibration)}


def read_calibration(file: Path) -> Calibration | None:
    """The calibration in a run's `confidence.json`; None if there is none. Raises `RunError` if it is damaged."""
    try:
        return _calibration_in(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        fault = f"cannot be read ({error!s:.100})"
        raise RunError(f"{file}: {fault}; end the run again by train.py with --resume, or remove the file") from error


def _calibration_in(content: Mapping[str, Any]) -> Calibration:
    version, knots = content["version"], [(x, y) for x, y in content["knots"]]
    if version != VERSION or type(version) is not int:
        raise ValueError(f"its version is {version!r:.20}, not {VERSION}")
    sentences, level, half_width = (content[key] for key in ("sentences", "level", "half_width"))
    decoding, engine = content["decoding"], content["engine"]
    _require(all(map(_is_number, (*chain(*knots), sentences, level, half_width))), "a number in it is none")
    scores = [y for _, y in knots]
    is_rising = bool(knots) and knots == sorted(knots) and scores == sorted(scores)
    # sacreBLEU's 100 may be a little more.
    _require(is_rising and 0 <= scores[0] <= scores[-1] < 100.001, "its knots do not rise from chrF 0 to 100")
    _require(half_width >= 0 and 0 < level < 1, "its half_width or level is out of range")
    is_known = isinstance(decoding, dict) and isinstance(terms := decoding.get("terminology"), str | None)
    is_known = is_known and "\0" not in (terms or "")
    _require(is_known and isinstance(engine, str), "its decoding or engine is not one")
    points = [(float(x), float(y)) for x, y in knots]
    return Calibration(points, float(half_width), sentences, float(level), decoding, engine)


def _is_number(value: object) -> bool:
    # JSON's true is an int.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise ValueError(fault)
