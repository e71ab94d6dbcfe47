"""A run that is stopped at any moment goes on and ends as if it had not been."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from transformers import Seq2SeqTrainer

from mt.training import setup, trainer
from mt.training.autotune import tune
from mt.training.trainer import TranslationTrainer
from tests.commands import at_call, die, forked_train, kill_in_update, write_small_config

pytestmark = pytest.mark.slow


# What these do is done in a process of its own, before it trains.


def kill_in_a_checkpoint() -> None:
    Seq2SeqTrainer._save_rng_state = die


def kill_after_a_checkpoint() -> None:
    trainer.rotate = die


def terminate_in_an_update() -> None:
    def terminate() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    TranslationTrainer.check_update = at_call(3, TranslationTrainer.check_update, terminate)  # type: ignore[method-assign]


def fix_shapes() -> None:
    """As on a GPU."""
    setup.tune = lambda *given, **named: replace(tune(*given, **named), fixed_shapes=True)


def fix_shapes_and_kill() -> None:
    fix_shapes()
    kill_in_update(4)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, marian_directory: Path, few_news: Path) -> Path:
    return write_small_config(tmp_path_factory.mktemp("resume"), marian_directory, few_news)


@pytest.fixture(scope="module")
def whole(config: Path) -> bytes:
    """The weights of the run that nothing stopped."""
    run = config.parent / "whole"
    result = forked_train(str(config), "--output_dir", str(run))
    assert result.returncode == 0, result.stderr
    return (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("moment", "checkpoints"),
    [
        (partial(kill_in_update, 4), ["checkpoint-2"]),
        (kill_in_a_checkpoint, []),
        (kill_after_a_checkpoint, ["checkpoint-2"]),
    ],
)
def test_killed_and_resumed(
    moment: Callable[[], None], checkpoints: list[str], config: Path, whole: bytes, tmp_path: Path
):
    run = tmp_path / "run"
    killed = forked_train(str(config), "--output_dir", str(run), prepare=moment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in (run / "checkpoints").glob("checkpoint-*")] == checkpoints
    resumed = forked_train(str(config), "--output_dir", str(run), "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == whole
    assert not (run / "checkpoints" / "unfinished").exists()


def test_sigterm_saves_and_says_so(config: Path, whole: bytes, tmp_path: Path):
    run = tmp_path / "run"
    stopped = forked_train(str(config), "--output_dir", str(run), prepare=terminate_in_an_update)
    assert stopped.returncode == 0, stopped.stderr
    assert "stopped by SIGTERM after update 3 of 6" in stopped.stderr
    assert "go on with --resume" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not (run / "model").exists()
    resumed = forked_train(str(config), "--output_dir", str(run), "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "going on from" in resumed.stderr
    assert "checkpoint-3" in resumed.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == whole


def test_damaged_and_missing_checkpoints(config: Path, whole: bytes, tmp_path: Path):
    run = tmp_path / "run"
    options = [str(config), "--output_dir", str(run)]
    forked_train(*options, prepare=kill_after_a_checkpoint)
    first = run / "checkpoints" / "checkpoint-2"
    # A newer one, damaged on the disk.
    damaged = shutil.copytree(first, run / "checkpoints" / "checkpoint-4")
    os.truncate(damaged / "optimizer.pt", 100)
    resumed = forked_train(*options, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "checkpoint-4: skipped, optimizer.pt is not as it was written" in resumed.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == whole


def test_a_run_of_fixed_shapes_goes_on_with_them(config: Path, whole: bytes, tmp_path: Path):
    undisturbed, run = tmp_path / "undisturbed", tmp_path / "run"
    assert forked_train(str(config), "--output_dir", str(undisturbed), prepare=fix_shapes).returncode == 0
    expected = (undisturbed / "model" / "model.safetensors").read_bytes()
    assert expected != whole
    killed = forked_train(str(config), "--output_dir", str(run), prepare=fix_shapes_and_kill)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # On a CPU a new run has none; the manifest says that this one has.
    resumed = forked_train(str(config), "--output_dir", str(run), "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == expected
    assert json.loads((run / "manifest.json").read_text(encoding="utf-8"))["tuned_settings"]["fixed_shapes"] is True
