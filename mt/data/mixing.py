"""How much of each corpus an epoch holds: oversampling in-domain pairs, replaying general ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mt.config import DataConfig


def mixing_weights(config: DataConfig, sizes: Mapping[str, int]) -> dict[str, float]:
    """How often an epoch holds each training pair of a corpus, by corpus.

    sizes: training pairs of each corpus. The weights are those of the config or, with `data.temperature` T, such
    that the corpora's shares of an epoch are proportional to size ** (1 / T) (Arivazhagan et al., 2019) and the
    largest corpus is there once. Mixed fine-tuning (Chu et al., 2017) weighs the domain up and replays a part of
    general text.
    """
    if config.temperature is None:
        return {name: config.corpora[name].weight for name in sizes}
    largest = max(sizes.values(), default=0)
    exponent = 1 / config.temperature - 1
    return {name: (size / largest) ** exponent if size else 1.0 for name, size in sizes.items()}


class EpochMix:
    """Which pairs each epoch holds; the same on every process, and for any epoch without the ones before it."""

    def __init__(self, corpora: Sequence[str], weights: Mapping[str, float], seed: int) -> None:
        """corpora: the name of each pair's corpus. weights: how often an epoch holds a pair, by corpus."""
        names = np.array(corpora)
        self.members = [np.flatnonzero(names == name) for name in sorted(weights)]
        self.weights = [weights[name] for name in sorted(weights)]
        self.seed = seed

    def epoch(self, number: int) -> NDArray[np.int64]:
        """int (pairs of the epoch,): indices, those of a corpus with weight 2.5 two or three times each.

        The part of a corpus that a fraction stands for moves on from epoch to epoch, so that all pairs are seen
        equally often: with weight 0.1 each pair once in ten epochs.
        """
        parts = [np.empty(0, np.int64)]
        for order, (members, weight) in enumerate(zip(self.members, self.weights, strict=True)):
            # Places on an endless repetition of one shuffle of the corpus.
            start, stop = (round(len(members) * weight * epoch) for epoch in (number, number + 1))
            shuffled = np.random.default_rng((self.seed, order)).permutation(members)
            parts.append(shuffled[np.arange(start, stop) % max(1, len(members))])
        return np.concatenate(parts)
