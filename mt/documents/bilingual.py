"""Source beside target, for review: a table that opens in a spreadsheet and is read back as a corpus."""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO

from mt.data.formats.formulas import shielded
from mt.data.formats.tables import MACHINE
from mt.documents.checking import Row, ranks, sort_key
from mt.evaluation.confidence import Confidence

COLUMNS = ("source", "target", MACHINE, "file", "segment")
"""One row per sentence: the source, its translation twice, the name of the document, and the number of the sentence in
it, from 1.

A reviewer edits `target`. What is then different from `MACHINE` is read back as a corpus of corrections
(`mt.data.formats.corrections`); `file` is the document of a pair. What would be a formula has an apostrophe before
it."""
CONFIDENCE_COLUMNS = ("expected_chrf", "low", "high", "log_probability", "checks", "read_first")
"""With `--confidence`: expected chrF with its interval, mean log-probability, failed checks in words, and the rank of
the sentence in the order to read, from 1."""

_IN_MEMORY = 1 << 24


class BilingualTable(AbstractContextManager["BilingualTable"]):
    """Rows of a table, which are written as they come; complete when the context ends without an error.

    Ranks are known at the end only, so rows with confidence wait for them on the disk.
    """

    def __init__(self, stream: BinaryIO, file: str, *, has_confidence: bool = False) -> None:
        """stream: gets the table. file: the name of the document."""
        self._stream, self._file, self._segment = stream, file, 0
        self._waiting = SpooledTemporaryFile(_IN_MEMORY) if has_confidence else None  # noqa: SIM115
        self._keys = array("d")
        # It begins with a BOM, without which Excel takes Arabic for Latin letters.
        stream.write("\ufeff".encode() + _rows([COLUMNS + (CONFIDENCE_COLUMNS if has_confidence else ())]))

    def add(self, rows: Iterable[Row]) -> None:
        """The next sentences."""
        for row in rows:
            self._segment += 1
            texts = (" ".join(each.split()) for each in (row.source, row.target, row.target))
            cells = (*map(shielded, (*texts, self._file)), str(self._segment))
            if self._waiting is None:
                self._stream.write(_rows([cells]))
                continue
            key = sort_key(row)
            self._keys.append(float("nan") if key is None else key)
            checks = " ".join("; ".join(row.faults).split())
            self._waiting.write(_rows([(*cells, *cells_of(row.confidence), checks)]))

    def __exit__(self, kind: object, *_: object) -> None:
        if self._waiting is None:
            return
        with self._waiting:
            if kind is None:
                self._waiting.seek(0)
                for line, rank in zip(self._waiting, self._ranks(), strict=True):
                    self._stream.write(line.rstrip(b"\n") + b"\t" + rank + b"\n")

    def _ranks(self) -> Iterator[bytes]:
        found = ranks([None if key != key else key for key in self._keys])
        return (b"" if rank is None else str(rank).encode() for rank in found)


def cells_of(confidence: Confidence | None) -> tuple[str, ...]:
    """Expected chrF, low, high and mean log-probability as text: four cells, of which the unknown ones are empty."""
    if confidence is None or not math.isfinite(confidence.mean_log_probability):
        return ("", "", "", "")
    chrf = (confidence.expected_chrf, confidence.low, confidence.high)
    return (*("" if each is None else f"{each:.1f}" for each in chrf), f"{confidence.mean_log_probability:.4f}")


def line_of(text: str, confidence: Confidence | None) -> str:
    """A line of `mt translate --confidence`: always five fields, with tabs between them and in none of them."""
    return "\t".join((text.replace("\t", " "), *cells_of(confidence)))


def _rows(rows: Iterable[tuple[str, ...]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, "excel-tab", lineterminator="\n").writerows(rows)
    return stream.getvalue().encode("utf-8", "replace")
