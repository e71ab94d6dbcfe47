"""Batches by tokens: literal batches, each pair once, the same stream on one process or many."""

from itertools import chain

import numpy as np
import pytest
import torch

from mt.data.mixing import EpochMix
from mt.errors import DataError
from mt.length_batches import token_batches
from mt.training.batching import Collator, EncodedPair, EncodedPairs, TokenBatchSampler
from mt.training.shapes import BatchShape, choose_shapes
from tests.training_cases import random_lengths


def lengths(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(pairs)


def test_like_lengths_together_within_the_budget():
    batches = token_batches(lengths((5, 5), (1, 1), (5, 5), (1, 1)), max_tokens=10)
    assert batches == [[1, 3], [0, 2]]


def test_the_longer_side_counts():
    # Two sentences of 6 source tokens exceed 10, though their targets have 2.
    assert token_batches(lengths((6, 2), (6, 2)), max_tokens=10) == [[0], [1]]


def test_source_lengths_turn_round_from_one_bucket_to_the_next():
    # Targets of 2 tokens are in an odd bucket (long sources first), those of 4 in an even one (short sources first), so
    # that the two short sources are neighbours and share a batch.
    assert token_batches(lengths((9, 2), (1, 2), (1, 4), (9, 4)), max_tokens=9) == [[0], [1, 2], [3]]


def test_a_pair_beyond_the_budget_stands_alone():
    assert token_batches(lengths((50, 50), (2, 2)), max_tokens=10) == [[1], [0]]
    assert token_batches(lengths(), max_tokens=10) == []


def test_padding_is_little_on_news_like_lengths():
    pairs = random_lengths(5000)
    batches = token_batches(pairs, 2048, np.random.default_rng(1))
    assert sorted(index for batch in batches for index in batch) == list(range(5000))
    padded = sum(len(batch) * pairs[batch].max(axis=0).sum() for batch in batches)
    assert pairs.sum() / padded > 0.9
    assert max(len(batch) * pairs[batch].max() for batch in batches) <= 2048


def sampler(pairs: np.ndarray, **options: object) -> TokenBatchSampler:
    defaults = {"tokens_per_update": 400, "micro_batch_tokens": 200, "epochs": 2.0, "seed": 3}
    return TokenBatchSampler(pairs, **(defaults | options))  # type: ignore[arg-type]


def test_each_epoch_holds_each_pair_once_in_a_new_order():
    made = sampler(random_lengths(300))
    first, second = made.epoch(0), made.epoch(1)
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(300))
    assert first != second
    assert made.epoch(0) == first


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_an_epoch_without_overlap(world_size: int):
    pairs = random_lengths(301)
    made = [sampler(pairs, rank=rank, world_size=world_size) for rank in range(world_size)]
    shares = [share.epoch(0)[share.rank :: world_size] for share in made]
    assert len({len(share) for share in shares}) == 1
    assert sorted(index for share in shares for batch in share for index in batch) == list(range(301))
    assert len({len(share) for share in made}) == 1
    assert all(len(list(share)) == len(share) for share in made)


def test_updates_are_as_large_as_asked():
    pairs = random_lengths(2000)
    for world_size in (1, 4):
        made = sampler(pairs, tokens_per_update=3000, micro_batch_tokens=300, world_size=world_size)
        assert made.tokens_per_update() == pytest.approx(3000, rel=0.15)


def test_an_update_smaller_than_a_micro_batch_may_be():
    # One micro-batch an update, its budget on the longer side such that the target tokens are those asked for.
    made = sampler(random_lengths(2000), tokens_per_update=400, micro_batch_tokens=10_000)
    assert made.plan.accumulation == 1
    assert made.tokens_per_update() == pytest.approx(400, rel=0.03)


def test_tokens_seen_by_hand():
    made = sampler(lengths((3, 4), (3, 4)), tokens_per_update=4, micro_batch_tokens=4, epochs=1)
    assert made.plan == (1, 2)
    assert made.tokens_seen(1) == {"source": 3, "target": 4}
    assert made.tokens_seen(2) == {"source": 6, "target": 8}


def test_max_updates_stops_early():
    assert len(sampler(random_lengths(300), max_updates=3)) == 3 * sampler(random_lengths(300)).plan.accumulation


def test_fewer_pairs_than_processes():
    with pytest.raises(DataError, match="1 training pairs cannot feed 2 processes"):
        sampler(lengths((3, 3)), world_size=2)


def test_collate_literal_tensors():
    batch = Collator(pad_token_id=9, decoder_start_token_id=8)(
        [EncodedPair([2, 5, 0], [7, 0], 3), EncodedPair([2, 0], [6, 4, 0], 5, True)]
    )
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[2, 5, 0], [2, 0, 9]],
        "attention_mask": [[1, 1, 1], [1, 1, 0]],
        "decoder_input_ids": [[8, 7, 9], [8, 6, 4]],
        "labels": [[7, 0, -100], [6, 4, 0]],
        "rows": [3, 5],
        "is_general": [False, True],
    }
    assert all(tensor.dtype == torch.int64 for name, tensor in batch.items() if name != "is_general")
    assert batch["is_general"].dtype == torch.bool


