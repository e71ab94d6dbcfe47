"""Fine-tuning: the trainer made from config, base and splits, and training with it."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import torch
from datasets import Dataset, DatasetDict
from transformers import PrinterCallback, set_seed

from mt.config import Config
from mt.data.rejects import quoted_cell
from mt.errors import DataError, ModelError, Stopped
from mt.evaluation.reading_test_sets import read_named_test_set
from mt.files import (
    write_lines,
)
from mt.manifest import Manifest, read_manifest
from mt.models.transformers_model import TransformersTranslator
from mt.processes import process_state, wait_for_everyone
from mt.runs import RunDirectory
from mt.training.checkpoints import latest_intact, update_of
from mt.training.encoding import encode_dev, encode_general, encode_training
from mt.training.progress import Progress, forget_after
from mt.training.schedule import FollowSchedule
from mt.training.setup import build_trainer
from mt.training.stopping import StopOnSignal, state_of_end
from mt.training.trainer import MAX_NAMED, TranslationTrainer, uniform_loss, warmup

logger = logging.getLogger(__name__)


def prepare_training(
    config: Config, run: RunDirectory, base: TransformersTranslator, data: DatasetDict, manifest: Manifest | None = None
) -> TranslationTrainer:
    """Encode the splits and set up the trainer; refuse a base that knows less than nothing about the dev split."""
    set_seed(config.seed)
    # Of a run that is resumed; read by every process, while only the main one has the manifest.
    known_settings = read_manifest(run.manifest).get("footing")
    if not len(data["dev"]):
        raise DataError("the dev split is empty, so no checkpoint can be chosen; raise data.dev_share")
    logger.info("turning %d training pairs into tokens", len(data["train"]))
    train, left_out = encode_training(base, data["train"], config)
    corpus = config.training.general_dev
    general = None if corpus is None else read_named_test_set("training.general_dev", corpus, config.data)
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(run.tensorboard)
    trainer = build_trainer(
        config,
        base,
        train,
        encode_dev(base, data["dev"], config),
        None if general is None else encode_general(base, general, config),
        run.checkpoints,
        known_settings,
        partial(report_pairs, run, data["train"]),
    )
    trainer.pop_callback(PrinterCallback)
    trainer.add_callback(Progress(run, manifest))
    trainer.add_callback(FollowSchedule())
    plan = trainer.sampler.plan
    logger.info("training pairs: %d, and %d left out because a side is too long", len(train), left_out)
    logger.info(
        "%d updates of %d micro-batch%s, about %d target tokens each",
        *(plan.updates, plan.accumulation, "" if plan.accumulation == 1 else "es", trainer.sampler.tokens_per_update()),
    )
    wanted, warm = config.training.warmup_updates, warmup(config.training, plan)
    if warm < wanted:
        logger.warning(
            "training.warmup_updates is %d, and of %d updates at most a third warm up: %d", wanted, plan.updates, warm
        )
    if config.model.scratch is None and not config.model.skip_doctor and known_settings is None:
        refuse_worse_than_uniform(base, trainer.dev_loss(trainer.dev))
    return trainer


def report_pairs(run: RunDirectory, train: Dataset, rows: Sequence[int]) -> str:
    """Write the rows of the training split to a file; returns the first few, and where all are, in words."""
    pairs = train.select(rows).to_list()
    lines = ["\t".join(map(quoted_cell, (pair["corpus"], pair["source"], pair["target"]))) for pair in pairs]
    run.check_there()
    write_lines(run.failed_update, lines)
    named = "; ".join(f"{pair['corpus']}: {pair['source']}" for pair in pairs[:MAX_NAMED])
    return f"{named} (all of them: {run.failed_update})"


def refuse_worse_than_uniform(base: TransformersTranslator, dev_loss: float) -> None:
    """A pretrained model that predicts worse than a uniform guess was not loaded as it was saved."""
    guess = uniform_loss(base)
    logger.info("dev loss of the base: %.2f nats a token; a uniform guess has %.2f", dev_loss, guess)
    if not dev_loss < guess:
        raise ModelError(
            f"{base.name}: its dev loss of {dev_loss:.2f} is no better than a uniform guess ({guess:.2f}), so its "
            "weights or its tokenizer are not what it was trained with; fetch it again or pin another model.revision"
        )


def record_start(manifest: Manifest | None, base: TransformersTranslator, trainer: TranslationTrainer) -> None:
    """Add what is known once the base is loaded: its revision and languages, and how the micro-batches are cut."""
    if manifest is not None:
        known = manifest.facts["base_model"]
        trainer.base_identity = known["identity"]
        manifest.update(
            base_model=known | {"revision": base.revision, **asdict(base.languages)}, footing=asdict(trainer.footing)
        )


def fine_tune(run: RunDirectory, trainer: TranslationTrainer, resume: bool) -> None:
    """Train from the newest whole checkpoint if resuming, else from the start. Raises `Stopped` on SIGTERM."""
    # For the main process, which has translated with the base.
    wait_for_everyone()
    checkpoint = latest_intact(run.checkpoints) if resume else None
    if process_state().is_main_process:
        # What comes after the checkpoint is done, and logged, again.
        forget_after(run, -1 if checkpoint is None else update_of(checkpoint))
    stop = StopOnSignal()
    trainer.add_callback(stop)
    ended = None if checkpoint is None else state_of_end(checkpoint, trainer.config.training)
    if ended is not None:
        logger.info("training ended at %s, as nothing had become better: raise training.patience to go on", checkpoint)
        trainer.state = ended
        return
    if checkpoint:
        logger.info("going on from %s", checkpoint)
    elif trainer.config.model.scratch is None:
        trainer.evaluate()
    try:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    except torch.OutOfMemoryError as error:
        update, tokens = trainer.state.global_step + 1, trainer.footing.micro_batch_tokens
        raise ModelError(
            f"the device ran out of memory at update {update}; checkpoints until here are kept: set "
            f"training.micro_batch_tokens below {tokens}, or training.gradient_checkpointing"
        ) from error
    if stop.has_stopped and trainer.state.global_step < trainer.state.max_steps:
        raise Stopped(
            f"stopped by SIGTERM after update {trainer.state.global_step} of {trainer.state.max_steps}, "
            f"and saved; go on with --resume"
        )
