"""Text files line by line, plain or compressed, and the one sentence for what cannot be read."""

from __future__ import annotations

import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from mt.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".xz": "xz"}
"""Compressions by the ending of a file's name."""

# A file that was never text has no line ends, and would be read into memory whole.
_MAX_LINE_BYTES = 1 << 20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError)


def uncompressed_name(path: Path) -> str:
    """The file's name without the ending of its compression."""
    return path.stem if path.suffix in COMPRESSED else path.name


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, decompressed as they are read. Raises `DataError` for what goes wrong while it is open."""
    opener = {".gz": gzip.open, ".xz": lzma.open, ".zst": zstd.open}.get(path.suffix, open)
    stream = None
    try:
        with opener(path, "rb") as file:  # type: ignore[operator]
            stream = io.BufferedReader(file, 1 << 20)
            yield cast(BinaryIO, stream)
    except _DAMAGED as error:
        kind = COMPRESSED.get(path.suffix, "compressed file")
        raise DataError(f"{path}: damaged or incomplete {kind} ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, text without its line end) of a UTF-8 file; a leading BOM is skipped."""
    number = 0
    with open_stream(path) as stream:
        try:
            for number, line in _decoded(stream, str(path)):
                yield number, line
        except _DAMAGED as error:
            kind = COMPRESSED.get(path.suffix, "compressed file")
            raise DataError(
                f"{path}: damaged or incomplete {kind} after line {number} ({error}); fetch it again"
            ) from error


def read_stdin() -> Iterator[tuple[int, str]]:
    """As `read_lines`, from standard input."""
    return _decoded(sys.stdin.buffer, "standard input")


def _decoded(stream: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    number = 0
    while raw := stream.readline(_MAX_LINE_BYTES):
        number += 1
        yield number, _decode(raw, name, number)


def _decode(raw: bytes, name: str, number: int) -> str:
    if number == 1 and raw.startswith(_UTF16):
        raise DataError(f"{name}:1: byte 0x{raw[0]:02x} at position 1 is not UTF-8 but UTF-16; save the file as UTF-8")
    if b"\0" in raw:
        position = raw.index(b"\0") + 1
        raise DataError(
            f"{name}:{number}: NUL byte at position {position}; the file is damaged, UTF-16 or not text: "
            "save it as UTF-8 text"
        )
    if len(raw) == _MAX_LINE_BYTES:
        raise DataError(f"{name}:{number}: a line of more than {_MAX_LINE_BYTES} bytes; is it a text file?")
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{name}:{number}: byte 0x{byte:02x} at position {error.start + 1} is not UTF-8; save the file as UTF-8"
        ) from error


def shorten(text: str, length: int = 80) -> str:
    """`text` for a message, cut after `length` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."
