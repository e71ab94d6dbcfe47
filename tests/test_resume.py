"""A run that is stopped at any moment goes on and ends as if it had not been."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, STARTER

pytestmark = pytest.mark.slow

# Runs train.py, and kills it with SIGKILL at a moment that the first argument names.
KILLED = """
import os, signal, sys
from transformers import Seq2SeqTrainer
import mt.training.trainer as trainer
from mt.cli import train_main

moment = sys.argv.pop(1)
calls = 0

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_at_fourth(function):
    def counted(*arguments, **options):
        global calls
        calls += 1
        return die() if calls == 4 else function(*arguments, **options)
    return counted

if moment == "in an update":
    trainer.TranslationTrainer.check_update = die_at_fourth(trainer.TranslationTrainer.check_update)
elif moment == "in a checkpoint":
    Seq2SeqTrainer._save_rng_state = die
elif moment == "after a checkpoint":
    trainer.rotate = die
sys.exit(train_main())
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, marian_directory: Path) -> Path:
    directory = tmp_path_factory.mktemp("resume")
    options = {
        "name": "small",
        "data": {"corpora": {"starter": {"path": str(STARTER)}}},
        "model": {"name": str(marian_directory), "skip_doctor": True},
        "training": {"max_updates": 6, "eval_every_updates": 2, "tokens_per_update": 600, "report_to": []},
        "decoding": {"num_beams": 1, "max_length_ratio": 0.5},
        "evaluation": {"resamples": 100},
    }
    path = directory / "small.yaml"
    path.write_text(json.dumps(options), encoding="utf-8")
    return path


def command(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def whole(config: Path) -> bytes:
    """The weights of the run that nothing stopped."""
    run = config.parent / "whole"
    result = command("train.py", str(config), "--output_dir", str(run))
    assert result.returncode == 0, result.stderr
    return (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("moment", "checkpoints"),
    [("in an update", ["checkpoint-2"]), ("in a checkpoint", []), ("after a checkpoint", ["checkpoint-2"])],
)
def test_killed_and_resumed(moment: str, checkpoints: list[str], config: Path, whole: bytes, tmp_path: Path):
    run = tmp_path / "run"
    killed = command("-c", KILLED, moment, str(config), "--output_dir", str(run))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in (run / "checkpoints").glob("checkpoint-*")] == checkpoints
    resumed = command("train.py", str(config), "--output_dir", str(run), "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == whole
    assert not (run / "checkpoints" / "unfinished").exists()


def test_sigterm_saves_and_says_so(config: Path, whole: bytes, tmp_path: Path):
    run = tmp_path / "run"
    options = [str(config), "--output_dir", str(run)]
    process = subprocess.Popen(
        [sys.executable, "train.py", *options, "--training.log_every_updates", "1"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.is_file() and '"update": 1,' in metrics.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "stopped by SIGTERM after update" in errors
    assert "go on with --resume" in errors
    assert "Traceback" not in errors
    assert not (run / "model").exists()
    resumed = command("train.py", *options, "--training.log_every_updates", "1", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == whole


def test_damaged_and_missing_checkpoints(config: Path, whole: bytes, tmp_path: Path):
    run = tmp_path / "run"
    options = [str(config), "--output_dir", str(run)]
    command("-c", KILLED, "after a checkpoint", *options)
    first = run / "checkpoints" / "checkpoint-2"
    # A newer one, damaged on the disk.
    damaged = shutil.copytree(first, run / "checkpoints" / "checkpoint-4")
    os.truncate(damaged / "optimizer.pt", 100)
    resumed = command("train.py", *options, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "checkpoint-4: passed over, optimizer.pt is not as it was written" in resumed.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == whole
