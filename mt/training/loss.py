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
    """How the loss of a batch is computed."""

    label_smoothing: float = 0.0
    is_chunked: bool = False
    """Whether the logits are made, and forgotten, a part of the batch at a time."""


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
    """`summed_loss` of the logits `hidden @ weight.T + bias`, which are never held all at once.

    hidden: float (batch, target_tokens, width); weight: float (vocabulary, width); bias: float (vocabulary,).
    """
    from torch.nn import LinearCrossEntropyOptions

    # Its kernel takes one type; under autocast the hidden states come in a smaller one than the weights.
    total: Tensor = functional.linear_cross_entropy(
        hidden.flatten(0, 1),
        weight.to(hidden.dtype),
        labels.flatten(),
        linear_bias=None if bias is None else bias.to(hidden.dtype),
        ignore_index=IGNORED_LABEL,
        reduction="sum",
        label_smoothing=label_smoothing,
        options=LinearCrossEntropyOptions(),
    )
    return total.float()


def divergence(logits: Tensor, base_logits: Tensor, labels: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the model's predictions from the base's, in nats, summed over target tokens.

    Kept small on general text, it holds the model to what the base knew there (Khayrallah et al., 2018,
    "Regularized Training Objective for Continued Training for Domain Adaptation in Neural Machine Translation").
    logits, base_logits: float (batch, target_tokens, vocabulary); labels: int64 (batch, target_tokens).
    """
    is_token = labels != IGNORED_LABEL
    ours, theirs = (log_softmax(rows[is_token].float(), dim=-1) for rows in (logits, base_logits))
    return kl_div(ours, theirs, reduction="sum", log_target=True)


def return_loss(model: PreTrainedModel) -> None:
    """Let `model(..., labels=labels, loss=LossOptions(...))` return the summed loss instead of logits.

    Without `loss` the model's forward is what it was.
    """
    own: Callable[..., Any] = model.forward
    if hasattr(own, "own_forward"):
        return

    def forward(*arguments: Any, loss: LossOptions | None = None, **inputs: Any) -> Any:
        return own(*arguments, **inputs) if loss is None else _loss_inside(model, loss, **inputs)

    forward.own_forward = own  # type: ignore[attr-defined]
    model.forward = forward


def frozen_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The model as it is now, not to be trained. Call it before `return_loss`."""
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
    hidden = model.model(**inputs, use_cache=False).last_hidden_state
    bias = getattr(model, "final_logits_bias", None)
    if options.is_chunked and base_logits is None:
        one_bias = None if bias is None else bias[0]
        return chunked_loss(hidden, model.lm_head.weight, one_bias, labels, options.label_smoothing)
    logits = model.lm_head(hidden)
    if bias is not None:
        logits = logits + bias
    loss = summed_loss(logits, labels, options.label_smoothing)
    if base_logits is not None and is_general is not None:
        loss = loss + kl_weight * divergence(logits[is_general], base_logits, labels[is_general])
    return loss


def logits_of(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """float (batch, target_tokens, vocabulary), without gradients."""
    with torch.no_grad():
        logits: Tensor = model(**inputs, use_cache=False).logits
    return logits
