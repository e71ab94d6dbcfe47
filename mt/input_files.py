"""Checks of the files that users name, before they are opened: only regular files, and of a plausible size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mt.errors import DataError, UserError
from mt.files import printable


def is_file(path: Path | str) -> bool:
    """Whether `path` is a regular file; False for what cannot be a path at all, such as text with a NUL character."""
    return stat.S_ISREG(_mode(path))


def is_directory(path: Path | str) -> bool:
    """Whether `path` is a directory; False for what cannot be a path at all."""
    return stat.S_ISDIR(_mode(path))


def is_pipe(path: Path | str) -> bool:
    """Whether `path` is a pipe or a character device, such as /dev/stdin: what can be read once, from the beginning."""
    mode = _mode(path)
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _mode(path: Path | str) -> int:
    try:
        # `Path("")` would be the current directory.
        return os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return 0


def fault_of_file(path: Path) -> str | None:
    """Why `path` cannot be read as a file, such as "does not exist"; None if it can, as far as can be told.

    Pipes, sockets and devices are refused: reading one may wait or never end.
    """
    try:
        str(path).encode()
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except ValueError:
        return "is not a usable path (it contains a NUL character or is not UTF-8; rename it)"
    if stat.S_ISDIR(mode):
        return "is a directory, not a file"
    if not stat.S_ISREG(mode):
        return "is a pipe, socket or device, not a file"
    return None if os.access(path, os.R_OK) else "cannot be read (Permission denied)"


def fault_in_directory(path: Path) -> str | None:
    """The first file in a directory, at any depth, that cannot be read, and why; None if all can."""
    for file in path.rglob("*"):
        fault = None if is_directory(file) else fault_of_file(file)
        if fault is not None:
            return f"{printable(file)} {fault}"
    return None


def read_small(path: Path, what: str, limit: int, error_type: type[UserError] = DataError) -> str:
    """The text of a UTF-8 file of at most `limit` bytes, without a leading BOM. Raises `error_type` for other files.

    what: what the file should be, for the message, such as "config".
    """
    fault = fault_of_file(path)
    if fault is not None:
        raise error_type(f"{printable(path)}: the {what} {fault} (seen from {printable(Path.cwd())})")
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise error_type(f"{printable(path)}: the {what} cannot be read ({error.strerror})") from error
    if len(content) > limit:
        raise error_type(f"{path}: is longer than {limit} bytes, too long for a {what}; is it another file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise error_type(f"{path}:{line}: byte 0x{byte:02x} is not UTF-8; save the {what} as UTF-8") from error
