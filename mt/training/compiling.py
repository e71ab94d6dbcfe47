"""`torch.compile` for the layers of a model, in training only, for all batch shapes at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.fx.experimental import _config as symbolic_shapes
from transformers.modeling_layers import GradientCheckpointingLayer

MAX_GRAPHS = 16
"""No more graphs are compiled than this; later ones would run uncompiled. Two suffice for a model with one kind of
encoder layer and one kind of decoder layer."""


def compile_layers(model: nn.Module, backend: str = "inductor") -> Callable[[], None]:
    """Compile each encoder and decoder layer when it is first called in training mode; a function that undoes it.

    Layers of one class share one graph, in which batch size and lengths are variables. The other modes, decoding above
    all, with caches of ever new shapes, run the layers as they are.
    """
    # Otherwise two dimensions that happen to be equal in the first batch would be one variable.
    symbolic_shapes.use_duck_shape = False
    torch._dynamo.config.recompile_limit = MAX_GRAPHS
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    own = [layer.forward for layer in layers]
    for layer, forward in zip(layers, own, strict=True):
        layer.forward = _in_training(layer, forward, backend)

    def undo() -> None:
        for layer, forward in zip(layers, own, strict=True):
            layer.forward = forward

    return undo


def _in_training(layer: nn.Module, own: Callable[..., Any], backend: str) -> Callable[..., Any]:
    compiled = torch.compile(own, dynamic=True, backend=backend)

    def forward(*arguments: Any, **options: Any) -> Any:
        return (compiled if layer.training else own)(*arguments, **options)

    return forward
