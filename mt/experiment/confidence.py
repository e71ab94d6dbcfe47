"""The confidence of a run's model in its translations: calibrated on the dev split, checked on the first test set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasets import DatasetDict

from mt.config import Config
from mt.evaluation.confidence import (
    MAX_SENTENCES,
    MIN_SENTENCES,
    calibrate,
    calibration_as_json,
    sentence_chrf,
)
from mt.evaluation.confidence_check import check_confidence
from mt.evaluation.results import Evaluation
from mt.evaluation.searches import search_as_json
from mt.evaluation.test_set import TestSet
from mt.files import write_json
from mt.models.log_probabilities import mean_log_probabilities
from mt.runs import RunDirectory
from mt.systems.system import System
from mt.systems.translating import Decoder, count_sentences, open_translator
from mt.wording import counted

logger = logging.getLogger(__name__)

_DEV = "dev"


@dataclass(frozen=True)
class DevTranslations:
    """Sentences of the dev split as the final model translates them."""

    sample: TestSet
    lines: list[str]
    """Empty where the dev split is too small for a calibration."""
    engine: str
    """What decoded them, in words."""


def translate_dev(
    config: Config, data: DatasetDict, system: System, test_sets: Sequence[TestSet]
) -> DevTranslations | None:
    """Translate up to `MAX_SENTENCES` of the dev split with the final model, or take them from the cache.

    Of several processes each translates a share. None without `evaluation.confidence`.
    """
    if not config.evaluation.confidence:
        return None
    dev = data["dev"]
    # Always the same sentences, whatever the seed.
    rows = np.sort(np.random.default_rng(0).permutation(len(dev))[:MAX_SENTENCES])
    picked = dev.select(rows.tolist())
    sample = TestSet(_DEV, list(picked["source"]), list(picked["target"]), languages=config.model.languages)
    if len(rows) < MIN_SENTENCES:
        return DevTranslations(sample, [], "")
    # By the number of test sentences, so that the engine is that of the test sets.
    decoder = Decoder(system, count_sentences(test_sets))
    lines = decoder.translate(sample)
    return DevTranslations(sample, lines, str(decoder.engine))


def add_confidence(
    evaluation: Evaluation, config: Config, run: RunDirectory, system: System, dev: DevTranslations | None
) -> None:
    """Calibrate on the dev sentences, write `confidence.json`, and add to `evaluation` what it is worth.

    In the main process alone. Without dev sentences the file that an earlier start has left is removed: it may belong
    to other weights.
    """
    run.check_there(run.confidence)
    if dev is None or not dev.lines:
        run.confidence.unlink(missing_ok=True)
        if dev is not None:
            evaluation.notes.append(_too_few(len(dev.sample.sources)))
        return
    assert system.settings is not None
    decoding, first = system.settings.decoding, evaluation.test_sets[0]
    logger.info("how sure %s is of its translations: learning from %d of the dev split", system.label, len(dev.lines))
    translator = open_translator(system.settings.model, decoding)
    values = mean_log_probabilities(translator, dev.sample.sources, dev.lines, decoding)
    calibration = calibrate(
        values, sentence_chrf(dev.lines, dev.sample.references), decoding=search_as_json(decoding), engine=dev.engine
    )
    write_json(run.confidence, calibration_as_json(calibration))
    lines = evaluation.hypotheses[first.name][system.label]
    values = mean_log_probabilities(translator, first.sources, lines, first.decoding_for(decoding))
    scores = evaluation.sentence_scores[first.name][system.label]
    evaluation.confidence = check_confidence(
        system.label, first, calibration, values, scores, config.evaluation.resamples
    )


def _too_few(sentences: int) -> str:
    return (
        f"No translation gets an expected chrF: the dev split has {counted(sentences, 'sentence')} to learn it from, "
        f"and {MIN_SENTENCES} are needed."
    )
