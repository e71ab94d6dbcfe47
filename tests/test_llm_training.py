"""Decoder-only models in training: learnt by heart, resumed to the bit, sharded, compared with other families."""

from __future__ import annotations

import json
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from mt.config import AdaptationConfig, Config, DecodingConfig, LoraConfig, ModelConfig, TrainingConfig
from mt.errors import ConfigError, ModelError
from mt.evaluation.metrics import chrf
from mt.models import gpu_decoding
from mt.models.decoding import translate
from mt.models.engines import engine_of
from mt.models.gpu_decoding import fast_decoding
from mt.models.prompts import INSTRUCTION
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.processes import prepare_for_sharding
from mt.systems.export import export_model
from mt.systems.translating import open_translator
from mt.training.batching import TokenBatchSampler
from mt.training.compiling import compile_layers
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.loss import LossOptions, return_loss
from mt.training.memory import trial_batch
from mt.training.setup import build_trainer, check_training
from mt.training.shapes import BatchShape, choose_shapes
from mt.training.trainer import TranslationTrainer
from mt.training.warm_up import WarmUp
from tests.commands import forked_train, kill_in_update, write_small_config
from tests.conftest import SEED, news_sentences
from tests.helpers import run
from tests.llm_models import make_llm

SOURCES = [
    *("The city is in the north.", "Two children were killed.", "The council met today.", "People left their homes."),
    *("The talks will continue.", "He spoke in Aleppo.", "The army said nothing.", "Aid reached the camp."),
]
TARGETS = [
    *("تقع المدينة في الشمال.", "قتل طفلان.", "اجتمع المجلس اليوم.", "غادر الناس منازلهم."),
    *("ستستمر المحادثات.", "تحدث في حلب.", "لم يقل الجيش شيئا.", "وصلت المساعدات إلى المخيم."),
]


@pytest.fixture(scope="module")
def qwen_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llm("qwen3", tmp_path_factory.mktemp("qwen3"), news_sentences())


@pytest.fixture
def qwen(qwen_directory: Path) -> TransformersTranslator:
    return load_translator(ModelConfig(name=str(qwen_directory)))


def trainer_of(translator: TransformersTranslator, directory: Path, lora: LoraConfig | None = None, **options: Any):
    """A trainer on the eight pairs, which does not evaluate."""
    pairs = EncodedPairs(translator.encode_sources(SOURCES), translator.encode_targets(TARGETS))
    training = {"epochs": 1000, "tokens_per_update": 400, "micro_batch_tokens": 4000, "warmup_updates": 10}
    training |= {"label_smoothing": 0.0, "report_to": [], "eval_every_updates": 1000, "max_grad_norm": 1e6}
    config = Config(training=TrainingConfig(**training | options), adaptation=AdaptationConfig(lora=lora))
    trainer = build_trainer(config, translator, pairs, DevSet(pairs, SOURCES, TARGETS), None, directory)
    trainer.evaluate = lambda *_, **__: {"eval_chrF": 0.0}  # type: ignore[method-assign]
    return trainer


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["qwen3", "llama", "plain", "gemma3", "hunyuan"])
def test_eight_pairs_by_heart(kind: str, tmp_path: Path):
    """Learnt, saved, exported and translated the same."""
    model = make_llm(kind, tmp_path / "base", [*SOURCES, *TARGETS, INSTRUCTION] * 3)
    translator = load_translator(ModelConfig(name=str(model)))
    trainer_of(translator, tmp_path / "checkpoints", max_updates=200, learning_rate=1e-2).train()
    beams = DecodingConfig(num_beams=4, engine="torch")
    assert chrf(translate(translator, SOURCES, beams), TARGETS) > 90
    translator.save(tmp_path / "model")
    export_model(ModelConfig(name=str(tmp_path / "model")), tmp_path / "half", "bfloat16", DecodingConfig())
    for name in ("model", "half"):
        loaded = load_translator(ModelConfig(name=str(tmp_path / name)))
        assert chrf(translate(loaded, SOURCES, beams), TARGETS) > 90


