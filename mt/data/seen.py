"""Which test sentences a run has seen in training, by the rules with which the builder keeps its splits apart.

The builder compares everything with everything, which takes minutes for millions of pairs. Here, a few thousand test
sentences are compared with millions of training pairs, which are streamed past them: word pairs shared with some test
sentence single out the few training pairs that are worth the builder's own comparison.
"""

from __future__ import annotations

import multiprocessing
from array import array
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from numpy.typing import NDArray

from mt.data.alike import Edges, only_alike
from mt.data.decontamination import LookUp, find_overlaps
from mt.data.fingerprints import Hashes, Side, Words, fingerprint, hash_of, scramble, stretches
from mt.data.preparing import usable_workers
from mt.data.selection import Indices, Mask
from mt.data.store import SideColumns
from mt.text.normalise import comparison_words, normalise

NEW, NGRAM, NEAR, EXACT = 0, 1, 2, 3
"""What a test sentence is to a run: new, with many words in a row from a training pair, similar to one, or equal."""

_ROWS, _ROWS_OF_A_TASK = 50_000, 200_000
_MAX_KNOWN_CHUNKS = 500_000
# Triples by which a sentence is looked up, and the most sentences that one triple leads to.
_RAREST, _MAX_CANDIDATES = 12, 64
# The similarity counts distinct words, the quick check every word: this margin allows for repeated ones.
_MARGIN = 0.1


class Rules(NamedTuple):
    """When a test sentence counts as seen."""

    similarity: float
    """Jaccard similarity of words and word pairs from which sentences are alike."""
    words_in_a_row: int | None
    """Words in a row that a training pair must not share with a test sentence; None: any number is allowed."""


def find_seen(
    splits: Mapping[str, Dataset], sources: Sequence[str], references: Sequence[str], rules: Rules
) -> NDArray[np.int8]:
    """int8 (sentences,): `NEW`, `NGRAM`, `NEAR` or `EXACT`, the highest that applies.

    splits: `train` and the splits that checkpoints were chosen on, with columns `source` and `target`. Words in a row
    only count in `train`, as for the builder. A sentence is seen if either of its sides is.
    """
    pairs = [normalise(text) for text in sources], [normalise(text) for text in references]
    tasks = [
        (name, split.select(range(start, min(start + _ROWS_OF_A_TASK, len(split)))))
        for name, split in splits.items()
        for start in range(0, len(split), _ROWS_OF_A_TASK)
    ]
    with ExitStack() as stack:
        cores = min(len(tasks) - 1, usable_workers())
        # Further processes are worth their start from the second large part on.
        context = multiprocessing.get_context("spawn")
        pool = stack.enter_context(ProcessPoolExecutor(cores, context)) if cores > 1 else None
        arguments = [(name, part, *pairs, rules) for name, part in tasks]
        if pool is None:
            found = [_seen_in(*each) for each in arguments]
        else:
            found = [task.result() for task in [pool.submit(_seen_in, *each) for each in arguments]]
    most: NDArray[np.int8] = np.maximum.reduce([np.full(len(sources), NEW, np.int8), *found])
    return most


def _seen_in(
    name: str, split: Dataset, sources: Sequence[str], references: Sequence[str], rules: Rules
) -> NDArray[np.int8]:
    pool, readers = _Pool(sources, references), (_WordReader(), _WordReader())
    in_a_row = rules.words_in_a_row if name == "train" else None
    for batch in split.with_format("arrow").iter(_ROWS):
        texts = batch["source"], batch["target"] if name == "train" else _normalised(batch["target"])
        words = [reader.words(column) for reader, column in zip(readers, texts, strict=True)]
        pool.compare(texts, words, Rules(rules.similarity, in_a_row))
    return pool.seen


