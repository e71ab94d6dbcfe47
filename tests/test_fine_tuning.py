"""What a person is told when a training breaks off; the trainer is a fake that does nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset, DatasetDict
from transformers import TrainerControl, TrainerState, TrainingArguments

from mt.config import Config, ModelConfig, ScratchConfig
from mt.errors import ModelError, Stopped
from mt.experiment.fine_tuning import fine_tune
from mt.runs import RunDirectory
from mt.training.finite_check import NotFiniteError
from mt.training.stopping import StopOnSignal


def trainer_that_raises(error: Exception) -> Any:
    def train(resume_from_checkpoint: str | None) -> None:
        raise error

    config = Config(model=ModelConfig(scratch=ScratchConfig()))
    state, settings = SimpleNamespace(global_step=6), SimpleNamespace(micro_batch_tokens=4096)
    return SimpleNamespace(config=config, train=train, state=state, settings=settings)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run with five training pairs."""
    columns = {"source": [f"Town {n} fell." for n in range(5)], "target": [f"سقطت {n}." for n in range(5)]}
    pairs = Dataset.from_dict(columns | {"corpus": ["news"] * 5, "group": list("abcde")})
    DatasetDict(train=pairs, dev=pairs, test=pairs).save_to_disk(str(tmp_path / "data"))
    return RunDirectory(tmp_path)


def test_a_loss_that_is_not_finite_names_its_pairs(run: RunDirectory):
    with pytest.raises(ModelError) as caught:
        fine_tune(run, trainer_that_raises(NotFiniteError("the loss became nan", 7, [4, 0, 1, 3])), resume=False)
    assert str(caught.value) == (
        "the loss became nan at update 7, in a batch of 4 pairs: news: Town 4 fell.; news: Town 0 fell.; "
        f"news: Town 1 fell. (all of them: {run.failed_update}); checkpoints until here are kept: check these pairs, "
        "lower training.learning_rate, raise training.warmup_updates or set training.precision fp32"
    )
    assert run.failed_update.read_text(encoding="utf-8").splitlines() == [
        f"news\tTown {n} fell.\tسقطت {n}." for n in (4, 0, 1, 3)
    ]


def test_too_little_memory_has_a_remedy(run: RunDirectory):
    with pytest.raises(ModelError, match=r"out of memory at update 7; .* set training\.micro_batch_tokens below 4096"):
        fine_tune(run, trainer_that_raises(torch.OutOfMemoryError("CUDA")), resume=False)


@pytest.mark.parametrize(("update", "is_stopped"), [(3, True), (8, False)])
def test_a_signal_stops_the_run_unless_it_was_at_its_end(update: int, is_stopped: bool, tmp_path: Path):
    stop, control = StopOnSignal(), TrainerControl()
    arguments, state = TrainingArguments(str(tmp_path), report_to=[]), TrainerState(max_steps=8, global_step=update)
    stop.on_train_begin(arguments, state, control)
    stop.on_step_end(arguments, state, control)
    assert not control.should_save
    stop.has_signal = True
    stop.on_step_end(arguments, state, control)
    assert control.should_save
    assert control.should_training_stop
    if is_stopped:
        with pytest.raises(Stopped, match=r"^stopped by SIGTERM after update 3 of 8, and saved; go on with --resume$"):
            stop.on_train_end(arguments, state, control)
    else:
        stop.on_train_end(arguments, state, control)