def test_collate_into_a_fixed_shape():
    pairs = EncodedPairs(
        [[2, 5, 0], [7, 0], [2, 0]],
        [[7, 0], [3, 3], [6, 4, 0]],
        rows=np.array([3, 4, 5]),
        is_general=np.array([False, False, True]),
    )
    collator = Collator(9, 8, (BatchShape(2, 2, 4), BatchShape(3, 4, 4), BatchShape(8, 4, 4)))
    assert {name: tensor.tolist() for name, tensor in collator(pairs.batch([0, 2])).items()} == {
        "input_ids": [[2, 5, 0, 9], [2, 0, 9, 9], [9, 9, 9, 9]],
        "attention_mask": [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]],
        "decoder_input_ids": [[8, 7, 9, 9], [8, 6, 4, 9], [8, 9, 9, 9]],
        "labels": [[7, 0, -100, -100], [6, 4, 0, -100], [-100, -100, -100, -100]],
        "rows": [3, 5, -1],
        "is_general": [False, True, False],
    }
    # Another collator for the same, whose batches are as large as their pairs.
    plain = collator.with_shapes(())([pairs[0], pairs[2]])
    assert plain["input_ids"].tolist() == [[2, 5, 0], [2, 0, 9]]


def test_pairs_are_given_back():
    pairs = EncodedPairs([[1], [2, 3]], [[4, 5], [6]], is_general=np.array([False, True]))
    assert pairs.pairs == [EncodedPair([1], [4, 5], 0, False), EncodedPair([2, 3], [6], 1, True)]
    assert pairs.lengths.tolist() == [[1, 2], [2, 1]]
    assert EncodedPairs.of(pairs.pairs).pairs == pairs.pairs
    assert EncodedPairs([], []).lengths.shape == (0, 2)


def shapes_of(made: TokenBatchSampler, epoch: int) -> set[tuple[int, ...]]:
    """The shapes of an epoch's batches, as collated."""
    tokens = [[[1] * length for length in side] for side in made.lengths.T.tolist()]
    pairs = EncodedPairs(*tokens)
    collator = Collator(9, 8, made.shapes)
    batches = [collator(pairs.batch(batch)) for batch in made.epoch(epoch)]
    return {(*batch["input_ids"].shape, batch["labels"].shape[1]) for batch in batches}


@pytest.mark.parametrize("world_size", [1, 3])
@pytest.mark.parametrize("weights", [None, {"news": 2.5, "general": 0.1}])
def test_fixed_shapes(world_size: int, weights: dict[str, float] | None):
    lengths = random_lengths(3000)
    mix = weights and EpochMix(["news"] * 300 + ["general"] * 2700, weights, seed=3)
    made = sampler(lengths, mix=mix, fixed_shapes=True, micro_batch_tokens=1000, world_size=world_size)
    assert 1 < len(made.shapes) <= 40
    found = set()
    for epoch in range(3):
        expected = list(range(3000)) if mix is None else sorted(mix.epoch(epoch).tolist())
        batches = made.epoch(epoch)
        assert sorted(chain(*batches)) == expected
        assert len(batches) % world_size == 0
        found |= shapes_of(made, epoch)
    assert found <= set(made.shapes)
    assert made.epoch(0) != made.epoch(1)


def test_without_fixed_shapes_each_batch_has_its_own():
    made = sampler(random_lengths(3000), micro_batch_tokens=1000)
    assert made.shapes == ()
    assert len(shapes_of(made, 0)) > 40


@pytest.mark.parametrize("world_size", [1, 3])
def test_processes_share_batches_of_fixed_shapes(world_size: int):
    pairs = random_lengths(1001)
    options = {"fixed_shapes": True, "world_size": world_size}
    made = [sampler(pairs, rank=rank, **options) for rank in range(world_size)]
    assert len({share.shapes for share in made}) == 1
    shares = [list(share) for share in made]
    assert len({len(share) for share in shares}) == 1
    first = len(made[0].epoch(0)) // world_size
    assert sorted(chain(*(batch for share in shares for batch in share[:first]))) == list(range(1001))


def test_later_epochs_may_hold_longer_pairs_than_the_first():
    lengths = np.array([(5, 5)] * 99 + [(100, 90)])
    mix = EpochMix(["general"] * 100, {"general": 0.1}, seed=3)
    (epoch,) = (number for number in range(10) if 99 in mix.epoch(number))
    assert epoch > 0
    made = sampler(lengths, mix=mix, fixed_shapes=True)
    assert (made.shapes[-1].source, made.shapes[-1].target) == (104, 96)
    assert sorted(chain(*made.epoch(epoch))) == sorted(mix.epoch(epoch).tolist())


def test_updates_of_fixed_shapes_are_as_large_as_asked():
    pairs = random_lengths(2000)
    made = sampler(pairs, tokens_per_update=3000, micro_batch_tokens=300, fixed_shapes=True)
    assert made.tokens_per_update() == pytest.approx(3000, rel=0.15)
    made = sampler(pairs, tokens_per_update=400, micro_batch_tokens=10_000, fixed_shapes=True)
    assert made.plan.accumulation == 1
    assert made.tokens_per_update() == pytest.approx(400, rel=0.15)
    # The shapes are those for the smaller budget.
    assert all(rows * max(sides) <= made.max_tokens for rows, *sides in made.shapes)
    lengths = np.vstack([pairs, pairs.max(axis=0)])
    assert made.shapes == choose_shapes(lengths, made.max_tokens)


def test_sources_and_targets_must_match():
    with pytest.raises(ValueError, match=r"differ: \[2, 1, 2, 2\]"):
        EncodedPairs([[1], [2]], [[1]])


def test_padding_by_hand():
    # One batch of both pairs, padded to (3, 4): 10 of 14 tokens are real.
    lengths = np.array([(3, 1), (2, 4)])
    sampler = TokenBatchSampler(lengths, tokens_per_update=8, micro_batch_tokens=8, epochs=1)
    assert sampler.padding() == pytest.approx(4 / 14)
    # The only shape has room for two pairs of 4 and 4 tokens: 10 of 16.
    shaped = TokenBatchSampler(lengths, tokens_per_update=8, micro_batch_tokens=8, epochs=1, fixed_shapes=True)
    assert shaped.shapes == ((2, 4, 4),)
    assert shaped.padding() == pytest.approx(6 / 16)
