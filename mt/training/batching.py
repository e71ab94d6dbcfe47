"""Training batches by tokens: pairs of similar length together, as many as a token budget holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

from mt.data.mixing import EpochMix
from mt.errors import DataError
from mt.length_batches import token_batches
from mt.models.families import family_of_model
from mt.models.transformers_model import TransformersTranslator
from mt.training.chunked_loss import IGNORED_LABEL
from mt.training.encoded_pairs import EncodedBatch, EncodedPair, EncodedPairs
from mt.training.shapes import BatchShape, choose_shapes, fitting_shape, shaped_batches
from mt.wording import counted


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

    With `fixed_shapes`, which a GPU needs, all micro-batches fit into a few `shapes`.
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
        fixed_shapes: bool = False,
        is_joined: bool = False,
    ) -> None:
        """lengths: int (pairs, 2), source and target tokens. is_joined: both sides of a pair are one row of a batch, so
        `micro_batch_tokens` counts their sum, not the longer one. Raises `DataError` for fewer pairs than processes.
        """
        if len(lengths) < world_size:
            raise DataError(f"{len(lengths)} training pairs cannot feed {world_size} processes; add pairs or use fewer")
        self.lengths, self.mix, self.max_tokens, self.seed = lengths, mix, micro_batch_tokens, seed
        self.rank, self.world_size, self.fixed_shapes, self.is_joined = rank, world_size, fixed_shapes, is_joined
        self.shapes: tuple[BatchShape, ...] = ()
        """The shapes to which micro-batches are padded; none if each has its own."""
        self.plan = self._plan(tokens_per_update, epochs, max_updates)

    def _plan(self, tokens_per_update: int, epochs: float, max_updates: int | None) -> BatchPlan:
        """Cut the run into updates of `tokens_per_update` target tokens, and the updates into micro-batches.

        A micro-batch of 1,000 padded tokens, counted on the longer side, may hold only 800 target tokens. So with
        1 process and 4,000 tokens per update, accumulation is round(4,000 / 800) = 5 micro-batches. If a whole update
        asks for only 400 target tokens, one micro-batch is too large, and `max_tokens` shrinks: first to 400, whose
        micro-batches turn out to hold 320 target tokens on average, then to 400 * 400 / 320 = 500.
        """
        most, share = self.max_tokens, max(1, tokens_per_update // self.world_size)
        # Where a batch is counted in tokens of both sides, so many come with the targets of an update.
        guess = round(share * self.lengths.sum() / self.lengths[:, 1].sum()) if self.is_joined else share
        batches = self._first_epoch(min(most, guess))
        if most > guess:
            fitted = round(guess * share * len(batches) / self._target_tokens(batches))
            batches = self._first_epoch(min(most, fitted))
        per_process = len(batches) / self.world_size
        accumulation = max(1, round(tokens_per_update * per_process / self._target_tokens(batches)))
        # Counted on epoch 0; other epochs are shuffled differently and have a micro-batch more or less.
        updates = max(1, math.ceil(epochs * per_process / accumulation))
        return BatchPlan(accumulation, updates if max_updates is None else min(updates, max_updates))

    def _first_epoch(self, max_tokens: int) -> list[list[int]]:
        """The micro-batches of epoch 0 with these `max_tokens`, and with shapes chosen for it."""
        self.max_tokens = max_tokens
        if self.fixed_shapes:
            # With the longest of all, as later epochs may hold longer pairs than the first.
            lengths = self.lengths[self._pairs(0)]
            lengths = np.vstack([lengths, self.lengths.max(axis=0)])
            self.shapes = choose_shapes(lengths, max_tokens, is_joined=self.is_joined)
        return self.epoch(0)

    def _pairs(self, epoch: int) -> NDArray[np.int_]:
        return np.arange(len(self.lengths)) if self.mix is None else self.mix.epoch(epoch)

    def epoch(self, epoch: int) -> list[list[int]]:
        """The micro-batches of one epoch, as indices of pairs, for all processes; their number divides evenly."""
        pairs = self._pairs(epoch)
        if len(pairs) < self.world_size:
            raise DataError(
                f"an epoch of {counted(len(pairs), 'pair')} cannot feed {self.world_size} processes; raise the weights"
            )
        lengths, generator = self.lengths[pairs], np.random.default_rng((self.seed, epoch))
        if self.fixed_shapes:
            cut = shaped_batches(lengths, self.shapes, generator)
        else:
            cut = token_batches(lengths, self.max_tokens, generator, is_joined=self.is_joined)
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

    def padding(self) -> float:
        """The share of padding among the source and target tokens of epoch 0.

        A batch of the pairs (3, 1) and (2, 4), source and target tokens, is padded to (3, 4): 4 of 14 tokens, 0.286.
        """
        batches = self.epoch(0)
        padded = 0
        for batch in batches:
            source, target = self.lengths[batch].max(axis=0).tolist()
            shape = fitting_shape(self.shapes, len(batch), source, target) if self.shapes else None
            padded += len(batch) * (source + target) if shape is None else shape.tokens
        return 1 - int(self.lengths[np.concatenate(batches)].sum()) / padded

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

    def __init__(
        self,
        pad_token_id: int,
        decoder_start_token_id: int,
        shapes: Sequence[BatchShape] = (),
        *,
        pads_sources_on_left: bool = False,
    ) -> None:
        """shapes: the only ones that batches may have; without any, a batch is as large as its pairs.

        pads_sources_on_left: as decoder-only models need it, whose rows go on with the target.
        """
        self.pad_token_id = pad_token_id
        self.decoder_start_token_id = decoder_start_token_id
        self.shapes = tuple(shapes)
        self.pads_sources_on_left = pads_sources_on_left

    def with_shapes(self, shapes: Sequence[BatchShape]) -> Collator:
        """The same for batches of other shapes."""
        on_left = self.pads_sources_on_left
        return Collator(self.pad_token_id, self.decoder_start_token_id, shapes, pads_sources_on_left=on_left)

    def __call__(self, batch: Sequence[EncodedPair] | EncodedBatch) -> dict[str, Tensor]:
        """Pad to the longest pair of the batch, or to the smallest of `shapes` that holds it.

        input_ids, attention_mask: int64 (batch, source_tokens), padded with `pad_token_id` and 0, on the right unless
        `pads_sources_on_left`
        labels: int64 (batch, target_tokens), padded with -100, which the loss ignores
        decoder_input_ids: int64 (batch, target_tokens), the labels shifted right by one, after
        `decoder_start_token_id`, padded with `pad_token_id`
        rows: int64 (batch,), the pairs' indices in their split
        is_general: bool (batch,), the pairs on which the model is kept close to the base

        Targets [7, 0] and [6, 4, 0] with start 8 and padding 9 give decoder_input_ids [[8, 7, 9], [8, 6, 4]] and
        labels [[7, 0, -100], [6, 4, 0]].

        Rows that only fill a shape come last: all padding, except that their decoder starts and that one source token
        can be attended to, as attention to nothing is NaN. Their row is -1, and no label counts.
        """
        if not isinstance(batch, EncodedBatch):
            batch = EncodedBatch(EncodedPairs.of(batch), np.arange(len(batch)))
        pairs, indices = batch
        rows, (source, target) = len(indices), pairs.lengths[indices].max(axis=0).tolist()
        if self.shapes:
            rows, source, target = fitting_shape(self.shapes, rows, source, target)
        labels = pairs.targets.padded(indices, rows, target, IGNORED_LABEL)
        shifted = np.roll(labels, 1, axis=1)
        decoder_input_ids = np.where(labels == IGNORED_LABEL, self.pad_token_id, shifted)
        decoder_input_ids[:, 0] = self.decoder_start_token_id
        columns, on_left = np.arange(source), self.pads_sources_on_left
        is_token = (columns[::-1] if on_left else columns) < _filled(pairs.sources.lengths[indices], rows, 1)[:, None]
        arrays = {
            "input_ids": pairs.sources.padded(indices, rows, source, self.pad_token_id, on_left=on_left),
            "attention_mask": is_token.astype(np.int64),
            "decoder_input_ids": decoder_input_ids,
            "labels": labels,
            "rows": _filled(pairs.rows[indices], rows, -1),
            "is_general": _filled(pairs.is_general[indices], rows, False),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def collator_of(translator: TransformersTranslator) -> Collator:
    """The collator for a model's pairs, without shapes."""
    on_left = family_of_model(translator.model).is_prompted
    return Collator(translator.padding_id, translator.decoder_prefix[0], pads_sources_on_left=on_left)


def _filled(values: NDArray[Any], rows: int, value: int) -> NDArray[Any]:
    return np.concatenate([values, np.full(rows - len(values), value, values.dtype)])
