"""Small changes to files, as people, disks and editors make them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def flip_a_bit(file: Path) -> None:
    """One bit in the middle, as a failing disk does it; size and time stay."""
    times = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0b100
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def empty(file: Path) -> None:
    """Nothing is left of it, as after a power cut."""
    file.write_bytes(b"")


def truncate(file: Path) -> None:
    """Its second half is gone."""
    os.truncate(file, file.stat().st_size // 2)


def remove(file: Path) -> None:
    """It is gone."""
    file.unlink()


def be_binary(file: Path) -> None:
    """It holds bytes that are no text."""
    file.write_bytes(b"\xff\xfe\x00\x80" * 40)


def be(text: str) -> Callable[[Path], None]:
    """It holds something else that its format allows."""

    def write(file: Path) -> None:
        file.write_text(text, encoding="utf-8")

    return write


def replace_text(old: str, new: str) -> Callable[[Path], None]:
    """Somebody has edited it."""

    def edit(file: Path) -> None:
        content = file.read_bytes()
        assert old.encode() in content, f"{old} is not in {file.name}"
        file.write_bytes(content.replace(old.encode(), new.encode(), 1))

    return edit


def edit_lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Somebody has moved, added or left out lines; the header stays."""

    def edit(file: Path) -> None:
        header, *lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join([header, *change(lines)]), encoding="utf-8")

    return edit


reorder = edit_lines(lambda lines: lines[::-1])
halve = edit_lines(lambda lines: lines[: len(lines) // 2])
add_a_line = edit_lines(lambda lines: [*lines, "A new line.\tسطر جديد.\n"])
change_a_reference = edit_lines(lambda lines: [lines[0].rstrip("\n") + " تغيير\n", *lines[1:]])


def append_zeros(file: Path) -> None:
    """A file system that was cut off has left zeros at its end."""
    file.write_bytes(file.read_bytes() + b"\0" * 100)


def touch(file: Path) -> None:
    """The same bytes, written anew."""
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    os.utime(file, (2_000_000_000, 2_000_000_000))


def same_size_edit(file: Path) -> None:
    """An Arabic letter is another; size and time stay."""
    times = file.stat()
    replace_text("ا", "و")(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
