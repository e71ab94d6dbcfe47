"""A finished or stopped run goes on with other options: what may change, what is refused, what comes out."""

from __future__ import annotations

import json
import logging
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mt.commands.train import parse_train
from mt.config import Config
from mt.config.config_files import config_as_yaml
from mt.errors import RunError
from mt.experiment.extension import Change, find_changes, log_changes, refuse_fewer_updates
from mt.manifest import Manifest
from mt.runs import RunDirectory
from tests.commands import forked_train, kill_in_update, write_small_config
from tests.conftest import run_with

BEFORE = """
data: {corpora: {news: news.tsv}}
training: {epochs: 2, learning_rate: 2e-5}
evaluation: {test_sets: {un: un.tsv}}
"""


def parsed(tmp_path: Path, *options: str) -> Config:
    file = tmp_path / "given.yaml"
    file.write_text(BEFORE, encoding="utf-8")
    return parse_train([str(file), *options], "train.py").config


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(run_with(tmp_path / "run", config_as_yaml(parsed(tmp_path))))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ([], []),
        (["--output_dir", "elsewhere"], []),
        (["--training.epochs", "5"], [("training.epochs", 2.0, 5.0)]),
        (["--training.max_updates", "9"], [("training.max_updates", None, 9)]),
        (["--training.patience", "3"], [("training.patience", None, 3)]),
        (["--training.keep_checkpoints", "4"], [("training.keep_checkpoints", 2, 4)]),
        (["--training.dev_sentences", "50"], [("training.dev_sentences", 200, 50)]),
        (["--training.report_to", "[]"], [("training.report_to", ["tensorboard"], [])]),
        (["--evaluation.test_sets.desk", "desk.tmx"], [("evaluation.test_sets.desk", "nothing", "desk.tmx")]),
        (["--evaluation.test_sets.un", "null"], [("evaluation.test_sets.un", "un.tsv", "nothing")]),
        (["--evaluation.glossary", "terms.tsv"], [("evaluation.glossary", None, "terms.tsv")]),
    ],
)
def test_what_changes_nothing_that_was_done(options: list[str], changes: list[Any], run: RunDirectory, tmp_path: Path):
    assert find_changes(run, parsed(tmp_path, *options)) == changes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--training.learning_rate", "1e-4"], r"training\.learning_rate was 2e-05 and is now 0\.0001, which would"),
        (["--seed", "2"], r"seed was 1 and is now 2"),
        (["--data.corpora.more", "more.tsv"], r"data\.corpora\.more was nothing and is now more\.tsv"),
        (["--data.corpora.news", "other.tsv"], r"data\.corpora\.news\.path was news\.tsv and is now other\.tsv"),
        (["--model.dropout", "0.2"], r"model\.dropout was None and is now 0\.2"),
        (["--decoding.tag", "<n>"], r"decoding\.tag was  and is now <n>"),
        (["--training.best_metric", "loss", "--training.epochs", "5"], r"run: training\.best_metric was chrF and is"),
        (["--adaptation.lora", "{}"], r"adaptation\.lora was None and is now .*rank"),
    ],
)
def test_what_is_refused_with_both_values(options: list[str], message: str, run: RunDirectory, tmp_path: Path):
    with pytest.raises(RunError, match=message) as caught:
        find_changes(run, parsed(tmp_path, *options))
    assert f"--model.name {run.model}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_option_that_the_run_did_not_know_counts_as_its_default(run: RunDirectory, tmp_path: Path):
    lines = [line for line in run.config.read_text().splitlines() if "similarity" not in line]
    run.config.write_text("\n".join(lines), encoding="utf-8")
    assert find_changes(run, parsed(tmp_path)) == []
    with pytest.raises(RunError, match=r"data\.similarity was 0\.6 and is now 0\.7"):
        find_changes(run, parsed(tmp_path, "--data.similarity", "0.7"))


def test_a_damaged_config(run: RunDirectory, tmp_path: Path):
    run.config.write_text("name: [", encoding="utf-8")
    with pytest.raises(RunError, match=r"run/config\.yaml:1: not valid YAML .*; restore the config, or start again"):
        find_changes(run, parsed(tmp_path))


def test_fewer_updates_than_are_done(run: RunDirectory, tmp_path: Path):
    refuse_fewer_updates(run, parsed(tmp_path), updates=6, done=6)
    with pytest.raises(RunError, match=r"6 updates done, and training\.epochs 2 and training\.max_updates 4 make 4"):
        refuse_fewer_updates(run, parsed(tmp_path, "--training.max_updates", "4"), updates=4, done=6)


def test_what_cannot_be_done_any_more_is_said(run: RunDirectory, caplog: pytest.LogCaptureFixture):
    run.data.mkdir()
    with caplog.at_level(logging.INFO):
        log_changes(
            run, [Change("training.dev_sentences", 5, 9), Change("evaluation.test_sets.un", "nothing", "un.tsv")]
        )
    assert "extended: training.dev_sentences was 5 and is now 9" in caplog.text
    assert "earlier dev scores are of another sample" in caplog.text
    assert "evaluation.test_sets.un: was not held out when the splits were made" in caplog.text


