"""What is found out about model and device before training starts, and kept for when it is resumed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import nn

from mt.config import TrainingConfig
from mt.processes import is_sharded, process_state
from mt.training.loss import LossOptions, has_chunked_loss
from mt.training.memory import find_micro_batch, trial_batch

logger = logging.getLogger(__name__)

# Padded tokens of the micro-batch on which the losses are timed, and how often.
_TIMED_TOKENS = 4096
_ROUNDS = 5
# How much slower the chunked loss may be, for the memory it saves.
_TOLERANCE = 1.05


@dataclass(frozen=True)
class TunedSettings:
    """How the micro-batches are cut and their loss computed; the same after `--resume`."""

    micro_batch_tokens: int
    chunked_loss: bool

    def loss(self, label_smoothing: float) -> LossOptions:
        """The loss that training uses."""
        return LossOptions(label_smoothing, self.chunked_loss)


def tune(
    model: nn.Module, config: TrainingConfig, *, uses_bf16: bool, known: Mapping[str, Any] | None = None
) -> TunedSettings:
    """What `known` says, of the run that is resumed; else what `config` says and, where it leaves the choice, what is
    measured now."""
    if known is not None:
        return TunedSettings(known["micro_batch_tokens"], known["chunked_loss"])
    is_chunked = _is_chunked_faster(model, config, uses_bf16) if config.loss == "auto" else config.loss == "chunked"
    options = LossOptions(config.label_smoothing, is_chunked)
    # Of the update's target tokens this process has a share; with padding and longer sources, less than twice as many.
    most = max(1, 2 * config.tokens_per_update // process_state().num_processes)
    tokens = config.micro_batch_tokens or find_micro_batch(
        model, options, most, uses_bf16=uses_bf16, uses_fp16=config.precision == "fp16"
    )
    return TunedSettings(tokens, is_chunked)


def _is_chunked_faster(model: nn.Module, config: TrainingConfig, uses_bf16: bool) -> bool:
    device = next(model.parameters()).device
    reasons = {
        "on a CPU the faster one": device.type == "cpu",
        "torch is older than 2.13": not has_chunked_loss(),
        "under FSDP the output layer must be called whole": is_sharded(),
    }
    if any(reasons.values()):
        logger.info("loss: plain (%s)", next(reason for reason, holds in reasons.items() if holds))
        return False
    plain, chunked = (_seconds(model, LossOptions(config.label_smoothing, on), uses_bf16) for on in (False, True))
    # One process decides, for the others may have measured otherwise.
    decision = [chunked <= plain * _TOLERANCE]
    broadcast_object_list(decision)
    word = "chunked" if decision[0] else "plain"
    logger.info("loss: %s; a micro-batch took %.1f ms plain, %.1f ms chunked", word, 1e3 * plain, 1e3 * chunked)
    return decision[0]


def _seconds(model: nn.Module, options: LossOptions, uses_bf16: bool) -> float:
    """Of a forward and backward pass, at best."""
    device = next(model.parameters()).device
    batch, times = trial_batch(model, _TIMED_TOKENS), []
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        for _ in range(_ROUNDS):
            _wait(device)
            started = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16):
                loss = model(**batch, loss=options)
            loss.backward()
            _wait(device)
            times.append(time.perf_counter() - started)
    model.zero_grad(set_to_none=True)
    return min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
