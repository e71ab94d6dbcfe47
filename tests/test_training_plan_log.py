"""The line of the log that says what a training will do."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from mt.config import Config, TrainingConfig
from mt.experiment.training_preparation import _log_plan


@pytest.mark.parametrize(("updates", "expected"), [(1, "1 update of 2 micro-batches"), (5, "5 updates of 2 micro-b")])
def test_updates_are_counted(updates: int, expected: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    plan = SimpleNamespace(updates=updates, accumulation=2)
    sampler = SimpleNamespace(plan=plan, shapes=(), tokens_per_update=lambda: 612, padding=lambda: 0.04)
    trainer: Any = SimpleNamespace(sampler=sampler)
    _log_plan(Config(training=TrainingConfig(warmup_updates=30)), trainer)
    assert caplog.messages[0].startswith(expected)
    assert caplog.messages[0].endswith(", about 612 target tokens per update; 4 % padding")