def test_a_test_set_that_is_dropped_may_be_gone(tmp_path: Path):
    base: dict[str, Any] = {"name": "base", "identity": "1"}
    file = tmp_path / "manifest.json"
    Manifest.begin(file, "a", 1, {"inputs": {"news.tsv": "1", "un.tsv": "2"}, "base_model": base})
    left = {"inputs": {"news.tsv": "1"}, "base_model": base}
    with pytest.raises(RunError, match=r"un\.tsv is gone"):
        Manifest.go_on(file, left)
    assert Manifest.go_on(file, left, {"un.tsv"}).facts["inputs"] == {"news.tsv": "1"}


def metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, marian_directory: Path, few_news: Path) -> Path:
    return write_small_config(tmp_path_factory.mktemp("extension"), marian_directory, few_news)


@pytest.fixture(scope="module")
def finished(config: Path) -> Path:
    """A run of 6 updates that is done."""
    run = config.parent / "finished"
    result = forked_train(str(config), "--output_dir", str(run), "--training.log_every_updates", "1")
    assert result.returncode == 0, result.stderr
    return run


MORE = ("--training.log_every_updates", "1", "--training.max_updates", "9", "--resume")


@pytest.fixture(scope="module")
def extended(finished: Path, config: Path) -> Path:
    run = shutil.copytree(finished, finished.with_name("extended"))
    result = forked_train(str(config), "--output_dir", str(run), *MORE)
    assert result.returncode == 0, result.stderr
    # Of the linear schedule of 9 updates, 2e-5 at its peak, a third is left after 6; that of 6 had ended at 0.
    assert (
        "the learning rate is now 6.67e-06, as the schedule of 9 updates says after 6; the checkpoint had 0"
        in result.stderr
    )
    assert "checkpoint-6" in result.stderr
    return run


@pytest.mark.slow
def test_an_extension_trains_the_additional_updates(finished: Path, extended: Path):
    before, after = metrics(finished), metrics(extended)
    assert after[: len(before)] == before
    new = after[len(before) :]
    assert [line["update"] for line in new if "loss" in line] == [7, 8, 9]
    assert [line["update"] for line in new if "eval_loss" in line] == [8, 9]
    assert [line["learning_rate"] for line in new if "loss" in line] == pytest.approx([2e-5 / 3, 4e-5 / 9, 2e-5 / 9])
    assert (extended / "checkpoints" / "checkpoint-9").is_dir()


@pytest.mark.slow
def test_an_extension_is_written_down(finished: Path, extended: Path):
    manifest = json.loads((extended / "manifest.json").read_text())
    assert len(manifest["starts"]) == 2
    assert manifest["starts"][1]["extended"] == {"training.max_updates": {"before": 6, "now": 9}}
    assert manifest["updates"] == 9
    assert "max_updates: 9" in (extended / "config.yaml").read_text()
    assert manifest["splits"] == json.loads((finished / "manifest.json").read_text())["splits"]


@pytest.mark.slow
def test_a_killed_extension_loses_nothing(finished: Path, extended: Path, config: Path):
    run = shutil.copytree(finished, finished.with_name("killed"))
    killed = forked_train(str(config), "--output_dir", str(run), *MORE, prepare=partial(kill_in_update, 2))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for file in ("model/model.safetensors", "scores.json", "report.html", "translations/test/finetuned.txt"):
        assert (run / file).read_bytes() == (finished / file).read_bytes()
    resumed = forked_train(str(config), "--output_dir", str(run), *MORE)
    assert resumed.returncode == 0, resumed.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == (extended / "model" / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_fewer_updates_leave_the_run_as_it_was(finished: Path, config: Path):
    before = (finished / "config.yaml").read_bytes()
    fewer = ("--training.log_every_updates", "1", "--training.max_updates", "4", "--resume")
    result = forked_train(str(config), "--output_dir", str(finished), *fewer)
    assert result.returncode == 1
    assert "6 updates done" in result.stderr
    assert (finished / "config.yaml").read_bytes() == before


@pytest.mark.slow
def test_more_patience_after_stopping_early(config: Path):
    run = config.parent / "early"
    options = (str(config), "--output_dir", str(run), "--training.best_metric", "BLEU", "--training.max_updates", "12")
    # Of an untrained model every BLEU is 0: the first evaluation, after update 2, is the best one.
    first = forked_train(*options, "--training.patience", "1")
    assert first.returncode == 0, first.stderr
    assert max(line["update"] for line in metrics(run)) == 4
    same = forked_train(*options, "--training.patience", "1", "--resume")
    assert same.returncode == 0, same.stderr
    assert max(line["update"] for line in metrics(run)) == 4
    more = forked_train(*options, "--training.patience", "3", "--resume")
    assert more.returncode == 0, more.stderr
    assert max(line["update"] for line in metrics(run)) == 8
    extended = json.loads((run / "manifest.json").read_text())["starts"][-1]["extended"]
    assert extended == {"training.patience": {"before": 1, "now": 3}}
