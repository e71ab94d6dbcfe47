"""Damaged files: a run goes on from what is whole, says what is not, and builds on nothing that has changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from faults import edits
from faults.box import Box, must, succeeded
from faults.registry import fault
from faults.same import ends_the_same, ends_the_same_or_is_refused

Edit = Callable[[Path], None]
_FILES = (
    *("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"),
    *("training_args.bin", "config.json", "generation_config.json"),
)
_EDITS: dict[str, Edit] = {"gone": edits.remove, "emptied": edits.empty, "flipped": edits.flip_a_bit}


def checkpoint(box: Box) -> Path:
    """The one checkpoint of a half-finished run."""
    return box.put("half") / "checkpoints" / "checkpoint-2"


@fault({f"{name} {how}": (name, edit) for name in _FILES for how, edit in _EDITS.items()})
def checkpoint_file(box: Box, case: tuple[str, Edit]) -> None:
    name, edit = case
    edit(checkpoint(box) / name)
    succeeded(box.train("--resume"))
    ends_the_same(box)


@fault(["model.safetensors", "optimizer.pt", "trainer_state.json"])
def checkpoint_file_listed_no_more(box: Box, name: str) -> None:
    """Edited, and taken out of the checksums: a checkpoint that lists less than it needs is none."""
    directory = checkpoint(box)
    sums = json.loads((directory / "checksums.json").read_text(encoding="utf-8"))
    sums.pop(name)
    (directory / "checksums.json").write_text(json.dumps(sums), encoding="utf-8")
    edits.flip_a_bit(directory / name)
    succeeded(box.train("--resume"))
    ends_the_same(box)


@fault({"{}": edits.be("{}"), "[]": edits.be("[]"), "null": edits.be("null"), "a number": edits.be("7"),
        "gone": edits.remove,
        "emptied": edits.empty, "no text": edits.be_binary, "numbers for sums": edits.be('{"model.safetensors": 1}'),
        "a path elsewhere": edits.be('{"../../../small.yaml": "00"}'), "deep": edits.be("[" * 100_000)})  # fmt: skip
def checksums(box: Box, edit: Edit) -> None:
    edit(checkpoint(box) / "checksums.json")
    succeeded(box.train("--resume"))
    ends_the_same(box)


def _copy(box: Box, name: str) -> Path:
    directory = checkpoint(box)
    return Path(shutil.copytree(directory, directory.with_name(name)))


def _damage_a_newer_one(box: Box) -> None:
    edits.truncate(_copy(box, "checkpoint-4") / "optimizer.pt")
    box.adopt("out")


_STRANGE: dict[str, Callable[[Box], object]] = {
    "an empty one": lambda box: (checkpoint(box).with_name("checkpoint-4")).mkdir(),
    "a file": lambda box: checkpoint(box).with_name("checkpoint-4").write_text("x", encoding="utf-8"),
    "another name": lambda box: _copy(box, "checkpoint-best"),
    "Arabic digits": lambda box: _copy(box, "checkpoint-٤"),
    "superscript": lambda box: _copy(box, "checkpoint-²"),
    "below zero": lambda box: _copy(box, "checkpoint--4"),
    "damaged and newer": lambda box: _damage_a_newer_one(box),
    "all gone": lambda box: shutil.rmtree(checkpoint(box)),
    "directory gone": lambda box: shutil.rmtree(checkpoint(box).parent),
    "a loop of links": lambda box: checkpoint(box).with_name("checkpoint-4").symlink_to("checkpoint-4"),
}


@fault(_STRANGE)
def strange_checkpoint(box: Box, make: Callable[[Box], object]) -> None:
    make(box)
    outcome = box.train("--resume")
    same = box.out / "model" / "model.safetensors"
    must(
        outcome.status == 1
        or same.read_bytes() == (box.stock / "runs" / "finished" / "model" / "model.safetensors").read_bytes(),
        "other weights",
    )


@fault()
def checkpoint_renamed(box: Box) -> None:
    """The state after two updates, called the state after four, is not taken for it."""
    directory = checkpoint(box)
    directory.rename(directory.with_name("checkpoint-4"))
    box.adopt("out")
    ends_the_same_or_is_refused(box, box.train("--resume"))


def _tear(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:-1]) + lines[-1][:20], encoding="utf-8")


def _tear_in_the_middle(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join([lines[0], lines[1][:15] + "\n", *lines[2:]]), encoding="utf-8")


_METRICS: dict[str, Edit] = {
    "torn at the end": _tear,
    "torn in the middle": _tear_in_the_middle,
    "zeros at the end": lambda file: edits.append_zeros(file),
    "emptied": edits.empty,
    "gone": edits.remove,
    "no text": edits.be_binary,
    "other objects": edits.be('{}\n[]\n"x"\n{"update": "two"}\n'),
}


@fault(_METRICS)
def metrics_of_a_half_run(box: Box, edit: Edit) -> None:
    """The curve may lack what the disk has lost; the model and its scores do not."""
    box.put("half")
    edit(box.out / "metrics.jsonl")
    succeeded(box.train("--resume"))
    ours, whole = (run / "model" / "model.safetensors" for run in (box.out, box.stock / "runs" / "finished"))
    must(ours.read_bytes() == whole.read_bytes(), "the run ended with other weights")
    for line in (box.out / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line)


@fault(_METRICS)
def metrics_of_a_finished_run(box: Box, edit: Edit) -> None:
    box.put("finished", "run")
    edit(box.work / "run" / "metrics.jsonl")
    box.evaluate("run")
