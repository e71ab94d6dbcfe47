"""QLoRA: the frozen weights in 4 bits while the matrices beside them are trained (Dettmers et al., 2023)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from mt.errors import ConfigError

_OPTION = "adaptation.lora.base_precision 4bit"


def check_four_bit() -> None:
    """Raise `ConfigError` if this machine cannot train with weights in 4 bits."""
    if not torch.cuda.is_available():
        raise ConfigError(f"{_OPTION} needs an NVIDIA GPU, and this machine has none: set it to bf16")
    if find_spec("bitsandbytes") is None:
        raise ConfigError(f"{_OPTION} needs the extra `qlora`: pip install 'mt-conflict-news[qlora]'")


def quantize(model: Any) -> None:
    """Replace the linear layers of `model` by ones with NF4 weights, in place; not embeddings and the output layer.

    The weights are quantized when the model is moved to a GPU, in blocks of 64 whose scales are quantized as well:
    4.127 bits per weight. Products are computed in bf16.
    """
    from bitsandbytes.nn import Linear4bit, Params4bit

    output = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is not nn.Linear or layer is output:
                continue
            has_bias = layer.bias is not None
            small = Linear4bit(
                *(layer.in_features, layer.out_features, has_bias),
                compute_dtype=torch.bfloat16,
                quant_type="nf4",
                device="meta",
            )
            small.weight = Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4")
            small.bias = layer.bias
            setattr(parent, name, small)
    model.requires_grad_(False)
    # PEFT asks for it to put its matrices beside layers of this kind.
    model.is_loaded_in_4bit = True
