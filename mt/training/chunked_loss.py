"""The cross-entropy of an output layer whose logits are computed, and freed, for one part of the batch at a time.

The full logits are the largest tensor of a translation model: 4,096 target tokens by NLLB's 256,206 entries are 4.2 GB
in float32, and their gradient as much again. Here at most `CHUNK_BYTES` of them exist at once. Their gradient is
computed in the forward pass, in their own memory, so that the backward pass needs no logits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mt.models.gpu_decoding import with_aligned_rows

IGNORED_LABEL = -100
"""Label of padding; the loss skips it."""

CHUNK_BYTES = 2**30
"""Most bytes of logits at once."""

_Kernel = Callable[[Tensor, Tensor | None, Tensor, int, float], Tensor]


def chunked_loss(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of the logits `hidden @ weight.T + bias`, summed over target tokens, in nats; float32 ().

    hidden: float (batch, target_tokens, width); weight: float (vocabulary, width); bias: float (vocabulary,), which
    gets no gradient; labels: int64 (batch, target_tokens), `IGNORED_LABEL` at padding. label_smoothing: share of the
    probability spread over the vocabulary (Szegedy et al., 2016). Inside autocast the matrix products are in its type.
    """
    rows, device = hidden.flatten(0, 1), hidden.device.type
    if torch.is_autocast_enabled(device):
        rows = rows.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        loss: Tensor = _ChunkedLoss.apply(  # type: ignore[no-untyped-call]
            rows, weight, bias, labels.flatten(), label_smoothing, _kernel_for(device)
        )
    return loss


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Tensor,
        label_smoothing: float,
        kernel: _Kernel,
    ) -> Tensor:
        entries, matrix = len(weight), with_aligned_rows(weight, rows.dtype)
        total = torch.zeros((), device=rows.device)
        of_rows = torch.empty_like(rows) if ctx.needs_input_grad[0] else None
        of_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        size = max(1, CHUNK_BYTES // (len(matrix) * rows.element_size()))
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            logits = torch.mm(rows[part], matrix.T)
            # From here on `logits` holds the gradient. The added columns, all zeros, contribute nothing.
            total += kernel(logits, bias, labels[part], entries, label_smoothing)
            if of_rows is not None:
                torch.mm(logits, matrix, out=of_rows[part])
            if of_weight is not None:
                _add_product(of_weight, logits.T, rows[part])
        ctx.of_rows, ctx.of_weight = of_rows, of_weight
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None, None]:
        # In place: the weight's gradient may be a gigabyte.
        scaled = [None if gradient is None else gradient.mul_(scale) for gradient in (ctx.of_rows, ctx.of_weight)]
        return scaled[0], scaled[1], None, None, None, None


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right, without the rows that `left` has more."""
    if (left.dtype, len(left)) == (total.dtype, len(total)):
        total.addmm_(left, right)
    else:
        total += torch.mm(left, right)[: len(total)]


def _loss_and_gradient(
    logits: Tensor, bias: Tensor | None, labels: Tensor, entries: int, label_smoothing: float
) -> Tensor:
    """The summed loss of some tokens; `logits`, to which `bias` is yet to be added, is overwritten with its gradient.

    With logits z, target y and V entries, label smoothing e makes of -log p_y = logsumexp(z) - z_y the loss
        (1 - e) (logsumexp(z) - z_y) + e / V * sum of (logsumexp(z) - z_v)
        = logsumexp(z) - (1 - e) z_y - e * mean of z,
    whose gradient with respect to z_v is p_v - e / V, less by 1 - e where v is y.
    logits: float (tokens, entries or more), of which the first `entries` columns count; bias: float (entries,);
    labels: int64 (tokens,).
    """
    # In place wherever it is possible: each new tensor of this size costs as much as half a matrix product.
    values = logits[:, :entries].float()
    if bias is not None:
        values += bias
    is_token = (labels != IGNORED_LABEL)[:, None]
    targets = torch.where(is_token, labels[:, None], 0)
    expected = (1 - label_smoothing) * values.gather(1, targets)
    if label_smoothing:
        expected += label_smoothing * values.mean(dim=1, keepdim=True)
    highest = values.amax(dim=1, keepdim=True)
    probabilities = values.sub_(highest).exp_()
    total = probabilities.sum(dim=1, keepdim=True)
    loss = ((total.log() + highest - expected) * is_token).sum()
    gradient = probabilities.mul_(is_token / total)
    if label_smoothing:
        gradient -= is_token * (label_smoothing / entries)
    gradient.scatter_add_(1, targets, is_token * (label_smoothing - 1.0))
    if logits.dtype != torch.float32:
        logits[:, :entries] = gradient
    return loss


def has_fused_kernel(device: str) -> bool:
    """Whether there is one kernel for loss and gradient on this type of device (`cuda`, `cpu`)."""
    return device == "cuda" and find_spec("triton") is not None


@cache
def _kernel_for(device: str) -> _Kernel:
    if not has_fused_kernel(device):
        return _loss_and_gradient
    from mt.training.loss_kernel import loss_and_gradient

    return loss_and_gradient
