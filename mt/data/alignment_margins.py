"""How well the two sides of each pair fit by the words that translate each other in the corpora themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array, diags_array

from mt.data.domain_likeness import in_random_order
from mt.data.engines.engine import Engine
from mt.data.engines.local import Local
from mt.data.fingerprints import Hashes
from mt.data.selection import Indices, Mask
from mt.data.store import SIDES, PairStore
from mt.data.strangers import FOLDS, Floats, Margins, folds_of, nearest_in_length, similar, windows_of
from mt.data.word_links import UNLINKED, Cells, Direction, repeated_words, word_table

MAX_CELLS = 10_000_000
"""Cells (a source word and a target word of one pair) that are learnt from: about 20,000 newspaper sentences."""

STRANGERS = 16
"""Other targets that each source is compared with, and other sources that each target is compared with."""


class _Side:
    """The words of one side that are known."""

    def __init__(self, store: PairStore, name: str, sample: Indices) -> None:
        self._columns = store.side(name)
        words = self._columns.words_at(sample)
        self.known = repeated_words(words)
        self.sample = word_table(words, self.known)

    def table(self, pairs: Indices) -> csr_array:
        return word_table(self._columns.words_at(pairs), self.known)


class AlignmentMargins:
    """Learns from some pairs of all corpora, and compares the pairs of each with strangers."""

    def __init__(self, store: PairStore, corpora: Sequence[Indices], keys: Hashes, max_cells: int = MAX_CELLS) -> None:
        """corpora: the pairs to learn from, by corpus. keys: by which they are sampled if there are many."""
        self._folds = np.zeros(store.size, np.int8)
        for pairs in corpora:
            self._folds[pairs] = folds_of(len(pairs))
        sizes = store.column("source_counts", np.int64) * store.column("target_counts", np.int64)
        self.sample = np.sort(np.concatenate([*_samples(corpora, keys, sizes, max_cells), np.empty(0, np.int64)]))
        """The pairs that are learnt from, ascending."""
        self._sides = [_Side(store, name, self.sample) for name in SIDES]
        cells = Cells.of(*(side.sample for side in self._sides))
        folds = self._folds[self.sample]
        self._learnt = [cells.learn(folds != fold) for fold in range(FOLDS)]

    def of(self, pairs: Indices, engine: Engine | None = None) -> Margins:
        """The margins of the pairs of one corpus. pairs: in file order."""
        found = Margins.unknown(len(pairs))
        folds = self._folds[pairs]
        windows = [window for fold in range(FOLDS) for window in windows_of(np.flatnonzero(folds == fold))]
        parts = (engine or Local(1)).in_order(AlignmentMargins._of_window, self, (pairs[each] for each in windows))
        for window, part in zip(windows, parts, strict=True):
            for column, values in zip(found, part, strict=True):
                column[window] = values
        return found

    def _of_window(self, pairs: Indices) -> Margins:
        """pairs: of one fold."""
        source, target = (side.table(pairs) for side in self._sides)
        forward, backward = self._learnt[int(self._folds[pairs[0]])]
        sources, targets = _only(source, backward.is_known), _only(target, forward.is_known)
        scores = fits(sources, targets, forward) + fits(targets, sources, backward).T
        lengths = [np.diff(table.indptr) for table in (sources, targets)]
        return margins(scores, lengths[0], lengths[1], ~similar(source))


def _samples(corpora: Sequence[Indices], keys: Hashes, sizes: Indices, most: int) -> list[Indices]:
    """Pairs of each corpus with at most `most` cells together; what small ones do not need is left to large ones."""
    found, left = [], most
    for number, pairs in enumerate(sorted(corpora, key=lambda pairs: int(sizes[pairs].sum()))):
        drawn = in_random_order(pairs, keys)
        total = np.cumsum(sizes[drawn])
        here = int(np.searchsorted(total, left // (len(corpora) - number), side="right"))
        found.append(drawn[:here])
        left -= int(total[here - 1]) if here else 0
    return found


def _only(table: csr_array, is_known: Mask) -> csr_array:
    kept = csr_array(table @ diags_array(is_known.astype(np.float64)))
    kept.eliminate_zeros()
    return kept


def fits(sources: csr_array, targets: csr_array, learnt: Direction) -> Floats:
    """float64 (sources, targets): how much likelier each target's words are after each source than anywhere.

    The mean over the target's words of ln((sum of the ratios of the source's words + U) / (source words + U)), where U
    is `UNLINKED`; 0 for a target without words. Source `a b`, target `x`, ratio of a-x 9 and none of b-x, U 3: ln(12 /
    5) = 0.875.
    """
    rows, columns = (np.unique(table.indices) for table in (sources, targets))
    sums = csr_array(sources[:, rows] @ learnt.ratios[rows][:, columns])
    # Most sums are 0, so the logarithm of U is taken out of all of them.
    sums.data = np.log1p(sums.data / UNLINKED)
    lengths = np.diff(targets.indptr)
    means: Floats = (sums @ targets[:, columns].T).toarray() / np.maximum(lengths, 1)
    means += np.log(UNLINKED / (np.diff(sources.indptr) + UNLINKED))[:, None]
    means[:, lengths == 0] = 0
    return means


def margins(scores: Floats, source_words: Indices, target_words: Indices, is_stranger: Mask) -> Margins:
    """The margins of the pairs of a window, from the scores of all sources with all targets.

    scores: float64 (pairs, pairs). source_words, target_words: int (pairs,). is_stranger: bool (pairs, pairs): which
    pairs may be compared with each other.
    """
    everyone = np.arange(len(scores))[:, None]
    by_target, by_source = (nearest_in_length(words, STRANGERS) for words in (target_words, source_words))
    found = np.concatenate([scores[everyone, by_target], scores[by_source, everyone]], axis=1)
    is_there = np.concatenate([is_stranger[everyone, by_target], is_stranger[everyone, by_source]], axis=1)
    count, total = is_there.sum(axis=1), np.where(is_there, found, 0).sum(axis=1)
    # The target nearest in length is the stranger whose own margin is wanted.
    first = found[everyone[:, 0], is_there.argmax(axis=1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.diagonal(scores) - total / count
        strangers = np.where(count > 1, first - (total - first) / (count - 1), np.nan)
    words = np.minimum(source_words, target_words)
    is_known = (count > 1) & (words > 0)
    return Margins(np.where(is_known, own, np.nan), np.where(is_known, strangers, np.nan), words.astype(np.float64))
