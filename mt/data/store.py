"""The pairs of a build on disk, segment by segment: texts in Arrow, fingerprints in plain arrays, little in memory.

A segment is a part (`mt.data.parts`): what is complete when a build is interrupted is not read and cleaned again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mt.data.fingerprints import Fingerprints, Hashes, Words, hash_of, stretches
from mt.data.pair import Pair
from mt.data.parts import begin_part, end_part, is_finished
from mt.data.selection import Indices

# Named as the fields of `Pair`. The document is stored as a hash.
_TEXTS = pa.schema(
    {
        "source": pa.string(),
        "target": pa.string(),
        "reference": pa.string(),
        "corpus": pa.int32(),
        "origin": pa.string(),
    }
)
SIDES = ("source", "target")
_COUNTS = "counts.json"


# A stretch of a file is read as a whole if at least this share of it is wanted.
_WANTED_SHARE = 1 / 8


class WordFiles:
    """The hashes of all words of one side, in the files of the segments.

    A file is mapped only while words are taken from it: pages of a map count as memory of the process.
    """

    def __init__(self, files: Sequence[Path], sizes: Sequence[int]) -> None:
        """sizes: the number of words in each file."""
        self._files = files
        self._begins = np.cumsum([0, *sizes])

    def take(self, starts: Indices, counts: Indices) -> Hashes:
        """Stretches of words, one after the other. starts: the index of the first word of each."""
        taken = np.empty(int(counts.sum()), np.uint64)
        places = np.cumsum(counts) - counts
        file_of = np.searchsorted(self._begins, starts, side="right") - 1
        for number in np.unique(file_of[counts > 0]).tolist():
            here = np.flatnonzero((file_of == number) & (counts > 0))
            first, length = starts[here] - self._begins[number], counts[here]
            low, high = int(first.min()), int((first + length).max())
            if length.sum() >= _WANTED_SHARE * (high - low):
                words = np.fromfile(self._files[number], np.uint64, high - low, offset=8 * low)
            else:
                words = np.asarray(np.memmap(self._files[number], np.uint64, "r", 8 * low, high - low))
            taken[stretches(places[here], length)] = words[stretches(first - low, length)]
        return taken


class SideColumns(NamedTuple):
    """The fingerprints of one side of all pairs."""

    keys: Hashes
    counts: NDArray[np.int64]
    """Number of words in each sentence."""
    starts: NDArray[np.int64]
    """Index of each sentence's first word in `words`."""
    words: Hashes | WordFiles
    """Hashes of all words."""

    def words_at(self, indices: NDArray[np.int64]) -> Words:
        """The word hashes of some sentences, in the order of `indices`."""
        starts, counts = self.starts[indices], self.counts[indices]
        if isinstance(self.words, WordFiles):
            return Words(self.words.take(starts, counts), counts)
        return Words(self.words[stretches(starts, counts)], counts)


def pairs_in(batch: pa.RecordBatch, rows: NDArray[np.int64]) -> list[Pair]:
    """These rows of a batch of `PairStore.texts` as pairs, without their documents."""
    return [Pair(**row) for row in batch.take(pa.array(rows)).to_pylist()]


class Segment:
    """A segment that is being written: chunks of pairs, and what else the caller puts into its `directory`.

    Raises `OSError` if the disk is full.
    """

    def __init__(self, part: Path) -> None:
        self.directory = begin_part(part)
        self.read = 0
        self._part = part
        self._counts = dict.fromkeys(("pairs", *(f"{side}_words" for side in SIDES)), 0)
        self._files: dict[str, IO[bytes]] = {}
        self._sink = pa.OSFile(str(self.directory / "texts.arrow"), "wb")
        self._writer = pa.ipc.new_stream(self._sink, _TEXTS)

    def append(self, pairs: Sequence[Pair], prints: Fingerprints, read: int) -> None:
        """Add a chunk of normalised pairs and their fingerprints. read: pairs that were read for it."""
        texts = [pa.array([getattr(pair, field.name) for pair in pairs], field.type) for field in _TEXTS]
        self._writer.write_batch(pa.record_batch(texts, schema=_TEXTS))
        self._write("pairs", prints.pairs)
        self._write("positions", prints.positions)
        self._write("corpora", np.array([pair.corpus for pair in pairs], np.int32))
        documents = [hash_of(pair.document) if pair.document else 0 for pair in pairs]
        self._write("documents", np.array(documents, np.uint64))
        for name in SIDES:
            side = getattr(prints, name)
            columns = {"keys": side.keys, "letters": side.letters}
            columns |= {"counts": side.words.counts, "words": side.words.hashes}
            for column, values in columns.items():
                self._write(f"{name}_{column}", values)
            self._counts[f"{name}_words"] += len(side.words.hashes)
        self._counts["pairs"] += len(pairs)
        self.read += read

    def _write(self, name: str, values: NDArray[Any]) -> None:
        if name not in self._files:
            self._files[name] = (self.directory / f"{name}.bin").open("wb")
        values.tofile(self._files[name])

    def finish(self) -> None:
        """Close all files; from now on the segment is there."""
        self.close()
        (self.directory / _COUNTS).write_text(json.dumps({**self._counts, "read": self.read}), encoding="utf-8")
        end_part(self.directory, self._part)

    def close(self) -> None:
        """Close all files."""
        for file in (self._writer, self._sink, *self._files.values()):
            file.close()


