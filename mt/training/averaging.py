"""Weights of checkpoints: read, averaged, interpolated with the base's, and put into a model."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from mt.models.adapters import merge_adapter
from mt.models.model_files import ModelFiles

Weights = dict[str, Tensor]
"""float32 tensors by the names of a model's state dict."""

_ADAPTER = "adapter_model.safetensors"


def weights_of(checkpoint: Path, base: PreTrainedModel) -> Weights:
    """All weights of a checkpoint; LoRA matrices are merged into a copy of `base`."""
    if not (checkpoint / _ADAPTER).is_file():
        weights: Weights = load_file(checkpoint / "model.safetensors")
        return weights
    merged = merge_adapter(copy.deepcopy(base), ModelFiles(str(checkpoint), str(checkpoint)))
    return {name: weight.detach() for name, weight in merged.state_dict().items()}


def average(models: Iterable[Weights]) -> Weights:
    """The mean of each weight over several models of the same architecture.

    Izmailov et al., 2018, "Averaging Weights Leads to Wider Optima and Better Generalization". One model is in memory
    at a time; the sum of several is kept in float64, so that their order changes nothing. A single one is returned as
    it is, in its own precision.
    """
    each = iter(models)
    total, count = dict(next(each)), 1
    for weights in each:
        count += 1
        for name, weight in weights.items():
            total[name] = total[name].double() + weight.double()
    return {name: weight if count == 1 else (weight / count).float() for name, weight in total.items()}


def interpolate(base: Weights, tuned: Weights, share: float) -> Weights:
    """`base + share * (tuned - base)`, weight by weight: 0 gives the base, 1 the tuned model.

    WiSE-FT (Wortsman et al., 2022, "Robust Fine-Tuning of Zero-Shot Models").
    """
    return {name: torch.lerp(base[name].to(weight), weight, share) for name, weight in tuned.items()}


def load_weights(model: PreTrainedModel, weights: Weights) -> None:
    """Copy `weights` into `model`; a checkpoint lists tied weights once, so the other names may be missing."""
    result = model.load_state_dict(weights, strict=False)
    assert not result.unexpected_keys, result.unexpected_keys
    # Without this the output layer would keep the embeddings of before.
    model.tie_weights()


def copy_weights(model: PreTrainedModel, names: Iterable[str]) -> Weights:
    """Copies of the weights of these names, which later changes of the model leave alone."""
    state = model.state_dict()
    return {name: state[name].clone() for name in names}
