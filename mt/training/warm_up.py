"""What a GPU does before the first update, so that no update is slower than another: compile, record every shape."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mt.models.families import family_of_model
from mt.processes import is_sharded
from mt.progress import progress
from mt.teamwork import from_main
from mt.training.compiling import compile_layers
from mt.training.recorded_steps import Batch, RecordedSteps
from mt.training.shapes import BatchShape
from mt.training.trainer import TranslationTrainer
from mt.wording import shorten

logger = logging.getLogger(__name__)

# Recording a shape takes as long as a few passes. With fewer passes than this per shape it would not pay.
_PASSES_PER_SHAPE = 2
# Compiling takes about 40 s and saves a fifth to a third of the time, so it pays if the passes take longer than this.
_COMPILES_FROM_SECONDS = 180.0
_TIMED_PASSES = 5


class WarmUp(TrainerCallback):
    """Prepares a trainer on a GPU when training begins; on a CPU, where shapes cost nothing, it only compiles."""

    def __init__(self, trainer: TranslationTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        passes = (state.max_steps - state.global_step) * args.gradient_accumulation_steps
        if passes > 0:
            warm_up(self.trainer, passes)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.trainer.recorded is not None:
            self.trainer.recorded.discard()
            self.trainer.recorded = None


def warm_up(trainer: TranslationTrainer, passes: int) -> None:
    """Compile and record as the config says and as pays for `passes` micro-batches."""
    config, is_cuda = trainer.config.training, is_on_gpu(trainer)
    model = trainer.translator.model
    takes_masks = (
        getattr(model.config, "_attn_implementation", None) == "sdpa" and family_of_model(model).takes_own_masks
    )
    if is_cuda and takes_masks:
        trainer.loss = replace(trainer.loss, has_own_masks=True)
    # Recorded in the mode in which they are replayed, with dropout.
    trainer.model.train()
    shapes = _largest_first(trainer.sampler.shapes)
    if config.compile is True:
        compile_layers(trainer.translator.model)
    elif config.compile == "auto" and is_cuda and shapes and not is_sharded():
        _compile_if_faster(trainer, shapes[len(shapes) // 2], passes)
    if is_cuda and _can_record(trainer) and passes >= _PASSES_PER_SHAPE * len(shapes):
        trainer.recorded = _record(trainer, shapes)


def _record(trainer: TranslationTrainer, shapes: Sequence[BatchShape]) -> RecordedSteps | None:
    """The recordings of all shapes; None if this model or this version of PyTorch cannot be recorded."""
    started = time.perf_counter()
    recorded = RecordedSteps(trainer.model, trainer.forward_backward)
    batches = (trial_batch(trainer, shape) for shape in shapes)
    try:
        recorded.record(progress(batches, "recording batch shapes", "shapes", total=len(shapes)))
    except RuntimeError as error:
        recorded.discard()
        logger.warning("batch shapes are not recorded, so updates may be slower: %s", shorten(str(error)))
        return None
    logger.info("recorded %d batch shapes in %.0f s", len(recorded), time.perf_counter() - started)
    return recorded


def is_on_gpu(trainer: TranslationTrainer) -> bool:
    """Whether the model is trained on a CUDA device."""
    return bool(trainer.args.device.type == "cuda")


def _can_record(trainer: TranslationTrainer) -> bool:
    """Whether the forward and backward pass consists of the same kernels at each replay, and of no communication."""
    config = trainer.config
    return (
        config.training.cuda_graphs
        and trainer.args.world_size == 1
        and not is_sharded()
        and not trainer.args.fp16
        and trainer.kl_base is None
        # It saves and restores the state of the random numbers on the host.
        and not config.training.gradient_checkpointing
        and trainer.loss.has_own_masks
    )


def trial_batch(trainer: TranslationTrainer, shape: BatchShape) -> Batch:
    """A batch of this shape on the device: int64 (pairs, source) and (pairs, target), of one token throughout."""
    device = trainer.args.device
    source = torch.full((shape.pairs, shape.source), 5, device=device)
    target = torch.full((shape.pairs, shape.target), 5, device=device)
    return {
        "input_ids": source,
        "attention_mask": torch.ones_like(source),
        "decoder_input_ids": target,
        "labels": target,
    }


def _largest_first(shapes: tuple[BatchShape, ...]) -> list[BatchShape]:
    return sorted(shapes, key=lambda shape: -shape.tokens)


def _compile_if_faster(trainer: TranslationTrainer, shape: BatchShape, passes: int) -> None:
    plain = _seconds_per_pass(trainer, shape)
    # The main process decides for all: the others may have measured something else.
    if not from_main(passes * plain >= _COMPILES_FROM_SECONDS):
        logger.info("layers are not compiled: the passes of this training take about %.0f s", passes * plain)
        return
    logger.info("compiling the layers, which takes about half a minute")
    started, undo = time.perf_counter(), compile_layers(trainer.translator.model)
    compiled = _seconds_per_pass(trainer, shape)
    seconds = time.perf_counter() - started
    is_faster = from_main(compiled < plain)
    if not is_faster:
        undo()
    logger.info(
        "layers are %scompiled: a pass takes %.1f ms compiled, %.1f ms plain (%.0f s to compile)",
        *("" if is_faster else "not ", 1e3 * compiled, 1e3 * plain, seconds),
    )


def _seconds_per_pass(trainer: TranslationTrainer, shape: BatchShape) -> float:
    """Duration of one forward and backward pass of a batch, without what only the first ones take."""
    batch, device, model = trial_batch(trainer, shape), trainer.args.device, trainer.model
    model.train()
    step = trainer.forward_backward
    divisor = torch.ones((), device=device)
    with torch.random.fork_rng([device]):
        if _can_record(trainer):
            recorded = RecordedSteps(model, step)
            recorded.record([batch])
            seconds = _timed(lambda: recorded(batch, 1.0), device)
            recorded.discard()
        else:
            seconds = _timed(lambda: step(batch, divisor), device)
            model.zero_grad(set_to_none=True)
    return seconds


def _timed(call: Callable[[], object], device: torch.device) -> float:
    # The first passes load kernels, and compile.
    for _ in range(2):
        call()
    torch.cuda.synchronize(device)
    started = time.perf_counter()
    for _ in range(_TIMED_PASSES):
        call()
    torch.cuda.synchronize(device)
    return (time.perf_counter() - started) / _TIMED_PASSES
