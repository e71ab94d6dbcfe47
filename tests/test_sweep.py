"""Sweeps: what is tried, how trials compare, what a mistake says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mt import sweep
from mt.arguments import SearchRange, SweepCommand, TrainCommand, UsageError, config_as_yaml, parse_sweep
from mt.errors import ConfigError, ModelError, RunError
from mt.runs import claim_run
from mt.sweep import as_table, run_sweep
from tests.conftest import ROOT

DEMO = str(ROOT / "configs" / "demo.yaml")


def test_ranges():
    assert SearchRange.parse("1e-5:1e-3:log") == SearchRange(1e-5, 1e-3, True, False)
    assert SearchRange.parse("2:8") == SearchRange(2, 8, False, True)
    for text in ("5", "3:2", "0:1:log", "a:b", "1:2:linear"):
        with pytest.raises(UsageError, match=f"--search takes KEY=LOW:HIGH.*got {text}"):
            SearchRange.parse(text)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ([], UsageError, "say either --grid or --search"),
        (["--grid", "training.lr=1"], UsageError, "training.lr"),
        (["--grid", "output_dir=a,b"], UsageError, "output_dir names the trials' directories"),
        (["--grid", "training.epochs"], UsageError, "expected KEY=VALUES"),
        (["--grid", "training.epochs=3,none"], ConfigError, "training.epochs"),
        (["--grid", "training.epochs=3,-1"], ConfigError, "training.epochs must be greater than 0, got -1.0"),
        (["--search", "training.epochs=-1:3"], ConfigError, "training.epochs must be greater than 0"),
        (["--search", "training.epochs=1:3", "--trials", "0"], UsageError, "--trials must be at least 1"),
    ],
)
def test_mistakes_are_told_before_the_first_run(options: list[str], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        parse_sweep([DEMO, *options], "mt sweep")


def fake_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """`run_experiment` that scores 10 × epochs, less for smoothing, and fails above 3 epochs."""
    ran = []

    def run(command: TrainCommand) -> None:
        training = command.config.training
        ran.append((training.epochs, training.label_smoothing))
        if training.epochs > 3:
            raise ModelError("the loss became nan")
        metrics = {"eval_chrF": 10 * training.epochs - training.label_smoothing, "eval_BLEU": 1.0, "eval_loss": 2.0}
        with claim_run(Path(str(command.config.output_dir)), {}) as run:
            run.begin(config_as_yaml(command.config))
            run.manifest.write_text(json.dumps({"dev_metrics": metrics}), encoding="utf-8")

    monkeypatch.setattr(sweep, "run_experiment", run)
    return ran


def command(tmp_path: Path, *options: str) -> SweepCommand:
    return parse_sweep([DEMO, *options, "--output_dir", str(tmp_path / "sweep")], "mt sweep")


def test_a_grid_tries_every_combination_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran = fake_runs(monkeypatch)
    asked = command(tmp_path, "--grid", "training.epochs=2,3,4", "--grid", "training.label_smoothing=0,0.5")
    trials = run_sweep(asked)
    assert ran == [(2, 0), (2, 0.5), (3, 0), (3, 0.5), (4, 0), (4, 0.5)]
    assert [trial.directory.name for trial in trials[:2]] == ["trial-002", "trial-003"]
    assert trials[-1].failure == "the loss became nan"
    lines = (tmp_path / "sweep" / "sweep.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "| trial | training.epochs | training.label_smoothing | chrF | BLEU | loss |"
    assert lines[2] == "| trial-002 | 3 | 0 | 30.00 | 1.00 | 2.00 |"
    assert lines[-1] == "| trial-005 | 4 | 0.5 | failed | failed | failed |"
    assert as_table(trials, asked) == "\n".join(lines)
    # Started again, it reads what is done.
    ran.clear()
    assert [trial.metrics for trial in run_sweep(asked)] == [trial.metrics for trial in trials]
    assert ran == [(4, 0), (4, 0.5)]


def test_another_sweep_in_the_same_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_runs(monkeypatch)
    run_sweep(command(tmp_path, "--grid", "training.epochs=2,3"))
    with pytest.raises(RunError, match="trial-000: holds the trial of another sweep; choose another --output_dir"):
        run_sweep(command(tmp_path, "--grid", "training.epochs=1"))


def test_a_search_is_repeatable_and_finds_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("optuna")
    ran = fake_runs(monkeypatch)
    options = ["--search", "training.epochs=0.1:3", "--search", "training.label_smoothing=0.01:0.9:log"]
    best = run_sweep(command(tmp_path / "a", *options, "--trials", "12"))[0]
    assert len(ran) == 12
    assert all(0.1 <= epochs <= 3 and 0.01 <= smoothing <= 0.9 for epochs, smoothing in ran)
    assert best.metrics["eval_chrF"] == max(10 * epochs - smoothing for epochs, smoothing in ran)
    again, ran[:] = ran[:], []
    run_sweep(command(tmp_path / "b", *options, "--trials", "12"))
    assert ran == again


def test_values(tmp_path: Path):
    values: Mapping[str, str] = {"training.epochs": "7", "adaptation.lora.rank": "4"}
    config = command(tmp_path, "--grid", "training.epochs=1").config(values)
    assert config.training.epochs == 7
    assert config.adaptation.lora is not None
    assert config.adaptation.lora.rank == 4
