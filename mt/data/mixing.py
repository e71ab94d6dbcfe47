"""How much of each corpus an epoch contains: in-domain pairs repeated, a part of the general ones replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mt.config import DataConfig


def mixing_weights(config: DataConfig, sizes: Mapping[str, int]) -> dict[str, float]:
    """How many times an epoch contains each training pair of a corpus, by corpus.

    sizes: training pairs per corpus. The weights are those of the config. With `data.temperature` T, the corpora's
    shares of an epoch are proportional to size ** (1 / T) instead (Arivazhagan et al., 2019), and the largest corpus
    occurs once. Mixed fine-tuning (Chu et al., 2017) repeats the domain and replays a part of the general text.
    """
    if config.temperature is None:
        return {name: config.corpora[name].weight for name in sizes}
    largest = max(sizes.values(), default=0)
    exponent = 1 / config.temperature - 1
    return {name: (size / largest) ** exponent if size else 1.0 for name, size in sizes.items()}


class EpochMix:
    """The pairs of each epoch: the same on every process, and computed without the epochs before."""

    def __init__(self, corpora: Sequence[str], weights: Mapping[str, float], seed: int) -> None:
        """corpora: the name of each pair's corpus. weights: how many times an epoch contains a pair, by corpus."""
        names = np.array(corpora)
        self.members = [np.flatnonzero(names == name) for name in sorted(weights)]
        self.weights = [weights[name] for name in sorted(weights)]
        self.seed = seed

    def epoch(self, number: int) -> NDArray[np.int64]:
        """int (pairs of the epoch,): indices, those of a corpus with weight 2.5 two or three times each.

        A fraction of a corpus moves on from epoch to epoch, so that all pairs are seen equally often: with weight 0.1,
        each pair once in ten epochs.
        """
        parts = [np.empty(0, np.int64)]
        for order, (members, weight) in enumerate(zip(self.members, self.weights, strict=True)):
            # A stretch of one shuffle of the corpus, repeated without end.
            start, stop = (round(len(members) * weight * epoch) for epoch in (number, number + 1))
            shuffled = np.random.default_rng((self.seed, order)).permutation(members)
            parts.append(shuffled[np.arange(start, stop) % max(1, len(members))])
        return np.concatenate(parts)
