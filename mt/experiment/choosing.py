"""The model that a run ends with: its weights chosen by dev scores, then saved."""

from __future__ import annotations

import logging

from mt.config import Config
from mt.experiment.base_model import open_base
from mt.experiment.translations import BASE
from mt.runs import RunDirectory, read_metrics
from mt.training.trainer import TranslationTrainer
from mt.training.weight_choice import WeightChoice, choose_weights

logger = logging.getLogger(__name__)


def take_model(config: Config, run: RunDirectory, trainer: TranslationTrainer) -> WeightChoice:
    """Choose the model, from the checkpoints and the base as the config asks, and save it; main process only."""
    # Loaded again, because the trainer's own may be wrapped, compiled or spread over devices.
    # On the CPU: merging and averaging take several copies of its weights.
    translator = open_base(config, run)
    trainer.release_memory()
    before = metrics_before_training(run)
    if before is None and config.model.scratch is None:
        logger.warning("%s: has no scores of the base, so no checkpoint is compared with it", run.metrics)
    choice = choose_weights(
        translator,
        run.checkpoints,
        trainer.dev_scores_by_update(),
        config,
        trainer.dev,
        trainer.general,
        before,
        device=trainer.args.device,
    )
    logger.info("saving the model")
    with run.new_directory(run.model) as work:
        translator.save(work)
    return choice


def metrics_before_training(run: RunDirectory) -> dict[str, float] | None:
    """The base's metrics on the dev split, from `metrics.jsonl`; None for a model from scratch, or if they are gone."""
    return next((entry for entry in read_metrics(run) if entry["update"] == 0 and "eval_loss" in entry), None)


def explain_base(config: Config, choice: WeightChoice) -> str:
    """Why the model is the base, and why its translations may differ all the same; empty if it is not the base."""
    if not choice.why_base or config.decoding == config.decoding.without_domain():
        return choice.why_base
    return f"{choice.why_base} Their translations may still differ, because {BASE} is given no tag and no terms."
