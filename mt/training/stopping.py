"""Stopping in good order: a signal from the scheduler becomes a checkpoint and exit status 0."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mt.processes import process_state


class StopOnSignal(TrainerCallback):
    """On SIGTERM (Slurm at the end of the time limit, a spot machine), save after the update and stop.

    With several processes all stop after the same update, even if the signal reaches only one of them.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self.has_stopped = False
        self._before: Any = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._before = signal.signal(signal.SIGTERM, self._ask)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._is_any_asked(args.device):
            control.should_save = control.should_training_stop = self.has_stopped = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.is_asked = True

    def _is_any_asked(self, device: torch.device) -> bool:
        if process_state().num_processes == 1:
            return self.is_asked
        asked = torch.tensor(float(self.is_asked), device=device)
        torch.distributed.all_reduce(asked)
        return bool(asked.item() > 0)
