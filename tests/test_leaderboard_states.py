"""Runs that are unfinished, damaged, strange or just being written are listed with a word."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mt.report.leaderboard_reading import read_entries
from mt.runs import claim_run
from tests.test_leaderboard import (
    CONFIG,
    MANIFEST,
    make_evaluation,
    make_run,
    score,
    scores_of,
    shown,
)


def test_unfinished_and_damaged_runs_are_listed_with_a_word(tmp_path: Path):
    make_run(tmp_path / "whole")
    half = make_run(tmp_path / "half", None, updates_planned=790)
    (half / "metrics.jsonl").write_text('{"update": 100, "loss": 5.0}\n{"update": 105, "lo')
    for name, file in (("a", "manifest.json"), ("b", "scores.json"), ("c", "config.yaml")):
        (make_run(tmp_path / name) / file).write_text('{"torn": [')
    earlier = make_run(tmp_path / "earlier")
    (earlier / ".mt-output.json").unlink()
    far = make_run(tmp_path / "far", None)
    mark = json.loads((far / ".mt-output.json").read_text())
    mark["used_by"]["host"] = "gpu-7"
    (far / ".mt-output.json").write_text(json.dumps(mark))
    states = {entry.name: entry.state for each in tmp_path.iterdir() for entry in read_entries(each, each.name)}
    assert states == {
        "whole": "finished",
        "tiny-en-ar (base)": "finished",
        "half": "unfinished, update 100 of 790",
        "a": "damaged: manifest.json is not readable",
        "b": "damaged: scores.json is not readable",
        "c": "damaged: config.yaml is not readable",
        "earlier": "finished, earlier version",
        "far": "unfinished, or being written on gpu-7",
    }


def test_a_run_that_is_being_written(tmp_path: Path):
    with claim_run(tmp_path / "a", {}) as made:
        made.begin(CONFIG)
        made.manifest.write_text(json.dumps(MANIFEST))
        assert [entry.state for entry in read_entries(made.root, "a")] == ["being written"]
    # The process lives on, as that of a sweep does, but has let go.
    assert [entry.state for entry in read_entries(made.root, "a")] == ["unfinished"]


STRANGE = [
    *("[]", "null", "7", '"x"', "{}", "[" * 100_000, "\x00", '{"scores": [1]}', '{"scores": {"a": 1}}'),
    '{"scores": [{"system": 1}]}',
    '{"hardware": {"gpus": 5, "cpus": {}}, "versions": {"mt": [1]}, "git_commit": 3, "tokens_seen": {"target": []}}',
    '{"scores": [{"system": "\\ud800", "test_set": "\\u202e", "metric": "chrF", "score": 1}]}',
    '{"started": "\\ud800", "versions": {"mt": "\\ud800"}, "base_model": {"name": "\\ud800"}}',
    '{"scores": [{"system": {}, "test_set": [], "metric": null, "score": 1e999, "sentences": "x"}], "cautions": 5}',
    '{"scores": [{"system": "finetuned", "test_set": "t", "metric": "chrF", "score": 1, "ci_low": []}]}',
    '{"scores": [{"system": "finetuned", "test_set": "t", "metric": "chrF", "score": NaN}], "test_set_sha256": 3}',
    '{"started": 5, "wall_seconds": "x", "base_model": 7, "splits": [], "inputs": 3, "versions": 1, "hardware": []}',
    '{"base_model": {"identity": 3, "name": 4}, "splits": {"test": {"sha256": {}}}, "tuned_share": "a"}',
    '{"inputs": {"news.tsv": 1}, "tokens_seen": 4, "splits": {"test": 5}, "updates_planned": "x"}',
    '{"training": {"epochs": .inf, "learning_rate": .nan}, "seed": 1.0e300}',
    '{"data": 5, "adaptation": {"lora": 3, "freeze": 7, "average": "x"}, "model": [], "decoding": null}',
    '{"data": {"corpora": {"a": 5, "b": null}}, "training": {"general_dev": 3}, "new": {"deep": {"er": [{}]}}}',
    '{"kind": "training run", "files": [], "used_by": {"host": 5, "process": "x", "since": []}}',
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("file", ["scores.json", "manifest.json", "config.yaml", ".mt-output.json", "data_report.json"])
def test_no_content_is_too_strange(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    make_run(tmp_path / "good")
    for number, text in enumerate(STRANGE):
        (make_run(tmp_path / f"run{number}") / file).write_text(text)
        (make_evaluation(tmp_path / f"evaluation{number}", scores_of(score("a", 1.0))) / file).write_text(text)
        for style in ("text", "json"):
            shown(monkeypatch, capsys, str(tmp_path / "good"), str(tmp_path / f"run{number}"), "--format", style)
    for style in ("text", "markdown", "csv", "json"):
        assert "good" in shown(monkeypatch, capsys, str(tmp_path), "--format", style, "--metric", "chrF")


def test_directories_are_found_once_and_others_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    make_run(tmp_path / "sweep" / "trial-1", 41.0)
    make_run(tmp_path / "a")
    (tmp_path / "a" / "model" / "b").mkdir(parents=True)
    (tmp_path / "latest").symlink_to(tmp_path / "a")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "notes").mkdir()
    found = json.loads(shown(monkeypatch, capsys, str(tmp_path), str(tmp_path / "a"), "--format", "json"))
    names = [Path(row["name"]).name for row in found["rows"] if row["kind"] == "training run"]
    assert sorted(names) == ["a", "trial-1"]


def test_a_name_that_is_not_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"caf\xe9")
    for number, folder in enumerate((name, "b", "c")):
        make_run(tmp_path / folder, splits={"test": {"pairs": 1, "sha256": f"{number}" * 64}})
    for style in ("text", "markdown", "csv", "json"):
        text = shown(monkeypatch, capsys, str(tmp_path), "--format", style, "--output", "page.html", "--overwrite")
        assert "caf\\" in text
        assert "udce9" not in text
