"""Micro-batches of a few fixed shapes, for a GPU, where each new shape costs allocations, kernels and a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Lengths are rounded up to multiples of 2 up to 16 tokens, of 4 up to 48, and so on. Multiples of 8 throughout would
# be 15 % of padding in text of 20 tokens a sentence.
_STEPS = ((16, 2), (48, 4), (128, 8))
_LONG_STEP = 16
# Rows come in multiples of it, so that each product of a layer has a multiple of 16 rows.
_ROW_STEP = 8
# What a shape costs per epoch beside its tokens, in padded tokens: this, and this share of a full batch for each of its
# batches. So a small corpus gets few shapes, and batches are about as full as without shapes.
_SHAPE_COST = 1024
_BATCH_COST = 1 / 16
_Longest = Callable[..., Any]
"""`np.max` or `np.sum`."""
_NEVER = np.iinfo(np.int64).max // 4


class BatchShape(NamedTuple):
    """The shape of a micro-batch."""

    pairs: int
    """Rows."""
    source: int
    """Padded tokens of each source."""
    target: int
    """Padded tokens of each target."""

    @property
    def tokens(self) -> int:
        """Source and target tokens of the whole batch, with padding."""
        return self.pairs * (self.source + self.target)


def choose_shapes(
    lengths: NDArray[np.int_], max_tokens: int, *, limit: int = 40, is_joined: bool = False
) -> tuple[BatchShape, ...]:
    """At most `limit` shapes for the batches of an epoch, with little padding; every pair fits into one of them.

    lengths: int (pairs, 2), source and target tokens of the pairs of an epoch. max_tokens: padded tokens of the longer
    side of a batch, or with `is_joined` of both sides; a longer pair gets a batch of its own. Shapes are sorted by the
    tokens of a row.

    Pairs of similar length start as a group; then the two groups whose union costs least become one, as long as there
    are more than `limit` or it saves something. A shape has as many rows as divide its pairs evenly: of 500 pairs,
    where 400 fit into a batch, two batches of 256, not one of 400 and one of 100.
    """
    if not len(lengths):
        return ()
    # What a row may be long: its longer side, or both.
    longest = np.sum if is_joined else np.max
    sides, counts = _merge(*_counted(_rounded_up(lengths)), max_tokens, limit, longest)
    # A pair may fit into a cheaper shape than that of its group.
    homes = _cheapest(lengths, sides)
    counts = np.bincount(homes, minlength=len(sides))
    sides, counts = sides[counts > 0], counts[counts > 0]
    _, rows = _batches_and_rows(counts, longest(sides, axis=-1), max_tokens)
    return tuple(BatchShape(*shape) for shape in np.column_stack([rows, sides]).tolist())


def shaped_batches(
    lengths: NDArray[np.int_], shapes: Sequence[BatchShape], generator: np.random.Generator
) -> list[list[int]]:
    """Each index once, in shuffled batches that each fit one of `shapes`; other pairs share a batch each time.

    lengths: int (pairs, 2), source and target tokens, all of which must fit. A pair goes to the shape with the fewest
    tokens per row that holds it. What is left of a shape, too little for a full batch, fills the free rows of larger
    shapes if it all fits there, and otherwise makes a batch that is not full.
    """
    if not len(lengths):
        return []
    sides = np.array([shape[1:] for shape in shapes])
    shuffled = generator.permutation(len(lengths))
    homes = _cheapest(lengths[shuffled], sides)
    members = np.split(shuffled[np.argsort(homes, kind="stable")], np.bincount(homes, minlength=len(shapes)).cumsum())
    batches: list[list[int]] = []
    open_batches: list[tuple[BatchShape, list[int]]] = []
    # The largest first: its free rows are known when the smaller ones have something left.
    for shape, indices in sorted(zip(shapes, members, strict=False), key=lambda item: -sum(item[0][1:])):
        full = len(indices) // shape.pairs * shape.pairs
        batches += indices[:full].reshape(-1, shape.pairs).tolist()
        left = indices[full:].tolist()
        if left and not _fill(open_batches, shape, left):
            open_batches.append((shape, left))
    batches += [batch for _, batch in open_batches]
    generator.shuffle(batches)
    return batches


def fitting_shape(shapes: Sequence[BatchShape], pairs: int, source: int, target: int) -> BatchShape:
    """The shape with the fewest tokens that has at least as many rows and tokens per row; one must.

    With shapes (8, 4, 4), (4, 8, 8) and (8, 8, 8), 4 pairs of 4 and 4 tokens, or 5, take the first (64 tokens), as the
    second has the same but comes later; 4 of 5 and 5 tokens the second, and 5 of them the third.
    """
    fitting = [s for s in shapes if s.pairs >= pairs and s.source >= source and s.target >= target]
    if not fitting:
        raise ValueError(f"no shape holds {pairs} pairs of {source} source and {target} target tokens: {shapes}")
    return min(fitting, key=lambda shape: shape.tokens)


def _fill(open_batches: list[tuple[BatchShape, list[int]]], shape: BatchShape, left: list[int]) -> bool:
    """Move all that is left of a shape to free rows of larger ones, smallest first; False where it does not fit."""
    free = [
        (larger.pairs - len(batch), batch)
        for larger, batch in reversed(open_batches)
        if larger.source >= shape.source and larger.target >= shape.target
    ]
    if sum(rows for rows, _ in free) < len(left):
        return False
    for rows, batch in free:
        batch += left[:rows]
        left = left[rows:]
    return True


def _rounded_up(lengths: NDArray[np.int_]) -> NDArray[np.int_]:
    step = np.select([lengths <= most for most, _ in _STEPS], [step for _, step in _STEPS], _LONG_STEP)
    rounded: NDArray[np.int_] = -(-lengths // step) * step
    return rounded


def _counted(lengths: NDArray[np.int_]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """(each different pair of lengths, how often it occurs), without sorting whole rows, which is slow."""
    base = int(lengths[:, 1].max()) + 1
    keys, counts = np.unique(lengths[:, 0] * base + lengths[:, 1], return_counts=True)
    return np.stack(np.divmod(keys, base), axis=1), counts


def _cheapest(lengths: NDArray[np.int_], sides: NDArray[np.int_]) -> NDArray[np.int_]:
    """For each pair, the index of the shape with the fewest tokens per row that holds it. sides: int (shapes, 2)."""
    base = int(lengths[:, 1].max()) + 1
    keys, inverse = np.unique(lengths[:, 0] * base + lengths[:, 1], return_inverse=True)
    different = np.stack(np.divmod(keys, base), axis=1)
    holds: NDArray[np.bool_] = np.all(different[:, None] <= sides, axis=2)
    is_held = holds.any(axis=1)
    if not is_held.all():
        source, target = different[~is_held][0].tolist()
        raise ValueError(f"no shape holds a pair of {source} source and {target} target tokens")
    cheapest: NDArray[np.int_] = np.where(holds, sides.sum(axis=1), _NEVER).argmin(axis=1)
    return cheapest[inverse]


def _batches_and_rows(
    counts: NDArray[np.int_], tokens: NDArray[np.int_], max_tokens: int
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """(batches, rows of each) of shapes with `counts` pairs of `tokens` per row."""
    most = np.maximum(1, max_tokens // tokens)
    most = np.where(most > _ROW_STEP, most // _ROW_STEP * _ROW_STEP, most)
    batches = -(-counts // most)
    rows = -(-counts // batches)
    return batches, np.minimum(most, -(-rows // _ROW_STEP) * _ROW_STEP)


def _cost(counts: NDArray[np.int_], sides: NDArray[np.int_], max_tokens: int, longest: _Longest) -> NDArray[np.int_]:
    batches, rows = _batches_and_rows(counts, longest(sides, axis=-1), max_tokens)
    costs: NDArray[np.int_] = batches * (rows * sides.sum(axis=-1) + int(max_tokens * _BATCH_COST)) + _SHAPE_COST
    return costs


def _merge(
    sides: NDArray[np.int_], counts: NDArray[np.int_], max_tokens: int, limit: int, longest: _Longest
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """(sides, counts) of the groups that are left of those given."""
    sides, counts = sides.astype(np.int64), counts.astype(np.int64)
    costs = _cost(counts, sides, max_tokens, longest)
    remains = np.ones(len(sides), bool)

    def added(group: int) -> NDArray[np.int_]:
        """What the union with each other group costs more than both."""
        merged = _cost(counts[group] + counts, np.maximum(sides[group], sides), max_tokens, longest)
        possible = remains & (np.arange(len(sides)) != group)
        return np.where(possible, merged - costs[group] - costs, _NEVER)

    table = np.stack([added(group) for group in range(len(sides))])
    # The least of each row is kept: searching the whole table at each step takes seconds for long texts.
    least = table.min(axis=1)
    for groups in range(len(sides), 1, -1):
        first = int(least.argmin())
        second = int(table[first].argmin())
        if groups <= limit and table[first, second] >= 0:
            break
        sides[first] = np.maximum(sides[first], sides[second])
        counts[first] += counts[second]
        costs[first] = _cost(counts[first], sides[first], max_tokens, longest)
        remains[second] = False
        is_stale = remains & ((table[first] == least) | (table[second] == least))
        table[second] = table[:, second] = _NEVER
        table[first] = table[:, first] = added(first)
        least = np.minimum(least, table[first])
        least[second], is_stale[first] = _NEVER, True
        least[is_stale] = table[is_stale].min(axis=1)
    kept = np.flatnonzero(remains)
    kept = kept[np.lexsort((sides[kept, 0], sides[kept].sum(axis=1)))]
    return sides[kept], counts[kept]
