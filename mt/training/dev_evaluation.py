"""How good the model is on a dev set: loss on all of it, chrF and BLEU on a decoded sample."""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import gather_object
from torch import nn

from mt.evaluation.metrics import bleu, chrf
from mt.length_batches import token_batches
from mt.models.decoding import translate
from mt.models.transformers_model import TransformersTranslator
from mt.processes import process_state, wait_for_everyone, whole_weights
from mt.progress import progress
from mt.training.batching import Collator, EncodedPairs
from mt.training.encoding import DevSet
from mt.training.loss import LossOptions


def score_sample(translator: TransformersTranslator, dev: DevSet, *, is_alone: bool = False) -> dict[str, float]:
    """chrF and BLEU, 0-100, of the greedily decoded sample.

    Every process takes its share, unless the caller `is_alone`: the others are elsewhere.
    """
    state = process_state()
    rank, size = (0, 1) if is_alone else (state.process_index, state.num_processes)
    with whole_weights(translator.model):
        own = translate(
            translator, dev.sources[rank::size], dev.decoding, f"{dev.name}, a sample" if rank == 0 else None
        )
    if size > 1:
        wait_for_everyone()
    hypotheses = own if size == 1 else gather_object(own)
    # Gathered process by process: sentence i of process p is number i * size + p.
    references = [reference for p in range(size) for reference in dev.references[p::size]]
    return {"chrF": chrf(hypotheses, references), "BLEU": bleu(hypotheses, references)}


def dev_loss(
    model: nn.Module, collator: Collator, encoded: EncodedPairs, max_tokens: int, name: str = "the dev split"
) -> float:
    """Loss in nats per target token, without label smoothing; every process takes its share."""
    state = process_state()
    device = next(model.parameters()).device
    batches = token_batches(encoded.lengths, max_tokens)
    total = torch.zeros((), device=device)
    was_training = model.training
    model.eval()
    with whole_weights(model), torch.inference_mode():
        own = batches[state.process_index :: state.num_processes]
        for batch in progress(own, f"loss on {name}", "batches") if state.is_main_process else own:
            inputs = to_device(collator([encoded[i] for i in batch]), device)
            total += model(**model_inputs(inputs), labels=inputs["labels"], loss=LossOptions())
    model.train(was_training)
    if state.num_processes > 1:
        torch.distributed.all_reduce(total)
    return float(total) / int(encoded.lengths[:, 1].sum())


def model_inputs(batch: dict[str, Any]) -> dict[str, Any]:
    """What of a batch goes into the model itself."""
    return {name: batch[name] for name in ("input_ids", "attention_mask", "decoder_input_ids")}


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """The batch's tensors on `device`."""
    return {name: value.to(device) for name, value in batch.items()}
