"""The pairs of a build on disk: texts in Arrow, fingerprints in plain arrays, little in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mt.data.fingerprints import Fingerprints, Hashes, Words, hash_of
from mt.data.pair import Pair

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
_SIDES = ("source", "target")


class SideColumns(NamedTuple):
    """The fingerprints of one side of all pairs."""

    keys: Hashes
    letters: Hashes
    counts: NDArray[np.int64]
    """Number of words in each sentence."""
    starts: NDArray[np.int64]
    """Index of each sentence's first word in `words`."""
    words: Hashes
    """Hashes of all words, memory-mapped."""

    def words_at(self, indices: NDArray[np.int64]) -> Words:
        """The word hashes of some sentences, in the order of `indices`."""
        counts = self.counts[indices]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return Words(np.asarray(self.words[np.repeat(self.starts[indices], counts) + inside]), counts)

    def words_of(self, index: int) -> list[int]:
        """The word hashes of one sentence."""
        start = self.starts[index]
        return self.words[start : start + self.counts[index]].tolist()  # type: ignore[no-any-return]


def pairs_in(batch: pa.RecordBatch, rows: NDArray[np.int64]) -> list[Pair]:
    """These rows of a batch of `PairStore.texts` as pairs, without their documents."""
    return [Pair(**row) for row in batch.take(pa.array(rows)).to_pylist()]


class PairStore:
    """Chunks of pairs are appended; after `finish`, everything is read back as columns.

    Raises `OSError` if the disk is full. The caller removes the directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.size = 0
        self._files: dict[str, IO[bytes]] = {}
        self._sink = pa.OSFile(str(directory / "texts.arrow"), "wb")
        self._writer = pa.ipc.new_stream(self._sink, _TEXTS)

    def __enter__(self) -> PairStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        self._writer.close()
        self._sink.close()

    def append(self, pairs: Sequence[Pair], prints: Fingerprints) -> None:
        """Add a chunk of normalised pairs and their fingerprints."""
        texts = [pa.array([getattr(pair, field.name) for pair in pairs], field.type) for field in _TEXTS]
        self._writer.write_batch(pa.record_batch(texts, schema=_TEXTS))
        self._write("pairs", prints.pairs)
        self._write("positions", prints.positions)
        self._write("corpora", np.array([pair.corpus for pair in pairs], np.int32))
        documents = [hash_of(pair.document) if pair.document else 0 for pair in pairs]
        self._write("documents", np.array(documents, np.uint64))
        for name in _SIDES:
            side = getattr(prints, name)
            columns = {"keys": side.keys, "letters": side.letters}
            columns |= {"counts": side.words.counts, "words": side.words.hashes}
            for column, values in columns.items():
                self._write(f"{name}_{column}", values)
        self.size += len(pairs)

    def column(self, name: str, dtype: type[np.generic]) -> NDArray[Any]:
        """`pairs`, `positions`, `corpora` or `documents` (hashes, 0 if unknown) of all pairs."""
        return np.fromfile(self._path(name), dtype) if self.size else np.empty(0, dtype)

    def side(self, name: str) -> SideColumns:
        """The `source` or the `target` side of all pairs."""
        counts = self.column(f"{name}_counts", np.int64)
        return SideColumns(
            self.column(f"{name}_keys", np.uint64),
            self.column(f"{name}_letters", np.uint64),
            counts,
            np.cumsum(counts) - counts,
            self._map(f"{name}_words", np.uint64),
        )

    def texts(self) -> Iterator[pa.RecordBatch]:
        """The texts, chunk by chunk, in the order they were appended."""
        with pa.memory_map(str(self.directory / "texts.arrow")) as file:
            yield from pa.ipc.open_stream(file)

    def pairs(self, indices: NDArray[np.int64]) -> dict[int, Pair]:
        """A few pairs, without their documents, by index."""
        taken = [(here, pairs_in(batch, rows)) for here, rows, batch in self._take(indices)]
        return {index: pair for here, pairs in taken for index, pair in zip(here, pairs, strict=True)}

    def origins(self, indices: NDArray[np.int64]) -> dict[int, str]:
        """The origins of any number of pairs, by index."""
        taken = [(here, batch["origin"].take(pa.array(rows)).to_pylist()) for here, rows, batch in self._take(indices)]
        return {index: origin for here, origins in taken for index, origin in zip(here, origins, strict=True)}

    def _take(self, indices: NDArray[np.int64]) -> Iterator[tuple[list[int], NDArray[np.int64], pa.RecordBatch]]:
        wanted, start = np.sort(indices), 0
        for batch in self.texts():
            first, last = np.searchsorted(wanted, [start, start + batch.num_rows])
            if last > first:
                yield wanted[first:last].tolist(), wanted[first:last] - start, batch
            start += batch.num_rows

    def _map(self, name: str, dtype: type[np.generic]) -> NDArray[Any]:
        path = self._path(name)
        is_empty = not path.is_file() or path.stat().st_size == 0
        # A plain view, because slicing a memmap object is slow.
        return np.empty(0, dtype) if is_empty else np.asarray(np.memmap(path, dtype, mode="r"))

    def _path(self, name: str) -> Path:
        if name in self._files:
            self._files[name].flush()
        return self.directory / f"{name}.bin"

    def _write(self, name: str, values: NDArray[Any]) -> None:
        if name not in self._files:
            self._files[name] = self._path(name).open("wb")
        values.tofile(self._files[name])

    def finish(self) -> None:
        """Call this after the last chunk; then the texts can be read."""
        self._writer.close()
        self._sink.flush()
