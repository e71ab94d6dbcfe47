"""Checkpoints that are intact or not there: written to a temporary directory, given checksums, then renamed."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from transformers.trainer import TRAINER_STATE_NAME

from mt.files import find_damage, replace_directory, write_checksums

logger = logging.getLogger(__name__)

UNFINISHED = "unfinished"
"""The directory in which a checkpoint is written before it gets its name."""

_NAME = re.compile(r"checkpoint-(0|[1-9][0-9]{0,17})")
# The model (whole, in shards, or a LoRA adapter), and what training needs to continue.
_REQUIRED = (
    *("model*.safetensors|adapter_model.safetensors", "config.json", "trainer_state.json"),
    *("optimizer*", "scheduler.pt", "rng_state*.pth"),
)


def checkpoint_name(update: int) -> str:
    """The name of the directory with the checkpoint that was saved after `update` updates."""
    return f"checkpoint-{update}"


def update_of(checkpoint: Path) -> int:
    """The number of updates after which a checkpoint was saved."""
    return int(checkpoint.name.rpartition("-")[2])


def put_checkpoint(finished: Path, checkpoints: Path) -> None:
    """Write the checksums of a complete checkpoint and move it to `checkpoints`, over a damaged one of its name."""
    write_checksums(finished)
    replace_directory(finished, checkpoints / finished.name)


def find_checkpoint_damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in words; None if every file it needs is there and unchanged."""
    damage = find_damage(checkpoint, _REQUIRED)
    if damage is None and _updates_in(checkpoint) != update_of(checkpoint):
        return f"it is the state after {_updates_in(checkpoint)} updates"
    return damage


def _updates_in(checkpoint: Path) -> int:
    state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    return int(state["global_step"])


def list_checkpoints(checkpoints: Path) -> list[Path]:
    """The checkpoints in a directory, oldest first, damaged ones included."""
    found = [path for path in checkpoints.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=update_of)


def latest_intact(checkpoints: Path) -> Path | None:
    """The latest checkpoint that is intact; a warning names each later one that is not."""
    for checkpoint in reversed(list_checkpoints(checkpoints)):
        damage = find_checkpoint_damage(checkpoint)
        if damage is None:
            return checkpoint
        logger.warning("%s: skipped, %s", checkpoint, damage)
    return None


def rotate(checkpoints: Path, keep: int, protected: Iterable[int]) -> None:
    """Remove all checkpoints but the `keep` newest and those of the updates in `protected`."""
    spared = set(protected)
    for checkpoint in list_checkpoints(checkpoints)[:-keep]:
        if update_of(checkpoint) not in spared:
            shutil.rmtree(checkpoint, ignore_errors=True)
