"""Decoder-only models on a GPU: recorded passes, weights in 4 bits, decoding in bf16. Skipped where there is none."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from mt.config import AdaptationConfig, Config, DecodingConfig, LoraConfig, ModelConfig, TrainingConfig
from mt.evaluation.metrics import chrf
from mt.models.decoding import translate
from mt.models.transformers_model import load_translator
from mt.training import warm_up
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.setup import build_trainer
from tests.commands import write_small_config
from tests.conftest import news_sentences
from tests.helpers import run
from tests.llm_models import make_llm
from tests.test_llm_training import SOURCES, TARGETS, trainer_of

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")]
needs_four_bits = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs bitsandbytes")


@pytest.mark.parametrize("loss", ["plain", "chunked"])
@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
def test_recorded_passes_make_the_same_updates(kind: str, loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of rows longer than the window of some of Gemma's layers."""
    monkeypatch.setattr(warm_up, "_PASSES_PER_SHAPE", 0)
    monkeypatch.setattr(warm_up.WarmUp, "on_train_end", lambda *_, **__: None)
    model = make_llm(kind, tmp_path / "model", news_sentences())
    found = []
    for cuda_graphs in (False, True):
        translator = load_translator(ModelConfig(name=str(model)))
        options = {"precision": "fp32", "loss": loss, "compile": False, "max_updates": 3, "cuda_graphs": cuda_graphs}
        trainer = trainer_of(translator, tmp_path / str(cuda_graphs), learning_rate=1e-2, **options)
        trainer.train()
        assert (trainer.recorded is not None) == cuda_graphs
        found.append(translator.model.model.embed_tokens.weight.detach().clone())
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-4)


@needs_four_bits
def test_four_bits_learn_and_merge(tmp_path: Path):
    """Nearly the loss of the weights in bf16, falling; only the matrices are trained."""
    model = make_llm("qwen3", tmp_path / "model", news_sentences())
    found: dict[str, list[float]] = {}
    for precision in ("bf16", "4bit"):
        translator = load_translator(ModelConfig(name=str(model)), dtype=torch.bfloat16)
        lora = LoraConfig(rank=8, dropout=0.0, base_precision=precision)  # type: ignore[arg-type]
        trainer = trainer_of(
            translator, tmp_path / precision, lora, max_updates=30, learning_rate=1e-2, log_every_updates=1
        )
        trainer.train()
        found[precision] = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
        kinds = {type(module).__name__ for module in translator.model.modules()}
        assert ("Linear4bit" in kinds) == (precision == "4bit")
        assert {p.dtype for p in translator.model.parameters() if p.requires_grad} == {torch.float32}
    assert found["4bit"][0] == pytest.approx(found["bf16"][0], rel=0.05)
    assert found["4bit"][-1] == pytest.approx(found["bf16"][-1], rel=0.05)
    assert found["4bit"][-1] < found["4bit"][0] - 0.2


@needs_four_bits
def test_a_run_in_four_bits(tmp_path: Path, few_news: Path, monkeypatch: pytest.MonkeyPatch):
    model = make_llm("qwen3", tmp_path / "model", news_sentences())
    config = write_small_config(tmp_path, model, few_news, max_updates=4)
    options = ["--adaptation.lora.base_precision=4bit", "--adaptation.lora.rank=4"]
    assert run(monkeypatch, "train", str(config), *options) == 0
    saved = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert saved["dtype"] == "bfloat16"
    assert (tmp_path / "run" / "scores.json").is_file()


def test_eight_pairs_by_heart(tmp_path: Path):
    """In bf16 and recorded, as it comes; then translated in bf16, after which the weights are as before."""
    model = make_llm("llama", tmp_path / "base", [*SOURCES, *TARGETS] * 3)
    translator = load_translator(ModelConfig(name=str(model)))
    pairs = EncodedPairs(translator.encode_sources(SOURCES), translator.encode_targets(TARGETS))
    training: dict[str, Any] = {"max_updates": 200, "epochs": 1000, "tokens_per_update": 400, "learning_rate": 1e-2}
    training |= {"warmup_updates": 10, "label_smoothing": 0.0, "report_to": [], "eval_every_updates": 1000}
    config = Config(training=TrainingConfig(**training), adaptation=AdaptationConfig())
    trainer = build_trainer(config, translator, pairs, DevSet(pairs, SOURCES, TARGETS), None, tmp_path / "checkpoints")
    trainer.train()
    before = {name: weight.clone() for name, weight in translator.model.state_dict().items()}
    assert chrf(translate(translator, SOURCES, DecodingConfig()), TARGETS) > 90
    for name, weight in translator.model.state_dict().items():
        assert torch.equal(weight, before[name])
