"""The same result: what a run that was stopped, damaged or disturbed must end with."""

from __future__ import annotations

import json
from pathlib import Path

from faults.box import Box, Wrong, must, succeeded
from faults.command import Outcome
from faults.trees import snapshot

_NOTHING_THERE = ("no run to resume", "leave out --resume")


def go_on(box: Box, *options: str, config: str = "small.yaml") -> Outcome:
    """Go on with the run as its own sentences say: by --resume, or anew where it had not begun. Must succeed."""
    outcome = box.train("--resume", *options, config=config)
    has_begun = (box.out / "config.yaml").is_file()
    if outcome.status == 1 and (not has_begun or any(words in outcome.stderr for words in _NOTHING_THERE)):
        outcome = box.train(*options, config=config)
    return succeeded(outcome)


def ends_the_same(box: Box, run: str = "finished") -> None:
    """Raise `Wrong` unless `out` holds the same weights, scores, translations and metrics as the undisturbed run."""
    whole = box.stock / "runs" / run
    for name in ("model/model.safetensors", "scores.json", "metrics.jsonl"):
        same_file(whole / name, box.out / name)
    if snapshot(whole / "translations") != snapshot(box.out / "translations"):
        raise Wrong("the run ended with other translations")
    if left := [path for path in snapshot(box.out) if "unfinished" in path or path.endswith(".tmp")]:
        raise Wrong(f"{left[0]} was left behind")


def same_file(whole: Path, ours: Path) -> None:
    """Raise `Wrong` unless two files hold the same bytes."""
    if not ours.is_file():
        raise Wrong(f"the run ended without {ours.name}")
    if whole.read_bytes() != ours.read_bytes():
        raise Wrong(f"the run ended with another {ours.name}")


def ends_the_same_or_is_refused(box: Box, outcome: Outcome, run: str = "finished") -> None:
    """One clear sentence, which the harness has judged, or the same result: both are right."""
    if outcome.status == 0:
        ends_the_same(box, run)


def manifest(box: Box, at: str = "out") -> dict[str, object]:
    """The manifest of a run in the sandbox."""
    content = json.loads((box.work / at / "manifest.json").read_text(encoding="utf-8"))
    must(isinstance(content, dict), "the manifest is no object")
    return dict(content)
