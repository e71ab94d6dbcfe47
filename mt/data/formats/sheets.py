"""`xlsx`: spreadsheets, also .xls, .xlsb and .ods; each sheet is a document."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from mt.config import CorpusConfig
from mt.data.formats.documents import Parts
from mt.data.formats.tables import Row, pairs_of_rows
from mt.data.pair import Pair
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.lines import open_stream
from mt.wording import shorten

logger = logging.getLogger(__name__)

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
"""Of the files that are workbooks."""

_MAX_BYTES = 256 << 20
_SAVE_AS_CSV = "save the sheet as CSV UTF-8 and read that"


def read_workbook(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """The pairs of all sheets with a column in each language. Raises `DataError` if there is no such sheet.

    Unlike files in other formats, a workbook is read into memory.
    """
    content = _content(path)
    workbook, names = _workbook(path, content)
    faults = []
    has_pairs = False
    for name in names:
        pairs = _pairs_of_sheet(workbook, name, path, options, languages, is_only=len(names) == 1)
        try:
            # If it has no columns of sentences, this is where it shows.
            first = next(pairs, None)
        except DataError as error:
            faults.append(error)
            continue
        if first is not None:
            has_pairs = True
            yield from chain([first], pairs)
    if faults and not has_pairs:
        raise faults[0]
    for fault in faults:
        logger.warning("%s; this sheet is left out", fault)


def _content(path: Path) -> io.BytesIO:
    """The whole file. Raises `DataError` if it is absurdly large when unpacked."""
    with open_stream(path) as stream:
        content = io.BytesIO(stream.read(_MAX_BYTES + 1))
    size = content.getbuffer().nbytes
    if zipfile.is_zipfile(content):
        size = _unpacked_size(path, content)
    content.seek(0)
    if size > _MAX_BYTES:
        raise DataError(f"{path}: a workbook of more than {_MAX_BYTES} bytes, unpacked; {_SAVE_AS_CSV}")
    return content


def _unpacked_size(path: Path, content: io.BytesIO) -> int:
    try:
        with zipfile.ZipFile(content) as packed:
            return sum(part.file_size for part in packed.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise DataError(_damaged(path, error)) from error


def _damaged(path: Path, error: BaseException) -> str:
    reason = shorten(" ".join(str(error).split()) or type(error).__name__)
    return f"{path}: cannot be read as a workbook ({reason}); {_SAVE_AS_CSV}"


def _workbook(path: Path, content: io.BytesIO) -> tuple[Any, list[str]]:
    """(the workbook, the names of its sheets)."""
    try:
        from python_calamine import CalamineWorkbook
    except ImportError as error:
        raise DataError(f"{path}: workbooks need python-calamine, which is not installed; {_SAVE_AS_CSV}") from error
    try:
        workbook = CalamineWorkbook.from_filelike(content)
        return workbook, list(workbook.sheet_names)
    except BaseException as error:  # a panic in the library's Rust code is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise DataError(_damaged(path, error)) from error


def _pairs_of_sheet(
    workbook: Any, name: str, path: Path, options: CorpusConfig, languages: LanguagePair, *, is_only: bool
) -> Iterator[Pair]:
    parts = Parts(name)
    rows = _rows(workbook, name, path, parts)
    for pair in parts.named(pairs_of_rows(rows, f"{path}:{name}", options, "separated", parts, languages)):
        if is_only or pair.document.startswith(f"{name}:part "):
            yield pair
        else:
            yield pair._replace(document=f"{name}:{pair.document}" if pair.document else name)


def _rows(workbook: Any, name: str, path: Path, parts: Parts) -> Iterator[Row]:
    try:
        rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise DataError(_damaged(path, error)) from error
    width = max((_used(row) for row in rows), default=0)
    for number, row in enumerate(rows, start=1):
        cells = [_text(cell) for cell in row[:width]]
        if any(cell and not cell.isspace() for cell in cells):
            yield number, cells, parts.document
        else:
            parts.end()


def _used(row: list[Any]) -> int:
    """The number of columns up to the last one that is not empty."""
    return next((index for index in range(len(row), 0, -1) if row[index - 1] != ""), 0)


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).replace("\0", "")
