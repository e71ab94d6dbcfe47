"""Compiled layers: one graph per kind of layer, whatever the batches' shapes, and in training only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from mt.config import ModelConfig
from mt.models.transformers_model import load_translator
from mt.training.batching import Collator, TokenBatchSampler
from mt.training.compiling import compile_layers
from mt.training.dev_evaluation import model_inputs
from mt.training.encoded_pairs import EncodedPairs
from mt.training.loss import LossOptions, return_loss


def pairs() -> EncodedPairs:
    """600 pairs of 2 to 40 tokens."""
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(2, 41, (2, 600), generator=generator).tolist()
    sides = [[torch.randint(3, 290, (n,), generator=generator).tolist() for n in side] for side in lengths]
    return EncodedPairs(sides[0], sides[1])


def test_two_epochs_take_two_graphs(marian_directory: Path):
    model = load_translator(ModelConfig(name=str(marian_directory), dropout=0.0)).model
    return_loss(model)
    data = pairs()
    sampler = TokenBatchSampler(
        data.lengths, tokens_per_update=2000, micro_batch_tokens=400, epochs=2, seed=5, fixed_shapes=True
    )
    collator = Collator(299, 299, sampler.shapes)
    batches = [collator(data.batch(batch)) for batch in sampler]
    options = LossOptions(0.1, is_chunked=True, has_own_masks=True)

    def losses() -> list[float]:
        return [model(**model_inputs(batch), labels=batch["labels"], loss=options).item() for batch in batches]

    model.train()
    plain = losses()
    assert len({batch["input_ids"].shape + batch["labels"].shape for batch in batches}) >= 4
    torch._dynamo.reset()
    counters.clear()
    undo = compile_layers(model, backend="aot_eager")
    assert losses() == pytest.approx(plain, rel=1e-5)
    # One for the encoder's layers, one for the decoder's.
    assert counters["stats"]["unique_graphs"] == 2
    # Decoding and evaluation call the layers as they are.
    model.eval()
    with torch.inference_mode():
        model.generate(input_ids=batches[0]["input_ids"], attention_mask=batches[0]["attention_mask"], max_length=8)
    assert counters["stats"]["unique_graphs"] == 2
    undo()
    model.train()
    torch._dynamo.reset()
    assert losses() == pytest.approx(plain, rel=1e-5)
    assert counters["stats"]["unique_graphs"] == 2
