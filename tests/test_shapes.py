"""Fixed shapes of batches, worked out by hand, and on lengths like those of real text."""

from itertools import chain

import numpy as np
import pytest

from mt.training.shapes import BatchShape, choose_shapes, fitting_shape, shaped_batches
from tests.training_cases import random_lengths


def repeated(*groups: tuple[int, tuple[int, int]]) -> np.ndarray:
    return np.array([lengths for count, lengths in groups for _ in range(count)])


def cut(lengths: np.ndarray, *shapes: BatchShape, seed: int = 0) -> list[list[int]]:
    return sorted(sorted(batch) for batch in shaped_batches(lengths, shapes, np.random.default_rng(seed)))


def test_lengths_are_rounded_up_in_growing_steps():
    # By 2 up to 16, by 4 up to 48, by 8 up to 128, by 16 beyond.
    for length, rounded in ((1, 2), (15, 16), (17, 20), (48, 48), (49, 56), (129, 144)):
        assert choose_shapes(repeated((1, (length, 5))), 2000) == (BatchShape(8, rounded, 6),)


def test_rows_divide_the_pairs_evenly():
    # 6,400 ÷ 16 = 400 rows at most; so two batches of 250, rounded up to 256.
    assert choose_shapes(repeated((500, (16, 16))), 6400) == (BatchShape(256, 16, 16),)
    # 62 rows at most, in multiples of 8.
    assert choose_shapes(repeated((500, (16, 16))), 1000) == (BatchShape(56, 16, 16),)


def test_a_pair_beyond_the_budget_has_a_shape():
    assert choose_shapes(repeated((3, (50, 50))), 10) == (BatchShape(1, 56, 56),)
    assert choose_shapes(np.empty((0, 2), int), 10) == ()


def test_groups_stay_apart_where_their_union_costs_more():
    # A batch costs its tokens and 1,000 ÷ 16 = 62 more, a shape 1,024 more.
    # 8 tokens: 9 batches of 112 rows, 9 × (112 × 16 + 62) + 1,024 = 17,710.
    # 16 tokens: 18 batches of 56 rows, 18 × (56 × 32 + 62) + 1,024 = 34,396.
    # All as 16 tokens: 36 batches of 56 rows, 36 × (56 × 32 + 62) + 1,024 = 67,768, more than 52,106.
    lengths = repeated((1000, (8, 8)), (1000, (16, 16)))
    assert choose_shapes(lengths, 1000) == (BatchShape(112, 8, 8), BatchShape(56, 16, 16))
    assert choose_shapes(lengths, 1000, limit=1) == (BatchShape(56, 16, 16),)
    # Of 8 pairs each, a shape would cost more than the padding.
    assert choose_shapes(repeated((8, (8, 8)), (8, (16, 16))), 1000) == (BatchShape(16, 16, 16),)


def test_the_union_holds_both_sides():
    assert choose_shapes(repeated((8, (8, 16)), (8, (16, 8))), 1000) == (BatchShape(16, 16, 16),)


def test_few_shapes_for_few_pairs_and_little_padding_for_many():
    lengths = random_lengths(40_000)
    assert len(choose_shapes(lengths[:1000], 1024)) <= 12
    for max_tokens in (4096, 32768):
        shapes = choose_shapes(lengths, max_tokens)
        assert len(shapes) <= 40
        assert all(pairs * max(sides) <= max_tokens for pairs, *sides in shapes)
        batches = shaped_batches(lengths, shapes, np.random.default_rng(0))
        assert sorted(chain(*batches)) == list(range(40_000))
        padded = sum(fitting_shape(shapes, len(b), *lengths[b].max(axis=0)).tokens for b in batches)
        assert 1 - lengths.sum() / padded < 0.12


def test_a_pair_goes_to_the_cheapest_shape_that_holds_it():
    shapes = (BatchShape(2, 4, 4), BatchShape(2, 4, 8), BatchShape(2, 8, 4), BatchShape(2, 8, 8))
    lengths = np.array([(4, 5), (5, 4), (4, 4), (5, 5), (3, 8), (8, 1), (1, 1), (8, 8)])
    assert cut(lengths, *shapes) == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_what_is_left_fills_free_rows_of_a_larger_shape():
    small, large = BatchShape(2, 4, 4), BatchShape(4, 8, 8)
    batches = cut(repeated((3, (4, 4)), (3, (8, 8))), small, large)
    assert sorted(map(len, batches)) == [2, 4]
    assert {3, 4, 5} < set(max(batches, key=len))


def test_what_is_left_stays_where_there_is_no_room():
    large = BatchShape(4, 8, 8)
    # No free row, and one for two pairs.
    assert sorted(map(len, cut(repeated((3, (4, 4)), (4, (8, 8))), BatchShape(2, 4, 4), large))) == [1, 2, 4]
    assert sorted(map(len, cut(repeated((5, (4, 4)), (3, (8, 8))), BatchShape(3, 4, 4), large))) == [2, 3, 3]
    # Free rows of a shape that is larger on one side only.
    lengths = repeated((1, (4, 4)), (1, (12, 2)))
    assert cut(lengths, BatchShape(2, 4, 4), BatchShape(4, 12, 2)) == [[0], [1]]


def test_batches_change_with_the_generator_only():
    lengths = random_lengths(500)
    shapes = choose_shapes(lengths, 500)
    first, again, second = (cut(lengths, *shapes, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(500))
    assert first != second
    assert shaped_batches(lengths[:0], shapes, np.random.default_rng(0)) == []


def test_batches_come_in_no_order_of_length():
    lengths = repeated((40, (4, 4)), (40, (8, 8)))
    batches = shaped_batches(lengths, (BatchShape(2, 4, 4), BatchShape(2, 8, 8)), np.random.default_rng(0))
    is_long = [lengths[batch].max() == 8 for batch in batches]
    assert sum(is_long) == 20
    assert is_long != sorted(is_long, reverse=True)


def test_the_fitting_shape():
    # 64, 64 and 128 tokens.
    shapes = (BatchShape(8, 4, 4), BatchShape(4, 8, 8), BatchShape(8, 8, 8))
    assert fitting_shape(shapes, 5, 4, 4) == fitting_shape(shapes, 4, 4, 4) == shapes[0]
    assert fitting_shape(shapes, 4, 5, 4) == fitting_shape(shapes, 1, 1, 5) == shapes[1]
    assert fitting_shape(shapes, 5, 5, 5) == shapes[2]


def test_what_fits_no_shape_is_refused():
    shapes = (BatchShape(2, 4, 4),)
    with pytest.raises(ValueError, match="no shape holds 3 pairs of 4 source and 4 target tokens"):
        fitting_shape(shapes, 3, 4, 4)
    with pytest.raises(ValueError, match="no shape holds a pair of 2 source and 5 target tokens"):
        shaped_batches(np.array([(4, 4), (2, 5)]), shapes, np.random.default_rng(0))
