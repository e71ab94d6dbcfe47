"""T5 in training and export: its losses, LoRA, precisions and runs."""

from __future__ import annotations

import json
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from mt.config import AdaptationConfig, Config, DecodingConfig, LoraConfig, ModelConfig, TrainingConfig
from mt.errors import ConfigError, ModelError
from mt.evaluation.metrics import chrf
from mt.experiment import base_model
from mt.models import engines, gpu_decoding
from mt.models.ctranslate2_model import load_ctranslate2
from mt.models.decoding import translate
from mt.models.doctor import check_ties
from mt.models.engines import engine_of
from mt.models.gpu_decoding import fast_decoding, wide_decoding_dtype
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.processes import prepare_for_sharding
from mt.runs import RunDirectory
from mt.systems.export import export_model
from mt.training import chunked_loss
from mt.training.adaptation import prepare_model
from mt.training.batching import Collator, EncodedPair, EncodedPairs
from mt.training.compiling import compile_layers
from mt.training.dev_evaluation import model_inputs
from mt.training.encoding import DevSet
from mt.training.loss import LossOptions, return_loss
from mt.training.setup import build_trainer
from mt.training.warm_up import WarmUp
from tests.commands import forked_train, kill_in_update, write_small_config
from tests.conftest import SEED, save_t5
from tests.helpers import run
from tests.training_cases import trainer_for

LORA = ["q", "k", "v", "o", "wi_0", "wi_1", "wo"]
SOURCES = [
    *("The city is in the north.", "Two children were killed.", "The council met today.", "People left their homes."),
    *("The talks will continue.", "He spoke in Aleppo.", "The army said nothing.", "Aid reached the camp."),
]
TARGETS = [
    *("تقع المدينة في الشمال.", "قتل طفلان.", "اجتمع المجلس اليوم.", "غادر الناس منازلهم."),
    *("ستستمر المحادثات.", "تحدث في حلب.", "لم يقل الجيش شيئا.", "وصلت المساعدات إلى المخيم."),
]


@pytest.fixture
def t5(t5_directory: Path) -> TransformersTranslator:
    return load_translator(ModelConfig(name=str(t5_directory)))


@pytest.fixture(scope="module")
def tied_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_t5(tmp_path_factory.mktemp("tied"), is_tied=True)


@pytest.mark.parametrize("which", ["untied", "tied"])
def test_losses_are_those_of_transformers(which: str, t5_directory: Path, tied_directory: Path):
    directory = tied_directory if which == "tied" else t5_directory
    model = load_translator(ModelConfig(name=str(directory))).model.eval()
    batch = Collator(1, 0)([EncodedPair([5, 6, 7], [8, 9, 10]), EncodedPair([5, 6], [8, 9])])
    inputs, labels = model_inputs(batch), batch["labels"]
    # transformers: the mean over the five tokens.
    expected = model(**inputs, labels=labels).loss.item() * 5
    return_loss(model)
    for is_chunked in (False, True):
        assert model(**inputs, labels=labels, loss=LossOptions(0.0, is_chunked)).item() == pytest.approx(expected)


