"""Quotation marks that a spreadsheet or pandas put around cells, as opposed to those of the sentences themselves."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

# This many rows with nothing but quoted cells are no coincidence.
_MIN_ROWS_ALL_QUOTED = 5
_MIN_CELLS_BY_COMMA = 3
_NUMBER = re.compile(r"\s*[-+\d.,:/%]*\s*")
# A character that occurs in no text.
_NO_DELIMITER = "\x1f"


class _Evidence(NamedTuple):
    """Numbers of cells, by what they are evidence for."""

    quoted: int
    """In quotation marks, with doubled marks inside: `"He said ""no""."`"""
    plain: int
    """With marks as no program that quotes cells writes them: `He said "no".`"""
    other: int
    """In marks, with none inside: a quoted cell, or a sentence that is a quotation."""
    bare: int
    """Without marks, and not a number."""
    by_comma: int
    """Quoted and with a comma: Excel quotes these even in a table with tabs."""
    against_comma: int
    """Quoted without a comma or mark inside, or with a comma but not quoted."""


def is_quoted(cell: str) -> bool:
    """Whether a cell is in quotation marks, with each mark inside doubled."""
    return len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', "")


def unquoted(cell: str) -> str:
    """The content of a quoted cell."""
    return cell[1:-1].replace('""', '"')


def _evidence(cells: Sequence[str]) -> _Evidence:
    kinds = Counter(_kind(cell) for cell in cells)
    quoted, plain, other = kinds["quoted"], kinds["plain"], kinds["other"]
    commas = Counter(('"' in cell, "," in cell) for cell in cells)
    against = commas[True, False] - quoted - plain + commas[False, True]
    return _Evidence(quoted, plain, other, kinds["bare"], commas[True, True], max(against, 0))


def _kind(cell: str) -> str:
    if '"' not in cell:
        return "number" if _NUMBER.fullmatch(cell) else "bare"
    if not is_quoted(cell):
        return "plain"
    return "quoted" if '""' in cell[1:-1] else "other"


def is_quoted_table(lines: Sequence[str], delimiter: str, *, is_whole: bool, has_names: bool) -> bool:
    """Whether the first lines of a table were written by a program that quotes cells.

    is_whole: they are the whole file, so every quote must be closed. has_names: the first one is a known header.
    """
    if not any('"' in line for line in lines):
        return False
    rows = _parsed(lines, delimiter, is_whole=is_whole)
    if rows is None:
        return False
    split = [line.split(delimiter) for line in lines if line.strip()]
    if _is_regular(rows) and not _is_regular(split):
        return True
    evidence = _evidence([cell for cells in split for cell in cells])
    all_quoted = not evidence.plain and not evidence.bare
    is_enough = len(split) >= _MIN_ROWS_ALL_QUOTED or (has_names and len(split) > 1)
    by_comma = not evidence.plain and not evidence.against_comma and evidence.by_comma >= _MIN_CELLS_BY_COMMA
    return evidence.quoted > evidence.plain or by_comma or (all_quoted and is_enough)


def _parsed(lines: Sequence[str], delimiter: str, *, is_whole: bool) -> list[list[str]] | None:
    """The rows of a table with quoted cells; None if it cannot be one."""
    rows = csv.reader((line.replace("\r", " ") + "\n" for line in lines), delimiter=delimiter, strict=True)
    found: list[list[str]] = []
    try:
        found.extend(row for row in rows if any(cell.strip() for cell in row))
    except csv.Error as error:
        if is_whole or "unexpected end of data" not in str(error):
            return None
    return found


def _is_regular(rows: Sequence[Sequence[str]]) -> bool:
    return len({len(row) for row in rows}) == 1 and len(rows[0]) > 1


def broken_quoting(lines: Sequence[str], delimiter: str = _NO_DELIMITER) -> int | None:
    """The index of the first line that is not quoted the way most are; None if most are not quoted."""
    cells = [line.split(delimiter) for line in lines]
    evidence = _evidence([cell for row in cells for cell in row])
    if evidence.quoted <= evidence.plain:
        return None
    return next((index for index, row in enumerate(cells) if _evidence(row).plain), None)


def unquoted_column(lines: Sequence[str], count: int, *, is_csv: bool) -> list[str] | None:
    """The `count` cells of a one-column CSV file, each on one line; None if the lines are no such file.

    is_csv: the file's name says that it is CSV.
    """
    rows = csv.reader((line + "\n" for line in lines), delimiter=_NO_DELIMITER, strict=True)
    try:
        cells = [" ".join(_NO_DELIMITER.join(row).split("\n")).strip() for row in rows]
    except csv.Error:
        return None
    if len(cells) != len(lines):
        return cells if len(cells) == count else None
    evidence = _evidence(lines)
    if evidence.plain > evidence.quoted or not (evidence.quoted or evidence.other):
        return None
    all_quoted = not evidence.bare and not evidence.plain and len(lines) >= _MIN_ROWS_ALL_QUOTED
    # Such a file quotes cells that contain a comma, and no others.
    by_comma = is_csv and not evidence.plain and not evidence.against_comma
    return cells if evidence.quoted or all_quoted or by_comma else None
