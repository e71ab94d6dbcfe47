"""What only a GPU shows: bf16, the chunked loss, memory and compilation. Skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mt.config import ModelConfig, TrainingConfig
from mt.models.transformers_model import load_translator
from mt.training import memory
from mt.training.autotune import tune
from mt.training.batching import Collator
from mt.training.loss import LossOptions, chunked_loss, has_chunked_loss, return_loss, summed_loss
from mt.training.memory import find_micro_batch, trial_batch
from tests.training_cases import eight_pairs, train_once

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")]

needs_chunked_loss = pytest.mark.skipif(not has_chunked_loss(), reason="torch is older than 2.13")


def test_a_bf16_update_has_the_loss_of_the_cpu(tmp_path: Path, marian_directory: Path):
    pairs = eight_pairs()
    model = load_translator(ModelConfig(name=str(marian_directory), dropout=0.0)).model.eval()
    with torch.inference_mode():
        expected = model(**Collator(299, 299)([pairs[i] for i in range(8)])).loss.item()
    options = {"micro_batch_tokens": 72, "label_smoothing": 0.0, "precision": "bf16"}
    loss, norm, weights = train_once(tmp_path, marian_directory, **options)
    # bf16 has 8 bits of mantissa.
    assert loss == pytest.approx(expected, rel=2e-2)
    assert norm > 0
    assert (weights.device.type, weights.dtype) == ("cuda", torch.float32)
    assert not torch.equal(weights.cpu(), model.model.shared.weight)


@needs_chunked_loss
@pytest.mark.filterwarnings("error:linear_cross_entropy")  # which torch gives when it does not cut into chunks
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 2e-2)])
def test_the_chunked_loss_is_the_plain_one(dtype: torch.dtype, tolerance: float, label_smoothing: float):
    generator = torch.Generator("cuda").manual_seed(7)
    hidden = torch.randn(6, 50, 16, generator=generator, device="cuda").to(dtype)
    weight = torch.randn(400, 16, generator=generator, device="cuda")
    labels = torch.randint(0, 400, (6, 50), generator=generator, device="cuda")
    labels[2, 30:] = -100
    results = []
    for is_chunked in (False, True):
        leaves = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]
        if is_chunked:
            loss = chunked_loss(leaves[0], leaves[1], None, labels, label_smoothing)
        else:
            loss = summed_loss(functional.linear(leaves[0].float(), leaves[1]), labels, label_smoothing)
        loss.backward()
        gradients = [leaf.grad.float().norm().item() for leaf in leaves if leaf.grad is not None]
        results.append([loss.item(), *gradients])
    assert results[1] == pytest.approx(results[0], rel=tolerance)


@pytest.mark.parametrize("is_chunked", [False, pytest.param(True, marks=needs_chunked_loss)])
def test_the_micro_batch_that_is_found_fits(is_chunked: bool, marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    model = load_translator(ModelConfig(name=str(marian_directory))).model.to("cuda")
    return_loss(model)
    free = 200 * 2**20
    monkeypatch.setattr(memory, "free_bytes", lambda _: free)
    options = LossOptions(0.1, is_chunked)
    tokens = find_micro_batch(model, options, 10**6, uses_bf16=False, uses_fp16=False)
    assert 2048 < tokens < 10**6
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    model(**trial_batch(model, tokens), loss=options).backward()
    peak = torch.cuda.max_memory_allocated() - before
    assert 0.3 * free < peak < free


def test_autotune_decides_by_what_it_measures(marian_directory: Path):
    model = load_translator(ModelConfig(name=str(marian_directory))).model.to("cuda")
    return_loss(model)
    settings = tune(model, TrainingConfig(tokens_per_update=4096), uses_bf16=True)
    assert 64 <= settings.micro_batch_tokens <= 2 * 4096
    assert has_chunked_loss() or not settings.chunked_loss
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.slow
def test_a_compiled_model_makes_the_same_update(tmp_path: Path, marian_directory: Path):
    options = {"micro_batch_tokens": 72, "precision": "fp32", "loss": "plain"}
    plain = train_once(tmp_path / "plain", marian_directory, **options)
    compiled = train_once(tmp_path / "compiled", marian_directory, compile=True, **options)
    assert compiled[:2] == pytest.approx(plain[:2], rel=1e-3)
