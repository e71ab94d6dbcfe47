"""The loss is one large batch's, however the batch is cut; the values come from hand and from transformers."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils import clip_grad

from mt.config import AdaptationConfig, Config, LoraConfig, ModelConfig, TrainingConfig
from mt.errors import ConfigError
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.training import chunked_loss, setup
from mt.training.adaptation import prepare_model
from mt.training.arguments import uses_bf16, warmup_updates
from mt.training.batching import BatchPlan, Collator
from mt.training.dev_evaluation import model_inputs, uniform_loss
from mt.training.encoded_pairs import EncodedPair
from mt.training.finite_check import NotFiniteError
from mt.training.loss import LossOptions, divergence, return_loss, summed_loss
from mt.training.setup import check_training
from tests.training_cases import eight_pairs, train_once, trainer_for


def test_a_short_training_warms_up_for_a_third_at_most():
    training = TrainingConfig(warmup_updates=50)
    assert warmup_updates(training, BatchPlan(accumulation=1, updates=25)) == 8
    assert warmup_updates(training, BatchPlan(accumulation=1, updates=150)) == 50


def test_loss_by_hand():
    # Two classes with logits 2 and 0: -log p = log(1 + e^-2) = 0.126928 for the first, 2.126928 for the second.
    logits = torch.tensor([[[2.0, 0.0], [2.0, 0.0], [0.0, 0.0]]])
    labels = torch.tensor([[0, 1, -100]])
    assert summed_loss(logits, labels).item() == pytest.approx(0.126928 + 2.126928, abs=1e-5)
    # Smoothing 0.1: 0.9 × (-log p of the label) + 0.05 × (0.126928 + 2.126928), for each of the two tokens.
    assert summed_loss(logits, labels, 0.1).item() == pytest.approx(0.9 * 2.253856 + 2 * 0.05 * 2.253856, abs=1e-5)


def test_models_return_the_loss_of_their_logits(marian_directory: Path, nllb_directory: Path, mbart50_directory: Path):
    for directory in (marian_directory, nllb_directory, mbart50_directory):
        model = load_translator(ModelConfig(name=str(directory))).model.eval()
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.normal_(generator=torch.Generator().manual_seed(3))
        batch = Collator(1, 2)([EncodedPair([5, 6, 7], [8, 9, 10]), EncodedPair([5, 6], [8, 9])])
        inputs, labels = model_inputs(batch), batch["labels"]
        # transformers: the mean over the five tokens.
        expected = model(**inputs, labels=labels).loss.item() * 5
        return_loss(model)
        for is_chunked in (False, True):
            for has_own_masks in (False, True):
                options = LossOptions(0.0, is_chunked, has_own_masks=has_own_masks)
                assert model(**inputs, labels=labels, loss=options).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("case", ["tied", "untied", "nllb", "lora"])
def test_gradients_of_the_chunked_loss_are_the_plain_ones(
    case: str, marian_directory: Path, nllb_directory: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(chunked_loss, "CHUNK_BYTES", 2 * 320 * 4)  # two tokens per chunk
    directory = nllb_directory if case == "nllb" else marian_directory
    model: Any = load_translator(ModelConfig(name=str(directory))).model
    assert model.lm_head.weight is model.get_input_embeddings().weight
    if case == "untied":
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    trained = prepare_model(model, AdaptationConfig(lora=LoraConfig() if case == "lora" else None)).eval()
    batch = Collator(1, 2)([EncodedPair([5, 6, 7], [8, 9, 10]), EncodedPair([5, 6], [8, 9])])
    found = []
    for is_chunked in (False, True):
        trained.zero_grad()
        trained(**model_inputs(batch), labels=batch["labels"], loss=LossOptions(0.1, is_chunked)).backward()
        found.append({name: p.grad.clone() for name, p in trained.named_parameters() if p.grad is not None})
    assert "forward" not in vars(model.lm_head)
    assert found[0].keys() == found[1].keys()
    assert any("lora" in name for name in found[0]) == (case == "lora")
    for name, plain in found[0].items():
        torch.testing.assert_close(found[1][name], plain, rtol=1e-4, atol=1e-5)


def test_divergence_by_hand():
    # Two classes: the base gives 1/2 and 1/2, the model 3/4 and 1/4: ½ ln(½ ÷ ¾) + ½ ln(½ ÷ ¼) = 0.143841 nats.
    ours, theirs = torch.tensor([[[math.log(3), 0.0], [9.0, 0.0]]]), torch.zeros(1, 2, 2)
    assert divergence(ours, theirs, torch.tensor([[1, -100]])).item() == pytest.approx(0.143841, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_eight_micro_batches_equal_one_batch(label_smoothing: float, tmp_path: Path, marian_directory: Path):
    one = train_once(tmp_path / "one", marian_directory, micro_batch_tokens=72, label_smoothing=label_smoothing)
    # 44 target tokens in 8 micro-batches of 2 to 9: accumulation 8 × 44 / 44 = 8.
    eight = train_once(
        tmp_path / "eight",
        marian_directory,
        micro_batch_tokens=9,
        tokens_per_update=44,
        label_smoothing=label_smoothing,
    )
    assert eight[0] == pytest.approx(one[0], abs=1e-5)
    assert eight[1] == pytest.approx(one[1], rel=1e-5)
    torch.testing.assert_close(eight[2], one[2], atol=1e-6, rtol=0)


@pytest.mark.slow
def test_logged_loss_is_that_of_transformers(tmp_path: Path, marian_directory: Path):
    translator = load_translator(ModelConfig(name=str(marian_directory), dropout=0.0))
    pairs = eight_pairs()
    batch = Collator(299, 299)([pairs[i] for i in range(8)])
    with torch.inference_mode():
        expected = translator.model.eval()(**batch).loss.item()
    logged, _, _ = train_once(tmp_path, marian_directory, micro_batch_tokens=9, tokens_per_update=44, label_smoothing=0)
    assert logged == pytest.approx(expected, abs=1e-5)


def test_dev_loss_is_that_of_transformers(marian: TransformersTranslator, tmp_path: Path):
    trainer = trainer_for(marian, tmp_path, micro_batch_tokens=20)
    batch = Collator(299, 299)([trainer.dev.encoded[i] for i in range(8)])
    with torch.inference_mode():
        expected = marian.model.eval()(**batch).loss.item()
    assert trainer.dev_loss(trainer.dev) == pytest.approx(expected, abs=1e-5)


def test_uniform_loss(marian: TransformersTranslator):
    assert uniform_loss(marian) == pytest.approx(math.log(300))


def test_loss_that_is_not_finite_stops_before_the_update(marian: TransformersTranslator, tmp_path: Path):
    trainer = trainer_for(marian, tmp_path, micro_batch_tokens=72)
    with torch.no_grad():
        marian.model.model.shared.weight[5] = float("nan")
    healthy = marian.model.model.encoder.layers[0].fc1.weight.detach().clone()
    with pytest.raises(NotFiniteError, match=r"^the loss became nan at update 1, in a batch of 8 pairs$") as caught:
        trainer.train()
    assert caught.value.rows == [0, 1, 2, 3, 4, 5, 6, 7]
    torch.testing.assert_close(marian.model.model.encoder.layers[0].fc1.weight, healthy)


@pytest.mark.slow
@pytest.mark.parametrize("max_grad_norm", [0.0, 1.0])
def test_a_gradient_that_is_not_finite_stops_before_the_update(
    max_grad_norm: float, marian: TransformersTranslator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trainer = trainer_for(marian, tmp_path, micro_batch_tokens=72, max_grad_norm=max_grad_norm)
    layer = marian.model.model.encoder.layers[0].fc1
    healthy = layer.weight.detach().clone()
    layer.weight.register_hook(lambda gradient: gradient / 0)
    norms = []
    clip = clip_grad._get_total_norm
    monkeypatch.setattr(clip_grad, "_get_total_norm", lambda *arguments: norms.append(clip(*arguments)) or norms[-1])
    with pytest.raises(NotFiniteError, match=r"^a gradient became infinite at update 1, in a batch of 8 pairs$"):
        trainer.train()
    torch.testing.assert_close(layer.weight, healthy)
    assert len(norms) == 1


def test_precision(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert (uses_bf16("auto"), uses_bf16("bf16"), uses_bf16("fp32")) == (False, True, False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert uses_bf16("auto")


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"precision": "fp16"}, "training.precision fp16 needs a GPU, and this machine has none: set it to auto"),
        ({"loss": "chunked", "precision": "fp16"}, "training.loss chunked does not work with fp16.*: set it to auto"),
        ({"report_to": ["tensorbord"]}, "training.report_to: no tracker `tensorbord`; known: .*tensorboard.*wandb"),
        ({"report_to": ["wandb"]}, "training.report_to: `wandb` is not installed: pip install wandb"),
    ],
)
def test_what_cannot_be_done_here_is_refused(training: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "loss" in training)
    monkeypatch.setattr(setup, "get_available_reporting_integrations", lambda: ["tensorboard"])
    with pytest.raises(ConfigError, match=message):
        check_training(Config(training=TrainingConfig(**training)))


def test_lora_needs_peft(monkeypatch: pytest.MonkeyPatch):
    check_training(Config(adaptation=AdaptationConfig(lora=LoraConfig())))
    monkeypatch.setattr(setup, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"adaptation\.lora needs the extra `lora`"):
        check_training(Config(adaptation=AdaptationConfig(lora=LoraConfig())))


@pytest.mark.slow
def test_gradient_checkpointing_changes_nothing_but_the_memory(tmp_path: Path, marian_directory: Path):
    plain = train_once(tmp_path / "plain", marian_directory, micro_batch_tokens=72)
    saving = train_once(tmp_path / "saving", marian_directory, micro_batch_tokens=72, gradient_checkpointing=True)
    assert saving[:2] == pytest.approx(plain[:2], rel=1e-6)
    torch.testing.assert_close(saving[2], plain[2], atol=1e-7, rtol=0)


@pytest.mark.slow
def test_bf16_trains_float32_weights(tmp_path: Path, marian_directory: Path):
    exact = train_once(tmp_path / "exact", marian_directory, micro_batch_tokens=72)
    rounded = train_once(tmp_path / "rounded", marian_directory, micro_batch_tokens=72, precision="bf16")
    # bf16 has 8 bits of mantissa.
    assert rounded[0] == pytest.approx(exact[0], rel=2e-2)
    assert rounded[0] != exact[0]
    assert rounded[2].dtype == torch.float32


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_update_with_the_chunked_loss(precision: str, tmp_path: Path, marian_directory: Path):
    options = {"micro_batch_tokens": 72, "precision": precision, "label_smoothing": 0.1}
    plain = train_once(tmp_path / "plain", marian_directory, loss="plain", **options)
    chunked = train_once(tmp_path / "chunked", marian_directory, loss="chunked", **options)
    assert chunked[:2] == pytest.approx(plain[:2], rel=1e-5 if precision == "fp32" else 2e-2)
