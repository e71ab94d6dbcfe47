"""Checkpoints that are intact or not there: written beside, sealed with checksums, renamed."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from transformers.trainer import TRAINER_STATE_NAME

from mt.files import find_damage, put_directory, write_checksums

logger = logging.getLogger(__name__)

UNFINISHED = "unfinished"
"""Where a checkpoint lies while it is written."""

_NAME = re.compile(r"checkpoint-(0|[1-9][0-9]{0,17})")
# The model (whole, in parts, or a LoRA adapter), and what training goes on with.
_REQUIRED = (
    *("model*.safetensors|adapter_model.safetensors", "config.json", "trainer_state.json"),
    *("optimizer*", "scheduler.pt", "rng_state*.pth"),
)


def name_of(update: int) -> str:
    """The directory of the checkpoint after so many updates."""
    return f"checkpoint-{update}"


def update_of(checkpoint: Path) -> int:
    """The number of updates after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def put_checkpoint(finished: Path, checkpoints: Path) -> None:
    """Seal a checkpoint that is complete with checksums and give it its place; a damaged one may lie there."""
    write_checksums(finished)
    put_directory(finished, checkpoints / finished.name)


def find_checkpoint_damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in words, or None if all it must hold is there and as it was written."""
    damage = find_damage(checkpoint, _REQUIRED)
    if damage is None and _updates_in(checkpoint) != update_of(checkpoint):
        return f"it is the state after {_updates_in(checkpoint)} updates"
    return damage


def _updates_in(checkpoint: Path) -> int:
    state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    return int(state["global_step"])


def all_of(checkpoints: Path) -> list[Path]:
    """The checkpoints in a directory, oldest first, damaged ones included."""
    found = [path for path in checkpoints.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=update_of)


def latest_intact(checkpoints: Path) -> Path | None:
    """The latest checkpoint that is intact; a warning names each later one that is not."""
    for checkpoint in reversed(all_of(checkpoints)):
        trouble = find_checkpoint_damage(checkpoint)
        if trouble is None:
            return checkpoint
        logger.warning("%s: passed over, %s", checkpoint, trouble)
    return None


def rotate(checkpoints: Path, keep: int, protected: Iterable[int]) -> None:
    """Remove all but the `keep` newest and those after the updates in `protected`."""
    spared = set(protected)
    for checkpoint in all_of(checkpoints)[:-keep]:
        if update_of(checkpoint) not in spared:
            shutil.rmtree(checkpoint, ignore_errors=True)
