"""Batches of sentences of similar length, as many as a token budget holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Widths of the target-length buckets grow by this factor; the best of 1.1 to 1.25 on general text.
_BUCKET_GROWTH = 1.1


def token_batches(
    lengths: NDArray[np.int_], max_tokens: int, generator: np.random.Generator | None = None
) -> list[list[int]]:
    """Each index once, in batches whose longer side, padded, holds at most `max_tokens` (a longer pair stands alone).

    lengths: int (pairs, 2), source and target tokens. Pairs are ordered by bucket of target length and, within
    a bucket, by source length, up and down in turn, so that neighbours are alike on both sides. `generator`
    shuffles pairs of equal lengths and the batches; without one, batches come in order of length.
    """
    if not len(lengths):
        return []
    shuffled = np.arange(len(lengths)) if generator is None else generator.permutation(len(lengths))
    source, target = lengths[shuffled].T
    bucket = np.floor(np.log(target) / np.log(_BUCKET_GROWTH)).astype(int)
    order = shuffled[np.lexsort((np.where(bucket % 2 == 0, source, -source), bucket))]
    batches = _cut(order, lengths, max_tokens)
    if generator is not None:
        generator.shuffle(batches)
    return batches


def _cut(order: NDArray[np.int_], lengths: NDArray[np.int_], max_tokens: int) -> list[list[int]]:
    longest = lengths[order].max(axis=1).tolist()
    batches: list[list[int]] = []
    batch: list[int] = []
    width = 0
    for index, length in zip(order.tolist(), longest, strict=True):
        if batch and (len(batch) + 1) * max(width, length) > max_tokens:
            batches.append(batch)
            batch, width = [], 0
        batch.append(index)
        width = max(width, length)
    return [*batches, batch]
