"""What an epoch holds of each corpus."""

from collections import Counter

import numpy as np

from mt.config import CorpusConfig, DataConfig
from mt.data.mixing import EpochMix, mixing_weights
from mt.training.batching import TokenBatchSampler


def config(temperature: float | None = None) -> DataConfig:
    corpora = {"news": CorpusConfig(path="n.tsv", weight=2.5), "general": CorpusConfig(path="g.tsv", weight=0.25)}
    return DataConfig(corpora=corpora, temperature=temperature)


def test_weights_are_those_of_the_config():
    assert mixing_weights(config(), {"news": 10, "general": 40}) == {"news": 2.5, "general": 0.25}


def test_temperature_draws_the_shares_together():
    assert mixing_weights(config(1.0), {"news": 100, "general": 10_000}) == {"news": 1.0, "general": 1.0}
    # Shares proportional to the square roots, 10 to 100: the small corpus is there ten times.
    assert mixing_weights(config(2.0), {"news": 100, "general": 10_000}) == {"news": 10.0, "general": 1.0}


def test_an_epoch_holds_each_corpus_by_its_weight():
    mix = EpochMix(["news"] * 4 + ["general"] * 8, {"news": 2.5, "general": 0.25}, seed=3)
    counts = Counter(mix.epoch(0).tolist())
    assert sorted(counts[i] for i in range(4)) == [2, 2, 3, 3]
    assert sum(counts[i] for i in range(4, 12)) == 2
    # Over four epochs every general pair has come once, every news pair ten times.
    total = Counter(np.concatenate([mix.epoch(number) for number in range(4)]).tolist())
    assert total == Counter({**dict.fromkeys(range(4), 10), **dict.fromkeys(range(4, 12), 1)})


def test_processes_share_the_epoch_and_seeds_differ():
    corpora = ["news"] * 30 + ["general"] * 60
    lengths = np.full((90, 2), 5)

    def batches(seed: int, rank: int, world_size: int) -> list[list[int]]:
        mix = EpochMix(corpora, {"news": 2.0, "general": 0.5}, seed)
        sampler = TokenBatchSampler(
            lengths,
            mix,
            tokens_per_update=50,
            micro_batch_tokens=25,
            epochs=1,
            seed=seed,
            rank=rank,
            world_size=world_size,
        )
        return list(sampler)

    alone = Counter(i for batch in batches(1, 0, 1) for i in batch)
    together = Counter(i for rank in (0, 1) for batch in batches(1, rank, 2) for i in batch)
    assert alone == together
    assert sum(alone.values()) == 90
    assert [alone[i] for i in range(30)] == [2] * 30
    assert batches(1, 0, 1) == batches(1, 0, 1) != batches(2, 0, 1)
