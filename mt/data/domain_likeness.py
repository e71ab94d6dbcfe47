"""How much each pair of a general corpus is like the domain: the cross-entropy difference of both sides.

A sentence is like the domain if a model of the domain needs fewer bits for it than a model of the general corpus does
(Moore and Lewis, 2010); of a pair, the differences of both sides are added (Axelrod et al., 2011). The lower, the more
like the domain.

Bigrams of words, and every word of the samples in the vocabulary, because that finds held-out pairs of a domain best;
`benchmarks/selection_models.py` compares the alternatives.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mt.cores import usable_cores
from mt.data.fingerprints import Hashes
from mt.data.language_model import BigramModel, Vocabulary
from mt.data.selection import Indices, Mask, combine
from mt.data.store import PairStore, SideColumns

WINDOW_PAIRS = 20_000
"""Pairs that are looked at together; scores do not depend on it."""

Scores = NDArray[np.float32]
_MOST_THREADS = 8


@dataclass(frozen=True)
class _SideModels:
    """The models of one side."""

    side: SideColumns
    vocabulary: Vocabulary
    domain: BigramModel
    general: tuple[BigramModel, BigramModel]
    """Of two samples without a common pair: what is in the first is compared with the second."""

    def differences(self, pairs: Indices, is_in_first: Mask) -> NDArray[np.float64]:
        """float64 (pairs,): bits per token. is_in_first: whether the first sample of the general corpus has a pair."""
        tokens = self.vocabulary.encode(self.side.words_at(pairs))
        against = self.general[0].cross_entropy(tokens)
        if is_in_first.any():
            own = self.vocabulary.encode(self.side.words_at(pairs[is_in_first]))
            against[is_in_first] = self.general[1].cross_entropy(own)
        difference: NDArray[np.float64] = self.domain.cross_entropy(tokens) - against
        return difference


class CrossEntropyDifference:
    """Scores pairs by how much likelier they are in the domain than in the general corpus."""

    def __init__(self, store: PairStore, domain: Indices, general: Indices, keys: Hashes) -> None:
        """Train the models.

        domain, general: numbers of training pairs, at least one and two. keys: uint64 (pairs of the store,), by which
        samples are drawn and which do not depend on the order of the pairs. The two models should know equally much
        (Moore and Lewis), so both corpora are sampled down to the same number of pairs.
        """
        size = min(len(domain), len(general) // 2)
        drawn = in_random_order(general, keys)[: 2 * size]
        # A model finds the sentences it was trained on likely, and they would seem less like the domain than others.
        samples = [np.sort(some) for some in (in_random_order(domain, keys)[:size], drawn[:size], drawn[size:])]
        self._is_in_first = np.zeros(store.size, bool)
        self._is_in_first[samples[1]] = True
        self._sides = [_models(store.side(name), *samples) for name in ("source", "target")]

    def scores(self, pairs: Indices) -> Scores:
        """float32 (pairs,): bits per token, summed over both sides; lower is more like the domain.

        Any number of pairs: they are looked at window by window, on all cores.
        """
        # Threads are enough: numpy searches and takes logarithms in parallel.
        with ThreadPoolExecutor(min(usable_cores(), _MOST_THREADS)) as pool:
            parts = list(pool.map(self._score, windows(pairs)))
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _score(self, pairs: Indices) -> Scores:
        is_in_first = self._is_in_first[pairs]
        source, target = (side.differences(pairs, is_in_first) for side in self._sides)
        return (source + target).astype(np.float32)


def _models(side: SideColumns, domain: Indices, first: Indices, second: Indices) -> _SideModels:
    texts = [side.words_at(sample) for sample in (domain, first, second)]
    vocabulary = Vocabulary(np.concatenate([text.hashes for text in texts]))
    of_domain, *general = (BigramModel(vocabulary.encode(text), vocabulary) for text in texts)
    return _SideModels(side, vocabulary, of_domain, (general[0], general[1]))


def in_random_order(pairs: Indices, keys: Hashes) -> Indices:
    """`pairs` in an order that depends on their keys alone."""
    salt = np.full(len(pairs), 0x5E1EC7, np.uint64)
    return pairs[np.argsort(combine(keys[pairs], salt), kind="stable")]


def windows(pairs: Indices) -> Iterator[Indices]:
    """`pairs` in parts that fit into memory."""
    for start in range(0, len(pairs), WINDOW_PAIRS):
        yield pairs[start : start + WINDOW_PAIRS]
