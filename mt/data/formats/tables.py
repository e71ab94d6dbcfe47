"""`tsv` and `csv`: columns, with or without a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.formats.lines import MAX_LINE_BYTES, read_lines, shorten
from mt.data.pair import Pair
from mt.errors import DataError

SOURCE_NAMES = ("english", "en", "eng", "source", "src")
"""What a column or key of English text is usually called."""

TARGET_NAMES = ("arabic", "ar", "ara", "target", "tgt")
"""Likewise for Arabic."""

_Row = tuple[int, list[str]]


def read_tsv(path: Path, options: CorpusConfig) -> Iterator[Pair]:
    """Tab-separated, no quoting. Raises `DataError` for a row of another width than the first."""
    rows = ((number, line.split("\t")) for number, line in read_lines(path) if line.strip())
    yield from _read_rows(rows, path, options, "tab-separated")


def read_csv(path: Path, options: CorpusConfig) -> Iterator[Pair]:
    """Comma- or semicolon-separated, with quoted fields that may span lines. Raises `DataError` likewise."""
    yield from _read_rows(_csv_rows(path), path, options, "separated")


def _csv_rows(path: Path) -> Iterator[_Row]:
    lines = _Lines(path)
    first = next(lines, "")
    if not first:
        return
    delimiter = max(",;\t", key=first.count)
    # The reader's own line count is that of the last line of a row, and starts behind `first`.
    rows = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    last = 0
    try:
        for row in rows:
            number, last = last + 1, rows.line_num
            lines.start_row(last + 1)
            if any(field.strip() for field in row):
                yield number, row
    except csv.Error as error:
        raise DataError(
            f"{path}:{last + 1}: not valid CSV from here on ({error}); an unclosed or unescaped quotation mark?"
        ) from error


class _Lines:
    """The lines of a CSV file for as long as a row does not go on and on, as one does whose quote is never closed."""

    def __init__(self, path: Path) -> None:
        self._path, self._lines = path, read_lines(path)
        self.start_row(1)

    def start_row(self, number: int) -> None:
        """The next row begins in this line."""
        self._row, self._size = number, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)[1]
        self._size += len(line)
        if self._size > MAX_LINE_BYTES:
            raise DataError(
                f"{self._path}:{self._row}: a row of more than {MAX_LINE_BYTES} characters, which is no sentence pair; "
                "an unclosed quotation mark?"
            )
        return line + "\n"


def _read_rows(rows: Iterator[_Row], path: Path, options: CorpusConfig, separated: str) -> Iterator[Pair]:
    first_number, header = next(rows, (0, []))
    if not first_number:
        return
    source, target, has_header = _columns(f"{path}:{first_number}", header, options, separated)
    if not has_header:
        yield Pair(header[source], header[target], place=f"{path}:{first_number}")
    for number, fields in rows:
        if len(fields) != len(header):
            stray = "a stray separator?" if separated == "separated" else "a stray tab?"
            hint = stray if len(fields) > len(header) else "a missing translation, or spaces for a tab?"
            raise DataError(
                f"{path}:{number}: expected {len(header)} {separated} fields as in line {first_number}, "
                f"found {len(fields)} ({hint})"
            )
        yield Pair(fields[source], fields[target], place=f"{path}:{number}")


def _columns(place: str, first: list[str], options: CorpusConfig, separated: str) -> tuple[int, int, bool]:
    """(source column, target column, whether `first` is a header), columns from 0."""
    if len(first) < 2:
        kind = "tsv" if separated == "tab-separated" else "csv"
        raise DataError(f"{place}: expected at least 2 {separated} fields, found 1 (is it a {kind} file?)")
    names = [field.strip().casefold() for field in first]
    if names == ["english", "arabic", "kind"]:
        raise DataError(f"{place}: a table of terms, not of sentences; set the corpus's `format` to glossary")
    source = _find(names, options.source_column, SOURCE_NAMES, place)
    target = _find(names, options.target_column, TARGET_NAMES, place)
    has_header = any(name in names for name in SOURCE_NAMES) and any(name in names for name in TARGET_NAMES)
    has_header |= any(not _is_number(column) for column in (options.source_column, options.target_column) if column)
    source, target = 0 if source is None else source, 1 if target is None else target
    if source == target:
        raise DataError(f"{place}: source and target are both column {source + 1}; set source_column, target_column")
    return source, target, has_header


def _find(names: list[str], wanted: str | None, usual: tuple[str, ...], place: str) -> int | None:
    if wanted is None:
        return next((names.index(name) for name in usual if name in names), None)
    if _is_number(wanted) and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    if wanted.casefold() in names:
        return names.index(wanted.casefold())
    shown = shorten(", ".join(map(shorten, names[:20])), 200)
    raise DataError(f"{place}: no column `{shorten(wanted)}`; the first line has {len(names)}: {shown}")


def _is_number(column: str) -> bool:
    """Whether a column is said by number: ² is a digit to Python, and no number."""
    return re.fullmatch("[0-9]{1,9}", column) is not None
