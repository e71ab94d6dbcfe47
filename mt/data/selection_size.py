"""How many pairs to take from a general corpus: as many as tell an n-gram model most about the domain's dev pairs.

This is Moore and Lewis' own criterion (2010): train a model on what each threshold lets through, and take the one with
the lowest perplexity on held-out text of the domain. Too few pairs leave the model ignorant; too many drown the domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.data.domain_likeness import windows
from mt.data.language_model import Floats, Tokens, Vocabulary
from mt.data.selection import Indices
from mt.data.store import PairStore, SideColumns

_FEWEST_PAIRS = 100
_MOST_SIZES = 14
# How much is borrowed from the model without context, and by that from no model; the best is taken for each size.
_BORROWED = tuple(float(10**power) for power in (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4))


class Size(NamedTuple):
    """A number of pairs, and what a model that was trained on them makes of the dev pairs."""

    pairs: int
    perplexity: float
    """Per word, over both sides."""


def sizes_to_try(candidates: int) -> list[int]:
    """All, a half, a quarter and so on, ascending; none below a hundred pairs, unless there are fewer."""
    sizes = [candidates]
    while sizes[0] // 2 >= _FEWEST_PAIRS and len(sizes) < _MOST_SIZES:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def perplexities(store: PairStore, pairs: Indices, ranks: Indices, dev: Indices, vocabulary_of: Indices) -> list[Size]:
    """The perplexity on the dev pairs of a bigram model of the best pairs, for each of `sizes_to_try`.

    pairs: numbers of the candidates. ranks: int (pairs,), 0 for the one that would be taken first. vocabulary_of: pairs
    whose words are the vocabulary, for every size the same; dev words outside it are not predicted.

    Reads the candidates once, in windows, and keeps counts only of what occurs in dev.
    """
    sizes = sizes_to_try(len(pairs))
    bits = np.zeros(len(sizes))
    words = 0
    for name in ("source", "target"):
        side = store.side(name)
        vocabulary = Vocabulary(side.words_at(vocabulary_of).hashes)
        counts = _DevCounts(vocabulary, vocabulary.encode(side.words_at(dev)), len(sizes))
        for window, order in zip(windows(pairs), windows(ranks), strict=True):
            counts.add(side, window, np.searchsorted(sizes, order, side="right"))
        bits += counts.bits()
        words += counts.words
    found = 2 ** (bits / max(1, words))
    return [Size(size, round(float(value), 2)) for size, value in zip(sizes, found, strict=True)]


def best_size(sizes: Sequence[Size]) -> int:
    """The number of pairs with the lowest perplexity; of equals the smallest."""
    return min(sizes, key=lambda size: (size.perplexity, size.pairs)).pairs


class _DevCounts:
    """How often the words and bigrams of the dev pairs occur in the candidates, by size, for one side.

    A model that knows only these has the probabilities of one that knows all, because its smoothing asks for no others:
    p(w) = (count(w) + m / vocabulary size) / (tokens + m) and p(w | v) = (count(v w) + n * p(w)) / (count(v) + n)
    (MacKay and Peto, 1995).
    """

    def __init__(self, vocabulary: Vocabulary, dev: Tokens, sizes: int) -> None:
        self._vocabulary = vocabulary
        is_known = dev.words != vocabulary.unknown
        self._words, self._before = dev.words[is_known], dev.before[is_known]
        self.words = int(is_known.sum())
        self._keys, self._of_token = np.unique(self._key(self._before, self._words), return_inverse=True)
        self._together = np.zeros((sizes, len(self._keys)), np.int64)
        self._alone = np.zeros((sizes, vocabulary.size), np.int64)

    def _key(self, before: Indices, words: Indices) -> Indices:
        return before * self._vocabulary.size + words

    def add(self, side: SideColumns, pairs: Indices, smallest: Indices) -> None:
        """Count the words of a window. smallest: int (pairs,), the number of the smallest size with the pair."""
        tokens = self._vocabulary.encode(side.words_at(pairs))
        size = np.repeat(smallest, tokens.counts)
        for counts, columns, rows in (
            (self._alone, tokens.words, size),
            (self._together, *self._known(self._key(tokens.before, tokens.words), size)),
        ):
            flat = np.bincount(rows * counts.shape[1] + columns, minlength=counts.size)
            counts += flat.reshape(counts.shape)

    def _known(self, keys: Indices, size: Indices) -> tuple[Indices, Indices]:
        if not len(self._keys):
            return keys[:0], size[:0]
        found = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        is_known = self._keys[found] == keys
        return found[is_known], size[is_known]

    def bits(self) -> Floats:
        """float64 (sizes,): -log2 of the probability of all dev words, with the best smoothing for each size."""
        alone, together = self._alone.cumsum(axis=0), self._together.cumsum(axis=0)
        return np.array([self._fewest_bits(*counts) for counts in zip(alone, together, strict=True)])

    def _fewest_bits(self, alone: NDArray[np.int64], together: NDArray[np.int64]) -> float:
        best = np.inf
        for borrowed in _BORROWED:
            unigram = (alone[self._words] + borrowed / self._vocabulary.size) / (alone.sum() + borrowed)
            for lent in _BORROWED:
                # Something follows each word, and each border: alone, they occur as often as before something else.
                seen = together[self._of_token] + lent * unigram
                best = min(best, float(-np.log2(seen / (alone[self._before] + lent)).sum()))
        return best
