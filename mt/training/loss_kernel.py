"""The loss of a chunk of logits and its gradient in one Triton kernel, which reads the logits once and writes once.

In PyTorch's own operations the same takes a dozen passes over the largest tensor there is: half of a step of
opus-mt-en-ar on an H200. Only imported where Triton is installed, which comes with PyTorch for GPUs on Linux.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mt.training.chunked_loss import IGNORED_LABEL

# Entries that one program has in registers. With 32 warps few programs run at once, and their rows stay in the cache
# between the two readings.
_BLOCK = 16_384
_WARPS = 32


def loss_and_gradient(
    logits: Tensor, bias: Tensor | None, labels: Tensor, entries: int, label_smoothing: float
) -> Tensor:
    """See `mt.training.chunked_loss._loss_and_gradient`, which this equals; on a GPU.

    logits: contiguous (tokens, padded entries); bias: contiguous (entries,).
    """
    tokens, padded = logits.shape
    losses = torch.empty(tokens, device=logits.device, dtype=torch.float32)
    _kernel[(tokens,)](
        logits,
        logits if bias is None else bias,
        labels,
        losses,
        entries,
        padded,
        label_smoothing,
        IGNORED=IGNORED_LABEL,
        HAS_BIAS=bias is not None,
        BLOCK=min(_BLOCK, triton.next_power_of_2(padded)),
        num_warps=_WARPS,
    )
    return losses.sum()


@triton.jit  # type: ignore[untyped-decorator]
def _kernel(  # type: ignore[no-untyped-def]
    logits_pointer,
    bias_pointer,
    labels_pointer,
    losses_pointer,
    entries,
    padded,
    smoothing,
    IGNORED: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    logits_pointer += row * padded
    label = tl.load(labels_pointer + row)
    columns = tl.arange(0, BLOCK)
    if label == IGNORED:
        for start in range(0, padded, BLOCK):
            tl.store(logits_pointer + start + columns, 0.0, mask=start + columns < padded)
        tl.store(losses_pointer + row, 0.0)
        return
    # The sum of exponentials is kept relative to the largest value so far.
    largest = float("-inf")
    exponentials = 0.0
    total = 0.0
    for start in range(0, entries, BLOCK):
        is_entry = start + columns < entries
        values = tl.load(logits_pointer + start + columns, mask=is_entry, other=float("-inf")).to(tl.float32)
        if HAS_BIAS:
            values += tl.load(bias_pointer + start + columns, mask=is_entry, other=0.0).to(tl.float32)
        before = largest
        largest = tl.maximum(before, tl.max(values))
        exponentials = exponentials * tl.exp(before - largest) + tl.sum(tl.exp(values - largest))
        total += tl.sum(tl.where(is_entry, values, 0.0))
    normaliser = largest + tl.log(exponentials)
    of_label = tl.load(logits_pointer + label).to(tl.float32)
    if HAS_BIAS:
        of_label += tl.load(bias_pointer + label).to(tl.float32)
    tl.store(losses_pointer + row, normaliser - (1 - smoothing) * of_label - smoothing * total / entries)
    # The label's logit has been read by every thread before one of them overwrites it.
    tl.debug_barrier()
    for start in range(0, padded, BLOCK):
        is_entry = start + columns < entries
        values = tl.load(logits_pointer + start + columns, mask=is_entry, other=float("-inf")).to(tl.float32)
        if HAS_BIAS:
            values += tl.load(bias_pointer + start + columns, mask=is_entry, other=0.0).to(tl.float32)
        gradient = tl.exp(values - normaliser) - smoothing / entries
        gradient -= tl.where(start + columns == label, 1 - smoothing, 0.0)
        gradient = tl.where(is_entry, gradient, 0.0)
        tl.store(logits_pointer + start + columns, gradient, mask=start + columns < padded)
