"""Moments in a command's life, told by what it does to files: hooks that count, signal, or spoil there.

Python reports every file that is opened, renamed or removed to audit hooks; so a moment is found again whatever the
functions are called that lead to it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.command import Hook

Act = Callable[[], object]
_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"}

_MAKES = {"open", "os.rename", "os.mkdir"}


def changed_path(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The path that an audit event is about to change, if it changes one; of a renaming, the new one."""
    if event == "open":
        path, mode, flags = arguments
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR)) or any(letter in (mode or "") for letter in "wax+")
        return _as_text(path) if writes else None
    if event not in _CHANGES:
        return None
    return _as_text(arguments[1] if event == "os.rename" else arguments[0])


def _as_text(path: Any) -> str | None:
    return None if isinstance(path, int) or path is None else os.fsdecode(path)


def at_change(index: int, act: Act, root: Path) -> Hook:
    """Act before the change of number `index`, from 0, to anything below `root` or by a relative path."""
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        path = changed_path(event, arguments)
        if path is None or not _is_ours(path, root):
            return
        count += 1
        if count == index + 1:
            act()

    return lambda: sys.addaudithook(watch)


def when_changing(pattern: str, act: Act, nth: int = 1) -> Hook:
    """Act before the `nth` time that a path which a regular expression is found in is made, opened or renamed to."""
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        path = changed_path(event, arguments)
        if path is not None and event in _MAKES and re.search(pattern, path):
            count += 1
            if count == nth:
                act()

    return lambda: sys.addaudithook(watch)


def sending(number: int) -> Act:
    """The process sends itself a signal."""
    return lambda: os.kill(os.getpid(), number)


def counting(file: Path, root: Path) -> Hook:
    """Write a line to `file` for each change below `root`: how many moments there are, and which."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        path = changed_path(event, arguments)
        if path is not None and _is_ours(path, root):
            os.write(descriptor, f"{event} {path}\n".encode("utf-8", "replace"))

    return lambda: sys.addaudithook(watch)


def _is_ours(path: str, root: Path) -> bool:
    return not os.path.isabs(path) or path.startswith(f"{root}/")  # noqa: PTH117
