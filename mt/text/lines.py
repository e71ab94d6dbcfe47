"""Text files line by line, plain or compressed; whatever cannot be read is reported in one sentence."""

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
"""Compressions by the ending of the file name."""

MAX_LINE_BYTES = 1 << 20
"""Longer lines are refused: a file that is no text has no line ends, and would be read into memory whole."""

# Text and markup shrink to between a third and a twentieth; a corpus with every line twenty times in a row to a
# thirtieth with gzip and a fiftieth with the others; one pair repeated endlessly to between a 104th and a 900th.
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
    """The ending of a compressed file's name, in lower case; empty for any other file."""
    ending = path.suffix.lower()
    return ending if ending in COMPRESSED else ""


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, decompressed while they are read. Raises `DataError` for what goes wrong while it is open.

    This includes a file that is not regular, or that unpacks to far more than any text.
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
    """Decompressed bytes; raises `DataError` if they are absurdly many for the compressed ones."""

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
                f"{self._path}: its first {self._packed.tell()} bytes unpack to more than {self._size}, over "
                f"{self._max_ratio} times as many, which no text does; if the file is right, unpack it yourself and "
                "name the unpacked file"
            )
        return len(content)


class _XzFile(io.RawIOBase):
    """An xz file, decompressed; its dictionary may need little more memory than that of `xz -9`."""

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
    """UTF-16 recoded as UTF-8; line ends become newlines if the file ends its lines with carriage returns."""

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
    """The text of a UTF-16 file with a BOM as UTF-8; None for any other file, which stays unread."""
    is_utf16 = cast(io.BufferedReader, stream).peek(2).startswith(_UTF16)
    return cast(BinaryIO, io.BufferedReader(_Recoded(stream, "utf-16", splits_at_cr=False))) if is_utf16 else None


def read_lines(path: Path, *, is_csv: bool = False) -> Iterator[tuple[int, str]]:
    """(line number from 1, text without line end) of a text file in UTF-8, or in UTF-16 with a BOM; a BOM is skipped.

    Lines end as on Unix or Windows or, if the first 64 KiB have no newline, as on old Macs. is_csv: newlines between
    quotation marks do not count for that.
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
    """The same as `read_lines`, from standard input. Raises `DataError` if it is closed."""
    if sys.stdin is None:
        raise DataError("standard input is closed; name a file, or pipe a text into the command")
    return _decoded(sys.stdin.buffer, "standard input")


def read_pipe(path: Path) -> Iterator[tuple[int, str]]:
    """The same from a named pipe, or from what a shell calls `/dev/fd/63`. Raises `DataError`."""
    try:
        with path.open("rb") as stream:
            yield from _decoded(stream, printable(path))
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read ({error.strerror or error})") from error


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
    """`stream`, recoded if it is UTF-16 or its lines end in carriage returns alone."""
    # Standard input may have been replaced by a stream without `peek`.
    head = getattr(stream, "peek", lambda _: b"")(_CHUNK)
    is_utf16 = head.startswith(_UTF16)
    if is_utf16:
        head = head.replace(b"\0", b"")
    visible = _QUOTED.sub(b"", head) if is_csv else head
    splits_at_cr = b"\r" in visible and b"\n" not in visible
    if not is_utf16 and not splits_at_cr:
        return stream
    # Latin-1 maps every byte to a character and back.
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
    """A guess at the encoding of a line that is not UTF-8, for a message."""
    foreign = sum(byte > 0x7F for byte in raw)
    arabic = len(_ARABIC_LETTER.findall(raw.decode("cp1256", "replace")))
    likely = "Windows-1256, as older Arabic files are" if arabic * 2 > foreign else "Windows-1252"
    return f"it may be in {likely}"


def head_of(items: Iterator[Item], count: int, size_of: Callable[[Item], int]) -> list[Item]:
    """The first `count` items, or fewer if they have more than a mebibyte of characters: a sample of the rest."""
    head: list[Item] = []
    characters = 0
    while len(head) < count and characters <= _MAX_HEAD_CHARACTERS:
        item = next(items, None)
        if item is None:
            break
        head.append(item)
        characters += size_of(item)
    return head
