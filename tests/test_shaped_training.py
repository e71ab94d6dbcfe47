"""Training in batches of fixed shapes: what only fills a shape changes neither loss nor gradient."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import torch

from mt.config import ModelConfig
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.training import dev_evaluation, setup
from mt.training.autotune import tune
from mt.training.batching import Collator
from mt.training.dev_evaluation import _dev_batches, dev_loss, model_inputs
from mt.training.finite_check import NotFiniteError
from mt.training.loss import LossOptions, return_loss
from mt.training.shapes import BatchShape
from tests.training_cases import eight_pairs, train_once, trainer_for


@pytest.fixture
def fixed_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs have batches of fixed shapes, as on a GPU."""
    monkeypatch.setattr(setup, "tune", lambda *given, **named: replace(tune(*given, **named), fixed_shapes=True))


@pytest.mark.parametrize("name", ["marian_directory", "nllb_directory"])
def test_filler_changes_neither_loss_nor_gradient(name: str, request: pytest.FixtureRequest):
    model = load_translator(ModelConfig(name=str(request.getfixturevalue(name)))).model.eval()
    return_loss(model)
    pairs = eight_pairs().batch([0, 3, 6])
    found = []
    for shapes in ((), (BatchShape(5, 12, 10),)):
        batch = Collator(model.config.pad_token_id, 2, shapes)(pairs)
        loss = model(**model_inputs(batch), labels=batch["labels"], loss=LossOptions(0.1))
        model.zero_grad()
        loss.backward()
        found.append((loss.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]))
    assert batch["labels"].shape == (5, 10)
    assert all(gradient.isfinite().all() for gradient in found[1][1])
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-6, atol=0)
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("fixed_shapes")
def test_an_update_of_fixed_shapes_is_that_of_plain_batches(
    tmp_path: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch
):
    # 24 tokens hold two rows of 10: four batches, of which each has some padding.
    fixed = train_once(tmp_path / "fixed", marian_directory, micro_batch_tokens=24)
    monkeypatch.setattr(setup, "tune", tune)
    plain = train_once(tmp_path / "plain", marian_directory, micro_batch_tokens=72)
    assert fixed[0] == pytest.approx(plain[0], abs=1e-5)
    assert fixed[1] == pytest.approx(plain[1], rel=1e-5)
    torch.testing.assert_close(fixed[2], plain[2], atol=1e-6, rtol=0)


@pytest.mark.usefixtures("fixed_shapes")
def test_only_real_pairs_are_named(marian: TransformersTranslator, tmp_path: Path):
    trainer = trainer_for(marian, tmp_path, micro_batch_tokens=200)
    assert trainer.data_collator.shapes == trainer.sampler.shapes != ()
    trainer.data_collator = trainer.data_collator.with_shapes([BatchShape(20, 10, 10)])
    with torch.no_grad():
        marian.model.model.shared.weight[5] = float("nan")
    with pytest.raises(NotFiniteError, match=r"in a batch of 8 pairs$") as caught:
        trainer.train()
    assert caught.value.rows == [0, 1, 2, 3, 4, 5, 6, 7]


def test_dev_loss_has_fixed_shapes_on_a_gpu_only(marian: TransformersTranslator, monkeypatch: pytest.MonkeyPatch):
    pairs, collator = eight_pairs(), Collator(299, 299, (BatchShape(100, 100, 100),))
    return_loss(marian.model)
    batches, plain = _dev_batches(pairs, 40, collator, torch.device("cpu"))
    assert (len(batches), plain.shapes) == (2, ())
    batches, shaped = _dev_batches(pairs, 40, collator, torch.device("cuda"))
    assert sorted(chain(*batches)) == list(range(8))
    assert {shaped(pairs.batch(batch))["input_ids"].shape for batch in batches} == {(4, 10)}
    expected = dev_loss(marian.model, collator, pairs, 40, LossOptions())
    monkeypatch.setattr(dev_evaluation, "_dev_batches", lambda *_: (batches, shaped))
    assert dev_loss(marian.model, collator, pairs, 40, LossOptions()) == pytest.approx(expected, rel=1e-6)
