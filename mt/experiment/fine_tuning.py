"""Training from the start or from a checkpoint, and the message when it breaks off."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from mt.data.rejects import quoted_cell
from mt.data.saved import load_splits
from mt.errors import ModelError
from mt.files import write_lines
from mt.processes import process_state, wait_for_everyone
from mt.runs import RunDirectory
from mt.training.checkpoints import latest_intact, update_of
from mt.training.finite_check import NotFiniteError
from mt.training.metrics_log import drop_metrics_after
from mt.training.stopping import state_if_ended
from mt.training.trainer import TranslationTrainer

logger = logging.getLogger(__name__)

_MAX_NAMED = 3
"""Pairs that an error message names; a file lists all of them."""


def fine_tune(run: RunDirectory, trainer: TranslationTrainer, resume: bool) -> None:
    """Train from the latest intact checkpoint if resuming, else from the start.

    Raises `Stopped` on SIGTERM, and `ModelError` if the memory is too small or a loss or gradient is not finite.
    """
    # The main process may still be translating the test sets with the base.
    wait_for_everyone()
    checkpoint = latest_intact(run.checkpoints) if resume else None
    if process_state().is_main_process:
        # Updates after the checkpoint are made, and logged, again.
        drop_metrics_after(run, -1 if checkpoint is None else update_of(checkpoint))
    ended = None if checkpoint is None else state_if_ended(checkpoint, trainer.config.training)
    if ended is not None:
        logger.info("training ended early at %s, as nothing got better: raise training.patience to go on", checkpoint)
        trainer.state = ended
        return
    if checkpoint:
        logger.info("going on from %s", checkpoint)
    elif trainer.config.model.scratch is None:
        # The base's scores, as update 0.
        trainer.evaluate()
    try:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    except torch.OutOfMemoryError as error:
        update, tokens = trainer.state.global_step + 1, trainer.settings.micro_batch_tokens
        raise ModelError(
            f"the device ran out of memory at update {update}; checkpoints until here are kept: set "
            f"training.micro_batch_tokens below {tokens}, or training.gradient_checkpointing"
        ) from error
    except NotFiniteError as error:
        raise ModelError(
            f"{error}: {_name_pairs(run, error.rows)}; checkpoints until here are kept: check these pairs, lower "
            "training.learning_rate, raise training.warmup_updates or set training.precision fp32"
        ) from error


def _name_pairs(run: RunDirectory, rows: Sequence[int]) -> str:
    """The first few of these rows of the training split, and the name of the file that lists all of them."""
    pairs = load_splits(run)["train"].select(rows).to_list()
    if process_state().is_main_process:
        run.check_there()
        cells = ((pair["corpus"], pair["source"], pair["target"]) for pair in pairs)
        write_lines(run.failed_update, ["\t".join(map(quoted_cell, row)) for row in cells])
    named = "; ".join(f"{pair['corpus']}: {pair['source']}" for pair in pairs[:_MAX_NAMED])
    return f"{named} (all of them: {run.failed_update})"
