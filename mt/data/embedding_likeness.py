"""How much each pair of a general corpus is like the domain, by the meaning of its sentences.

A sentence is a vector of a `SentenceEncoder`; a pair is like the domain if, on both sides, the domain's training pairs
have sentences near it. Every vector of the domain is compared with, in one matrix product after another: of the time,
nine tenths and more are the encoder's, so an index of nearest neighbours (faiss, usearch) would save nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from mt.data.domain_likeness import Scores, in_random_order
from mt.data.fingerprints import Hashes
from mt.data.selection import Indices
from mt.data.sentence_encoder import SentenceEncoder
from mt.data.store import PairStore
from mt.progress import progress

logger = logging.getLogger(__name__)

NEAREST = 4
"""Domain sentences that a sentence is compared with; one alone may be a misaligned line or a headline."""

# More of a domain says nothing new, and takes memory.
_MOST_DOMAIN_PAIRS = 50_000
_TIMED_PAIRS = 256
_SLOW_SECONDS = 60
_SIDES = ("source", "target")


class EmbeddingDistance:
    """Scores pairs by how far their sentences are from the nearest ones of the domain."""

    def __init__(self, store: PairStore, domain: Indices, keys: Hashes, encoder: SentenceEncoder) -> None:
        """domain: numbers of training pairs, at least one. keys: by which they are sampled if there are many."""
        self._store, self._encoder = store, encoder
        sample = np.sort(in_random_order(domain, keys)[:_MOST_DOMAIN_PAIRS])
        texts = [texts for _, texts in _texts(store, sample)]
        self._domain = [encoder.encode([text for part in texts for text in part[side]]) for side in _SIDES]

    def scores(self, pairs: Indices) -> Scores:
        """float32 (pairs,): 1 - cosine similarity to the `NEAREST` domain sentences, the mean of both sides, 0 to 2.

        pairs: ascending. Lower is more like the domain.
        """
        found, started, done = np.empty(len(pairs), np.float32), time.monotonic(), 0
        for here, texts in progress(_texts(self._store, pairs), "encoding sentences", "chunks"):
            sizes = [min(_TIMED_PAIRS, len(here)), len(here)] if done == 0 else [len(here)]
            for start, stop in zip([0, *sizes[:-1]], sizes, strict=True):
                distances = [
                    self._distances(texts[side][start:stop], vectors)
                    for side, vectors in zip(_SIDES, self._domain, strict=True)
                ]
                found[here[start:stop]] = sum(distances) / len(_SIDES)
                if done == 0:
                    self._warn(time.monotonic() - started, stop, len(pairs))
                done += stop - start
        return found

    def _distances(self, texts: list[str], domain: object) -> Scores:
        import torch

        assert isinstance(domain, torch.Tensor)
        if not texts:
            return np.empty(0, np.float32)
        similar = self._encoder.encode(texts) @ domain.T
        nearest = similar.topk(min(NEAREST, len(domain)), dim=1).values.mean(dim=1)
        distances: Scores = (1 - nearest).cpu().numpy().astype(np.float32)
        return distances

    def _warn(self, seconds: float, pairs: int, total: int) -> None:
        expected = seconds / max(1, pairs) * total
        if self._encoder.device.type == "cpu" and expected > _SLOW_SECONDS:
            logger.warning(
                "encoding %d pairs without a GPU takes about %d minutes; the method cross_entropy takes seconds",
                *(total, round(expected / 60)),
            )


def _texts(store: PairStore, pairs: Indices) -> Iterator[tuple[Indices, dict[str, list[str]]]]:
    """(places in `pairs`, the texts of these pairs by side), chunk by chunk. pairs: ascending."""
    start = 0
    for batch in store.texts():
        first, last = np.searchsorted(pairs, [start, start + batch.num_rows])
        if last > first:
            rows = batch.take(pa.array(pairs[first:last] - start))
            yield np.arange(first, last), {side: rows[side].to_pylist() for side in _SIDES}
        start += batch.num_rows
