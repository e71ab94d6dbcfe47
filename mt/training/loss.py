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
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from transformers import PreTrainedModel

from mt.models.families import family_of_model
from mt.training.chunked_loss import IGNORED_LABEL, chunked_loss


@dataclass(frozen=True)
class LossOptions:
    """The way the loss of a batch is computed."""

    label_smoothing: float = 0.0
    is_chunked: bool = False
    """Whether the logits are computed, and freed, for one part of the batch at a time."""
    has_own_masks: bool = False
    """Whether the attention masks are made here; see `Family.own_masks`."""


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
    family = family_of_model(model)
    hidden = _hidden_states(model, inputs, has_own_masks=options.has_own_masks)
    bias = family.logits_bias(model)
    # The divergence needs the model's full logits, so a batch with general pairs is never chunked.
    if options.is_chunked and base_logits is None:
        vector = None if bias is None else bias[0]
        return _in_output_layer(
            model.lm_head,
            lambda rows, weight: chunked_loss(rows, weight, vector, labels, options.label_smoothing),
            hidden,
        )
    logits = family.logits(model, hidden)
    loss = summed_loss(logits, labels, options.label_smoothing)
    if base_logits is not None and is_general is not None:
        loss = loss + kl_weight * divergence(logits[is_general], base_logits, labels[is_general])
    return loss


def _in_output_layer(layer: nn.Linear, compute: Callable[[Tensor, Tensor], Tensor], hidden: Tensor) -> Tensor:
    """`compute(hidden, weight)` as the layer's own forward: FSDP gathers the weight of a layer while it is called."""
    layer.forward = lambda rows: compute(rows, layer.weight)  # type: ignore[assignment]
    try:
        loss: Tensor = layer(hidden)
    finally:
        del layer.forward
    return loss


def logits_of(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """The model's logits, without gradients: float (batch, target_tokens, vocabulary)."""
    with torch.no_grad():
        return family_of_model(model).logits(model, _hidden_states(model, inputs))


def _hidden_states(model: Any, inputs: dict[str, Tensor], *, has_own_masks: bool = False) -> Tensor:
    """What the output layer gets: float (batch, target_tokens, width)."""
    family = family_of_model(model)
    return family.hidden_states(model, family.own_masks(model.config, inputs) if has_own_masks else inputs)
