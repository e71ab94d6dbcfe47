"""How sure a model is of its own translations, as it writes them: scored once, and turned into an expected chrF."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mt.config import DecodingConfig
from mt.evaluation.confidence import Calibration, Confidence, confidences_of, read_calibration
from mt.evaluation.searches import search_as_json
from mt.models.engines import Engine
from mt.models.log_probabilities import counted_tokens, mean_log_probabilities
from mt.models.model_files import shown
from mt.models.translator import Translator
from mt.runs import RunDirectory

logger = logging.getLogger(__name__)

Parts = Sequence[tuple[str, str]]
"""A sentence and its translation, in one part or in several: (source, hypothesis) of each."""

_MAYBE_WRONG = "the intervals may be too narrow or in the wrong place"


@dataclass(frozen=True)
class Estimator:
    """Gives translations their confidence."""

    name: str
    """The run or model, for messages."""
    decoding: DecodingConfig
    calibration: Calibration | None = None
    """Without one there is a mean log-probability alone."""

    def confidences(self, translator: Translator, translations: Sequence[Parts]) -> list[Confidence]:
        """The confidence in each translation; what occurs several times is scored once.

        The mean log-probability of one that was translated in parts is that over the tokens of all of them.
        """
        pairs = list(dict.fromkeys(pair for parts in translations for pair in parts))
        sources, hypotheses = [source for source, _ in pairs], [hypothesis for _, hypothesis in pairs]
        means = dict(zip(pairs, mean_log_probabilities(translator, sources, hypotheses, self.decoding), strict=True))
        tokens = dict.fromkeys(pairs, 1)
        if any(len(parts) > 1 for parts in translations):
            tokens = dict(zip(pairs, counted_tokens(translator, hypotheses), strict=True))
        values = [
            sum(means[pair] * tokens[pair] for pair in parts) / sum(tokens[pair] for pair in parts)
            for parts in translations
        ]
        return confidences_of(self.calibration, values)

    def check_engine(self, engine: Engine) -> None:
        """Warn if the calibration is of translations in another precision.

        Which engine computes in it does not matter: in the same precision both find the same probabilities.
        """
        learnt = "" if self.calibration is None else self.calibration.engine.rpartition(" in ")[2]
        if learnt and engine.precision and learnt != engine.precision:
            logger.warning(
                "%s: its expected chrF was learnt from translations in %s, and these are in %s: %s",
                *(shown(self.name), learnt, engine.precision, _MAYBE_WRONG),
            )


def estimator_of(name: str, run: RunDirectory | None, decoding: DecodingConfig) -> Estimator:
    """What estimates the confidence of a run's or, without one, of a model's translations.

    One line in the log says if there is no calibration, or one of another search. Raises `RunError` if the run's
    `confidence.json` is damaged.
    """
    calibration = None if run is None else read_calibration(run.confidence)
    if calibration is None:
        reason = "it is not a run" if run is None else f"the run has no {run.confidence.name}"
        logger.warning("%s: no expected chrF, because %s; there is only the mean log-probability", shown(name), reason)
    elif differing := _differing(calibration.decoding, search_as_json(decoding)):
        learnt, now = (
            ", ".join(f"{key} {'none' if pair[side] in (None, '') else pair[side]}" for key, pair in differing.items())
            for side in (0, 1)
        )
        logger.warning(
            "%s: its expected chrF was learnt with %s, and this is decoded with %s: %s",
            *(shown(name), learnt, now, _MAYBE_WRONG),
        )
    return Estimator(name, decoding, calibration)


def _differing(learnt: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """(value then, value now) of each option that differs; one that did not exist then counts as equal."""
    return {
        key: (learnt[key], value)
        for key, value in now.items()
        if key in learnt and learnt[key] != value and not (key == "terminology" and _is_same(learnt[key], value))
    }


def _is_same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and Path(one).resolve() == Path(other).resolve()
