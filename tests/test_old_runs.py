"""Runs that version 0.1.0 made before the code was rearranged: one can still be resumed, the other evaluated.

old_runs/before_rooms.tar.xz holds a base of 10,000 weights and the first 200 pairs of the starter set, and two runs of
`train.py small.yaml`: `runs/half` was killed after its first checkpoint, `runs/whole` ended. Paths in it are relative.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from mt.files import find_damage
from tests.conftest import ROOT
from tests.helpers import run

pytestmark = pytest.mark.slow

ARCHIVE = ROOT / "tests" / "old_runs" / "before_rooms.tar.xz"

SPLITS = {
    "train": {"pairs": 158, "sha256": "7a8581b07f8e2c7a9c147c35c57f35e9bcb2821983b68dd0b91edf0fc22e76f5"},
    "dev": {"pairs": 24, "sha256": "52943444126fd05924b034bffc97b2e4b5d16f1821228532abf39afdea34854a"},
    "test": {"pairs": 10, "sha256": "f788e4a6b6fecb2d8a672dc189694a60e3975f6f8570153ab8febaaf537c5d74"},
}
# What the old code logged of the run that nothing stopped, and scored.
DEV = {0: (3.9160, 0.900), 2: (3.9924, 2.307), 4: (3.9410, 3.249), 6: (3.9402, 3.591)}
SCORES = {
    ("base", "BLEU"): 0.0,
    ("finetuned", "BLEU"): 0.0,
    ("base", "chrF"): 0.5825938872456754,
    ("finetuned", "chrF"): 3.0945349652252854,
    ("base", "chrF++"): 0.43694541543425663,
    ("finetuned", "chrF++"): 2.320901223918964,
    ("base", "TER"): 100.0,
    ("finetuned", "TER"): 100.0,
    ("base", "chrF-norm"): 0.5832211754149843,
    ("finetuned", "chrF-norm"): 3.0977526976614573,
}


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory, which is the current one, with both runs."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hashes(directory: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in directory.iterdir()}


def scores_in(file: Path) -> dict[tuple[str, str], float]:
    return {(entry["system"], entry["metric"]): entry["score"] for entry in json.loads(file.read_text())["scores"]}


def test_the_run_that_was_killed_is_resumed(old: Path, monkeypatch: pytest.MonkeyPatch):
    half = old / "runs" / "half"
    kept = hashes(half / "checkpoints" / "checkpoint-2")
    assert json.loads((half / "manifest.json").read_text())["footing"]["micro_batch_tokens"] == 1200
    assert run(monkeypatch, "train", "small.yaml", "--output_dir", "runs/half", "--resume") == 0
    assert hashes(half / "checkpoints" / "checkpoint-2") == kept
    assert find_damage(half / "checkpoints" / "checkpoint-6") is None
    manifest = json.loads((half / "manifest.json").read_text())
    assert manifest["splits"] == SPLITS
    assert (manifest["updates"], manifest["updates_planned"], len(manifest["starts"])) == (6, 6, 2)
    settings = {"micro_batch_tokens": 1200, "chunked_loss": False, "fixed_shapes": False}
    assert manifest["tuned_settings"] == settings
    lines = [json.loads(line) for line in (half / "metrics.jsonl").read_text().splitlines()]
    logged = {line["update"]: (line["eval_loss"], line["eval_chrF"]) for line in lines}
    assert list(logged) == [0, 2, 4, 6]
    # Updates 4 and 6 were made now, on top of the old checkpoint, and come to what they came to then.
    for update, expected in DEV.items():
        assert logged[update] == pytest.approx(expected, abs=1e-3)
    found = scores_in(half / "scores.json")
    assert {key: found[key] for key in SCORES} == pytest.approx(SCORES, abs=1e-6)


def test_the_run_that_ended_is_evaluated(old: Path, monkeypatch: pytest.MonkeyPatch):
    before = scores_in(old / "runs" / "whole" / "scores.json")
    assert {key: before[key] for key in SCORES} == SCORES
    systems = ("base=./base-model", "finetuned=runs/whole")
    assert run(monkeypatch, "evaluate", *systems, "--output_dir", "again", "--resamples", "100") == 0
    after = scores_in(old / "again" / "scores.json")
    assert after.keys() == before.keys()
    assert {key: after[key] for key in SCORES} == pytest.approx(SCORES, abs=1e-6)
