"""What only a GPU shows: bf16, the chunked loss, recorded passes, memory, compilation. Skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mt.config import Config, ModelConfig, TrainingConfig
from mt.models.transformers_model import load_translator
from mt.training import memory, warm_up
from mt.training.autotune import tune
from mt.training.batching import Collator
from mt.training.chunked_loss import chunked_loss
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.finite_check import NotFiniteError
from mt.training.loss import LossOptions, return_loss, summed_loss
from mt.training.memory import find_micro_batch, trial_batch
from mt.training.setup import build_trainer
from tests.training_cases import eight_pairs, train_once, trainer_for

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")]


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


@pytest.mark.parametrize("is_chunked", [False, True])
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
    assert settings.fixed_shapes
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.slow
def test_a_compiled_model_makes_the_same_update(tmp_path: Path, marian_directory: Path):
    options = {"micro_batch_tokens": 72, "precision": "fp32", "loss": "plain"}
    options["cuda_graphs"] = False
    plain = train_once(tmp_path / "plain", marian_directory, compile=False, **options)
    compiled = train_once(tmp_path / "compiled", marian_directory, compile=True, **options)
    assert compiled[:2] == pytest.approx(plain[:2], rel=1e-3)


@pytest.fixture
def keeps_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short trainings are recorded, too, and the recordings outlive them."""
    monkeypatch.setattr(warm_up, "_PASSES_PER_SHAPE", 0)
    monkeypatch.setattr(warm_up.WarmUp, "on_train_end", lambda *_, **__: None)


@pytest.mark.usefixtures("keeps_recordings")
@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("loss", ["plain", "chunked"])
def test_recorded_passes_make_the_same_updates(loss: str, compile: bool, tmp_path: Path, marian_directory: Path):
    options = {"micro_batch_tokens": 36, "precision": "fp32", "loss": loss, "compile": compile, "max_updates": 3}
    launched = trained_weights(tmp_path / "launched", marian_directory, cuda_graphs=False, **options)
    recorded = trained_weights(tmp_path / "recorded", marian_directory, cuda_graphs=True, **options)
    torch.testing.assert_close(recorded, launched, rtol=1e-4, atol=1e-5)


def trained_weights(directory: Path, model: Path, *, cuda_graphs: bool, **options: object) -> Tensor:
    """The embeddings after a training without dropout."""
    translator = load_translator(ModelConfig(name=str(model), dropout=0.0))
    trainer = trainer_for(translator, directory, cuda_graphs=cuda_graphs, **options)
    trainer.train()
    assert (trainer.recorded is not None) == cuda_graphs
    if trainer.recorded is not None:
        assert len(trainer.recorded) == len(trainer.sampler.shapes) > 0
    return translator.model.model.shared.weight.detach().clone()


@pytest.mark.usefixtures("keeps_recordings")
def test_dropout_differs_between_replays(tmp_path: Path, marian_directory: Path):
    translator = load_translator(ModelConfig(name=str(marian_directory), dropout=0.5))
    trainer = trainer_for(translator, tmp_path, learning_rate=1e-12, compile=False)
    trainer.train()
    assert trainer.recorded is not None
    batch = warm_up.trial_batch(trainer, trainer.sampler.shapes[0])
    assert len({trainer.recorded(batch, 1.0).item() for _ in range(4)}) == 4


@pytest.mark.usefixtures("keeps_recordings")
@pytest.mark.parametrize("cuda_graphs", [False, True])
def test_a_loss_that_is_not_finite_stops_the_training(cuda_graphs: bool, tmp_path: Path, marian_directory: Path):
    translator = load_translator(ModelConfig(name=str(marian_directory), dropout=0.0))
    trainer = trainer_for(translator, tmp_path, cuda_graphs=cuda_graphs, max_updates=5, micro_batch_tokens=72)
    layer = translator.model.model.encoder.layers[0].fc1
    weight = translator.model.model.decoder.layers[0].fc1.weight
    healthy = weight.detach().clone()
    with torch.no_grad():
        layer.bias[0] = float("nan")
    with pytest.raises(NotFiniteError, match="the loss became nan at update 1") as caught:
        trainer.train()
    assert caught.value.rows == list(range(8))
    # The optimizer has skipped the update although the host learns of it one update later.
    assert torch.equal(weight, healthy)


@pytest.mark.usefixtures("keeps_recordings")
def test_a_training_of_many_shapes_meets_them_all_before_it_starts(tmp_path: Path, marian_directory: Path):
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(2, 41, (2, 2000), generator=generator).tolist()
    sides = [[torch.randint(3, 290, (n,), generator=generator).tolist() for n in side] for side in lengths]
    pairs = EncodedPairs(sides[0], sides[1])
    translator = load_translator(ModelConfig(name=str(marian_directory)))
    options: dict[str, object] = {"epochs": 3, "tokens_per_update": 2000, "report_to": [], "eval_every_updates": 10**6}
    config = Config(training=TrainingConfig(**options))  # type: ignore[arg-type]
    trainer = build_trainer(config, translator, pairs, DevSet(pairs, ["The war"], ["الحرب"]), None, tmp_path)
    trainer.evaluate = lambda *_, **__: {"eval_chrF": 0.0}  # type: ignore[method-assign]
    trainer.train()
    assert trainer.recorded is not None
    assert 5 <= len(trainer.recorded) <= 40
    assert trainer.recorded.missed == 0
