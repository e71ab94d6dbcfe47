"""Which of several processes this is. One process is the ordinary case and needs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import PartialState
from torch import nn
from torch.distributed.fsdp import FSDPModule


def uses_cpu() -> bool:
    """Whether there is no accelerator to compute on."""
    return not torch.accelerator.is_available()


def process_state() -> PartialState:
    """Rank and barriers. Without an accelerator, processes must be told to talk over gloo or they run side by side."""
    return PartialState(cpu=uses_cpu())


@contextmanager
def whole_weights(model: nn.Module) -> Iterator[None]:
    """Gather a model that FSDP has spread, once, so that processes may call it as often as each needs to."""
    parts = [module for module in model.modules() if isinstance(module, FSDPModule)]
    for part in parts:
        part.set_reshard_after_forward(False)
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            part.set_reshard_after_forward(True)
            part.reshard()


def is_sharded() -> bool:
    """Whether the launcher asks for FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
