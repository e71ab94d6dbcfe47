"""`csv` and `tsv`: one column is translated, and the translations are appended as a new column."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from mt.data.formats.formulas import FORMULA_BEGINS
from mt.documents.marked import Marked, Unit
from mt.documents.reading import bom_of, text_of
from mt.errors import DataError
from mt.languages import LanguagePair
from mt.wording import shorten

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
# A cell may hold an article; the csv module's own limit is 128 KiB.
csv.field_size_limit(1 << 24)


class TableDocument:
    """Rows of cells; the units are the cells of one column, with the header left out."""

    def __init__(self, rows: list[list[str]], column: int, dialect: dict[str, Any], bom: bytes, *, has_header: bool):
        self._rows, self._dialect, self._bom = rows, dialect, bom
        self._has_header = has_header
        self.units = [
            Unit(Marked(row[column] if column < len(row) else ""), f"row {number}")
            for number, row in enumerate(rows, start=1)
            if not (has_header and number == 1)
        ]

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The table with a column more, which is headed by the code of the target language."""
        cells = [
            _harmless(unit.marked.text, translation.text)
            for unit, translation in zip(self.units, translations, strict=True)
        ]
        if self._has_header:
            cells.insert(0, _new_name(self._rows[0], languages.target.code))
        width = max(map(len, self._rows), default=0)
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, **self._dialect)
        for row, cell in zip(self._rows, cells, strict=True):
            # A blank line stays one; a short row is filled up, so that the new cell is in the new column.
            writer.writerow([*row, *[""] * (width - len(row)), self._writable(cell)] if row else [])
        return self._bom + stream.getvalue().encode("utf-8", "replace")

    def _writable(self, cell: str) -> str:
        """The cell as a table without quotation marks can hold it."""
        is_bare = self._dialect["quoting"] == csv.QUOTE_NONE
        return re.sub(rf"[\r\n{re.escape(self._dialect['delimiter'])}]+", " ", cell) if is_bare else cell


def _harmless(source: str, translation: str) -> str:
    """The translation, which must be no formula for a spreadsheet unless the source is one already."""
    begins = tuple(FORMULA_BEGINS)
    return f"'{translation}" if translation.startswith(begins) and not source.startswith(begins) else translation


def read_table(content: bytes, name: str, ending: str, column: str | None) -> TableDocument:
    """A table. ending: `tsv` if cells are separated by tabs. column: the name or number of the column to translate.

    With a number, counted from 1, the first row is a row like any other. Raises `DataError`.
    """
    text = text_of(content, name)
    dialect = _dialect(text, "\t" if ending == "tsv" else None)
    rows = _rows(text, dialect, name)
    if not rows:
        return TableDocument([], 0, dialect, bom_of(content), has_header=False)
    index, has_header = _column(rows[0], column, name)
    return TableDocument(rows, index, dialect, bom_of(content), has_header=has_header)


def _dialect(text: str, delimiter: str | None) -> dict[str, Any]:
    """How the csv module reads and writes the table as it is."""
    head = text.splitlines(keepends=True)[:_SAMPLE_LINES]
    first = head[0] if head else ""
    delimiter = delimiter or max(_DELIMITERS, key=lambda one: (_outside_quotes(first).count(one), one == ","))
    cells = first.rstrip("\r\n").split(delimiter)
    is_all_quoted = bool(text) and all(len(cell) >= 2 and cell[0] == cell[-1] == '"' for cell in cells)
    quoting = csv.QUOTE_ALL if is_all_quoted else csv.QUOTE_MINIMAL
    dialect = {"delimiter": delimiter, "quoting": quoting, "lineterminator": "\r\n" if first.endswith("\r\n") else "\n"}
    # A table of plain text has quotation marks that only open a quotation, or stand in the middle of a cell.
    if delimiter == "\t" and not _is_quoted_right(text, dialect):
        dialect |= {"quoting": csv.QUOTE_NONE, "quotechar": None}
    return dialect


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _is_quoted_right(text: str, dialect: dict[str, Any]) -> bool:
    if '"' not in text:
        return True
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True, **dialect))
    except csv.Error:
        return False
    return len({len(row) for row in rows if row}) <= 1


def _rows(text: str, dialect: dict[str, Any], name: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, **dialect)
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
    except csv.Error as error:
        raise DataError(
            f"{name}:{reader.line_num}: not a table with quoted cells ({error}); export it again, or use --format lines"
        ) from error
    return rows


def _column(header: list[str], column: str | None, name: str) -> tuple[int, bool]:
    """(index of the column, whether the first row is a header). Raises `DataError`, naming the columns."""
    exist = shorten(", ".join(f"{number} `{cell}`" for number, cell in enumerate(header, start=1)), 300)
    if column is None:
        if len(header) == 1:
            return 0, False
        raise DataError(f"{name}: which column? Give --column NAME or NUMBER; its columns are {exist}")
    names = [cell.strip() for cell in header]
    for matching in (str, str.casefold):
        found = [index for index, cell in enumerate(names) if matching(cell) == matching(column.strip())]
        if len(found) > 1:
            raise DataError(f"{name}: {len(found)} columns are named `{column}`; give --column a number: {exist}")
        if found:
            return found[0], True
    if column.isdecimal() and 1 <= int(column) <= len(header):
        return int(column) - 1, False
    raise DataError(f"{name}: has no column `{shorten(column)}`; its columns are {exist}")


def _new_name(header: list[str], code: str) -> str:
    taken = {cell.strip().casefold() for cell in header}
    return code if code not in taken else f"{code} (translated)"
