"""The splits on disk, in the format of the library `datasets`: written as a stream, the same bytes for the same pairs.

`Dataset.save_to_disk` reads what it saves from a file that is mapped into memory, and all of it counts as memory of the
process. So it writes empty splits here, and the rows come from `SplitFile`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset, DatasetDict, Features, load_from_disk
from datasets.arrow_writer import ArrowWriter

SCHEMA = pa.schema([(column, pa.string()) for column in ("source", "target", "corpus", "group")])
"""The columns of a split."""

# As many as `save_to_disk` writes at once.
_ROWS = 1000
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
_FILE = "data-00000-of-00001.arrow"


class SplitFile:
    """The rows of a split, added batch by batch. Raises `OSError` if the disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # The fingerprint is that of a stream of the rows; by default, `datasets` makes one that changes every time.
        self._digest = hashlib.sha256(SCHEMA.serialize())
        self._writer = ArrowWriter(features=Features.from_arrow_schema(SCHEMA), path=str(path))
        self._waiting: deque[pa.RecordBatch] = deque()
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows with the columns of `SCHEMA`; the file does not depend on how the rows are divided into batches."""
        self._waiting += [batch.slice(start, _ROWS) for start in range(0, batch.num_rows, _ROWS)]
        self._rows += batch.num_rows
        while self._rows >= _ROWS:
            self._write(_ROWS)

    def _write(self, rows: int) -> None:
        """Write some of the rows that wait."""
        self._rows -= rows
        pieces, taken = [], rows
        while rows:
            piece = self._waiting.popleft()
            if piece.num_rows > rows:
                self._waiting.appendleft(piece.slice(rows))
                piece = piece.slice(0, rows)
            pieces.append(piece)
            rows -= piece.num_rows
        # Copied: the padding between the columns of a slice shows what was around it.
        rows_of_table = pa.Table.from_batches(pieces).take(np.arange(taken)).combine_chunks()
        self._digest.update(rows_of_table.to_batches()[0].serialize())
        self._writer.write_table(rows_of_table)

    def finish(self) -> Dataset:
        """Write what is left; returns an empty split of the same columns and with the fingerprint of the rows."""
        self._digest.update(_END_OF_STREAM)
        if self._rows:
            self._write(self._rows)
        self._writer.finalize()
        return Dataset(pa.table([[]] * len(SCHEMA), schema=SCHEMA), fingerprint=self._digest.hexdigest()[:16])


def save_splits(files: Mapping[str, SplitFile], directory: Path) -> DatasetDict:
    """Finish the splits and move them into a `DatasetDict` in `directory`; returns that, read back."""
    empty = {split: file.finish() for split, file in files.items()}
    # An empty split needs a file, too, to be loaded again.
    DatasetDict(empty).save_to_disk(directory, num_shards=dict.fromkeys(empty, 1))
    for split, file in files.items():
        shutil.move(file.path, directory / split / _FILE)
    saved = load_from_disk(directory)
    assert isinstance(saved, DatasetDict)
    return saved
