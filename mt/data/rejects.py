"""rejected.tsv: the list of all pairs that are in no split."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from types import TracebackType

from mt.data.formats.formulas import shielded
from mt.data.pair import Pair

REJECTED = "rejected.tsv"
"""Name of the file."""

HEADER = ("rule", "detail", "place", "source", "target")
"""Names of its columns; `place` is `Pair.origin`."""


class RejectedFile:
    """A tsv file with one rejected pair per line, written while the build runs."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(
            self._file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
        self._writer.writerow(HEADER)

    def __enter__(self) -> RejectedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, pair: Pair) -> None:
        """Add a pair with its `fault`; both sides are normalised, so they hold neither tabs nor line ends."""
        assert pair.fault is not None
        self._writer.writerow([quoted_cell(text) for text in (*pair.fault, pair.origin, pair.source, pair.target)])

    def add_all(self, other: Path) -> None:
        """Add the pairs of another file of this kind."""
        with other.open(encoding="utf-8", newline="") as file:
            next(file)
            shutil.copyfileobj(file, self._file)


def quoted_cell(text: str) -> str:
    """A cell on one line, with an apostrophe before what a spreadsheet would run as a formula.

    Tabs and line ends become spaces, so no cell begins with one.
    """
    return shielded(" ".join(text.split()))
