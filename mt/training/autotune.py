"""Settings measured before training (micro-batch size, loss) and kept for resuming."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from mt.config import TrainingConfig
from mt.errors import RunError
from mt.models.families import family_of_model
from mt.processes import process_state
from mt.training.chunked_loss import has_fused_kernel
from mt.training.loss import LossOptions
from mt.training.memory import find_micro_batch

logger = logging.getLogger(__name__)

MANIFEST_KEY = "tuned_settings"
_EARLIER_MANIFEST_KEY = "footing"


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
    switches = (is_chunked, values.get("fixed_shapes", False))
    if type(tokens) is not int or tokens < 1 or any(type(switch) is not bool for switch in switches):
        raise RunError(
            f"the manifest's {MANIFEST_KEY} must hold micro_batch_tokens and chunked_loss, and fixed_shapes can only "
            f"be true or false, not {found!r:.80}; restore manifest.json, or start again with --overwrite"
        )
    return TunedSettings(tokens, *map(bool, switches))


def tune(model: nn.Module, config: TrainingConfig, *, uses_bf16: bool) -> TunedSettings:
    """What `config` sets and, where it leaves the choice, what is measured now on the model's device."""
    device = next(model.parameters()).device.type
    is_chunked = _is_chunked(config, device)
    options = LossOptions(config.label_smoothing, is_chunked)
    # This process gets its share of the update's target tokens. Padded tokens of the longer side, which micro-batches
    # are counted in, come to less than twice that; those of a prompt with its target to a few times as many.
    times = 4 if family_of_model(model).is_prompted else 2
    limit = max(1, times * config.tokens_per_update // process_state().num_processes)
    tokens = config.micro_batch_tokens or find_micro_batch(
        model, options, limit, uses_bf16=uses_bf16, uses_fp16=config.precision == "fp16"
    )
    return TunedSettings(tokens, is_chunked, fixed_shapes=device == "cuda")


def _is_chunked(config: TrainingConfig, device: str) -> bool:
    if config.loss != "auto":
        return config.loss == "chunked"
    reasons = {
        "without Triton the chunked one is slower on a GPU": device == "cuda" and not has_fused_kernel(device),
        "in fp16 the gradients of the chunked one underflow": config.precision == "fp16",
    }
    reason = next((reason for reason, holds in reasons.items() if holds), None)
    logger.info("loss: %s", "chunked" if reason is None else f"plain ({reason})")
    return reason is None
