"""Evaluation on a dev set: loss on the whole set, chrF and BLEU on a greedily decoded sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import nn

from mt.evaluation.metrics import bleu, chrf
from mt.length_batches import token_batches
from mt.models.decoding import translate
from mt.models.transformers_model import TransformersTranslator
from mt.processes import process_state, wait_for_everyone, whole_weights
from mt.progress import progress
from mt.training.batching import Collator
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.loss import LossOptions
from mt.training.shapes import choose_shapes, shaped_batches


def score_sample(
    translator: TransformersTranslator, dev: DevSet, *, only_this_process: bool = False
) -> dict[str, float]:
    """chrF and BLEU, 0-100, of the greedily decoded sample; see `translate_sample`."""
    return scores_of(dev, translate_sample(translator, dev, only_this_process=only_this_process))


def scores_of(dev: DevSet, hypotheses: Sequence[str]) -> dict[str, float]:
    """chrF and BLEU, 0-100, of translations of the sample."""
    return {"chrF": chrf(hypotheses, dev.references), "BLEU": bleu(hypotheses, dev.references)}


def translate_sample(translator: TransformersTranslator, dev: DevSet, *, only_this_process: bool = False) -> list[str]:
    """The greedily decoded sample, in its order.

    Every process translates its share and all get the whole; with `only_this_process` the caller translates the whole
    sample while the others do something else.
    """
    state = process_state()
    rank, size = (0, 1) if only_this_process else (state.process_index, state.num_processes)
    with whole_weights(translator.model):
        own = translate(
            translator, dev.sources[rank::size], dev.decoding, f"{dev.name}, a sample" if rank == 0 else None
        )
    if size == 1:
        return own
    wait_for_everyone()
    # Gathered process by process: with 2 processes, sentences 0 2 4 ... come first, then 1 3 5 ...
    order = [index for process in range(size) for index in range(process, len(dev.sources), size)]
    hypotheses = [""] * len(order)
    for index, hypothesis in zip(order, gather_object(own), strict=True):
        hypotheses[index] = hypothesis
    return hypotheses


def dev_loss(
    model: nn.Module,
    collator: Collator,
    encoded: EncodedPairs,
    max_tokens: int,
    loss: LossOptions,
    name: str = "the dev split",
) -> float:
    """Loss on a whole set, in nats per target token; every process takes its share."""
    state = process_state()
    device = next(model.parameters()).device
    batches, collator = _dev_batches(encoded, max_tokens, collator, device)
    total = torch.zeros((), device=device)
    was_training = model.training
    model.eval()
    with whole_weights(model), torch.inference_mode():
        own = batches[state.process_index :: state.num_processes]
        for batch in progress(own, f"loss on {name}", "batches") if state.is_main_process else own:
            inputs = to_device(collator(encoded.batch(batch)), device)
            total += model(**model_inputs(inputs), labels=inputs["labels"], loss=loss)
    model.train(was_training)
    if state.num_processes > 1:
        torch.distributed.all_reduce(total)
    return float(total) / int(encoded.lengths[:, 1].sum())


def _dev_batches(
    encoded: EncodedPairs, max_tokens: int, collator: Collator, device: torch.device
) -> tuple[list[list[int]], Collator]:
    """(batches of a whole set, the same at each evaluation, a collator for them); on a GPU of a few shapes."""
    is_joined = collator.pads_sources_on_left
    if device.type != "cuda":
        return token_batches(encoded.lengths, max_tokens, is_joined=is_joined), collator.with_shapes(())
    shapes = choose_shapes(encoded.lengths, max_tokens, is_joined=is_joined)
    return shaped_batches(encoded.lengths, shapes, np.random.default_rng(0)), collator.with_shapes(shapes)


def uniform_loss(translator: TransformersTranslator) -> float:
    """The loss, in nats per token, of a model that gives every token of the vocabulary the same probability."""
    return math.log(int(translator.model.config.vocab_size))


def dev_scores_by_update(log: Sequence[Mapping[str, float]], metric: str) -> dict[int, float]:
    """The score of each evaluation on the dev split, by update; the loss is negated, so that higher is always better.

    log: the trainer's `log_history`, of which entries without `eval_METRIC` are skipped.
    """
    sign = -1.0 if metric == "loss" else 1.0
    return {int(entry["step"]): sign * entry[f"eval_{metric}"] for entry in log if f"eval_{metric}" in entry}


def model_inputs(batch: dict[str, Any]) -> dict[str, Any]:
    """The part of a batch that the model's own forward takes."""
    return {name: batch[name] for name in ("input_ids", "attention_mask", "decoder_input_ids")}


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """The batch with its tensors on `device`."""
    return {name: value.to(device) for name, value in batch.items()}
