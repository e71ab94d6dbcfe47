"""Sweeps: what is tried, how trials compare, what a mistake says."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from mt.commands.sweep import parse_sweep
from mt.config import Config
from mt.config.config_files import config_as_yaml
from mt.errors import ConfigError, ModelError, RunError, UsageError
from mt.experiment import run as experiment
from mt.experiment.sweep import SearchRange, Sweep, run_sweep
from mt.report.sweep_table import as_table, group_table
from mt.runs import claim_run
from tests.conftest import ROOT
from tests.helpers import only_line
from tests.helpers import run as run_command

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
        (["--search", "name=1:2"], UsageError, "name names the trials' directories"),
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

    def run(config: Config, *, resume: bool) -> None:
        training = config.training
        ran.append((training.epochs, training.label_smoothing))
        if training.epochs > 3:
            raise ModelError("the loss became nan")
        metrics = {"eval_chrF": 10 * training.epochs - training.label_smoothing, "eval_BLEU": 1.0, "eval_loss": 2.0}
        with claim_run(Path(str(config.output_dir)), {}) as run:
            run.begin(config_as_yaml(config))
            run.manifest.write_text(json.dumps({"dev_metrics": metrics}), encoding="utf-8")

    monkeypatch.setattr(experiment, "run_experiment", run)
    return ran


def command(tmp_path: Path, *options: str) -> Sweep:
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
    assert as_table(trials, asked.metric) == "\n".join(lines)
    # Started again, it reads what is done.
    ran.clear()
    assert [trial.metrics for trial in run_sweep(asked)] == [trial.metrics for trial in trials]
    assert ran == [(4, 0), (4, 0.5)]


def test_another_sweep_in_the_same_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_runs(monkeypatch)
    run_sweep(command(tmp_path, "--grid", "training.epochs=2,3"))
    with pytest.raises(RunError, match="trial-000: holds the trial of another sweep; choose another --output_dir"):
        run_sweep(command(tmp_path, "--grid", "training.epochs=1"))


def test_seeds_are_summed_up_by_mean_and_deviation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scores = {("2", "1"): 20.0, ("2", "2"): 22.0, ("2", "3"): 27.0, ("3", "1"): 21.0, ("3", "2"): 25.0, ("3", "3"): 0.0}

    def run(config: Config, *, resume: bool) -> None:
        key = f"{config.training.epochs:g}", str(config.seed)
        if not scores[key]:
            raise ModelError("the loss became nan")
        metrics = {"eval_chrF": scores[key], "eval_BLEU": 1.0, "eval_loss": 2.0}
        with claim_run(Path(str(config.output_dir)), {}) as run:
            run.begin(config_as_yaml(config))
            run.manifest.write_text(json.dumps({"dev_metrics": metrics}), encoding="utf-8")

    monkeypatch.setattr(experiment, "run_experiment", run)
    asked = command(tmp_path, "--grid", "seed=1,2,3", "--grid", "training.epochs=2,3")
    trials = run_sweep(asked)
    # Of 20, 22 and 27 the mean is 23 and the deviations -3, -1 and 4: sqrt(26 / 2) = 3.61. Of 21 and 25: sqrt(8).
    expected = [
        "| training.epochs | seeds | chrF | BLEU | loss |",
        "| --- | --: | --: | --: | --: |",
        "| 2 | 3 | 23.00 ± 3.61 | 1.00 ± 0.00 | 2.00 ± 0.00 |",
        "| 3 | 2 (1 failed) | 23.00 ± 2.83 | 1.00 ± 0.00 | 2.00 ± 0.00 |",
    ]
    assert group_table(trials, asked.metric).splitlines() == expected
    lines = (tmp_path / "sweep" / "sweep.md").read_text(encoding="utf-8").splitlines()
    assert lines[:4] == expected
    assert lines[5] == "| trial | seed | training.epochs | chrF | BLEU | loss |"
    groups = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["groups"]
    assert groups[0]["values"] == {"training.epochs": "2"}
    assert groups[0]["metrics"]["eval_chrF"] == {"mean": 23.0, "deviation": pytest.approx(3.6056, abs=1e-4)}
    assert (groups[1]["seeds"], groups[1]["failed"]) == (2, 1)


def test_no_means_without_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_runs(monkeypatch)
    asked = command(tmp_path, "--grid", "training.epochs=2,3")
    assert group_table(run_sweep(asked), asked) == ""
    assert "groups" not in json.loads((tmp_path / "sweep" / "sweep.json").read_text())


def test_a_sweep_that_is_stopped_says_what_is_done_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ran, fake = fake_runs(monkeypatch), experiment.run_experiment

    def run_until_told(config: Config, *, resume: bool) -> None:
        if len(ran) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        fake(config, resume=resume)

    monkeypatch.setattr(experiment, "run_experiment", run_until_told)
    argv = ["sweep", DEMO, "--grid", "training.epochs=1,2,3", "--output_dir", str(tmp_path / "sweep")]
    assert run_command(monkeypatch, "mt", *argv) == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == (
        f"mt sweep: stopped by SIGTERM; 2 of 3 trials are done, their table is {tmp_path}/sweep/sweep.md; "
        "what the next one has done is kept: go on with --resume"
    )
    lines = (tmp_path / "sweep" / "sweep.md").read_text(encoding="utf-8").splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| trial-001", "| trial-000"]
    assert len(json.loads((tmp_path / "sweep" / "sweep.json").read_text())["trials"]) == 2
    monkeypatch.setattr(experiment, "run_experiment", fake)
    assert run_command(monkeypatch, "mt", *argv, "--resume") == 0
    assert ran == [(1, 0.1), (2, 0.1), (3, 0.1)]
    captured = capsys.readouterr()
    assert "| trial-002 | 3 | 29.90 | 1.00 | 2.00 |" in captured.out
    assert f"best:  {tmp_path}/sweep/trial-002\ntable: {tmp_path}/sweep/sweep.md\n" in captured.out


def test_the_command_prints_every_trial_and_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake_runs(monkeypatch)
    out = tmp_path / "sweep"
    argv = ["sweep", DEMO, "--output_dir", str(out), "--grid"]
    assert run_command(monkeypatch, "mt", *argv, "training.epochs=2,4,3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" |")[0] for line in lines if line.startswith("| trial-")] == [
        "| trial-002",
        "| trial-000",
        "| trial-001",
    ]
    assert "| trial-001 | 4 | failed | failed | failed |" in lines
    assert lines[-2:] == [f"best:  {out}/trial-002", f"table: {out}/sweep.md"]


def test_the_command_fails_if_every_trial_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake_runs(monkeypatch)
    argv = ["sweep", DEMO, "--output_dir", str(tmp_path / "sweep"), "--grid", "training.epochs=4,5"]
    assert run_command(monkeypatch, "mt", *argv) == 1
    assert "| trial-000 | 4 | failed | failed | failed |" in capsys.readouterr().out


def test_the_command_refuses_a_directory_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ran = fake_runs(monkeypatch)
    (tmp_path / "notes.txt").write_text("mine")
    argv = ["sweep", DEMO, "--output_dir", str(tmp_path), "--grid", "training.epochs=1,2"]
    assert run_command(monkeypatch, "mt", *argv) == 1
    assert "holds files that mt did not write, such as 'notes.txt'" in only_line(capsys)
    assert ran == []


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
