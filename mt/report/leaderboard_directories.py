"""Where runs and evaluations are, which process writes there, since when, and how large they are."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from mt.errors import RunError
from mt.files import printable
from mt.input_files import is_directory, is_file
from mt.outputs import LOCK, MARK, is_marked, read_mark
from mt.runs import EVALUATION, TRAINING_RUN, RunDirectory

_MAX_DEPTH = 8


def find_directories(paths: Sequence[Path]) -> list[Path]:
    """Every run and evaluation at or below `paths`, each once, in the order of their names.

    Raises `RunError` for a path that is no directory, and if there is none at all.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not is_directory(path):
            raise RunError(f"{printable(path)}: no such directory; name folders of runs, or runs")
        for directory in _below(path, _MAX_DEPTH):
            found.setdefault(directory.resolve(), directory)
    if not found:
        raise RunError(f"{', '.join(map(printable, paths))}: no run and no evaluation there")
    return sorted(found.values())


def kind_of(directory: Path) -> str | None:
    """`training run` or `evaluation`; None for any other directory."""
    if RunDirectory(directory).is_run():
        return TRAINING_RUN.name
    if is_marked(directory, EVALUATION.name):
        return EVALUATION.name
    if read_mark(directory):
        return None
    # Versions before the mark, and directories whose mark is damaged.
    names = {name for name in ("scores.json", "manifest.json", "config.yaml", MARK) if is_file(directory / name)}
    if names >= {"config.yaml", "manifest.json"} or names >= {"config.yaml", MARK}:
        return TRAINING_RUN.name
    return EVALUATION.name if "scores.json" in names else None


def _below(directory: Path, depth: int) -> Iterator[Path]:
    kind = kind_of(directory)
    if kind is not None:
        yield directory
    ours = TRAINING_RUN.top_names if kind else frozenset()
    try:
        names = sorted(each.name for each in os.scandir(directory) if each.is_dir(follow_symlinks=depth == _MAX_DEPTH))
    except OSError:
        return
    for name in names if depth else ():
        if name not in ours and not name.startswith("."):
            yield from _below(directory / name, depth - 1)


def is_in_use(directory: Path, user: Mapping[str, Any]) -> bool:
    """Whether the process that the mark names lives on this host and holds the lock.

    The lock alone is tried only then: trying it costs a process that wants it at this moment its turn.
    """
    process = user.get("process")
    if user.get("host") != socket.gethostname() or not isinstance(process, int):
        return False
    try:
        if not psutil.pid_exists(process):
            return False
        lock = os.open(directory / LOCK, os.O_RDONLY)
    except (OSError, OverflowError):
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def begun(directory: Path) -> str:
    """When the latest command began to write there, in ISO 8601, or else when the scores were written; may be empty."""
    since = (read_mark(directory).get("used_by") or {}).get("since")
    if isinstance(since, str):
        return since
    try:
        changed = (directory / "scores.json").stat().st_mtime
    except OSError:
        return ""
    return datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")


def size_of(directory: Path) -> int:
    """Bytes of all files below a directory; links are not followed, and what vanishes meanwhile is not counted."""
    total = 0
    waiting = [directory]
    while waiting:
        try:
            inside = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        waiting += [Path(each.path) for each in inside if each.is_dir(follow_symlinks=False)]
        total += sum(_size_of_file(each) for each in inside if not each.is_dir(follow_symlinks=False))
    return total


def _size_of_file(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
