"""How a training went, for manifest, log and report."""

from __future__ import annotations

import logging
from typing import Any

import torch

from mt.training.stopping import best_update, evaluations_since_best
from mt.training.trainer import TranslationTrainer

logger = logging.getLogger(__name__)


def training_facts(trainer: TranslationTrainer) -> dict[str, Any]:
    """Updates, tokens, dev scores, and the share of the time since the (last) start that went to evaluations.

    padding: a share of the tokens that the device computes. gpu_bytes: the most memory that PyTorch has taken from this
    process's GPU; None without one.
    """
    state, dev_scores = trainer.state, trainer.dev_scores_by_update()
    best = best_update(dev_scores)
    log = {entry["step"]: entry for entry in state.log_history if "eval_chrF" in entry}
    share = trainer.evaluation_time.share
    return {
        "evaluation_share": None if share is None else round(share, 3),
        "padding": round(trainer.sampler.padding(), 4),
        "gpu_bytes": torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None,
        "processes": trainer.args.world_size,
        "updates": state.global_step,
        "updates_planned": state.max_steps,
        "tokens_seen": trainer.sampler.tokens_seen(state.global_step),
        "best_update": best,
        "dev_metrics": {name: value for name, value in log[best].items() if name.startswith("eval_")},
        f"best_dev_{trainer.config.training.best_metric}": abs(dev_scores[best]),
    }


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
