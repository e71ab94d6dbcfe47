"""When training ends early: on a signal from the scheduler, and when the dev score no longer improves."""

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
from mt.errors import Stopped
from mt.processes import process_state
from mt.training.delayed_number import DelayedNumber
from mt.training.dev_evaluation import dev_scores_by_update


class StopOnSignal(TrainerCallback):
    """On SIGTERM (Slurm at the end of the time limit, a spot machine), saves after the update and raises `Stopped`.

    With several processes all stop after the same update, even if the signal reaches only one of them.
    """

    def __init__(self) -> None:
        self.has_signal = False
        self.has_stopped = False
        self._earlier_handler: Any = None
        self._signals = DelayedNumber()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._earlier_handler = signal.signal(signal.SIGTERM, self._note_signal)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._has_any_signal(args.device):
            control.should_save = control.should_training_stop = self.has_stopped = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        signal.signal(signal.SIGTERM, self._earlier_handler)
        # By now the checkpoint is on disk. A signal during the last update changes nothing: training is over.
        if self.has_stopped and state.global_step < state.max_steps:
            raise Stopped(
                f"stopped by SIGTERM after update {state.global_step} of {state.max_steps}, and saved; "
                "go on with --resume"
            )

    def _note_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self.has_signal = True

    def _has_any_signal(self, device: torch.device) -> bool:
        if process_state().num_processes == 1:
            return self.has_signal
        signals = torch.tensor(float(self.has_signal), device=device)
        torch.distributed.all_reduce(signals)
        # On a GPU a signal counts an update later, which spares each update a wait.
        return bool(self._signals.exchange(signals))


class Patience(TrainerCallback):
    """Ends training after `patience` evaluations in a row that brought no new best score.

    Counted from the log, which checkpoints keep: a resumed run stops where it would have stopped.
    """

    def __init__(self, dev_scores_by_update: Callable[[], Mapping[int, float]], patience: int) -> None:
        self._dev_scores_by_update, self._patience = dev_scores_by_update, patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if evaluations_since_best(self._dev_scores_by_update()) >= self._patience:
            control.should_training_stop = True


def best_update(dev_scores: Mapping[int, float]) -> int:
    """The update with the best dev score; of several equally good ones the earliest."""
    return max(dev_scores, key=lambda update: (dev_scores[update], -update))


def evaluations_since_best(dev_scores: Mapping[int, float]) -> int:
    """The number of evaluations after the best one. dev_scores: by update, higher is better."""
    return sum(update > best_update(dev_scores) for update in dev_scores) if dev_scores else 0


def state_if_ended(checkpoint: Path, training: TrainingConfig) -> TrainerState | None:
    """The state in a checkpoint at which `Patience` ended the training; None if training is to go on from there."""
    state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
    dev_scores = dev_scores_by_update(state.log_history, training.best_metric)
    has_patience = training.patience is None or evaluations_since_best(dev_scores) < training.patience
    return None if has_patience else state