class PairStore:
    """Chunks of pairs are appended segment by segment; after that, everything is read back as columns.

    Segments that an earlier process has finished in the directory are there from the start. The caller removes the
    directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.segments: list[Path] = []
        """The finished ones, in order."""
        self._counts: list[dict[str, int]] = []
        self._open: Segment | None = None
        while is_finished(self._next()):
            self._add(self._next())

    def __enter__(self) -> PairStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._open is not None:
            self._open.close()

    @property
    def size(self) -> int:
        """Number of pairs in finished segments."""
        return self._total("pairs")

    @property
    def read(self) -> int:
        """Number of pairs that were read for finished segments, rejected ones included."""
        return self._total("read")

    def begin(self) -> Segment:
        """A new segment, for `finish`."""
        self._open = Segment(self._next())
        return self._open

    def finish(self) -> Path:
        """Finish the segment of `begin`; returns its directory."""
        assert self._open is not None
        self._open.finish()
        self._open = None
        self._add(self._next())
        return self.segments[-1]

    def _next(self) -> Path:
        return self._directory / f"pairs-{len(self.segments):05}"

    def _add(self, segment: Path) -> None:
        self._counts.append(json.loads((segment / _COUNTS).read_text(encoding="utf-8")))
        self.segments.append(segment)

    def _total(self, name: str) -> int:
        return sum(counts[name] for counts in self._counts)

    def column(self, name: str, dtype: type[np.generic]) -> NDArray[Any]:
        """A column of all pairs: `pairs`, `positions`, `corpora`, `documents` (hashes, 0 if unknown).

        For each side also `source_keys`, `source_letters` (see `mt.data.fingerprints.Side`) and `source_counts`.
        """
        values, start = np.empty(self.size, dtype), 0
        for segment, counts in zip(self.segments, self._counts, strict=True):
            stop = start + counts["pairs"]
            if stop > start:
                values[start:stop] = np.fromfile(segment / f"{name}.bin", dtype)
            start = stop
        return values

    def side(self, name: str) -> SideColumns:
        """The `source` or the `target` side of all pairs."""
        counts = self.column(f"{name}_counts", np.int64)
        files = [segment / f"{name}_words.bin" for segment in self.segments]
        words = WordFiles(files, [counts[f"{name}_words"] for counts in self._counts])
        return SideColumns(self.column(f"{name}_keys", np.uint64), counts, np.cumsum(counts) - counts, words)

    def texts(self) -> Iterator[pa.RecordBatch]:
        """The texts, chunk by chunk, in the order they were appended."""
        for segment in self.segments:
            with pa.OSFile(str(segment / "texts.arrow")) as file:
                yield from pa.ipc.open_stream(file)

    def pairs(self, indices: NDArray[np.int64]) -> dict[int, Pair]:
        """A few pairs, without their documents, by index."""
        taken = [(here, pairs_in(batch, rows)) for here, rows, batch in self._take(indices)]
        return {index: pair for here, pairs in taken for index, pair in zip(here, pairs, strict=True)}

    def origins(self, indices: NDArray[np.int64]) -> pa.Array:
        """The origins of any number of pairs, given by sorted indices, in the same order."""
        taken = [batch["origin"].take(pa.array(rows)) for _, rows, batch in self._take(indices)]
        return pa.concat_arrays(taken) if taken else pa.array([], pa.string())

    def _take(self, indices: NDArray[np.int64]) -> Iterator[tuple[list[int], NDArray[np.int64], pa.RecordBatch]]:
        wanted, start = np.sort(indices), 0
        for batch in self.texts():
            first, last = np.searchsorted(wanted, [start, start + batch.num_rows])
            if last > first:
                yield wanted[first:last].tolist(), wanted[first:last] - start, batch
            start += batch.num_rows