@pytest.mark.parametrize("which", ["untied", "tied", "lora"])
def test_gradients_of_the_chunked_loss_are_the_plain_ones(
    which: str, t5_directory: Path, tied_directory: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(chunked_loss, "CHUNK_BYTES", 2 * 128 * 4)  # two tokens per chunk
    model = load_translator(ModelConfig(name=str(tied_directory if which == "tied" else t5_directory))).model
    lora = LoraConfig(layers=LORA) if which == "lora" else None
    trained = prepare_model(model, AdaptationConfig(lora=lora)).eval()
    batch = Collator(1, 0)([EncodedPair([5, 6, 7], [8, 9, 10]), EncodedPair([5, 6], [8, 9])])
    found = []
    for is_chunked in (False, True):
        trained.zero_grad()
        trained(**model_inputs(batch), labels=batch["labels"], loss=LossOptions(0.1, is_chunked)).backward()
        found.append({name: p.grad.clone() for name, p in trained.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert any("lora" in name for name in found[0]) == (which == "lora")
    for name, plain in found[0].items():
        torch.testing.assert_close(found[1][name], plain, rtol=1e-4, atol=1e-5)


def test_lora_names_the_layers_that_t5_has(t5: TransformersTranslator):
    with pytest.raises(ModelError, match=r"no layer q_proj; it has k, lm_head, o, q, v, wi_0, wi_1, wo"):
        prepare_model(t5.model, AdaptationConfig(lora=LoraConfig(layers=["q_proj"])))
    trained = prepare_model(t5.model, AdaptationConfig(lora=LoraConfig()))
    changed = {name.split(".lora_")[0].rpartition(".")[2] for name, _ in trained.named_parameters() if "lora_A" in name}
    assert changed == set(LORA)
    # Two layers each: 4 + 3 matrices in an encoder layer, 8 + 3 in a decoder layer.
    assert sum("lora_A" in name for name, _ in trained.named_parameters()) == 2 * 7 + 2 * 11


def trained_once(directory: Path, model: Path, **options: object) -> dict[str, Tensor]:
    """The weights after one update, without dropout."""
    translator = load_translator(ModelConfig(name=str(model), dropout=0.0))
    assert translator.model.config.dropout_rate == 0.0
    # The ids of the pairs are below 290.
    torch.manual_seed(2)
    translator.model.resize_token_embeddings(300)
    trainer_for(translator, directory, micro_batch_tokens=72, **options).train()
    return {name: weight.detach().clone() for name, weight in translator.model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"gradient_checkpointing": True}, {"loss": "chunked"}, {"precision": "bf16"}], ids=str
)
def test_one_update_in_other_ways(options: dict[str, Any], t5_directory: Path, tmp_path: Path):
    plain = trained_once(tmp_path / "plain", t5_directory, loss="plain")
    other = trained_once(tmp_path / "other", t5_directory, **({"loss": "plain"} | options))
    is_rounded = "precision" in options
    for name, weight in plain.items():
        # An update of Adam's is the learning rate, 0.01, in either direction: half precision may turn a few.
        differs = ((other[name] - weight).abs() > (1e-3 if is_rounded else 1e-5)).float().mean()
        assert differs < (0.1 if is_rounded else 0.01), name


@pytest.mark.slow
def test_compiled_layers_compute_the_same(t5_directory: Path):
    model = load_translator(ModelConfig(name=str(t5_directory), dropout=0.0)).model
    return_loss(model)
    pairs = [EncodedPair([5] * (4 + n), [9] * (3 + n)) for n in range(4)]
    batches = [Collator(1, 0)(pairs[: 2 + n]) for n in range(3)]

    def losses() -> list[float]:
        options = LossOptions(0.1, is_chunked=True)
        return [model(**model_inputs(batch), labels=batch["labels"], loss=options).item() for batch in batches]

    model.train()
    plain = losses()
    torch._dynamo.reset()
    counters.clear()
    undo = compile_layers(model, backend="eager")
    assert losses() == pytest.approx(plain, rel=1e-5)
    # The first layer of encoder and decoder has the bias for distances, the others are given it.
    assert counters["stats"]["unique_graphs"] == 4
    undo()


def test_a_gpu_gets_no_masks_of_ours_and_records_nothing(
    t5: TransformersTranslator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trainer = trainer_for(t5, tmp_path, micro_batch_tokens=72, compile=False)
    monkeypatch.setattr("mt.training.warm_up.is_on_gpu", lambda _: True)
    assert t5.model.config._attn_implementation == "sdpa"
    trainer.state.max_steps = 40
    WarmUp(trainer).on_train_begin(trainer.args, trainer.state, trainer.control)
    assert not trainer.loss.has_own_masks
    assert trainer.recorded is None


def test_layers_and_embeddings_for_fsdp(t5: TransformersTranslator):
    model = t5.model
    head = model.lm_head
    prepare_for_sharding(model)
    assert model._no_split_modules == ["T5Block"]
    assert model.encoder.embed_tokens is model.decoder.embed_tokens is model.shared
    assert model.lm_head is head


def test_fp16_is_refused_for_training(t5_directory: Path, tmp_path: Path):
    model = ModelConfig(name=str(t5_directory), skip_doctor=True)
    run = RunDirectory(tmp_path)
    with pytest.raises(ConfigError) as raised:
        base_model.load_base(Config(model=model, training=TrainingConfig(precision="fp16")), run, {})
    assert str(raised.value) == (
        f"training.precision fp16 does not work with {t5_directory}: T5 models overflow in float16: losses become "
        "NaN, and translations nonsense; set it to bf16, or to auto, which takes bf16 where the GPU has it"
    )
    for precision in ("bf16", "fp32", "auto"):
        base_model.load_base(Config(model=model, training=TrainingConfig(precision=precision)), run, {})


@pytest.mark.parametrize(
    ("form", "others"), [("transformers", "bfloat16 or float32"), ("ctranslate2", "int8 or float32")]
)
def test_float16_is_refused_for_export(form: Any, others: str, t5_directory: Path, tmp_path: Path):
    with pytest.raises(ModelError, match=f"--precision float16: T5 models overflow .*; use {others}"):
        export_model(ModelConfig(name=str(t5_directory)), tmp_path / "out", "float16", DecodingConfig(), form)
    assert not (tmp_path / "out").exists()


def test_decoding_on_a_gpu_is_in_bf16(t5: TransformersTranslator, t5_directory: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gpu_decoding, "decoding_dtype", lambda _: torch.float16)
    monkeypatch.setattr(gpu_decoding, "wide_decoding_dtype", lambda _: torch.bfloat16)
    with fast_decoding(t5.model):
        assert {tensor.dtype for tensor in t5.model.parameters()} == {torch.bfloat16}
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert engine_of(str(t5_directory)).precision == "bfloat16"
    assert engine_of("tiny-en-ar").precision == "float16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    assert wide_decoding_dtype(torch.device("cuda")) == torch.float32
    assert engine_of(str(t5_directory)).precision == "float32"
    assert engines.engine_of("no/such").precision == "float16"


@pytest.mark.slow
def test_eight_pairs_by_heart(tmp_path: Path):
    """Learnt, saved, exported in every way, and translated the same."""
    model = save_t5(tmp_path / "base", width=64)
    translator = load_translator(ModelConfig(name=str(model), dropout=0.0))
    pairs = EncodedPairs(translator.encode_sources(SOURCES), translator.encode_targets(TARGETS))
    training = {"max_updates": 400, "epochs": 400, "tokens_per_update": 400, "micro_batch_tokens": 2000}
    training |= {"learning_rate": 5e-3, "warmup_updates": 10, "label_smoothing": 0.0, "report_to": []}
    options = Config(training=TrainingConfig(**training, eval_every_updates=1000))  # type: ignore[arg-type]
    trainer = build_trainer(options, translator, pairs, DevSet(pairs, SOURCES, TARGETS), None, tmp_path / "checkpoints")
    trainer.evaluate = lambda *_, **__: {"eval_chrF": 0.0}  # type: ignore[method-assign]
    trainer.train()
    beams = DecodingConfig(num_beams=4)
    hypotheses = translate(translator, SOURCES, beams)
    assert chrf(hypotheses, TARGETS) > 90
    translator.save(tmp_path / "model")
    learnt = ModelConfig(name=str(tmp_path / "model"))
    # Rounded to 8 bits, rows of 64 numbers lose more than those of real models.
    least = {"bfloat16": 90, "float32": 90, "int8": 80}
    for precision, form in (("bfloat16", "transformers"), ("float32", "ctranslate2"), ("int8", "ctranslate2")):
        out = tmp_path / f"{form}-{precision}"
        export_model(learnt, out, precision, DecodingConfig(), form)  # type: ignore[arg-type]
        load = load_translator if form == "transformers" else load_ctranslate2
        assert chrf(translate(load(ModelConfig(name=str(out))), SOURCES, beams), TARGETS) > least[precision]


@pytest.fixture(scope="module")
def small_config(tmp_path_factory: pytest.TempPathFactory, t5_directory: Path, few_news: Path) -> Path:
    return write_small_config(tmp_path_factory.mktemp("t5_run"), t5_directory, few_news, max_updates=4)


def weights_of(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [[], ["--adaptation.lora.rank=2", f"--adaptation.lora.layers={json.dumps(LORA)}"]],
    ids=["full", "lora"],
)
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
    t5_directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """Averaged and interpolated, exported, compared with its base, and what was translated is taken from the cache."""
    run_directory, general = tmp_path / "run", ["--training.general_dev", str(SEED)]
    ways = ["--adaptation.average=2", "--adaptation.interpolate=[0.5]", "--adaptation.forgetting_price=0.1"]
    options = [*general, *ways, "--output_dir", str(run_directory)]
    assert run(monkeypatch, "train", str(small_config), *options) == 0
    manifest = json.loads((run_directory / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["averaged_updates"] == [2, 4]
    assert 0.5 in [tried["share"] for tried in manifest["tried_shares"]]
    assert manifest["base_model"]["target_code"] == "ar"
    assert check_ties(load_translator(ModelConfig(name=str(run_directory / "model")))).passed
    exported = tmp_path / "exported"
    assert run(monkeypatch, "mt", "export", str(run_directory), str(exported), "--precision", "bfloat16") == 0
    output = tmp_path / "comparison"
    systems = [f"base={t5_directory}", f"tuned={run_directory}", f"exported={exported}"]
    evaluate = [*systems, "--test_set", f"seed={SEED}", "--output_dir", str(output), "--resamples", "100"]
    assert run(monkeypatch, "evaluate", *evaluate, "--decoding.num_beams", "2") == 0
    scores = json.loads((output / "scores.json").read_text(encoding="utf-8"))["scores"]
    assert {score["system"] for score in scores} == {"base", "tuned", "exported"}
    assert (output / "report.html").is_file()
    shutil.rmtree(output)
    caplog.set_level(logging.INFO)
    assert run(monkeypatch, "evaluate", *evaluate, "--decoding.num_beams", "2") == 0
    assert caplog.text.count("taken from the cache") == 3
