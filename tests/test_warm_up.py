"""Recorded passes, with a stand-in for CUDA graphs that makes the passes again: same updates, no shape met later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mt.config import Config, ModelConfig, TrainingConfig
from mt.models.transformers_model import load_translator
from mt.training import recorded_steps, warm_up
from mt.training.autotune import TunedSettings
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.finite_check import NotFiniteError
from mt.training.recorded_steps import RecordedSteps
from mt.training.setup import build_trainer
from mt.training.trainer import TranslationTrainer


class PretendGraph:
    """Replays by making the pass again, into the same tensor."""

    def __init__(self) -> None:
        self.again: Any = None

    def replay(self) -> None:
        self.again()

    def pool(self) -> tuple[int, int]:
        return (0, 1)


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> list[RecordedSteps]:
    """Everything that asks for a GPU gets a stand-in on the CPU; the recorders that are made."""
    if torch.cuda.is_available():
        pytest.skip("stands in for the GPU that is here, which tests/test_gpu.py uses")
    made: list[RecordedSteps] = []

    @contextmanager
    def capture(graph: PretendGraph, pool: Any = None) -> Iterator[None]:
        graph.again = None
        yield

    class Recorder(RecordedSteps):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

        def _record(self, batch: dict[str, Tensor]) -> Any:
            graph, held, loss = super()._record(batch)
            graph.again = lambda: loss.copy_(self.forward_backward(held, self._divisor))
            return graph, held, loss

    monkeypatch.setattr(torch.cuda, "CUDAGraph", PretendGraph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: type("Stream", (), {"wait_stream": lambda *_: None})())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: type("Stream", (), {"wait_stream": lambda *_: None})())
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.random, "fork_rng", forked)
    monkeypatch.setattr(warm_up, "is_on_gpu", lambda _: True)
    monkeypatch.setattr(warm_up, "RecordedSteps", Recorder)
    monkeypatch.setattr(warm_up, "_timed", lambda call, _: call() and 1e-9)
    return made


@contextmanager
def forked(_devices: Any) -> Iterator[None]:
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def many_pairs() -> EncodedPairs:
    """600 pairs of 2 to 40 tokens."""
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(2, 41, (2, 600), generator=generator).tolist()
    sides = [[torch.randint(3, 290, (n,), generator=generator).tolist() for n in side] for side in lengths]
    return EncodedPairs(sides[0], sides[1])


def trainer_of(model: Path, directory: Path, dropout: float = 0.1, **options: object) -> TranslationTrainer:
    """A trainer with fixed shapes, 40 updates of two epochs."""
    translator = load_translator(ModelConfig(name=str(model), dropout=dropout))
    given: dict[str, object] = {"epochs": 2, "tokens_per_update": 800, "report_to": [], "eval_every_updates": 10**6}
    given |= {"precision": "fp32", "learning_rate": 1e-3}
    config = Config(training=TrainingConfig(**(given | options)))  # type: ignore[arg-type]
    pairs = many_pairs()
    dev = DevSet(pairs, ["The war"], ["الحرب"])
    settings = TunedSettings(400, chunked_loss=True, fixed_shapes=True)
    trainer = build_trainer(config, translator, pairs, dev, None, directory, settings)
    trainer.evaluate = lambda *_, **__: {"eval_chrF": 0.0}  # type: ignore[method-assign]
    return trainer


def trained(trainer: TranslationTrainer) -> Tensor:
    """The embeddings after training."""
    torch.manual_seed(7)
    trainer.train()
    weight: Tensor = trainer.translator.model.model.shared.weight
    return weight.detach().clone()


def test_recorded_passes_make_the_same_updates(tmp_path: Path, marian_directory: Path, request: pytest.FixtureRequest):
    launched = trained(trainer_of(marian_directory, tmp_path / "launched"))
    made = request.getfixturevalue("pretend_gpu")
    trainer = trainer_of(marian_directory, tmp_path / "recorded", compile=False)
    recorded = trained(trainer)
    # With dropout, so the warm-up has drawn no random numbers; the attention masks are made in another way.
    torch.testing.assert_close(recorded, launched, rtol=1e-4, atol=1e-6)
    (recorder,) = made
    assert recorder.missed == 0
    assert trainer.state.global_step >= 20
    # After the training the model is as it was.
    assert trainer.recorded is None
    assert "zero_grad" not in vars(trainer.model)
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


@pytest.mark.usefixtures("pretend_gpu")
def test_every_shape_is_recorded_once_and_in_training_mode(
    tmp_path: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch
):
    trainer, modes = trainer_of(marian_directory, tmp_path), []
    passes = trainer.forward_backward
    monkeypatch.setattr(
        trainer, "forward_backward", lambda *given: modes.append(trainer.model.training) or passes(*given)
    )
    trainer.model.eval()
    warm_up.warm_up(trainer, passes=10_000)
    assert trainer.recorded is not None
    assert len(trainer.recorded) == len(trainer.sampler.shapes) >= 4
    assert all(modes)


@pytest.mark.usefixtures("pretend_gpu")
@pytest.mark.parametrize(
    "options",
    [{"cuda_graphs": False}, {"gradient_checkpointing": True}, {"max_updates": 1}],
    ids=["not wanted", "checkpointing", "too short"],
)
def test_not_recorded(options: dict[str, object], tmp_path: Path, marian_directory: Path):
    trainer = trainer_of(marian_directory, tmp_path, compile=False, **options)
    warm_up.warm_up(trainer, passes=trainer.state.max_steps or trainer.sampler.plan.updates)
    assert trainer.recorded is None


@pytest.mark.usefixtures("pretend_gpu")
def test_an_unknown_shape_is_launched(tmp_path: Path, marian_directory: Path):
    trainer = trainer_of(marian_directory, tmp_path, dropout=0.0, compile=False)
    recorded = RecordedSteps(trainer.model, trainer.forward_backward)
    shape = recorded_steps._INPUTS
    ids = torch.full((2, 3), 5)
    loss = recorded({name: torch.ones_like(ids) if name == "attention_mask" else ids for name in shape}, 2.0)
    assert recorded.missed == 1
    assert loss > 0


@pytest.mark.usefixtures("pretend_gpu")
def test_a_loss_that_is_not_finite_names_its_pairs(tmp_path: Path, marian_directory: Path):
    trainer = trainer_of(marian_directory, tmp_path, compile=False)
    with torch.no_grad():
        trainer.translator.model.model.encoder.layers[0].fc1.bias[0] = float("nan")
    with pytest.raises(NotFiniteError, match="the loss became nan at update 1") as caught:
        trainer.train()
    assert len(caught.value.rows) > 1
    assert min(caught.value.rows) >= 0


@pytest.mark.parametrize(("plain", "compiled", "keeps"), [(10.0, 5.0, True), (10.0, 11.0, False), (0.001, 0.0, None)])
def test_compiles_where_it_pays(
    plain: float,
    compiled: float,
    keeps: bool | None,
    tmp_path: Path,
    marian_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    pretend_gpu: list[RecordedSteps],
):
    calls, undone = [], []
    monkeypatch.setattr(warm_up, "compile_layers", lambda model: calls.append(model) or (lambda: undone.append(model)))
    times = iter([plain, compiled])
    monkeypatch.setattr(warm_up, "_seconds_per_pass", lambda *_: next(times))
    warm_up.warm_up(trainer_of(marian_directory, tmp_path), passes=20)
    # 20 passes of 10 s are longer than three minutes; of a millisecond they are not.
    assert bool(calls) == (keeps is not None)
    assert bool(undone) == (keeps is False)


@pytest.mark.usefixtures("pretend_gpu")
def test_what_cannot_be_recorded_is_launched(
    tmp_path: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    trainer = trainer_of(marian_directory, tmp_path, compile=False)

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    monkeypatch.setattr(warm_up.RecordedSteps, "_record", fail)
    trainer.train()
    assert trainer.recorded is None
    assert "batch shapes are not recorded, so updates may be slower: CUDA error: operation not" in caplog.text
    assert trainer.state.global_step >= 20
