"""The training loss, summed over target tokens and divided by those of the whole update."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

IGNORED_LABEL = -100
"""Label of padding; the loss skips it."""


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
