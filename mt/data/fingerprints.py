"""Sentences as hashes, by which duplicates, neighbours and splits are found without keeping the texts in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from mt.text.normalise import comparison_words

Hashes = NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Words:
    """The word hashes of many sentences, one sentence after the other."""

    hashes: Hashes
    counts: NDArray[np.int64]
    """int (sentences,): the number of `hashes` that belong to each sentence."""

    def ngrams(self, length: int) -> Words:
        """The hashes of all sequences of `length` words inside each sentence."""
        windows = len(self.hashes) - length + 1
        counts = np.maximum(self.counts - length + 1, 0)
        if windows <= 0:
            return Words(np.empty(0, np.uint64), np.zeros_like(counts))
        mixed = np.zeros(windows, np.uint64)
        for offset in range(length):
            mixed = mixed * _MULTIPLIER + self.hashes[offset : offset + windows]
        starts = np.repeat(np.cumsum(self.counts) - self.counts, counts)
        inside = starts + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return Words(scramble(mixed[inside]), counts)

    def at(self, indices: NDArray[np.int64]) -> Words:
        """The words of some of the sentences, in the order of `indices`."""
        counts = self.counts[indices]
        return Words(self.hashes[stretches((np.cumsum(self.counts) - self.counts)[indices], counts)], counts)


def stretches(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices of stretches, one after the other: from 5 and 9, 2 and 3 long, they are 5, 6, 9, 10, 11."""
    return np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())


@dataclass(frozen=True)
class Side:
    """One side of many pairs; every array but those in `words` has one entry per pair."""

    words: Words
    """Case, punctuation and diacritics are ignored; every number is a 0."""
    keys: Hashes
    """Hashes of whole sentences: equal if the words are."""
    letters: Hashes
    """The same, but with the digits of numbers."""


@dataclass(frozen=True)
class Fingerprints:
    """What is kept of a chunk of pairs besides the texts."""

    source: Side
    target: Side
    pairs: Hashes
    """Hashes of both texts, unchanged."""
    positions: NDArray[np.float64]
    """0 to 1, uniform; decides the split."""


def fingerprint(sources: Sequence[str], targets: Sequence[str], split_key: str) -> Fingerprints:
    """Fingerprints of normalised pairs.

    A pair's position depends on one word triple of its source, the one with the smallest hash (min-wise hashing,
    Broder, 1997). Near-duplicates share most triples and so, usually, the position. Other pairs never change it.
    """
    source = _side(sources)
    texts = zip(sources, targets, strict=True)
    pairs = np.array([hash_of(f"{one}\0{other}") for one, other in texts], np.uint64)
    anchors = _smallest(source.words.ngrams(3), source.keys)
    positions = [hash_of(f"{split_key}\0{anchor}") / 2**64 for anchor in anchors.tolist()]
    return Fingerprints(source, _side(targets), pairs, np.array(positions, np.float64))


def concatenate(parts: Sequence[Fingerprints]) -> Fingerprints:
    """The chunks as one."""
    joined = _concatenate(parts)
    assert isinstance(joined, Fingerprints)
    return joined


def _concatenate(parts: Sequence[object]) -> object:
    first = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)  # type: ignore[arg-type]
    names = [field.name for field in fields(first)]  # type: ignore[arg-type]
    return type(first)(*(_concatenate([getattr(part, name) for part in parts]) for name in names))


def _side(texts: Sequence[str]) -> Side:
    tokens = [comparison_words(text) or [text] for text in texts]
    hashes = _WordHashes()
    flat = [hashes[word] for sentence in tokens for word in sentence]
    words = Words(np.array(flat, np.uint64), np.array([len(sentence) for sentence in tokens], np.int64))
    keys = [hash_of(" ".join(sentence)) for sentence in tokens]
    # Only in a text with digits can `letters` differ from `keys`.
    letters = [
        hash_of(" ".join(comparison_words(text, fold_digits=False))) if "0" in sentence else key
        for text, sentence, key in zip(texts, tokens, keys, strict=True)
    ]
    return Side(words, np.array(keys, np.uint64), np.array(letters, np.uint64))


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        self[word] = value = hash_of(word)
        return value


def hash_of(text: str) -> int:
    """A 64-bit hash of a word or a text."""
    return xxh3_64_intdigest(text.encode())


def _smallest(ngrams: Words, otherwise: Hashes) -> Hashes:
    """The smallest n-gram hash of each sentence; for a sentence without n-grams, that of `otherwise`."""
    smallest = otherwise.copy()
    has_any = ngrams.counts > 0
    if has_any.any():
        starts = (np.cumsum(ngrams.counts) - ngrams.counts)[has_any]
        smallest[has_any] = np.minimum.reduceat(ngrams.hashes, starts)
    return smallest


def scramble(hashes: Hashes) -> Hashes:
    """Spread the information of each hash over all its bits (the finalizer of SplitMix64, Steele et al., 2014)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
