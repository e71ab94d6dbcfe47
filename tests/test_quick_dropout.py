"""Dropout on a CPU: how much is dropped, what becomes of the rest, and when PyTorch's own is called."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from mt.training.quick_dropout import drop, quick_dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_share_and_scale(p: float) -> None:
    torch.manual_seed(1)
    kept = drop(torch.ones(1000, 401), p)
    values = kept.unique().tolist()
    assert values == pytest.approx([0.0, 1 / (1 - p)], abs=1e-4)
    # Six standard deviations of 401,000 draws are at most 0.0048.
    assert float((kept == 0).float().mean()) == pytest.approx(p, abs=0.005)
    assert float(kept.mean()) == pytest.approx(1.0, abs=0.01)


def test_elements_are_independent() -> None:
    # Four elements share a random number, of which each must have bits of its own.
    torch.manual_seed(1)
    dropped = (drop(torch.ones(200_000), 0.5) == 0).view(-1, 4)
    patterns = (dropped * torch.tensor([1, 2, 4, 8])).sum(1).bincount()
    # 50,000 draws of 16 equally likely patterns: 3125 each, with a standard deviation of 54.
    assert patterns.tolist() == pytest.approx([3125] * 16, abs=330)


def test_gradient_is_the_mask() -> None:
    torch.manual_seed(1)
    inputs = torch.randn(7, 5, requires_grad=True)
    outputs = drop(inputs, 0.25)
    outputs.sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad, torch.where(outputs == 0, 0.0, torch.tensor(65536 / 49152)))


def test_the_seed_decides() -> None:
    def mask(seed: int) -> list[float]:
        torch.manual_seed(seed)
        return drop(torch.ones(64), 0.5).tolist()

    assert mask(1) == mask(1) != mask(2)


def test_models_call_it_only_within() -> None:
    own = functional.dropout
    with quick_dropout():
        torch.manual_seed(1)
        ours = torch.nn.Dropout(0.3)(torch.ones(8, 8))
        torch.manual_seed(1)
        assert torch.equal(ours, drop(torch.ones(8, 8), 0.3))
        assert torch.equal(torch.nn.Dropout(0.3).eval()(torch.ones(3)), torch.ones(3))
        assert torch.equal(functional.dropout(torch.ones(3), 1.0), torch.zeros(3))
    assert functional.dropout is own


def test_a_training_that_breaks_off_leaves_nothing_behind() -> None:
    own = functional.dropout

    def fail() -> None:
        with quick_dropout():
            assert functional.dropout is not own
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert functional.dropout is own
