"""Batches of sentences of similar length, as many per batch as a token budget holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Each target-length bucket is wider than the one before by this factor; of 1.1 to 1.25 the best on general text.
_BUCKET_GROWTH = 1.1


def token_batches(
    lengths: NDArray[np.int_],
    max_tokens: int,
    generator: np.random.Generator | None = None,
    *,
    is_joined: bool = False,
) -> list[list[int]]:
    """Each index once, in batches whose padded longer side is at most `max_tokens`; a longer pair gets its own batch.

    lengths: int (pairs, 2), source and target tokens. is_joined: both sides of a pair are one row, so their padded sum
    counts, not the longer side. Pairs are ordered by bucket of target length and, within
    a bucket, by source length, ascending and descending in turn, so that neighbours are similar on both sides.
    `generator` shuffles pairs of equal lengths, and the batches; without one, batches come in order of length.

    Lengths (5, 5), (1, 1), (5, 5), (1, 1) with max_tokens 10: two pairs of 5 make 2 * 5 = 10, a third of length 1
    would make 3 * 5 = 15 by its padding. So the batches are [[1, 3], [0, 2]].
    """
    if not len(lengths):
        return []
    shuffled = np.arange(len(lengths)) if generator is None else generator.permutation(len(lengths))
    source, target = lengths[shuffled].T
    bucket = np.floor(np.log(target) / np.log(_BUCKET_GROWTH)).astype(int)
    order = shuffled[np.lexsort((np.where(bucket % 2 == 0, source, -source), bucket))]
    batches = _cut(order, lengths, max_tokens, sum if is_joined else max)
    if generator is not None:
        generator.shuffle(batches)
    return batches


def _cut(
    order: NDArray[np.int_], lengths: NDArray[np.int_], max_tokens: int, row_tokens: Callable[[tuple[int, int]], int]
) -> list[list[int]]:
    batches: list[list[int]] = []
    batch: list[int] = []
    widest = (0, 0)
    for index, (source, target) in zip(order.tolist(), lengths[order].tolist(), strict=True):
        wider = (max(widest[0], source), max(widest[1], target))
        if batch and (len(batch) + 1) * row_tokens(wider) > max_tokens:
            batches.append(batch)
            batch, wider = [], (source, target)
        batch.append(index)
        widest = wider
    return [*batches, batch]
