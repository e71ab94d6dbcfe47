"""Training batches by tokens: pairs of similar length together, as many as a token budget holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from mt.data.mixing import EpochMix
from mt.errors import DataError
from mt.length_batches import token_batches
from mt.training.chunked_loss import IGNORED_LABEL
from mt.wording import counted


class EncodedPair(NamedTuple):
    """Token ids of one pair, language and end tokens included."""

    source: list[int]
    target: list[int]
    row: int = 0
    """Its index in its split."""
    is_general: bool = False
    """Whether it is general text, where the model is kept close to the base (`adaptation.kl_weight`)."""


class EncodedPairs(Dataset[EncodedPair]):
    """A split as token ids."""

    def __init__(
        self,
        sources: Sequence[list[int]],
        targets: Sequence[list[int]],
        mix: EpochMix | None = None,
        *,
        rows: NDArray[np.int_] | None = None,
        is_general: NDArray[np.bool_] | None = None,
    ) -> None:
        """rows: int (pairs,), indices in the split. is_general: bool (pairs,)."""
        indices = range(len(sources)) if rows is None else rows.tolist()
        general = [False] * len(sources) if is_general is None else is_general.tolist()
        self.pairs = [EncodedPair(*pair) for pair in zip(sources, targets, indices, general, strict=True)]
        self.lengths = np.array([(len(pair.source), len(pair.target)) for pair in self.pairs]).reshape(-1, 2)
        """int (pairs, 2): source and target tokens of each pair."""
        self.mix = mix
        """Which pairs an epoch holds; None: each once."""

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> EncodedPair:
        return self.pairs[index]


class BatchPlan(NamedTuple):
    """How a training run is cut into updates and micro-batches."""

    accumulation: int
    """Micro-batches per update, in each process."""

    updates: int
    """Optimizer updates of the whole run."""


class TokenBatchSampler(Sampler[list[int]]):
    """Micro-batches of a whole training run, for one of `world_size` processes.

    Each epoch holds every pair exactly once, or as often as `mix` says, in an order that depends only on `seed` and
    the number of the epoch: a resumed run can skip what it has done, and every process derives its share without
    asking the others. Micro-batch i of an epoch belongs to process i modulo `world_size`. The last update of an epoch
    is filled up from the next one, so that all updates have the same number of micro-batches.
    """

    def __init__(
        self,
        lengths: NDArray[np.int_],
        mix: EpochMix | None = None,
        *,
        tokens_per_update: int,
        micro_batch_tokens: int,
        epochs: float,
        max_updates: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """lengths: int (pairs, 2), source and target tokens. Raises `DataError` for fewer pairs than processes."""
        if len(lengths) < world_size:
            raise DataError(f"{len(lengths)} training pairs cannot feed {world_size} processes; add pairs or use fewer")
        self.lengths, self.mix, self.max_tokens, self.seed = lengths, mix, micro_batch_tokens, seed
        self.rank, self.world_size = rank, world_size
        self.plan = self._plan(tokens_per_update, epochs, max_updates)

    def _plan(self, tokens_per_update: int, epochs: float, max_updates: int | None) -> BatchPlan:
        """Cut the run into updates of `tokens_per_update` target tokens, and the updates into micro-batches.

        A micro-batch of 1,000 padded tokens, counted on the longer side, may hold only 800 target tokens. So with
        1 process and 4,000 tokens per update, accumulation is round(4,000 / 800) = 5 micro-batches. If a whole update
        asks for only 400 target tokens, one micro-batch is too large, and `max_tokens` shrinks: first to 400, whose
        micro-batches turn out to hold 320 target tokens on average, then to 400 * 400 / 320 = 500.
        """
        most, share = self.max_tokens, max(1, tokens_per_update // self.world_size)
        self.max_tokens = min(most, share)
        batches = self.epoch(0)
        if most > share:
            self.max_tokens = min(most, round(share * share * len(batches) / self._target_tokens(batches)))
            batches = self.epoch(0)
        per_process = len(batches) / self.world_size
        accumulation = max(1, round(tokens_per_update * per_process / self._target_tokens(batches)))
        # Counted on epoch 0; other epochs are shuffled differently and have a micro-batch more or less.
        updates = max(1, math.ceil(epochs * per_process / accumulation))
        return BatchPlan(accumulation, updates if max_updates is None else min(updates, max_updates))

    def epoch(self, epoch: int) -> list[list[int]]:
        """The micro-batches of one epoch, as indices of pairs, for all processes; their number divides evenly."""
        pairs = np.arange(len(self.lengths)) if self.mix is None else self.mix.epoch(epoch)
        if len(pairs) < self.world_size:
            raise DataError(
                f"an epoch of {counted(len(pairs), 'pair')} cannot feed {self.world_size} processes; raise the weights"
            )
        cut = token_batches(self.lengths[pairs], self.max_tokens, np.random.default_rng((self.seed, epoch)))
        batches = [pairs[batch].tolist() for batch in cut]
        # Halve the largest until every process gets the same number: a process with one batch less would leave the
        # others waiting for its gradients.
        while len(batches) % self.world_size:
            largest = max(batches, key=len)
            batches.remove(largest)
            batches += [largest[::2], largest[1::2]]
        return batches

    def __iter__(self) -> Iterator[list[int]]:
        remaining, epoch = len(self), 0
        while remaining > 0:
            share = self.epoch(epoch)[self.rank :: self.world_size][:remaining]
            yield from share
            remaining, epoch = remaining - len(share), epoch + 1

    def __len__(self) -> int:
        return self.plan.updates * self.plan.accumulation

    def tokens_per_update(self) -> float:
        """Target tokens per update on average, over all processes."""
        batches = self.epoch(0)
        return self._target_tokens(batches) / len(batches) * self.plan.accumulation * self.world_size

    def _target_tokens(self, batches: list[list[int]]) -> int:
        return int(self.lengths[np.concatenate(batches), 1].sum())

    def tokens_seen(self, updates: int) -> dict[str, int]:
        """Source and target tokens in the first `updates` updates, over all processes; padding is not counted."""
        remaining, epoch, seen = updates * self.plan.accumulation * self.world_size, 0, np.zeros(2, dtype=int)
        while remaining > 0:
            batches = self.epoch(epoch)[:remaining]
            seen += self.lengths[np.concatenate(batches)].sum(axis=0)
            remaining, epoch = remaining - len(batches), epoch + 1
        return {"source": int(seen[0]), "target": int(seen[1])}


class Collator:
    """Turns encoded pairs into the tensors that model and loss take."""

    def __init__(self, pad_token_id: int, decoder_start_token_id: int) -> None:
        self.pad_token_id = pad_token_id
        self.decoder_start_token_id = decoder_start_token_id

    def __call__(self, pairs: Sequence[EncodedPair]) -> dict[str, Tensor]:
        """Right-pad to the longest pair of the batch.

        input_ids, attention_mask: int64 (batch, source_tokens), padded with `pad_token_id` and 0
        labels: int64 (batch, target_tokens), padded with -100, which the loss ignores
        decoder_input_ids: int64 (batch, target_tokens), the labels shifted right by one, after
        `decoder_start_token_id`, padded with `pad_token_id`
        rows: int64 (batch,), the pairs' indices in their split
        is_general: bool (batch,), the pairs on which the model is kept close to the base

        Targets [7, 0] and [6, 4, 0] with start 8 and padding 9 give decoder_input_ids [[8, 7, 9], [8, 6, 4]] and
        labels [[7, 0, -100], [6, 4, 0]].
        """
        sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
        decoder_inputs = [[self.decoder_start_token_id, *target[:-1]] for target in targets]
        return {
            "input_ids": _pad(sources, self.pad_token_id),
            "attention_mask": _pad([[1] * len(source) for source in sources], 0),
            "decoder_input_ids": _pad(decoder_inputs, self.pad_token_id),
            "labels": _pad(targets, IGNORED_LABEL),
            "rows": torch.tensor([pair.row for pair in pairs]),
            "is_general": torch.tensor([pair.is_general for pair in pairs]),
        }


def _pad(rows: list[list[int]], value: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows], dtype=torch.int64)
