"""Files in, `Pair`s out. A reader streams, keeps each pair's place, and names file, line and remedy when it fails."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mt.config import CorpusConfig
from mt.data.border import split_at_border
from mt.errors import DataError

_SOURCE_NAMES = ("english", "en", "eng", "source", "src")
_TARGET_NAMES = ("arabic", "ar", "ara", "target", "tgt")


class Pair(NamedTuple):
    """A source sentence and its translation, with where it came from."""

    source: str
    target: str
    corpus: str
    """The corpus's name in the config."""
    place: str
    """File and line, as `news.tsv:12`."""


def read_corpus(name: str, options: CorpusConfig) -> Iterator[Pair]:
    """Stream the pairs of a corpus, raw, in file order.

    Raises `DataError` for a file that is missing, is not what its format says, or holds no pair at all.
    """
    path = check_corpus(name, options)
    read = {"pairs": _read_pairs, "tsv": _read_tsv}[_format_of(path, options)]
    count = 0
    for count, (number, source, target) in enumerate(read(path, options), start=1):  # noqa: B007
        yield Pair(source, target, name, f"{path}:{number}")
    if count == 0:
        raise DataError(f"{path}: no sentence pairs in the file; expected one pair a line")


def check_corpus(name: str, options: CorpusConfig) -> Path:
    """The corpus's path, if a file is there and its format is known; cheap, so call it before slow work."""
    path = Path(options.path)
    if not path.is_file():
        kind = "is a directory, not a file" if path.is_dir() else "does not exist"
        raise DataError(f"{path}: corpus `{name}` {kind}; check its path (seen from {Path.cwd()})")
    _format_of(path, options)
    return path


def _format_of(path: Path, options: CorpusConfig) -> str:
    if options.format != "auto":
        return options.format
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    guess = {".txt": "pairs", ".pairs": "pairs", ".tsv": "tsv"}.get(suffix.lower())
    if guess is None:
        raise DataError(f"{path}: no known format for the ending `{suffix}`; set the corpus's `format` to pairs or tsv")
    return guess


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, text without its line end) of a UTF-8 file, plain or .gz; a leading BOM is skipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opener(path, "rb") as file:
            for number, raw in enumerate(file, start=1):
                encoding = "utf-8-sig" if number == 1 else "utf-8"
                yield number, raw.decode(encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{path}:{number}: byte 0x{byte:02x} at position {error.start + 1} is not UTF-8; save the file as UTF-8"
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged or incomplete gzip after line {number} ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_pairs(path: Path, _: CorpusConfig) -> Iterator[tuple[int, str, str]]:
    for number, line in read_lines(path):
        if not line.strip():
            continue
        border = split_at_border(line)
        if border is None:
            shown = line if len(line) <= 80 else line[:77] + "..."
            raise DataError(
                f"{path}:{number}: no border between English and Arabic in `{shown}`; "
                "a line of this format holds a sentence and its translation, one after the other"
            )
        yield number, *border


def _read_tsv(path: Path, options: CorpusConfig) -> Iterator[tuple[int, str, str]]:
    lines = ((number, line) for number, line in read_lines(path) if line.strip())
    first_number, first_line = next(lines, (0, ""))
    if not first_number:
        return
    header = first_line.split("\t")
    source, target, has_header = _columns(path, header, options)
    rows = lines if has_header else iter([(first_number, first_line), *lines])
    for number, line in rows:
        fields = line.split("\t")
        if len(fields) != len(header):
            hint = "a stray tab?" if len(fields) > len(header) else "a missing translation, or spaces for a tab?"
            raise DataError(
                f"{path}:{number}: expected {len(header)} tab-separated fields as in line {first_number}, "
                f"found {len(fields)} ({hint})"
            )
        yield number, fields[source], fields[target]


def _columns(path: Path, first: list[str], options: CorpusConfig) -> tuple[int, int, bool]:
    """(source column, target column, whether `first` is a header), columns from 0."""
    if len(first) < 2:
        raise DataError(f"{path}:1: expected at least 2 tab-separated fields, found 1 (is it a tsv file?)")
    names = [field.strip().casefold() for field in first]
    source = _find(names, options.source_column, _SOURCE_NAMES, path)
    target = _find(names, options.target_column, _TARGET_NAMES, path)
    has_header = any(name in names for name in _SOURCE_NAMES) and any(name in names for name in _TARGET_NAMES)
    has_header |= any(not column.isdigit() for column in (options.source_column, options.target_column) if column)
    source, target = 0 if source is None else source, 1 if target is None else target
    if source == target:
        raise DataError(f"{path}:1: source and target are both column {source + 1}; set source_column, target_column")
    return source, target, has_header


def _find(names: list[str], wanted: str | None, usual: tuple[str, ...], path: Path) -> int | None:
    if wanted is None:
        return next((names.index(name) for name in usual if name in names), None)
    if wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    if wanted.casefold() in names:
        return names.index(wanted.casefold())
    raise DataError(f"{path}:1: no column `{wanted}`; the first line has {len(names)}: {', '.join(names)[:200]}")
