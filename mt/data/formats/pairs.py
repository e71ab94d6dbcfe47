"""`pairs`: a sentence and its translation on one line, nothing between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.formats.documents import Parts
from mt.data.formats.tables import is_table, read_tsv
from mt.data.pair import Pair
from mt.data.unseparated import split_at_border
from mt.errors import DataError
from mt.text.lines import read_lines, uncompressed_name
from mt.wording import shorten

_MAX_CHARACTERS = 1 << 18


def read_pairs(path: Path, options: CorpusConfig) -> Iterator[Pair]:
    """One pair per line; blank lines separate documents. Raises `DataError` for a line without a recognisable border.

    A table with tabs, which spreadsheets save as "Unicode text" under this ending, is read as `tsv`.
    """
    if is_table(path):
        return read_tsv(path, options)
    parts = Parts(uncompressed_name(path))
    return parts.named(_pairs(path, parts))


def _pairs(path: Path, parts: Parts) -> Iterator[Pair]:
    for number, line in read_lines(path):
        if not line.strip():
            parts.end()
            continue
        if len(line) > _MAX_CHARACTERS:
            raise DataError(
                f"{path}:{number}: a line of {len(line)} characters, which is no sentence and its translation; "
                "is the file in another format?"
            )
        border = split_at_border(line)
        if border is None:
            raise DataError(
                f"{path}:{number}: no border between English and Arabic in `{shorten(line)}`; "
                "a line of this format holds a sentence and its translation, one after the other"
            )
        yield Pair(*border, f"{path}:{number}", parts.document)
