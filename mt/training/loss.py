"""The training loss, summed over target tokens and divided by those of the whole update.

The model's own forward returns it, so that whatever wraps the model (DDP, FSDP, LoRA, `torch.compile`) wraps the
loss too, and the logits need never exist as a whole.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from transformers import PreTrainedModel

IGNORED_LABEL = -100
"""Label of padding; the loss skips it."""


@dataclass(frozen=True)
class LossOptions:
    """The way the loss of a batch is computed."""

    label_smoothing: float = 0.0
    is_chunked: bool = False
    """Whether the logits are computed, and freed, for one part of the batch at a time."""


def has_chunked_loss() -> bool:
    """Whether this torch can compute the loss without the full logits (2.13 and later)."""
    return hasattr(functional, "linear_cross_entropy")


def summed_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy summed over the target tokens, in nats, with uniform label smoothing (Szegedy et al., 2016).

    logits: float (batch, target_tokens, vocabulary); labels: int64 (batch, target_tokens), `IGNORED_LABEL` at
    padding. The caller divides by the tokens of the whole update, so that micro-batches, accumulation and
    processes add up to one large batch.
    """
    return cross_entropy(
        logits.flatten(0, 1).float(),
        labels.flatten(),
        ignore_index=IGNORED_LABEL,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


def chunked_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """`summed_loss` of the logits `hidden @ weight.T + bias`, which are never in memory all at once.

    The full logits are the largest tensor of a translation model: 4,096 target tokens by NLLB's 256,206 entries are
    4.2 GB in float32, and their gradient as much again.
    hidden: float (batch, target_tokens, width); weight: float (vocabulary, width); bias: float (vocabulary,).
    """
    from torch.nn import LinearCrossEntropyOptions

    rows, targets = hidden.flatten(0, 1), labels.flatten()
    # The kernel wants one dtype; under autocast the hidden states are bf16 while the weights are float32. It is given
    # no label smoothing: torch 2.13 would compute all logits then.
    total: Tensor = functional.linear_cross_entropy(
        rows,
        weight.to(hidden.dtype),
        targets,
        linear_bias=None if bias is None else bias.to(hidden.dtype),
        ignore_index=IGNORED_LABEL,
        reduction="sum",
        options=LinearCrossEntropyOptions(),
    )
    if label_smoothing:
        return total.float() + label_smoothing * _smoothing(rows, weight, bias, targets)
    return total.float()


def _smoothing(rows: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """What label smoothing of 1 adds to the cross-entropy, summed over target tokens.

    With logits z, target y and V entries, smoothing e makes of -log p_y = logsumexp(z) - z_y the loss
        (1 - e) (logsumexp(z) - z_y) + e / V * sum of (logsumexp(z) - z_v) = logsumexp(z) - z_y + e (z_y - mean of z).
    The mean of the logits z = W h + b is (mean of W's rows) h + mean of b, so no other logit is needed.
    rows: float (tokens, width); targets: int64 (tokens,).
    """
    is_token = targets != IGNORED_LABEL
    kept, labels = rows[is_token].float(), targets[is_token]
    difference = ((weight[labels] - weight.mean(dim=0)).float() * kept).sum()
    return difference if bias is None else difference + (bias[labels] - bias.mean()).float().sum()


def divergence(logits: Tensor, base_logits: Tensor, labels: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the model's predictions from the base's, in nats, summed over target tokens.

    KL(base ‖ model) = sum of p_base * (log p_base - log p_model) over the vocabulary. Added to the loss on general
    text, it keeps the model close to what the base predicted there (Khayrallah et al., 2018, "Regularized Training
    Objective for Continued Training for Domain Adaptation in Neural Machine Translation").
    logits, base_logits: float (batch, target_tokens, vocabulary); labels: int64 (batch, target_tokens).
    """
    is_token = labels != IGNORED_LABEL
    ours, theirs = (log_softmax(rows[is_token].float(), dim=-1) for rows in (logits, base_logits))
    return kl_div(ours, theirs, reduction="sum", log_target=True)


def return_loss(model: PreTrainedModel) -> None:
    """Make `model(..., labels=labels, loss=LossOptions(...))` return the summed loss instead of logits.

    A call without `loss`, such as those of `generate`, runs the model's own forward.
    """
    own: Callable[..., Any] = model.forward
    if hasattr(own, "own_forward"):
        return

    def forward(*arguments: Any, loss: LossOptions | None = None, **inputs: Any) -> Any:
        return own(*arguments, **inputs) if loss is None else _loss_inside(model, loss, **inputs)

    forward.own_forward = own  # type: ignore[attr-defined]
    model.forward = forward


def frozen_copy(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of the model that is not trained. Call it before `return_loss`, whose forward it would share."""
    copied: PreTrainedModel = copy.deepcopy(model).eval().requires_grad_(False)
    return copied


def _loss_inside(
    model: Any,
    options: LossOptions,
    *,
    labels: Tensor,
    base_logits: Tensor | None = None,
    is_general: Tensor | None = None,
    kl_weight: float = 0.0,
    **inputs: Tensor,
) -> Tensor:
    """float (), summed over target tokens; see `summed_loss`, `chunked_loss` and `divergence`.

    base_logits: float (general pairs, target_tokens, vocabulary); is_general: bool (batch,).
    """
    hidden = model.model(**inputs, use_cache=False).last_hidden_state  # (batch, target_tokens, width)
    # Marian adds a bias per vocabulary entry to the logits; (1, vocabulary).
    bias = getattr(model, "final_logits_bias", None)
    # The divergence needs the model's full logits, so a batch with general pairs is never chunked.
    if options.is_chunked and base_logits is None:
        vector = None if bias is None else bias[0]
        return chunked_loss(hidden, model.lm_head.weight, vector, labels, options.label_smoothing)
    logits = model.lm_head(hidden)
    if bias is not None:
        logits = logits + bias
    loss = summed_loss(logits, labels, options.label_smoothing)
    if base_logits is not None and is_general is not None:
        loss = loss + kl_weight * divergence(logits[is_general], base_logits, labels[is_general])
    return loss


def logits_of(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """The model's logits, without gradients: float (batch, target_tokens, vocabulary)."""
    with torch.no_grad():
        logits: Tensor = model(**inputs, use_cache=False).logits
    return logits
