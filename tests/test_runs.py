"""The run directory: who may write where, and what a run is made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mt.errors import RunError
from mt.files import sha256_of, write_json, write_lines
from mt.manifest import Manifest, read_manifest
from mt.runs import RunDirectory, claim_run, read_metrics


def claimed(root: Path, config: str, **options: bool) -> RunDirectory:
    """The directory, claimed and let go again."""
    with claim_run(root, {}, **options) as run:
        if not options.get("resume"):
            run.begin(config)
        return run


def worked(root: Path, config: str = "name: a\n") -> RunDirectory:
    """A run that came as far as its first line of metrics."""
    run = claimed(root, config)
    run.metrics.write_text('{"update": 0, "eval_loss": 1.0}\n')
    return run


def test_a_new_run_and_its_config(tmp_path: Path):
    run = claimed(tmp_path / "runs" / "a", "name: a\n")
    assert run.config.read_text() == "name: a\n"
    assert run.is_run()
    assert not run.has_work()


def test_a_taken_directory_is_refused(tmp_path: Path):
    claimed(tmp_path / "a", "name: a\n")
    claimed(tmp_path / "a", "name: b\n")  # it failed before it had anything to lose
    worked(tmp_path / "a")
    with pytest.raises(RunError, match="earlier training run; continue it with --resume, replace it with --overwrite"):
        claimed(tmp_path / "a", "name: a\n")
    claimed(tmp_path / "a", "name: a\n", overwrite=True)
    assert not (tmp_path / "a" / "metrics.jsonl").exists()


def test_a_config_alone_makes_no_run(tmp_path: Path):
    for name, text in (("config.yaml", "model: mine\n"), ("data/corpus.tsv", "mine"), ("model/weights.bin", "mine")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert not RunDirectory(tmp_path).is_run()
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(RunError, match=r"files that mt did not write, such as 'config\.yaml'|no run to resume"):
            claimed(tmp_path, "name: a\n", **options)
    assert (tmp_path / "config.yaml").read_text() == "model: mine\n"
    assert (tmp_path / "data" / "corpus.tsv").read_text() == "mine"


def test_resume_needs_a_run(tmp_path: Path):
    with pytest.raises(RunError, match="no run to resume here"):
        claimed(tmp_path / "a", "name: a\n", resume=True)
    claimed(tmp_path / "a", "name: a\nseed: 1\n")
    claimed(tmp_path / "a", "name: a\nseed: 1\n", resume=True)


@pytest.fixture
def earlier(tmp_path: Path) -> RunDirectory:
    """A run of a version that left no mark."""
    run = RunDirectory(tmp_path / "old")
    for name, text in (("config.yaml", "name: a\n"), ("data/train/a.arrow", "x"), ("model/config.json", "{}")):
        (run.root / name).parent.mkdir(parents=True, exist_ok=True)
        (run.root / name).write_text(text)
    run.manifest.write_text('{"versions": {"mt": "0.1.0"}}')
    return run


def test_a_run_of_an_earlier_version_goes_on_and_is_not_overwritten(earlier: RunDirectory):
    assert earlier.is_run()
    for overwrite, remedy in ((False, "continue it with --resume"), (True, "remove it yourself")):
        with pytest.raises(RunError, match=f"holds a run of an earlier version; {remedy}"):
            claimed(earlier.root, "name: a\n", overwrite=overwrite)
    claimed(earlier.root, "name: a\n", resume=True)
    assert (earlier.data / "train" / "a.arrow").read_text() == "x"
    claimed(earlier.root, "name: a\n", resume=True)


def test_a_line_per_sentence(tmp_path: Path):
    write_lines(tmp_path / "x.txt", ["one", "two\nlines", "", "a\u2028b"])
    assert (tmp_path / "x.txt").read_text(encoding="utf-8") == "one\ntwo lines\n\na b\n"


def made_from(**inputs: str) -> dict[str, Any]:
    return {"inputs": dict(inputs), "base_model": {"name": "base", "identity": {"model.safetensors": "1"}}}


def test_manifest_names_versions_and_inputs(tmp_path: Path):
    (tmp_path / "in.txt").write_bytes(b"abc")
    # SHA-256 of "abc", from FIPS 180-2, appendix B.1.
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "in.txt") == abc
    facts = Manifest.begin(tmp_path / "manifest.json", "demo", 5, made_from(a=abc)).facts
    assert (facts["name"], facts["seed"], facts["inputs"]) == ("demo", 5, {"a": abc})
    assert {"torch", "transformers", "sacrebleu", "python"} <= set(facts["versions"])
    assert json.loads((tmp_path / "manifest.json").read_text()) == facts


def test_a_resumed_manifest_keeps_its_beginning_and_adds_up(tmp_path: Path):
    file = tmp_path / "manifest.json"
    Manifest.begin(file, "demo", 5, made_from(a="1")).update(footing={"micro_batch_tokens": 7})
    past = json.loads(file.read_text())
    past |= {"started": "2026-01-01T00:00:00+00:00", "git_commit": "abc", "wall_seconds": 100.0}
    past["starts"][0]["seconds"] = 100.0
    write_json(file, past)
    facts = Manifest.go_on(file, made_from(a="1")).facts
    assert (facts["started"], facts["git_commit"]) == ("2026-01-01T00:00:00+00:00", "abc")
    assert facts["footing"] == {"micro_batch_tokens": 7}
    assert [start["seconds"] >= 0 for start in facts["starts"]] == [True, True]
    assert 100 <= facts["wall_seconds"] < 110


def test_a_manifest_of_an_earlier_version_adds_up(tmp_path: Path):
    file = tmp_path / "manifest.json"
    write_json(file, {"started": "2026-01-01", "versions": {"mt": "0"}, "wall_seconds": 50.0, "inputs": {"a": "1"}})
    facts = Manifest.go_on(file, made_from(a="1")).facts
    assert facts["started"] == "2026-01-01"
    assert 50 <= facts["wall_seconds"] < 60


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (
            made_from(a="2", b="2"),
            r"^a has changed since the run began on 20.*: put the former files back, or start again",
        ),
        (made_from(a="1"), r"^b is gone since"),
        (made_from(a="9", b="9"), r"^a has changed; b has changed since"),
        (
            made_from(a="1", b="2") | {"base_model": {"name": "base", "identity": {"model.safetensors": "2"}}},
            r"^the base model base has changed since",
        ),
    ],
)
def test_a_run_goes_on_only_from_what_it_began_with(tmp_path: Path, now: dict[str, Any], message: str):
    file = tmp_path / "manifest.json"
    Manifest.begin(file, "demo", 5, made_from(a="1", b="2"))
    before = file.read_bytes()
    with pytest.raises(RunError, match=message):
        Manifest.go_on(file, now)
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"a": 1'])
def test_a_damaged_manifest_is_one_sentence(tmp_path: Path, content: bytes):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(RunError, match=r"manifest\.json: is damaged \(.*\); restore it, or start again with"):
        read_manifest(tmp_path / "manifest.json")


def test_a_missing_manifest_cannot_be_resumed(tmp_path: Path):
    with pytest.raises(RunError, match="is missing, so it cannot be told whether the run began with these inputs"):
        Manifest.go_on(tmp_path / "manifest.json", made_from())


def test_torn_lines_of_metrics_are_left_out(tmp_path: Path):
    run = RunDirectory(tmp_path)
    assert read_metrics(run) == []
    run.metrics.write_bytes(b'{"update": 0, "eval_loss": 1.5}\n{"loss": 2}\n[]\n\xff\n{"update": "x"}\n{"upd')
    assert read_metrics(run) == [{"update": 0, "eval_loss": 1.5}]
