"""Decoding on a GPU: half precision and an aligned output layer while a context lasts, attention without waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mt.models.families import family_of_model
from mt.processes import is_sharded

_MOST_TOKENS = 262_144
_ALIGNMENT = 64


def with_aligned_rows(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy of an output layer's weight, (entries, width), with rows of zeros up to a multiple of 64.

    GPUs multiply matrices several times as fast if every dimension is a multiple of 8, but vocabularies have any size:
    opus-mt-tc-big-en-ar has 61,247 entries. The added rows exist only for a matrix product, and their logits are 0.
    On a CPU, which gains nothing by them, it is the weight itself if that is in `dtype` already.
    """
    if weight.device.type == "cpu":
        return weight.detach().to(dtype)
    entries, width = weight.shape
    aligned = weight.new_zeros(-(-entries // _ALIGNMENT) * _ALIGNMENT, width, dtype=dtype)
    aligned[:entries] = weight.detach()
    return aligned


def use_precompiled_attention() -> None:
    """Keep cuDNN from computing attention: it makes a kernel for each new shape, which takes it a second or so.

    Decoding meets a new length at every token, and training on a GPU up to 40 shapes. PyTorch's other kernels are made
    for all shapes.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def decoding_dtype(device: torch.device) -> torch.dtype:
    """The type that decoding computes in: float16 on a GPU, float32 on a CPU.

    float16 has three bits more than bf16, and a beam search with near ties needs them: of 400 sentences, `tiny-en-ar`
    translated 94 % as in float32, in bf16 61 %. What float16 lacks is range; see `HalfPrecision.has_overflowed`.
    """
    return torch.float16 if device.type == "cuda" else torch.float32


def wide_decoding_dtype(device: torch.device) -> torch.dtype:
    """The same for models that overflow in float16: bf16 on a GPU that has it, otherwise float32."""
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bf16 else torch.float32


def batch_tokens(model: nn.Module, num_beams: int) -> int:
    """Padded source tokens of a decoding batch, all beams counted, for half of a GPU's free memory.

    A token with its beams needs, at a guess of 16 tokens per sentence, a sixteenth of a row of logits, as float16 and
    three times as float32, and keys and values for itself and two target tokens in each decoder layer.
    """
    config: Any = model.config
    free, _ = torch.cuda.mem_get_info(next(model.parameters()).device)
    layers = getattr(config, "decoder_layers", config.num_hidden_layers)
    logits = int(config.vocab_size) * (2 + 3 * 4) // 16
    cache = int(layers) * int(config.hidden_size) * 2 * 2 * 3
    # Not less than fits anywhere, and not more than was of use on the largest card.
    return max(1024 * num_beams, min(_MOST_TOKENS, free // 2 // (logits + cache)))


class HalfPrecision:
    """What came of decoding in half precision."""

    def __init__(self, device: torch.device) -> None:
        self._overflow = torch.zeros((), dtype=torch.bool, device=device)

    def note(self, logits: Tensor) -> None:
        """Remember whether these logits have a value that is not finite; the host does not wait for it."""
        self._overflow |= ~torch.isfinite(logits.amax())

    def has_overflowed(self) -> bool:
        """Whether any logit was not finite: values beyond 65,504 are infinite in float16."""
        return bool(self._overflow)


@contextmanager
def fast_decoding(model: nn.Module) -> Iterator[HalfPrecision | None]:
    """The model computes in `decoding_dtype` within the context; afterwards its weights are the same to the bit.

    The weights are not converted in place but exchanged, so that the optimizer and recorded passes find theirs again.
    None if the model decodes as it is: on a CPU, sharded, or not in float32.
    """
    tensors = [*model.parameters(), *model.buffers()]
    # T5 cuts what overflows in its layers, so `HalfPrecision` would not notice.
    has_range = family_of_model(model).fp16_fault is None
    dtype = (decoding_dtype if has_range else wide_decoding_dtype)(tensors[0].device)
    own = [(tensor, tensor.data) for tensor in tensors if tensor.dtype == torch.float32]
    is_float32 = len(own) == sum(tensor.is_floating_point() for tensor in tensors)
    if dtype == torch.float32 or not is_float32 or is_sharded():
        yield None
        return
    output: Any = model.get_output_embeddings()  # type: ignore[operator]
    half = HalfPrecision(tensors[0].device)
    for tensor, data in own:
        tensor.data = data.to(dtype)
    try:
        output.forward = _aligned(output.weight, output.bias, half)
        yield half
    finally:
        vars(output).pop("forward", None)
        for tensor, data in own:
            tensor.data = data


def _aligned(weight: Tensor, bias: Tensor | None, half: HalfPrecision) -> Callable[[Tensor], Tensor]:
    """The forward of a linear layer with this weight, (entries, width)."""
    entries, aligned = len(weight), with_aligned_rows(weight, weight.dtype)

    def forward(hidden: Tensor) -> Tensor:
        logits = linear(hidden, aligned)
        half.note(logits)
        return logits[..., :entries] if bias is None else logits[..., :entries] + bias

    return forward