def losses(trainer: TranslationTrainer) -> tuple[float, float]:
    """(logged loss, gradient norm) of the first update."""
    trainer.train()
    logged = next(entry for entry in trainer.state.log_history if "grad_norm" in entry)
    return float(logged["loss"]), float(logged["grad_norm"])


@pytest.mark.slow
def test_micro_batches_add_up(qwen_directory: Path, tmp_path: Path):
    """The loss of an update, per target token, is that of transformers, however it is cut into micro-batches."""
    translator = load_translator(ModelConfig(name=str(qwen_directory)))
    model = translator.model.eval()
    total = tokens = 0.0
    sources, targets = translator.encode_sources(SOURCES), translator.encode_targets(TARGETS)
    for source, target in zip(sources, targets, strict=True):
        row = [*source, *translator.decoder_prefix, *target]
        labels = [-100] * (len(row) - len(target)) + target
        total += model(input_ids=torch.tensor([row]), labels=torch.tensor([labels])).loss.item() * len(target)
        tokens += len(target)
    found = []
    for size in (4000, 400, 200):
        translator = load_translator(ModelConfig(name=str(qwen_directory)))
        options = {"max_updates": 1, "log_every_updates": 1, "tokens_per_update": round(tokens)}
        trainer = trainer_of(translator, tmp_path / str(size), micro_batch_tokens=size, **options)
        found.append((trainer.sampler.plan.accumulation, *losses(trainer)))
    assert [accumulation for accumulation, _, _ in found] == sorted({accumulation for accumulation, _, _ in found})
    assert found[0][0] == 1
    for _, loss, norm in found:
        assert loss == pytest.approx(total / tokens, rel=1e-4)
        assert norm == pytest.approx(found[0][2], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"gradient_checkpointing": True}, {"loss": "chunked"}, {"precision": "bf16"}], ids=str
)
def test_one_update_in_other_ways(options: dict[str, Any], qwen_directory: Path, tmp_path: Path):
    def weights(name: str, **more: Any) -> dict[str, Tensor]:
        translator = load_translator(ModelConfig(name=str(qwen_directory)))
        trainer_of(translator, tmp_path / name, max_updates=1, learning_rate=1e-2, **more).train()
        return translator.model.state_dict()

    plain, other = weights("plain", loss="plain"), weights("other", **({"loss": "plain"} | options))
    is_rounded = "precision" in options
    for name, weight in plain.items():
        # An update of Adam's is the learning rate, 0.001 in the warm-up, in either direction: rounding may turn a few.
        differs = ((other[name] - weight).abs() > (1e-4 if is_rounded else 1e-6)).float().mean()
        assert differs < (0.15 if is_rounded else 0.01), name


@pytest.mark.slow
def test_lora_beside_weights_in_bf16(qwen_directory: Path, tmp_path: Path):
    translator = load_translator(ModelConfig(name=str(qwen_directory)), dtype=torch.bfloat16)
    before = {name: weight.clone() for name, weight in translator.model.state_dict().items()}
    trainer_of(translator, tmp_path, LoraConfig(rank=2), max_updates=3, learning_rate=1e-2).train()
    state = translator.model.state_dict()
    matrices = {name: weight for name, weight in state.items() if "lora_" in name}
    assert {weight.dtype for weight in matrices.values()} == {torch.float32}
    assert any(weight.abs().max() > 0 for name, weight in matrices.items() if "lora_B" in name)
    for name, weight in before.items():
        found = next(
            w for key, w in state.items() if key.replace("base_layer.", "").endswith(name) and "lora" not in key
        )
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, weight)


