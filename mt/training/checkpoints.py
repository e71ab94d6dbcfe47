"""Checkpoints that are whole or not there: written beside, sealed with checksums, renamed."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import xxhash

logger = logging.getLogger(__name__)

UNFINISHED = "unfinished"
"""Where a checkpoint lies while it is written."""

_CHECKSUMS = "checksums.json"


def name_of(update: int) -> str:
    """The directory of the checkpoint after so many updates."""
    return f"checkpoint-{update}"


def update_of(checkpoint: Path) -> int:
    """The number of updates after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def seal(directory: Path) -> None:
    """Note the checksum of every file in `directory`, and have the disk take them, before it is renamed."""
    sums = {
        str(file.relative_to(directory)): _checksum(file) for file in sorted(directory.rglob("*")) if file.is_file()
    }
    for name in sums:
        _sync(directory / name)
    (directory / _CHECKSUMS).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")
    _sync(directory / _CHECKSUMS)


def damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in words, or None if every file is as it was written."""
    try:
        sums = json.loads((checkpoint / _CHECKSUMS).read_text(encoding="utf-8"))
        for name, expected in sums.items():
            if _checksum(checkpoint / name) != expected:
                return f"{name} is not as it was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, AttributeError) as error:
        return f"it cannot be read ({error})"
    return None


def all_of(checkpoints: Path) -> list[Path]:
    """The checkpoints in a directory, oldest first, damaged ones included."""
    found = [path for path in checkpoints.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    return sorted(found, key=update_of)


def newest_whole(checkpoints: Path) -> Path | None:
    """The newest checkpoint that is whole; a warning names each newer one that is not."""
    for checkpoint in reversed(all_of(checkpoints)):
        trouble = damage(checkpoint)
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


def _checksum(file: Path) -> str:
    digest = xxhash.xxh3_128()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
