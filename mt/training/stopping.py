"""Stopping in good order: on a signal from the scheduler, and when nothing gets better."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from mt.config import TrainingConfig
from mt.processes import process_state
from mt.training.adaptation import better_is_more


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


class Patience(TrainerCallback):
    """Ends training after `patience` evaluations without a better one.

    Counted from the log, which checkpoints keep: a resumed run stops where it would have stopped.
    """

    def __init__(self, dev_scores: Callable[[], Mapping[int, float]], patience: int) -> None:
        self._looks, self._patience = dev_scores, patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if evaluations_since_best(self._looks()) >= self._patience:
            control.should_training_stop = True


def best_update(dev_scores: Mapping[int, float]) -> int:
    """The update after which the model was best on the dev split; of equally good ones the earliest."""
    return max(dev_scores, key=lambda update: (dev_scores[update], -update))


def evaluations_since_best(dev_scores: Mapping[int, float]) -> int:
    """How many evaluations have come since the best one. dev_scores: by update, more being better."""
    return sum(update > best_update(dev_scores) for update in dev_scores) if dev_scores else 0


def state_of_end(checkpoint: Path, training: TrainingConfig) -> TrainerState | None:
    """The state at a checkpoint if training had ended there for want of anything better; None if it is to go on."""
    state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
    dev_scores = better_is_more(state.log_history, training.best_metric)
    has_patience = training.patience is None or evaluations_since_best(dev_scores) < training.patience
    return None if has_patience else state
