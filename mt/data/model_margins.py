"""How well the two sides of each pair fit by a translation model: how much its source tells the model of its target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from mt.data.engines.engine import Engine
from mt.data.selection import Indices, Mask
from mt.data.store import PairStore
from mt.data.strangers import Floats, Margins, nearest_in_length, similar, windows_of
from mt.data.word_links import word_table
from mt.errors import ModelError
from mt.progress import progress

STRANGERS = 4
"""Other sources that each target is given."""

_TRIED = 256
# Of pairs and strangers drawn by chance, this share would be in the right order.
_FEWEST_IN_ORDER = 0.75


class PairScorer(Protocol):
    """A translation model, as this room sees it."""

    @property
    def name(self) -> str:
        """The model's name, for messages."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the model is, whatever its name means later; JSON."""

    def loaded(self) -> AbstractContextManager[None]:
        """The model is loaded, and can score, inside the context. Raises `ModelError`."""

    def mean_log_probabilities(self, sources: Sequence[str], targets: Sequence[str]) -> Sequence[float]:
        """The mean natural logarithm of the probability of each target's tokens after its source."""


class ModelMargins:
    """Compares what the model makes of each target after its own source with that after strangers' sources."""

    def __init__(self, store: PairStore, corpora: Sequence[Indices], scorer: PairScorer) -> None:
        """corpora: the pairs that will be compared, by corpus. Raises `ModelError` if the model is of no use."""
        self._store, self._scorer, self._side = store, scorer, store.side("source")
        self._target_words = store.column("target_counts", np.int64)
        self._refuse_useless(corpora)

    def of(self, pairs: Indices, _: Engine | None = None) -> Margins:
        """The margins of the pairs of one corpus, by the model, in this process. pairs: in file order."""
        windows = progress(_texts(self._store, windows_of(pairs)), "scoring pairs", "windows")
        parts = [self._of_window(*window) for window in windows]
        return Margins(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _of_window(self, pairs: Indices, sources: list[str], targets: list[str]) -> Margins:
        words = self._side.words_at(pairs)
        alike = similar(word_table(words, np.unique(words.hashes)))
        strangers = choose(nearest_in_length(words.counts, 3 * STRANGERS), ~alike)
        own = self._scores(sources, targets)
        others = np.stack([self._scores([sources[row] for row in rows], targets) for rows in strangers.T.tolist()])
        # A pair with too few strangers was compared with itself.
        is_known = (strangers != np.arange(len(pairs))[:, None]).all(axis=1)
        margins, between = own - others.mean(axis=0), others[0] - others[1:].mean(axis=0)
        counts = self._target_words[pairs].astype(np.float64)
        return Margins(np.where(is_known, margins, np.nan), np.where(is_known, between, np.nan), counts)

    def _scores(self, sources: Sequence[str], targets: Sequence[str]) -> Floats:
        return np.array(self._scorer.mean_log_probabilities(sources, targets), np.float64)

    def _refuse_useless(self, corpora: Sequence[Indices]) -> None:
        """Look at a few pairs of every corpus first."""
        some = [pairs[len(pairs) // 2 :][:_TRIED] for pairs in corpora if len(pairs) >= _TRIED]
        tried = [self._of_window(*window) for pairs in some for window in _texts(self._store, [pairs])]
        own = np.concatenate([part.own[~np.isnan(part.own)] for part in tried] or [np.empty(0)])
        if len(own) and np.mean(own > 0) < _FEWEST_IN_ORDER:
            raise ModelError(
                f"{self._scorer.name}: finds the translation likelier after its own source than after a stranger's in "
                f"only {np.mean(own > 0):.0%} of {len(own)} pairs, so it cannot tell which belong together: name a "
                "model that knows both languages, or set data.cleaning.unrelated to alignment"
            )


def choose(near: Indices, is_stranger: Mask) -> Indices:
    """int (pairs, STRANGERS): the first strangers of each row of `near`; the pair itself where there are too few."""
    rows = np.arange(len(near))[:, None]
    if near.shape[1] <= STRANGERS:
        return np.repeat(rows, STRANGERS, axis=1)
    is_there = is_stranger[rows, near]
    first = np.argsort(~is_there, axis=1, kind="stable")[:, :STRANGERS]
    found: Indices = np.where(is_there[rows, first], near[rows, first], rows)
    return found


def _texts(store: PairStore, windows: Iterable[Indices]) -> Iterator[tuple[Indices, list[str], list[str]]]:
    """(pairs, their sources, their targets) of each window; all pairs ascending. Reads the store once."""
    batches, start = store.texts(), 0
    batch = next(batches, None)
    for pairs in windows:
        sources: list[str] = []
        targets: list[str] = []
        while len(sources) < len(pairs):
            assert batch is not None
            wanted = pairs[len(sources) :]
            here = wanted[: np.searchsorted(wanted, start + batch.num_rows)]
            rows = batch.take(pa.array(here - start))
            sources += rows["source"].to_pylist()
            targets += rows["target"].to_pylist()
            if len(sources) < len(pairs):
                start += batch.num_rows
                batch = next(batches, None)
        yield pairs, sources, targets
