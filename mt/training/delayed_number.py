"""A number that a GPU computes and the host reads later, so that the host never waits for the GPU."""

from __future__ import annotations

import torch
from torch import Tensor


class DelayedNumber:
    """Hands over one number per update; on a GPU each is read when the next one has been handed over.

    On a CPU, where there is nothing to wait for, each number is read at once.
    """

    def __init__(self) -> None:
        self._copied: tuple[Tensor, torch.cuda.Event] | None = None

    def exchange(self, number: Tensor) -> float | None:
        """Start copying `number`, float (), to the host; returns the one before it, None if there is none."""
        if number.device.type != "cuda":
            return float(number)
        before = self.wait()
        held = torch.empty((), pin_memory=True)
        event: torch.cuda.Event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        held.copy_(number, non_blocking=True)
        event.record()
        self._copied = held, event
        return before

    def wait(self) -> float | None:
        """The last number that was handed over and not read yet; waits until the GPU has computed it."""
        if self._copied is None:
            return None
        (held, event), self._copied = self._copied, None
        event.synchronize()
        return float(held)