def test_four_bits_need_a_gpu(monkeypatch: pytest.MonkeyPatch):
    config = Config(adaptation=AdaptationConfig(lora=LoraConfig(base_precision="4bit")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ConfigError, match=r"^adaptation.lora.base_precision 4bit needs an NVIDIA GPU, .* set it to bf16$"
    ):
        check_training(config)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("mt.training.four_bit.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs the extra `qlora`: pip install 'mt-conflict-news\[qlora\]'"):
        check_training(config)


def test_batches_count_both_sides():
    lengths = np.array([[6, 2]] * 4)
    # 2 rows of 8 tokens are 16; by the longer side alone, 6, 4 rows would fit into 24.
    sampler = TokenBatchSampler(lengths, tokens_per_update=4, micro_batch_tokens=24, epochs=1, is_joined=True)
    assert list(map(len, sampler.epoch(0))) == [2, 2]
    assert sampler.plan == (1, 2)
    assert sampler.tokens_seen(1) == {"source": 12, "target": 4}
    # An update of 8 target tokens is all 4 rows, which micro-batches of 24 tokens hold 3 of.
    sampler = TokenBatchSampler(lengths, tokens_per_update=8, micro_batch_tokens=24, epochs=1, is_joined=True)
    assert sorted(map(len, sampler.epoch(0))) == [1, 3]
    assert sampler.plan == (2, 1)
    # 16 rows: by both sides 8 to a batch of 64 tokens, by the longer side 10, rounded down to a multiple of 8; of 96
    # tokens, 8 (of 12) and 16.
    many = np.array([[6, 2]] * 16)
    assert choose_shapes(many, 96, is_joined=True) == (BatchShape(8, 6, 2),)
    assert choose_shapes(many, 96) == (BatchShape(16, 6, 2),)


def test_trial_batch_counts_both_sides(qwen: TransformersTranslator, marian: TransformersTranslator):
    assert trial_batch(qwen.model, 640)["input_ids"].shape == (10, 32)
    assert trial_batch(marian.model, 640)["input_ids"].shape == (10, 64)


@pytest.mark.slow
def test_compiled_layers_compute_the_same(qwen: TransformersTranslator):
    model = qwen.model
    return_loss(model)
    options = LossOptions(0.1, is_chunked=True, has_own_masks=True)

    def found() -> list[float]:
        return [model(**trial_batch(model, tokens), loss=options).item() for tokens in (64, 192, 320)]

    model.train()
    plain = found()
    torch._dynamo.reset()
    counters.clear()
    undo = compile_layers(model, backend="eager")
    assert found() == pytest.approx(plain, rel=1e-5)
    assert counters["stats"]["unique_graphs"] <= 2
    undo()


def test_a_gpu_gets_masks_of_ours(qwen: TransformersTranslator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trainer = trainer_of(qwen, tmp_path, compile=False, cuda_graphs=False)
    monkeypatch.setattr("mt.training.warm_up.is_on_gpu", lambda _: True)
    trainer.state.max_steps = 40
    WarmUp(trainer).on_train_begin(trainer.args, trainer.state, trainer.control)
    assert trainer.loss.has_own_masks


def test_layers_for_fsdp(qwen: TransformersTranslator):
    prepare_for_sharding(qwen.model)
    assert qwen.model._no_split_modules == ["Qwen3DecoderLayer"]
    assert qwen.model.lm_head.weight is qwen.model.model.embed_tokens.weight


def test_decoding_on_a_gpu_is_in_bf16(qwen_directory: Path, monkeypatch: pytest.MonkeyPatch):
    model = ModelConfig(name=str(qwen_directory))
    monkeypatch.setattr(gpu_decoding, "decoding_dtype", lambda _: torch.float16)
    monkeypatch.setattr(gpu_decoding, "wide_decoding_dtype", lambda _: torch.bfloat16)
    with fast_decoding(load_translator(model).model):
        pass
    # What is only decoded with is loaded that way: in float32 as well it would take three times the memory.
    monkeypatch.setattr("mt.models.transformers_model.wide_decoding_dtype", lambda _: torch.bfloat16)
    translator = open_translator(model, DecodingConfig())
    assert isinstance(translator, TransformersTranslator)
    assert {parameter.dtype for parameter in translator.model.parameters()} == {torch.bfloat16}
    translator = open_translator(model, DecodingConfig(precision="float32"))
    assert isinstance(translator, TransformersTranslator)
    assert {parameter.dtype for parameter in translator.model.parameters()} == {torch.float32}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert engine_of(str(qwen_directory)).precision == "bfloat16"


def test_no_conversion_for_ctranslate2(qwen_directory: Path, tmp_path: Path):
    model = ModelConfig(name=str(qwen_directory))
    with pytest.raises(ModelError, match="decoder-only models are not converted for CTranslate2"):
        export_model(model, tmp_path / "out", "int8", DecodingConfig(), "ctranslate2")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def small_config(tmp_path_factory: pytest.TempPathFactory, qwen_directory: Path, few_news: Path) -> Path:
    return write_small_config(tmp_path_factory.mktemp("llm_run"), qwen_directory, few_news, max_updates=4)


def weights_of(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--adaptation.lora.rank=2"]], ids=["full", "lora"])
def test_killed_and_resumed_to_the_bit(options: list[str], small_config: Path, tmp_path: Path):
    for name in ("whole", "killed"):
        prepare = partial(kill_in_update, 3) if name == "killed" else None
        result = forked_train(str(small_config), *options, "--output_dir", str(tmp_path / name), prepare=prepare)
        assert (result.returncode == 0) == (prepare is None), result.stderr
    assert [path.name for path in (tmp_path / "killed" / "checkpoints").glob("checkpoint-*")] == ["checkpoint-2"]
    resumed = forked_train(str(small_config), *options, "--output_dir", str(tmp_path / "killed"), "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert weights_of(tmp_path / "killed") == weights_of(tmp_path / "whole")


@pytest.mark.slow
def test_a_run_from_training_to_the_comparison(
    small_config: Path,
    qwen_directory: Path,
    marian_directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """With a prompt of its own; averaged, interpolated, exported; compared with its base and with another family."""
    run_directory = tmp_path / "run"
    prompt = "To {target_language}: {source}"
    ways = ["--adaptation.average=2", "--adaptation.interpolate=[0.5]", "--adaptation.forgetting_price=0.1"]
    options = ["--training.general_dev", str(SEED), *ways, "--model.prompt", prompt]
    assert run(monkeypatch, "train", str(small_config), *options, "--output_dir", str(run_directory)) == 0
    manifest = json.loads((run_directory / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["averaged_updates"] == [2, 4]
    assert 0.5 in [tried["share"] for tried in manifest["tried_shares"]]
    exported = tmp_path / "exported"
    assert run(monkeypatch, "mt", "export", str(run_directory), str(exported), "--precision", "bfloat16") == 0
    for model in (run_directory / "model", exported):
        assert json.loads((model / "config.json").read_text())["translation_prompt"] == prompt
    output = tmp_path / "comparison"
    systems = [f"base={qwen_directory}", f"tuned={run_directory}", f"exported={exported}", f"marian={marian_directory}"]
    evaluate = [*systems, "--test_set", f"seed={SEED}", "--output_dir", str(output), "--resamples", "100"]
    assert run(monkeypatch, "evaluate", *evaluate, "--decoding.num_beams", "2") == 0
    scores = json.loads((output / "scores.json").read_text(encoding="utf-8"))["scores"]
    assert {score["system"] for score in scores} == {"base", "tuned", "exported", "marian"}
    shutil.rmtree(output)
    caplog.set_level(logging.INFO)
    assert run(monkeypatch, "evaluate", *evaluate, "--decoding.num_beams", "2") == 0
    assert caplog.text.count("taken from the cache") == 4
