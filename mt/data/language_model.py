"""A small bigram model of words, over arrays: counted and asked at millions of words per second.

Words are the 64-bit hashes of `mt.data.fingerprints`, so case, punctuation and diacritics do not count and every number
is the same word. No library does this: KenLM's package for Python reads models but makes none, and NLTK's models count
in dictionaries, some hundred times as slowly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mt.data.fingerprints import Hashes, Words
from mt.data.selection import Indices, run_starts

DISCOUNT = 0.75
"""Taken from the count of every seen word and bigram, for those that were not seen."""

Floats = NDArray[np.float64]


class Vocabulary:
    """Numbers for words: one each from 0, then one for all others, then one for the border between sentences."""

    def __init__(self, words: Hashes) -> None:
        """words: hashes, in any order, repeated or not."""
        self.words = np.unique(words)
        self.unknown = len(self.words)
        self.border = len(self.words) + 1

    @property
    def size(self) -> int:
        """How many events a model distributes its probability over, the end of a sentence included."""
        return self.border + 1

    def encode(self, words: Words) -> Tokens:
        """Sentences as numbers, each with the border behind it. A sentence may be empty."""
        numbers = self._numbers(words.hashes)
        ends = np.cumsum(words.counts)
        tokens = np.insert(numbers, ends, self.border)
        # The border before a sentence is the one behind its predecessor.
        return Tokens(tokens, np.concatenate([[self.border], tokens[:-1]]), words.counts + 1)

    def _numbers(self, hashes: Hashes) -> Indices:
        if not len(self.words):
            return np.full(len(hashes), self.unknown, np.int64)
        found = np.minimum(np.searchsorted(self.words, hashes), len(self.words) - 1)
        return np.where(self.words[found] == hashes, found, self.unknown)


@dataclass(frozen=True)
class Tokens:
    """Sentences as numbers of a vocabulary, one after the other."""

    words: Indices
    """int (tokens,): each word, and the border at the end of each sentence."""
    before: Indices
    """int (tokens,): what is before each of `words`: a word, or the border."""
    counts: NDArray[np.int64]
    """int (sentences,): tokens per sentence, the border included."""


class BigramModel:
    """Interpolated absolute discounting (Ney, Essen and Kneser, 1994), with the same discount for every count.

    p(w)     = max(count(w) - D, 0) / tokens      + D * seen words / tokens            / vocabulary size
    p(w | v) = max(count(v w) - D, 0) / count(v)  + D * seen words after v / count(v)  * p(w)

    Where v was never seen, p(w | v) is p(w). Over the vocabulary, unknown word and border included, both sum to 1.
    """

    def __init__(self, tokens: Tokens, vocabulary: Vocabulary) -> None:
        """tokens: the text to learn from, at least one sentence."""
        size = self._size = vocabulary.size
        counts = np.bincount(tokens.words, minlength=size)
        total, seen = counts.sum(), (counts > 0).sum()
        self._alone: Floats = np.maximum(counts - DISCOUNT, 0) / total + DISCOUNT * seen / total / size
        self._keys, pairs = np.unique(self._key(tokens.before, tokens.words), return_counts=True)
        before = self._keys // size
        starts = run_starts(before)
        followed = np.add.reduceat(pairs, starts)
        self._left_over = np.ones(size)
        """By the word before: the share of the probability that is distributed as if nothing were before."""
        self._left_over[before[starts]] = DISCOUNT * np.diff(np.append(starts, len(before))) / followed
        times = np.diff(np.append(starts, len(before)))
        self._together: Floats = (pairs - DISCOUNT) / np.repeat(followed, times)

    def _key(self, before: Indices, words: Indices) -> Indices:
        # Exact, not hashed: three billion words are needed for this to overflow.
        return before * self._size + words

    def bits(self, tokens: Tokens) -> Floats:
        """float64 (tokens,): -log2 of the probability of each token, after the one before it."""
        probability = self._left_over[tokens.before] * self._alone[tokens.words]
        keys = self._key(tokens.before, tokens.words)
        found = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        is_seen = self._keys[found] == keys
        probability[is_seen] += self._together[found[is_seen]]
        return -np.log2(probability)

    def cross_entropy(self, tokens: Tokens) -> Floats:
        """float64 (sentences,): bits per token of each sentence, its end included."""
        starts = np.cumsum(tokens.counts) - tokens.counts
        summed: Floats = np.add.reduceat(self.bits(tokens), starts) if len(starts) else np.empty(0)
        return summed / tokens.counts
