"""The micro-batch that fits, worked out by hand, and found on a real model."""

import json
from pathlib import Path

import pytest
import torch

from mt.config import ModelConfig, TrainingConfig
from mt.errors import RunError
from mt.models.transformers_model import load_translator
from mt.training.autotune import TunedSettings, tune, tuned_settings_in
from mt.training.loss import LossOptions, return_loss
from mt.training.memory import find_micro_batch, free_bytes, largest_micro_batch


def test_by_hand():
    # 1 kB per token and 10 kB besides: of 5,000 kB 80 % are usable, so (4,000 - 10) kB ÷ 1 kB = 3,990 tokens.
    assert largest_micro_batch(lambda tokens: 10_000 + 1000 * tokens, 5_000_000, 100_000) == 3990
    assert largest_micro_batch(lambda tokens: 10_000 + 1000 * tokens, 5_000_000, 2048) == 2048
    # Less than one sentence fits: try that one all the same, and let it fail in training.
    assert largest_micro_batch(lambda tokens: 10_000 + 1000 * tokens, 1000, 2048) == 64


def test_found_on_a_model(marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    model = load_translator(ModelConfig(name=str(marian_directory))).model
    return_loss(model)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    state = torch.random.get_rng_state()
    found = {}
    for free in (20_000_000, 40_000_000):
        monkeypatch.setattr("mt.training.memory._free_host_bytes", lambda free=free: free)
        assert free_bytes(model) == free - 12 * trained
        found[free] = find_micro_batch(model, LossOptions(), 10**6, uses_bf16=False, uses_fp16=False)
    # Twice the memory holds about twice the tokens; the logits of 300 classes alone take 1.2 kB each.
    assert 1.9 < found[40_000_000] / found[20_000_000] < 2.3
    assert found[20_000_000] < 20_000_000 / 1200
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_resumed_run_keeps_its_settings():
    known = {"micro_batch_tokens": 77, "chunked_loss": True, "fixed_shapes": True}
    assert tuned_settings_in({"tuned_settings": known}) == TunedSettings(77, True, fixed_shapes=True)
    assert tuned_settings_in({"name": "a new run"}) is None


def test_the_manifest_of_an_earlier_version_is_read():
    """As version 0.1.0 wrote it."""
    manifest = """{"name": "small", "seed": 1, "splits": {"train": {"pairs": 158}},
        "footing": {"micro_batch_tokens": 1200, "chunked_loss": false}, "processes": 1}"""
    assert tuned_settings_in(json.loads(manifest)) == TunedSettings(1200, False)


@pytest.mark.parametrize(
    "damaged",
    [
        "7",
        [],
        {},
        {"micro_batch_tokens": "7", "chunked_loss": True},
        {"chunked_loss": 1},
        {"micro_batch_tokens": 7, "chunked_loss": True, "fixed_shapes": 1},
    ],
)
def test_damaged_settings_are_refused(damaged: object):
    with pytest.raises(
        RunError, match=r"must hold micro_batch_tokens and chunked_loss, and fixed_shapes .*, not .*; restore"
    ):
        tuned_settings_in({"tuned_settings": damaged})


def test_what_is_said_is_taken(marian_directory: Path):
    model = load_translator(ModelConfig(name=str(marian_directory))).model
    config = TrainingConfig(micro_batch_tokens=500, loss="plain")
    # No fixed shapes on a CPU.
    assert tune(model, config, uses_bf16=False) == TunedSettings(500, False)
