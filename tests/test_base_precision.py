"""LoRA beside weights in bf16: what is scored as the base is the base as it is, and the model is saved in bf16."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.commands import write_small_config
from tests.helpers import run


@pytest.mark.slow
def test_the_base_is_scored_in_its_own_precision(
    tmp_path: Path, marian_directory: Path, few_news: Path, monkeypatch: pytest.MonkeyPatch
):
    config = write_small_config(tmp_path, marian_directory, few_news, max_updates=2)
    found = {}
    for precision in ("float32", "bf16"):
        directory = tmp_path / precision
        options = [f"--adaptation.lora.base_precision={precision}", "--decoding.max_length_ratio=1", "--no_cache"]
        assert run(monkeypatch, "train", str(config), *options, "--output_dir", str(directory)) == 0
        base = (directory / "translations" / "test" / "base.txt").read_text(encoding="utf-8")
        weights = load_file(directory / "model" / "model.safetensors")
        found[precision] = base, {weight.dtype for weight in weights.values()}
        assert json.loads((directory / "manifest.json").read_text())["updates"] == 2
    assert found["float32"][0] == found["bf16"][0]
    assert len(found["bf16"][0].splitlines()) == 10
    assert (found["float32"][1], found["bf16"][1]) == ({torch.float32}, {torch.bfloat16})
