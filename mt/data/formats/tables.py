"""`tsv` and `csv`: columns, with or without a header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.formats.columns import SAMPLE_ROWS, Columns, find_columns, key_of, names_both_sides, sides_by_content
from mt.data.formats.documents import Parts
from mt.data.formats.quoting import broken_quoting, is_quoted, is_quoted_table, unquoted
from mt.data.pair import Pair
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.lines import MAX_LINE_BYTES, head_of, read_lines, uncompressed_name

_DELIMITERS = ",;\t|"
# Spreadsheets read and write such a first line, sometimes followed by empty cells.
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=([,;|\t])"?[,;|\t]*\s*', re.IGNORECASE)
_HEAD_LINES = 1000
MACHINE = "machine"
"""In a table for review, the column with the translation as the model wrote it."""
_FOR_REVIEW = {"source", "target", MACHINE, "segment"}

Row = tuple[int, list[str], str]
"""(number of the first line, from 1, cells, document by the blank lines before it)."""

_Line = tuple[int, str]


def read_tsv(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """Tab-separated columns, quoted as by a spreadsheet or not.

    Raises `DataError` for a row with more or fewer cells than the first.
    """
    lines = read_lines(path)
    head, delimiter = _separator_line(_head(lines))
    if not head:
        return iter(())
    delimiter = delimiter or "\t"
    parts = Parts(uncompressed_name(path))
    texts = [line for _, line in head]
    has_names = names_both_sides(texts[0].replace('"', "").split(delimiter), languages)
    if is_quoted_table(texts, delimiter, is_whole=len(head) < _HEAD_LINES, has_names=has_names):
        rows = _csv_rows(path, chain(head, lines), delimiter, parts)
    else:
        _refuse_broken_quoting(path, head, delimiter)
        has_quotes = any('"' in line for line in texts)
        split = _split_rows if has_quotes else _split_rows_unquoting
        rows = split(chain(head, lines), delimiter, parts)
    return parts.named(pairs_of_rows(rows, str(path), options, "tab-separated", parts, languages))


def is_table(path: Path, languages: LanguagePair = ENGLISH_TO_ARABIC) -> bool:
    """Whether a text file is a table with tabs, by a known header or by cells quoted as in a spreadsheet."""
    head = [line for _, line in _head(read_lines(path)) if line.strip()]
    if not head or "\t" not in head[0]:
        return False
    has_names = names_both_sides(head[0].replace('"', "").split("\t"), languages)
    return has_names or is_quoted_table(head, "\t", is_whole=len(head) < _HEAD_LINES, has_names=False)


def read_csv(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """Columns separated by comma, semicolon, tab or bar; quoted cells may span lines. Raises `DataError`."""
    lines = read_lines(path, is_csv=True)
    head, delimiter = _separator_line(_head(lines))
    if not head:
        return iter(())
    parts = Parts(uncompressed_name(path))
    delimiter = delimiter or _delimiter([line for _, line in head], options, languages)
    rows = _csv_rows(path, chain(head, lines), delimiter, parts)
    return parts.named(pairs_of_rows(rows, str(path), options, "separated", parts, languages))


def _head(lines: Iterator[_Line]) -> list[_Line]:
    """The first lines of a file, enough to recognise how it is written."""
    return head_of(lines, _HEAD_LINES, lambda line: len(line[1]))


def _separator_line(head: list[_Line]) -> tuple[list[_Line], str | None]:
    """(the lines without a first one that only names the delimiter, that delimiter or None)."""
    match = _SEPARATOR_LINE.fullmatch(head[0][1]) if head else None
    return (head[1:], match.group(1)) if match else (head, None)


def _refuse_broken_quoting(path: Path, head: list[_Line], delimiter: str) -> None:
    broken = broken_quoting([line for _, line in head], delimiter)
    if broken is not None:
        raise DataError(
            f"{path}:{head[broken][0]}: most quotation marks in this file are doubled inside quoted cells, as "
            "spreadsheets write them, but not here; write the whole file in one way, or set the corpus's `format` to "
            "csv and mend this line"
        )


def _split_rows(lines: Iterable[_Line], delimiter: str, parts: Parts) -> Iterator[Row]:
    for number, line in lines:
        if line and not line.isspace():
            yield number, line.split(delimiter), parts.document
        else:
            parts.end()


def _split_rows_unquoting(lines: Iterable[_Line], delimiter: str, parts: Parts) -> Iterator[Row]:
    """Like `_split_rows`, for a file without quotation marks in its head: the first ones tell if cells are quoted."""
    is_plain = False
    for number, row, document in _split_rows(lines, delimiter, parts):
        if not is_plain and any('"' in cell for cell in row):
            is_plain = any('"' in cell and not is_quoted(cell) for cell in row)
            if not is_plain:
                row = [unquoted(cell) if is_quoted(cell) and '""' in cell[1:-1] else cell for cell in row]
        yield number, row, document


def _delimiter(lines: list[str], options: CorpusConfig, languages: LanguagePair) -> str:
    """The delimiter that splits the first lines into rows of equal width; of several, one with recognisable columns."""
    return max(_DELIMITERS, key=lambda each: (*_fit(lines, each, options, languages), lines[0].count(each)))


def _fit(lines: list[str], delimiter: str, options: CorpusConfig, languages: LanguagePair) -> tuple[float, bool]:
    """(share of the rows with the most frequent width of two or more, whether the columns can be recognised)."""
    rows: list[list[str]] = []
    reader = csv.reader((line.replace("\r", " ") + "\n" for line in lines), delimiter=delimiter, strict=True)
    try:
        rows.extend(row for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        if "unexpected end of data" not in str(error):
            # What was read so far still counts as a last resort.
            return _usual_share(rows) / 2, False
    return _usual_share(rows), bool(rows) and _has_sides(rows, options, languages)


def _usual_share(rows: list[list[str]]) -> float:
    widths = Counter(len(row) for row in rows)
    width, count = max(widths.items(), key=lambda item: item[1], default=(0, 0))
    return round(count / len(rows), 2) if width > 1 else 0.0


def _has_sides(rows: list[list[str]], options: CorpusConfig, languages: LanguagePair) -> bool:
    if names_both_sides(rows[0], languages):
        return True
    wanted = [name for name in (options.source_column, options.target_column) if name]
    if wanted and {key_of(name) for name in wanted} <= {key_of(name) for name in rows[0]}:
        return True
    return sides_by_content(rows[:SAMPLE_ROWS], languages) is not None


def _csv_rows(path: Path, lines: Iterator[_Line], delimiter: str, parts: Parts) -> Iterator[Row]:
    watched = _Lines(path, lines)
    rows = csv.reader(watched, delimiter=delimiter, strict=True)
    try:
        for row in rows:
            number = watched.row
            watched.start_row()
            if any(cell and not cell.isspace() for cell in row):
                yield number, row, parts.document
            else:
                parts.end()
    except csv.Error as error:
        raise DataError(
            f"{path}:{watched.row}: not valid CSV from here on ({error}); an unclosed or unescaped quotation mark?"
        ) from error


class _Lines:
    """The lines of a CSV file; raises `DataError` for a row without end, the result of a quote that is never closed."""

    def __init__(self, path: Path, lines: Iterator[_Line]) -> None:
        self._path, self._lines = path, lines
        self.row = 1
        """The line in which the current row begins."""
        self.start_row()

    def start_row(self) -> None:
        """The next row begins in the next line."""
        self._is_new, self._size = True, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        self.row = number if self._is_new else self.row
        self._is_new = False
        self._size += len(line)
        if self._size > MAX_LINE_BYTES:
            raise DataError(
                f"{self._path}:{self.row}: a row of more than {MAX_LINE_BYTES} characters, which is no sentence pair; "
                "an unclosed quotation mark?"
            )
        # A carriage return alone is no line end here, but Python's reader would refuse it.
        return line.replace("\r", " ") + "\n" if "\r" in line else line + "\n"


def pairs_of_rows(
    rows: Iterator[Row],
    name: str,
    options: CorpusConfig,
    separated: str,
    parts: Parts,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
) -> Iterator[Pair]:
    """The pairs of a table. name: of the table, for `Pair.origin`. Raises `DataError` for a row of another width."""
    sample = head_of(rows, SAMPLE_ROWS, lambda row: sum(map(len, row[1])))
    if not sample:
        return
    first_number, first, _ = sample[0]
    columns = _columns(f"{name}:{first_number}", [cells for _, cells, _ in sample], options, separated, languages)
    source, target, document, has_header = columns
    parts.is_on &= document is None
    width = len(first)
    for number, cells, part in chain(sample[has_header:], rows):
        if len(cells) != width:
            raise DataError(f"{name}:{number}: " + _wrong_width(cells, width, first_number, separated))
        if document is not None:
            part = cells[document].strip()
        yield Pair(cells[source], cells[target], f"{name}:{number}", part)


def _columns(
    origin: str, sample: list[list[str]], options: CorpusConfig, separated: str, languages: LanguagePair
) -> Columns:
    first = sample[0]
    if len(first) < 2:
        kind = "tsv" if separated == "tab-separated" else "csv"
        raise DataError(f"{origin}: expected at least 2 {separated} fields, found 1 (is it a {kind} file?)")
    if [key_of(name) for name in first] == ["english", "arabic", "kind"]:
        raise DataError(f"{origin}: a table of terms, not of sentences; set the corpus's `format` to glossary")
    if options.source_column is options.target_column is None and _FOR_REVIEW.issubset(map(key_of, first)):
        raise DataError(
            f"{origin}: a table for review, most of which a machine has written; set the corpus's `format` to "
            "corrections, or source_column and target_column to learn from every row"
        )
    return find_columns(sample, options, origin, languages)


def _wrong_width(cells: list[str], width: int, first: int, separated: str) -> str:
    stray = "a stray separator?" if separated == "separated" else "a stray tab?"
    hint = stray if len(cells) > width else "a missing translation, or spaces for a tab?"
    if any("\r" in cell for cell in cells):
        hint = "line ends of two kinds?"
    elif separated != "separated" and any(cell.count('"') % 2 for cell in cells):
        hint += "; if cells are quoted, set the corpus's `format` to csv"
    return f"expected {width} {separated} fields as in line {first}, found {len(cells)} ({hint})"
