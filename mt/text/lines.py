"""Text files line by line, plain or compressed, and the one sentence for what cannot be read."""

from __future__ import annotations

import codecs
import gzip
import io
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from mt.errors import DataError
from mt.files import printable
from mt.input_files import fault_of_file

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Item = TypeVar("Item")

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".xz": "xz"}
"""Compressions by the ending of a file's name."""

MAX_LINE_BYTES = 1 << 20
"""A longer line is no sentence pair: a file that was never text has no line ends, and would be read whole."""

# Text and markup shrink to a third up to a twentieth, a corpus of which every line stands there twenty times in a row
# to a thirtieth by gzip and to a fiftieth by the others; one pair over and over to a 104th at least, and to a 900th.
_MAX_RATIOS = {".gz": 70, ".zst": 150, ".xz": 150}
_FREE_BYTES = 32 << 20
_MAX_XZ_MEMORY = 128 << 20
_CHUNK = 1 << 16
_MAX_HEAD_CHARACTERS = 1 << 20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_QUOTED = re.compile(rb'"[^"]*"')
_ARABIC_LETTER = re.compile("[\u0620-\u064a]")
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError)


def uncompressed_name(path: Path) -> str:
    """The file's name without the ending of its compression."""
    return path.stem if compression(path) else path.name


def compression(path: Path) -> str:
    """The ending of a compressed file's name in lower case; empty for any other file."""
    ending = path.suffix.lower()
    return ending if ending in COMPRESSED else ""


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, decompressed as they are read. Raises `DataError` for what goes wrong while it is open.

    That is also what is no regular file, or unfolds to far more than any text does.
    """
    fault = fault_of_file(path)
    if fault is not None:
        raise DataError(f"{printable(path)}: {fault} (seen from {printable(Path.cwd())})")
    opener = {".gz": gzip.open, ".xz": _XzFile, ".zst": zstd.open}.get(compression(path))
    try:
        with path.open("rb", buffering=_CHUNK) as packed:
            if opener is None:
                yield packed
            else:
                with opener(packed) as unpacked:  # type: ignore[operator]
                    yield cast(BinaryIO, io.BufferedReader(_Unpacked(path, packed, unpacked), 1 << 20))
    except _DAMAGED as error:
        kind = COMPRESSED.get(compression(path), "compressed file")
        raise DataError(f"{path}: damaged or incomplete {kind} ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


class _Unpacked(io.RawIOBase):
    """Decompressed bytes, as long as they are not absurdly many for the compressed ones they come from."""

    def __init__(self, path: Path, packed: BinaryIO, unpacked: BinaryIO) -> None:
        self._path, self._packed, self._unpacked = path, packed, unpacked
        self._max_ratio = _MAX_RATIOS[compression(path)]
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._unpacked.read(min(len(buffer), _CHUNK))
        buffer[: len(content)] = content
        self._size += len(content)
        if self._size > max(_FREE_BYTES, self._max_ratio * self._packed.tell()):
            raise DataError(
                f"{self._path}: its first {self._packed.tell()} bytes unfold to more than {self._size}, over "
                f"{self._max_ratio} times as many, which no text does; if the file is what you want, unpack it "
                "yourself and name the plain one"
            )
        return len(content)


class _XzFile(io.RawIOBase):
    """An xz file, decompressed, whose dictionary must not need more memory than that of `xz -9` and some."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._stream = self._new_stream()

    @staticmethod
    def _new_stream() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=_MAX_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while True:
            packed = b""
            if self._stream.eof:
                packed = self._stream.unused_data.lstrip(b"\0") or self._packed.read(_CHUNK).lstrip(b"\0")
                if not packed:
                    return b""
                self._stream = self._new_stream()
            elif self._stream.needs_input:
                packed = self._packed.read(_CHUNK)
                if not packed:
                    raise EOFError("the file ends before its end-of-stream marker")
            content = self._stream.decompress(packed, max_length=size)
            if content:
                return content


