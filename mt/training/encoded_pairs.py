"""A split as token ids, in flat arrays, so that a batch takes microseconds to put together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mt.data.mixing import EpochMix


class EncodedPair(NamedTuple):
    """Token ids of one pair, language and end tokens included."""

    source: list[int]
    target: list[int]
    row: int = 0
    """Its index in its split."""
    is_general: bool = False
    """Whether it is general text, where the model is kept close to the base (`adaptation.kl_weight`)."""


class _TokenRows:
    """Token ids of many sentences in one array, for batches without a Python object per token."""

    def __init__(self, sentences: Sequence[Sequence[int]]) -> None:
        self.lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        self._starts = np.concatenate([[0], self.lengths.cumsum()])
        self._ids = np.fromiter(chain.from_iterable(sentences), np.int32, self._starts[-1])

    def __getitem__(self, index: int) -> list[int]:
        ids: list[int] = self._ids[self._starts[index] :][: self.lengths[index]].tolist()
        return ids

    def padded(
        self, indices: NDArray[np.int_], rows: int, width: int, value: int, *, on_left: bool = False
    ) -> NDArray[np.int64]:
        """int64 (rows, width): these sentences, padded on one side; rows after the last one hold padding only."""
        columns, lengths = np.arange(width), self.lengths[indices, None]
        if on_left:
            columns = columns - (width - lengths)
        padded = np.full((rows, width), value, np.int64)
        # Positions before or after a sentence hold another one, or at the very ends nothing: they are replaced.
        found = self._ids.take(self._starts[indices, None] + columns, mode="clip")
        np.copyto(padded[: len(indices)], found, where=(columns >= 0) & (columns < lengths))
        return padded


class EncodedPairs(Dataset[EncodedPair]):
    """A split as token ids."""

    def __init__(
        self,
        sources: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        mix: EpochMix | None = None,
        *,
        rows: NDArray[np.int_] | None = None,
        is_general: NDArray[np.bool_] | None = None,
    ) -> None:
        """rows: int (pairs,), indices in the split. is_general: bool (pairs,).

        Raises `ValueError` if one of them has another number of pairs.
        """
        self.sources, self.targets = _TokenRows(sources), _TokenRows(targets)
        self.rows = np.arange(len(sources)) if rows is None else rows
        self.is_general = np.zeros(len(sources), bool) if is_general is None else is_general
        numbers = [len(sources), len(targets), len(self.rows), len(self.is_general)]
        if len(set(numbers)) > 1:
            raise ValueError(f"numbers of sources, targets, rows and marks differ: {numbers}")
        self.lengths = np.stack([self.sources.lengths, self.targets.lengths], axis=1)
        """int (pairs, 2): source and target tokens of each pair."""
        self.mix = mix
        """Which pairs an epoch holds; None: each once."""

    @classmethod
    def of(cls, pairs: Sequence[EncodedPair]) -> EncodedPairs:
        """These pairs, with their rows and marks."""
        sources, targets, rows, is_general = zip(*pairs, strict=True)
        return cls(sources, targets, rows=np.array(rows), is_general=np.array(is_general))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> EncodedPair:
        return EncodedPair(
            self.sources[index], self.targets[index], int(self.rows[index]), bool(self.is_general[index])
        )

    def batch(self, indices: Sequence[int]) -> EncodedBatch:
        """Some pairs at once."""
        return EncodedBatch(self, np.asarray(indices))

    # The name under which a `DataLoader` looks for it.
    __getitems__ = batch

    @property
    def pairs(self) -> list[EncodedPair]:
        """All pairs, one object each; slow."""
        return [self[index] for index in range(len(self))]


class EncodedBatch(NamedTuple):
    """Some pairs of a split, for the `Collator`."""

    pairs: EncodedPairs
    indices: NDArray[np.int_]
