"""What lies in a directory, and what of it has changed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

Tree = dict[str, str]
"""By path below the root: what kind of thing it is and, in a hash, what it holds."""


def snapshot(root: Path) -> Tree:
    """Everything below `root`; links are not followed."""
    found: Tree = {}
    for directory, directories, files in os.walk(os.fsencode(root)):
        for name in (*directories, *files):
            path = os.path.join(directory, name)  # noqa: PTH118 - bytes, for names that are no text
            found[os.fsdecode(os.path.relpath(path, os.fsencode(root)))] = _describe(path)
    return found


def _describe(path: bytes) -> str:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return f"link to {os.fsdecode(os.readlink(path))}"  # noqa: PTH115
    if stat.S_ISDIR(status.st_mode):
        return "directory"
    if not stat.S_ISREG(status.st_mode):
        return f"special {stat.S_IFMT(status.st_mode):o}"
    with open(path, "rb") as file:  # noqa: PTH123
        return f"file {hashlib.file_digest(file, 'blake2b').hexdigest()[:32]}"


def is_below(path: str, directories: Iterable[str]) -> bool:
    """Whether `path` is one of `directories` or in one."""
    return any(path == directory or path.startswith(directory + "/") for directory in directories)


def changes(before: Mapping[str, str], after: Mapping[str, str], watched: Iterable[str]) -> list[str]:
    """What has gone, changed or appeared among the `watched` paths, in words."""
    found = []
    for path in sorted(watched):
        was, now = before.get(path), after.get(path)
        if was is None and now is not None:
            found.append(f"{path} was written")
        elif now is None and was is not None:
            found.append(f"{path} is gone")
        elif was != now:
            found.append(f"{path} was changed")
    return found