class _Recoded(io.RawIOBase):
    """UTF-16 as UTF-8, and every line end as a newline where carriage returns end the lines."""

    def __init__(self, stream: BinaryIO, encoding: str, *, splits_at_cr: bool) -> None:
        self._stream = stream
        self._output = "utf-8" if encoding == "utf-16" else encoding
        decoder = codecs.getincrementaldecoder(encoding)()
        self._decoder: Any = io.IncrementalNewlineDecoder(decoder, translate=True) if splits_at_cr else decoder
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = self._stream.read(_CHUNK)
            self._rest = self._decoder.decode(chunk, not chunk).encode(self._output)
            if not chunk:
                break
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def utf8_from_utf16(stream: BinaryIO) -> BinaryIO | None:
    """The text of a UTF-16 file with a BOM as UTF-8; None for any other, of which nothing is read."""
    is_utf16 = cast(io.BufferedReader, stream).peek(2).startswith(_UTF16)
    return cast(BinaryIO, io.BufferedReader(_Recoded(stream, "utf-16", splits_at_cr=False))) if is_utf16 else None


def read_lines(path: Path, *, is_csv: bool = False) -> Iterator[tuple[int, str]]:
    """(line number from 1, text without its line end) of a text file, UTF-8 or UTF-16 with a BOM, which is skipped.

    Lines end as on Unix, Windows or, if no newline is in the file's first 64 KiB, the Mac of old. is_csv: newlines
    between quotation marks do not count for that.
    """
    number = 0
    with open_stream(path) as stream:
        try:
            for number, line in _decoded(stream, str(path), is_csv=is_csv):
                yield number, line
        except _DAMAGED as error:
            kind = COMPRESSED.get(compression(path), "compressed file")
            raise DataError(
                f"{path}: damaged or incomplete {kind} after line {number} ({error}); fetch it again"
            ) from error


def read_stdin() -> Iterator[tuple[int, str]]:
    """As `read_lines`, from standard input."""
    return _decoded(sys.stdin.buffer, "standard input")


def _decoded(stream: BinaryIO, name: str, *, is_csv: bool = False) -> Iterator[tuple[int, str]]:
    number = 0
    stream = _with_newlines(stream, is_csv=is_csv)
    try:
        while raw := stream.readline(MAX_LINE_BYTES):
            number += 1
            yield number, _decode(raw, name, number)
    except UnicodeError as error:
        raise DataError(f"{name}:{number + 1}: not valid UTF-16 from here on; save the file as UTF-8") from error


def _with_newlines(stream: BinaryIO, *, is_csv: bool) -> BinaryIO:
    """`stream`, recoded if it is UTF-16, or if its lines end in a carriage return alone."""
    # Standard input may have been replaced by a stream without `peek`.
    head = getattr(stream, "peek", lambda _: b"")(_CHUNK)
    is_utf16 = head.startswith(_UTF16)
    if is_utf16:
        head = head.replace(b"\0", b"")
    visible = _QUOTED.sub(b"", head) if is_csv else head
    splits_at_cr = b"\r" in visible and b"\n" not in visible
    if not is_utf16 and not splits_at_cr:
        return stream
    # Latin-1 stands for any bytes.
    recoded = _Recoded(stream, "utf-16" if is_utf16 else "latin-1", splits_at_cr=splits_at_cr)
    return cast(BinaryIO, io.BufferedReader(recoded, _CHUNK))


def _decode(raw: bytes, name: str, number: int) -> str:
    if b"\0" in raw:
        position = raw.index(b"\0") + 1
        raise DataError(
            f"{name}:{number}: NUL byte at position {position}; the file is damaged, UTF-16 or not text: "
            "save it as UTF-8 text"
        )
    if len(raw) == MAX_LINE_BYTES:
        raise DataError(
            f"{name}:{number}: a line of more than {MAX_LINE_BYTES} bytes, which is no sentence pair; is it a text "
            "file, with line ends as of Unix or Windows?"
        )
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{name}:{number}: byte 0x{byte:02x} at position {error.start + 1} is not UTF-8; save the file as UTF-8"
            f" ({_likely_encoding(raw)})"
        ) from error


def _likely_encoding(raw: bytes) -> str:
    """What a line that is not UTF-8 may be, for a message."""
    foreign = sum(byte > 0x7F for byte in raw)
    arabic = len(_ARABIC_LETTER.findall(raw.decode("cp1256", "replace")))
    likely = "Windows-1256, as older Arabic files are" if arabic * 2 > foreign else "Windows-1252"
    return f"it may be in {likely}"


def head_of(items: Iterator[Item], count: int, size_of: Callable[[Item], int]) -> list[Item]:
    """The first `count` items, or fewer if they have more than a mebibyte of characters: what tells the rest."""
    head: list[Item] = []
    characters = 0
    while len(head) < count and characters <= _MAX_HEAD_CHARACTERS:
        item = next(items, None)
        if item is None:
            break
        head.append(item)
        characters += size_of(item)
    return head
