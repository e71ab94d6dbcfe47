"""Stops a training whose loss or gradients are not finite, before an update has ruined the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from accelerate.utils import gather_object
from torch import Tensor

from mt.errors import ModelError
from mt.processes import process_state
from mt.training.delayed_number import DelayedNumber
from mt.wording import counted


class NotFiniteError(ModelError):
    """A loss or a gradient was NaN or infinite, so the update was not made."""

    def __init__(self, what: str, update: int, rows: Sequence[int]) -> None:
        super().__init__(f"{what} at update {update}, in a batch of {counted(len(rows), 'pair')}")
        self.rows = rows
        """The pairs that caused it, as rows of the training split; all of the update if no single batch did."""


class _Update(NamedTuple):
    """An update whose losses and gradients the host does not know to be finite yet."""

    number: int
    losses: list[tuple[Tensor, Tensor]]


class FiniteCheck:
    """Collects the losses of each update, and names the pairs of one that is not finite.

    On a GPU the host reads what an update came to when the next one begins, so that it never waits.
    """

    def __init__(self) -> None:
        self._losses: list[tuple[Tensor, Tensor]] = []
        self._faults, self._unverified = DelayedNumber(), _Update(0, [])

    def add(self, loss: Tensor, rows: Tensor) -> None:
        """A micro-batch of the coming update. loss: summed, float32 (), on the device; rows: int64 (batch,)."""
        self._losses.append((loss, rows))

    def check(self, update: int, gradient_norm: Tensor | None) -> Tensor:
        """Whether the coming update must not be made, in any process: float32 () on the device, 1 or 0.

        Raises `NotFiniteError`, in every process: on a CPU for this update, on a GPU for the one before. gradient_norm:
        float32 (); None if gradients that are not finite are dealt with elsewhere.
        """
        losses, self._losses = self._losses, []
        is_finite = torch.isfinite(torch.stack([loss for loss, _ in losses])).all()
        if gradient_norm is not None:
            is_finite &= torch.isfinite(gradient_norm)
        is_bad = (~is_finite).float()
        if process_state().num_processes > 1:
            torch.distributed.all_reduce(is_bad, torch.distributed.ReduceOp.MAX)
        if is_bad.device.type == "cpu":
            self._unverified = _Update(update, losses)
        self._raise_if(self._faults.exchange(is_bad))
        self._unverified = _Update(update, losses)
        return is_bad

    def verify(self) -> None:
        """Raise `NotFiniteError` if the last update was not made; waits until the device has computed it."""
        self._raise_if(self._faults.wait())

    def _raise_if(self, fault: float | None) -> None:
        if not fault:
            return
        # Together, so that every process names the same pairs, whichever of them had the bad batch.
        batches = gather_object([(loss.item(), rows.tolist()) for loss, rows in self._unverified.losses])
        bad = [(loss, rows) for loss, rows in batches if not math.isfinite(loss)]
        # Rows that only fill up a batch are -1.
        rows = sorted({row for _, batch in bad or batches for row in batch if row >= 0})
        what = f"the loss became {bad[0][0]}" if bad else "a gradient became infinite"
        raise NotFiniteError(what, self._unverified.number, rows)
