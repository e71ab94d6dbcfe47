"""Decoding on a GPU: half precision and an aligned output layer while a context lasts, attention without waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mt.processes import is_sharded

ALIGNMENT = 64
"""The output layer computes a multiple of this many logits; the added ones are cut off.

GPUs multiply matrices several times as fast if every dimension is a multiple of 8, but vocabularies have any size:
opus-mt-tc-big-en-ar has 61,247 entries.
"""


def use_precompiled_attention() -> None:
    """Keep cuDNN from computing attention: it makes a kernel for each new shape, which takes it a second or so.

    Decoding meets a new length at every token, and training on a GPU up to 40 shapes. PyTorch's other kernels are made
    for all shapes.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def decoding_dtype(device: torch.device) -> torch.dtype:
    """The type that decoding computes in: bf16 on a GPU that has it, fp16 on an older one, float32 on a CPU."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


@contextmanager
def fast_decoding(model: nn.Module) -> Iterator[None]:
    """The model computes in `decoding_dtype` within the context; afterwards its weights are the same to the bit.

    The weights are not converted in place but exchanged, so that the optimizer and recorded passes find theirs again.
    """
    tensors = [*model.parameters(), *model.buffers()]
    dtype = decoding_dtype(tensors[0].device)
    own = [(tensor, tensor.data) for tensor in tensors if tensor.dtype == torch.float32]
    is_float32 = len(own) == sum(tensor.is_floating_point() for tensor in tensors)
    if dtype == torch.float32 or not is_float32 or is_sharded():
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
