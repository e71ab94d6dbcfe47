"""The chunked loss equals torch's own cross-entropy in value and gradient, and never holds all logits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear
from torch.utils._python_dispatch import TorchDispatchMode

from mt.training import chunked_loss as module
from mt.training.chunked_loss import chunked_loss


def case(entries: int = 71, tokens: int = 30) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hidden states (6, tokens, 16), weight (entries, 16), bias (entries,), labels (6, tokens) with padding."""
    generator = torch.Generator().manual_seed(7)
    hidden, weight = torch.randn(6, tokens, 16, generator=generator), torch.randn(entries, 16, generator=generator)
    labels = torch.randint(0, entries, (6, tokens), generator=generator)
    labels[2, tokens // 2 :], labels[5, 1:] = -100, -100
    return hidden.requires_grad_(), weight.requires_grad_(), torch.randn(entries, generator=generator), labels


def gradients(loss: Tensor, *leaves: Tensor) -> list[Tensor]:
    """The gradients of a third of the loss."""
    return list(torch.autograd.grad(loss / 3, leaves))


def test_by_hand():
    # Logits 2 and 0, label the first: -log p = log(1 + e^-2) = 0.126928 nats; the others 2.126928.
    hidden, weight = torch.tensor([[[2.0]]], requires_grad=True), torch.tensor([[1.0], [0.0]], requires_grad=True)
    loss = chunked_loss(hidden, weight, None, torch.tensor([[0]]), 0.1)
    assert loss.item() == pytest.approx(0.95 * 0.126928 + 0.05 * 2.126928, abs=1e-5)
    # p = 0.880797 and 0.119203; less 0.95 and 0.05: -0.069203 and 0.069203; by the weight's rows and by the 2.
    of_hidden, of_weight = torch.autograd.grad(loss, [hidden, weight])
    assert of_hidden.item() == pytest.approx(-0.069203, abs=1e-5)
    assert of_weight.flatten().tolist() == pytest.approx([-0.138406, 0.138406], abs=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("rows_per_chunk", [7, 10**6])
def test_equals_cross_entropy(
    label_smoothing: float, has_bias: bool, rows_per_chunk: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "CHUNK_BYTES", rows_per_chunk * 128 * 4)
    hidden, weight, vector, labels = case()
    bias = vector if has_bias else None
    loss = chunked_loss(hidden, weight, bias, labels, label_smoothing)
    logits = linear(hidden, weight, bias).flatten(0, 1)
    expected = cross_entropy(logits, labels.flatten(), reduction="sum", label_smoothing=label_smoothing)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)
    pairs = zip(gradients(loss, hidden, weight), gradients(expected, hidden, weight), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_frozen_weights_get_no_gradient():
    hidden, weight, bias, labels = case()
    frozen = chunked_loss(hidden, weight.detach(), bias, labels, 0.1)
    whole = chunked_loss(hidden, weight, bias, labels, 0.1)
    assert torch.equal(gradients(frozen, hidden)[0], gradients(whole, hidden)[0])


def test_in_bf16_under_autocast():
    hidden, weight, bias, labels = case()
    with torch.autocast("cpu", torch.bfloat16):
        loss = chunked_loss(hidden, weight, bias, labels, 0.1)
    exact = chunked_loss(hidden, weight, bias, labels, 0.1)
    assert (loss.dtype, loss.item()) == (torch.float32, pytest.approx(exact.item(), rel=1e-2))
    of_hidden, of_weight = gradients(loss, hidden, weight)
    assert of_weight.dtype == torch.float32
    for ours, theirs in zip((of_hidden, of_weight), gradients(exact, hidden, weight), strict=True):
        assert (ours - theirs).norm() < 1e-2 * theirs.norm()


class LargestTensor(TorchDispatchMode):
    """The most elements of any tensor that an operation returns."""

    most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, Tensor):
                self.most = max(self.most, tensor.numel())
        return result


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_logits_are_never_whole(label_smoothing: float, monkeypatch: pytest.MonkeyPatch):
    # 600 tokens by 4,001 entries, of which a chunk holds 50 tokens.
    monkeypatch.setattr(module, "CHUNK_BYTES", 50 * 4001 * 4)
    hidden, weight, bias, labels = case(entries=4001, tokens=100)
    with LargestTensor() as seen:
        gradients(chunked_loss(hidden, weight, bias, labels, label_smoothing), hidden, weight)
    assert seen.most == 50 * 4001
    with LargestTensor() as seen:
        logits = linear(hidden, weight, bias).flatten(0, 1)
        loss = cross_entropy(logits, labels.flatten(), reduction="sum", label_smoothing=label_smoothing)
        gradients(loss, hidden, weight)
    assert seen.most == 600 * 4001


def test_without_gradients():
    hidden, weight, bias, labels = case()
    with torch.inference_mode():
        loss = chunked_loss(hidden, weight, bias, labels)
    assert math.isclose(loss.item(), chunked_loss(hidden, weight, bias, labels).item(), rel_tol=1e-6)
