"""A model on a GPU made fast for decoding, for as long as a context lasts: half precision, an aligned output layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

ALIGNMENT = 64
"""The output layer computes a multiple of this many logits; the added ones are cut off.

GPUs multiply matrices several times as fast if every dimension is a multiple of 8, but vocabularies have any size:
opus-mt-tc-big-en-ar has 61,247 entries.
"""


def decoding_dtype(device: torch.device) -> torch.dtype:
    """The type that decoding computes in: bf16 on a GPU that has it, fp16 on an older one, float32 on a CPU."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


@contextmanager
def fast_decoding(model: nn.Module) -> Iterator[None]:
    """Within the context the model computes in `decoding_dtype`; afterwards its weights are what they were, bit for bit.

    The weights are not converted in place but exchanged, so that the optimizer and recorded passes find theirs again.
    """
    tensors = [*model.parameters(), *model.buffers()]
    device = tensors[0].device
    dtype = decoding_dtype(device)
    own = [(tensor, tensor.data) for tensor in tensors if tensor.dtype == torch.float32]
    if dtype == torch.float32 or len(own) < sum(tensor.is_floating_point() for tensor in tensors):
        yield
        return
    output: Any = model.get_output_embeddings()  # type: ignore[operator]
    for tensor, data in own:
        tensor.data = data.to(dtype)
    try:
        output.forward = _aligned(output.weight, output.bias)
        yield
    finally:
        del output.forward
        for tensor, data in own:
            tensor.data = data


def _aligned(weight: Tensor, bias: Tensor | None) -> Any:
    """The forward of a linear layer with this weight, (entries, width)."""
    entries, width = weight.shape
    padded = weight.new_zeros(-(-entries // ALIGNMENT) * ALIGNMENT, width)
    padded[:entries] = weight.detach()

    def forward(hidden: Tensor) -> Tensor:
        logits = linear(hidden, padded)[..., :entries]
        return logits if bias is None else logits + bias

    return forward
