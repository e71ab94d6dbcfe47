"""Settings measured before training (micro-batch size, loss) and kept for resuming."""

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
from mt.errors import RunError
from mt.processes import is_sharded, process_state
from mt.training.loss import LossOptions
from mt.training.memory import find_micro_batch, trial_batch

logger = logging.getLogger(__name__)

MANIFEST_KEY = "tuned_settings"
_EARLIER_MANIFEST_KEY = "footing"

# Padded tokens of the micro-batch on which the two losses are timed, and the number of timings.
_TIMED_TOKENS = 4096
_ROUNDS = 5
# How much slower the chunked loss may be, in return for the memory it saves.
_TOLERANCE = 1.05


@dataclass(frozen=True)
class TunedSettings:
    """The micro-batches and the way the loss is computed; both must stay the same when a run is resumed."""

    micro_batch_tokens: int
    chunked_loss: bool
    fixed_shapes: bool = False
    """Whether micro-batches have a few shapes only, as a GPU needs it; a run that starts on a CPU has new ones always.
    """

    def loss(self, label_smoothing: float) -> LossOptions:
        """The loss that training uses."""
        return LossOptions(label_smoothing, self.chunked_loss)


def tuned_settings_in(manifest: Mapping[str, Any]) -> TunedSettings | None:
    """The settings that a run's manifest holds, under today's key or that of earlier versions; None of a new run.

    Raises `RunError` if they are damaged.
    """
    found = manifest.get(MANIFEST_KEY, manifest.get(_EARLIER_MANIFEST_KEY))
    if found is None:
        return None
    values = found if isinstance(found, dict) else {}
    tokens, is_chunked = values.get("micro_batch_tokens"), values.get("chunked_loss")
    # Earlier versions had no fixed shapes.
    fixed_shapes = values.get("fixed_shapes", False)
    if type(tokens) is not int or tokens < 1 or type(is_chunked) is not bool or type(fixed_shapes) is not bool:
        raise RunError(
            f"the manifest's {MANIFEST_KEY} must hold micro_batch_tokens and chunked_loss, and fixed_shapes can only "
            f"be true or false, not {found!r:.80}; restore manifest.json, or start again with --overwrite"
        )
    return TunedSettings(tokens, is_chunked, fixed_shapes)


def tune(model: nn.Module, config: TrainingConfig, *, uses_bf16: bool) -> TunedSettings:
    """What `config` sets and, where it leaves the choice, what is measured now on the model's device."""
    is_chunked = _is_chunked_faster(model, config, uses_bf16) if config.loss == "auto" else config.loss == "chunked"
    options = LossOptions(config.label_smoothing, is_chunked)
    # This process gets its share of the update's target tokens. Padded tokens of the longer side, which micro-batches
    # are counted in, come to less than twice that.
    limit = max(1, 2 * config.tokens_per_update // process_state().num_processes)
    tokens = config.micro_batch_tokens or find_micro_batch(
        model, options, limit, uses_bf16=uses_bf16, uses_fp16=config.precision == "fp16"
    )
    return TunedSettings(tokens, is_chunked, fixed_shapes=next(model.parameters()).device.type == "cuda")


def _is_chunked_faster(model: nn.Module, config: TrainingConfig, uses_bf16: bool) -> bool:
    device = next(model.parameters()).device
    reasons = {
        "always the faster one on a CPU": device.type == "cpu",
        "in fp16 the gradients of the chunked one underflow": config.precision == "fp16",
        "under FSDP the output layer must be called as a whole": is_sharded(),
    }
    if any(reasons.values()):
        logger.info("loss: plain (%s)", next(reason for reason, holds in reasons.items() if holds))
        return False
    plain, chunked = (_seconds(model, LossOptions(config.label_smoothing, on), uses_bf16) for on in (False, True))
    # The main process decides for all: the others may have measured something else.
    decision = [chunked <= plain * _TOLERANCE]
    broadcast_object_list(decision)
    word = "chunked" if decision[0] else "plain"
    logger.info("loss: %s; a micro-batch took %.1f ms plain, %.1f ms chunked", word, 1e3 * plain, 1e3 * chunked)
    return decision[0]


def _seconds(model: nn.Module, options: LossOptions, uses_bf16: bool) -> float:
    """Duration of the fastest of several forward and backward passes."""
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
    # Kernels run asynchronously; without this only their launch would be timed.
    if device.type == "cuda":
        torch.cuda.synchronize(device)
