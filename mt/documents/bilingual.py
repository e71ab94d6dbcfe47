"""Source beside target, for review: a table that opens in a spreadsheet and is read back as a corpus."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from mt.data.formats.corrections import MACHINE

COLUMNS = ("source", "target", MACHINE, "file", "segment")
"""One row per sentence: the source, its translation twice, the name of the document, and the number of the sentence in
it, from 1.

A reviewer edits `target`. What is then different from `MACHINE` is read back as a corpus of corrections
(`mt.data.formats.corrections`); `file` is the document of a pair."""


class BilingualTable:
    """Rows as bytes, to be written one after the other."""

    def __init__(self, file: str) -> None:
        """file: the name of the document."""
        self._file, self._segment = file, 0

    def head(self) -> bytes:
        """The header. It begins with a BOM, without which Excel takes Arabic for Latin letters."""
        return "\ufeff".encode() + _rows([COLUMNS])

    def rows(self, pairs: Iterable[tuple[str, str]]) -> bytes:
        """The next sentences: (source, target)."""
        rows = []
        for source, target in pairs:
            self._segment += 1
            texts = (" ".join(each.split()) for each in (source, target, target))
            rows.append((*texts, self._file, str(self._segment)))
        return _rows(rows)


def _rows(rows: Iterable[tuple[str, ...]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, "excel-tab", lineterminator="\n").writerows(rows)
    return stream.getvalue().encode("utf-8", "replace")
