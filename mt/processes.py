"""Which of several processes this is. One process is the ordinary case and needs nothing."""

from __future__ import annotations

import torch
from accelerate import PartialState


def uses_cpu() -> bool:
    """Whether there is no accelerator to compute on."""
    return not torch.accelerator.is_available()


def process_state() -> PartialState:
    """Rank and barriers. Without an accelerator, processes must be told to talk over gloo or they run side by side."""
    return PartialState(cpu=uses_cpu())
