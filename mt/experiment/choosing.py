"""The model that a run ends with: chosen by dev scores, saved, and described."""

from __future__ import annotations

import logging
from typing import Any

from mt.config import Config
from mt.experiment.start import (
    open_base,
)
from mt.experiment.translations import BASE
from mt.files import (
    writing,
)
from mt.runs import RunDirectory, read_metrics
from mt.training.adaptation import Choice, choose_weights
from mt.training.stopping import best_update, evaluations_since_best
from mt.training.trainer import TranslationTrainer

logger = logging.getLogger(__name__)


def take_model(config: Config, run: RunDirectory, trainer: TranslationTrainer) -> Choice:
    """Make the model of the checkpoints, as the config has it, or of the base, and save it; main process only."""
    # Loaded anew: the trainer's own may be wrapped, compiled or spread over devices.
    translator = open_base(config, run)
    translator.model.to(trainer.args.device)
    before = metrics_before_training(run)
    if before is None and config.model.scratch is None:
        logger.warning("%s: does not say how good the base was, so no checkpoint is compared with it", run.metrics)
    choice = choose_weights(
        translator, run.checkpoints, trainer.dev_scores_by_update(), config, trainer.dev, trainer.general, before
    )
    logger.info("saving the model")
    unfinished = run.unfinished(run.model)
    with writing(run.model):
        translator.save(unfinished)
    run.put(unfinished, run.model)
    return choice


def metrics_before_training(run: RunDirectory) -> dict[str, float] | None:
    """How good the base was on the dev split, from `metrics.jsonl`; None of a model from scratch, and if it is gone."""
    return next((entry for entry in read_metrics(run) if entry["update"] == 0 and "eval_loss" in entry), None)


def explain_base(config: Config, choice: Choice) -> str:
    """Why the model is the base, and whence its translations may differ all the same; empty if it is not."""
    if not choice.why_base or config.decoding == config.decoding.without_domain():
        return choice.why_base
    return (
        f"{choice.why_base} Where the two differ all the same, it is by the tag or the terms that {BASE} is not given."
    )


def early_stop(trainer: TranslationTrainer) -> str:
    """A sentence on why training ended before its last update; empty if it did not."""
    state, training, dev_scores = trainer.state, trainer.config.training, trainer.dev_scores_by_update()
    if state.global_step >= state.max_steps or training.patience is None:
        return ""
    sentence = (
        f"Training stopped early, after update {state.global_step} of {state.max_steps}: the last "
        f"{evaluations_since_best(dev_scores)} evaluations were no better than that of update "
        f"{best_update(dev_scores)}, by {training.best_metric} on the dev split "
        f"(training.patience {training.patience})."
    )
    logger.info(sentence)
    return sentence


def training_facts(trainer: TranslationTrainer) -> dict[str, Any]:
    """How the training went."""
    state, dev_scores = trainer.state, trainer.dev_scores_by_update()
    best = best_update(dev_scores)
    log = {entry["step"]: entry for entry in state.log_history if "eval_chrF" in entry}
    return {
        "processes": trainer.args.world_size,
        "updates": state.global_step,
        "updates_planned": state.max_steps,
        "tokens_seen": trainer.sampler.tokens_seen(state.global_step),
        "best_update": best,
        "dev_metrics": {name: value for name, value in log[best].items() if name.startswith("eval_")},
        f"best_dev_{trainer.config.training.best_metric}": abs(dev_scores[best]),
    }