def _normalised(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Normalised references of the dev split, where they are stored as they were written."""
    return pa.chunked_array([pa.array([normalise(text) for text in texts.to_pylist()], pa.string())])


class _WordReader:
    """The word hashes of `fingerprint` for normalised texts; each distinct chunk between spaces is hashed once."""

    def __init__(self) -> None:
        self._chunks = _Chunks()

    def words(self, texts: pa.ChunkedArray) -> Words:
        """The words of each text; a text without words counts as one word."""
        lists = pc.split_pattern(texts.combine_chunks(), " ")
        encoded = lists.flatten().dictionary_encode()
        if len(self._chunks) > _MAX_KNOWN_CHUNKS:
            self._chunks = _Chunks()
        numbers = np.array([self._chunks[chunk] for chunk in encoded.dictionary.to_pylist()], np.int64)
        chunks = numbers[encoded.indices.to_numpy()]
        sizes = np.array(self._chunks.sizes, np.int64)
        counts = sizes[chunks]
        hashes = np.array(self._chunks.hashes, np.uint64)[stretches((np.cumsum(sizes) - sizes)[chunks], counts)]
        first = np.asarray(lists.offsets)[:-1] - lists.offsets[0].as_py()
        return _with_wordless(Words(hashes, np.add.reduceat(counts, first)), texts)


class _Chunks(dict[str, int]):
    """The number of each chunk between spaces; by number, its count of words; and all their hashes in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes, self.hashes = array("q"), array("Q")

    def __missing__(self, chunk: str) -> int:
        words = comparison_words(chunk)
        self.sizes.append(len(words))
        self.hashes.extend(map(hash_of, words))
        self[chunk] = number = len(self)
        return number


def _with_wordless(words: Words, texts: pa.ChunkedArray) -> Words:
    rows = np.flatnonzero(words.counts == 0)
    if not len(rows):
        return words
    ends = np.cumsum(words.counts)[rows]
    counts = words.counts.copy()
    counts[rows] = 1
    own = np.array([hash_of(text) for text in texts.take(pa.array(rows)).to_pylist()], np.uint64)
    return Words(np.insert(words.hashes, ends, own), counts)


class _Pool:
    """The test sentences, and what was found of each so far."""

    def __init__(self, sources: Sequence[str], references: Sequence[str]) -> None:
        self._pairs = list(zip(sources, references, strict=True))
        prints = fingerprint(sources, references, "")
        self._sides = _PoolSide(prints.source), _PoolSide(prints.target)
        self.seen = np.full(len(self._pairs), NEW, np.int8)

    def compare(self, texts: Sequence[pa.ChunkedArray], words: Sequence[Words], rules: Rules) -> None:
        """Look for test sentences in a batch of training pairs."""
        is_equal = np.ones(len(texts[0]), bool)
        for side, of_batch in zip(self._sides, words, strict=True):
            sequences = _sequences(of_batch)
            is_known = side.holds(sequences)
            is_equal &= is_known
            self._mark(np.isin(side.sequences, sequences[is_known]), NEAR)
            worth, triples_worth = side.worth_a_look(of_batch, rules)
            rows = np.flatnonzero(worth)
            if len(rows):
                self._compare_closely(side, of_batch.at(rows), triples_worth[rows], rules)
        rows = pa.array(np.flatnonzero(is_equal))
        found = set(zip(*(column.take(rows).to_pylist() for column in texts), strict=True))
        if found:
            self._mark(np.array([pair in found for pair in self._pairs]), EXACT)

    def _compare_closely(self, side: _PoolSide, words: Words, is_near: Mask, rules: Rules) -> None:
        """The builder's own comparisons between the test sentences and some rows of a batch."""
        both, size = side.beside(words), len(self.seen)
        everyone = np.arange(len(both.counts))
        edges = side.candidates(words, is_near, self.seen < NEAR)
        edges[:, 1] += size
        alike = only_alike(both, everyone, edges, rules.similarity)
        self._mark(np.isin(np.arange(size), alike[:, 0]), NEAR)
        if rules.words_in_a_row is not None:
            is_new = (everyone < size) & (np.append(self.seen, np.full(len(words.counts), NEW)) < NGRAM)
            shared = find_overlaps(both, is_new, everyone >= size, rules.words_in_a_row)[:size] >= 0
            self._mark(shared, NGRAM)

    def _mark(self, sentences: Mask, kind: int) -> None:
        self.seen[sentences] = np.maximum(self.seen[sentences], kind)


class _PoolSide:
    """One side of the test sentences, prepared for looking up others in it."""

    def __init__(self, side: Side) -> None:
        self.words = side.words
        self.sequences = _sequences(side.words)
        self._known_sequences = LookUp(self.sequences)
        self._known_words = LookUp(scramble(side.words.hashes))
        self._known_pairs = LookUp(side.words.ngrams(2).hashes)
        triples = side.words.ngrams(3)
        owners = np.repeat(np.arange(len(triples.counts)), triples.counts)
        order = np.argsort(triples.hashes, kind="stable")
        self._triples, self._owners = triples.hashes[order], owners[order]
        self._known_triples = LookUp(triples.hashes)

    def holds(self, sequences: Hashes) -> Mask:
        """bool (sequences,): which of these other sentences equal a test sentence in words and their order."""
        held = self._known_sequences.may_hold(sequences)
        held[held] = np.isin(sequences[held], self.sequences)
        return held

    def worth_a_look(self, words: Words, rules: Rules) -> tuple[Mask, Mask]:
        """(sentences that may be similar to a test sentence or share words in a row, those that may be similar)."""
        pairs = words.ngrams(2)
        of_pairs = _count(self._known_pairs.may_hold(pairs.hashes), pairs.counts)
        of_words = _count(self._known_words.may_hold(scramble(words.hashes)), words.counts)
        share = (of_pairs + of_words) / (words.counts + pairs.counts)
        may_be_alike = (share >= rules.similarity - _MARGIN) & (words.counts >= 3)
        in_a_row = rules.words_in_a_row
        return may_be_alike | (in_a_row is not None and of_pairs >= (in_a_row or 0) - 1), may_be_alike

    def candidates(self, words: Words, is_near: Mask, is_open: Mask) -> Edges:
        """(test sentence, sentence of the batch) of pairs that share one of the batch sentence's rarest triples."""
        triples = words.ngrams(3)
        rows = np.repeat(np.arange(len(triples.counts)), triples.counts)
        worth = self._known_triples.may_hold(triples.hashes) & is_near[rows]
        rows, hashes = rows[worth], triples.hashes[worth]
        first, last = (np.searchsorted(self._triples, hashes, side=side) for side in ("left", "right"))
        rows, first, many = _rarest(rows, first, last - first)
        stride = -(-many // _MAX_CANDIDATES)
        taken = np.where(many > 0, -(-many // np.maximum(stride, 1)), 0)
        inside = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        owners = self._owners[np.repeat(first, taken) + inside * np.repeat(stride, taken)]
        codes = (owners * len(words.counts) + np.repeat(rows, taken))[is_open[owners]]
        return np.stack(np.divmod(np.unique(codes), len(words.counts)), axis=1)

    def beside(self, words: Words) -> SideColumns:
        """The test sentences, followed by others."""
        counts = np.concatenate([self.words.counts, words.counts])
        hashes = np.concatenate([self.words.hashes, words.hashes])
        return SideColumns(np.empty(0, np.uint64), counts, np.cumsum(counts) - counts, hashes)


def _rarest(rows: Indices, first: Indices, many: Indices) -> tuple[Indices, Indices, Indices]:
    """Of each row, the triples that the fewest test sentences have."""
    known = many > 0
    rows, first, many = rows[known], first[known], many[known]
    order = np.lexsort((many, rows))
    rows, first, many = rows[order], first[order], many[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < _RAREST
    return rows[kept], first[kept], many[kept]


def _sequences(words: Words) -> Hashes:
    """uint64 (sentences,): equal for the same words in the same order."""
    starts = np.cumsum(words.counts) - words.counts
    position = (np.arange(len(words.hashes)) - np.repeat(starts, words.counts)).astype(np.uint64)
    return np.add.reduceat(scramble(words.hashes + scramble(position)), starts)


def _count(hits: Mask, counts: Indices) -> Indices:
    """int (sentences,): the number of hits among each sentence's items."""
    sums = np.concatenate([[0], np.cumsum(hits)])
    ends = np.cumsum(counts)
    counted: Indices = sums[ends] - sums[ends - counts]
    return counted
