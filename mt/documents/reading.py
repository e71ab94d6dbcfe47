"""The content of a document, read once and whole, and its text; whatever cannot be read is one sentence."""

from __future__ import annotations

import codecs
import sys
from importlib.util import find_spec
from pathlib import Path

from mt.errors import DataError
from mt.files import printable
from mt.input_files import fault_of_file, is_pipe

MAX_BYTES = 256 << 20
"""Larger documents are refused, for they are held in memory; plain lines may be of any length."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_content(file: str) -> bytes:
    """The bytes of a file, a named pipe, or `-`, standard input. Raises `DataError`."""
    name, path = name_of(file), Path(file)
    if file == "-" and sys.stdin is None:
        raise DataError("standard input is closed; name a file, or pipe a document into the command")
    fault = None if file == "-" or is_pipe(file) else fault_of_file(path)
    if fault is not None:
        raise DataError(f"{name}: {fault} (seen from {printable(Path.cwd())})")
    try:
        if file == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{name}: has more than {MAX_BYTES >> 20} MiB; split it, or translate it with --format lines")
    return content


def name_of(file: str) -> str:
    """The file's name for messages."""
    return "standard input" if file == "-" else printable(file)


def text_of(content: bytes, name: str) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a BOM, without the BOM; line ends stay as they are.

    Raises `DataError` for other encodings and for what is no text.
    """
    if content.startswith(_UTF16):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}: not valid UTF-16; save the file as UTF-8") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise DataError(f"{name}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{name}:{line}: NUL byte; the file is damaged or not text: save it as UTF-8 text")
    return text


def unix_text(content: bytes, name: str) -> tuple[str, str]:
    """(the text with newlines for line ends, the line end that the file has). Raises `DataError`."""
    text = text_of(content, name)
    return text.replace("\r\n", "\n").replace("\r", "\n"), "\r\n" if "\r\n" in text else "\n"


def bom_of(content: bytes) -> bytes:
    """The BOM that the translation begins with: that of UTF-8 if the file has one."""
    return codecs.BOM_UTF8 if content.startswith((codecs.BOM_UTF8, *_UTF16)) else b""


def require(package: str, module: str, name: str) -> None:
    """Raise `DataError` if a package of the extra `documents`, which is imported as `module`, is not installed."""
    if find_spec(module) is None:
        raise DataError(
            f"{name}: needs the package `{package}`, which is not installed: pip install 'mt-conflict-news[documents]'"
        )
