"""The weights of a checkpoint: read without running code, and compared with the config before the model is made."""

from __future__ import annotations

import logging
import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel

from mt.errors import ModelError
from mt.models.families import families_of_type
from mt.models.model_config import model_class
from mt.models.model_files import ModelFiles, library_errors
from mt.wording import counted

Weights = dict[str, Tensor]

# A checkpoint may lack these: they are computed from the config, or zero.
_REBUILT = ("embed_positions.weight", "final_logits_bias")
_LAYER = re.compile(r"\.\d+\.")


def load_model(
    files: ModelFiles, config: PreTrainedConfig, settings: GenerationConfig, dtype: torch.dtype = torch.float32
) -> Any:
    """The model with its weights in `dtype`, whatever precision the file has.

    The library gets tensors, never the directory, where it would open further files: other configs, adapters, pickled
    metadata. Raises `ModelError` for weights that are missing, damaged or another model's.
    """
    family = families_of_type(config.model_type)[0]
    weights = family.arranged(files.name, read_weights(files), config)
    _check_shapes(files.name, weights, config)
    for key in weights:
        # Copied out of the memory-mapped file, whose pages change if somebody rewrites the file.
        weights[key] = weights[key].clone()
    with library_errors(f"{files.name}: the weights cannot be loaded; fetch it again"), _no_advice_on_ties():
        model, loading = model_class(config).from_pretrained(
            None,
            config=config,
            state_dict=weights,
            generation_config=settings,
            dtype=dtype,
            output_loading_info=True,
            trust_remote_code=False,
        )
    _refuse_missing(files.name, [key for key in loading["missing_keys"] if not key.endswith(_REBUILT)])
    refuse_not_finite(files.name, model)
    # Adapters record this name as their base.
    model.config.name_or_path = model.name_or_path = files.path
    return family.finished(model)


@contextmanager
def _no_advice_on_ties() -> Iterator[None]:
    """Drop the library's advice on embeddings that its config ties and the checkpoint does not; the doctor checks them.

    It gives that advice on every T5 with an output layer of its own, which is as it should be.
    """

    def is_other(record: logging.LogRecord) -> bool:
        return "specifies to tie" not in record.getMessage()

    library = logging.getLogger("transformers.modeling_utils")
    library.addFilter(is_other)
    try:
        yield
    finally:
        library.removeFilter(is_other)


def read_weights(files: ModelFiles) -> Weights:
    """All tensors of a checkpoint. Raises `ModelError` if there is none, or one is damaged."""
    return {name: tensor for file in find_weights(files) for name, tensor in read_tensors(file).items()}


def find_weights(files: ModelFiles) -> list[Path]:
    """The files with a model's weights: one file, or the shards of an index. Raises `ModelError` if there is none."""
    for whole in ("model.safetensors", "pytorch_model.bin"):
        file = files.find(whole)
        found = [file] if file is not None else _shards(files, f"{whole}.index.json")
        if found:
            return found
    raise ModelError(
        f"{files.name}: no weights, neither model.safetensors nor pytorch_model.bin; fetch the whole model again"
    )


def _shards(files: ModelFiles, index: str) -> list[Path]:
    """The files that an index names; none if there is no index."""
    content = files.read_json(index)
    if content is None:
        return []
    names = content.get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise ModelError(f"{files.path}/{index}: no weight_map from weights to files; fetch it again")
    shards = []
    for name in sorted(set(names.values())):
        # Path.name: a shard in another directory would not be this model's.
        shard = files.find(name) if name == Path(name).name and name.isprintable() else None
        if shard is None:
            raise ModelError(f"{files.path}/{index}: names {name[:80]!r}, which is no file of the model; fetch both")
        shards.append(shard)
    return shards


def read_tensors(file: Path) -> Weights:
    """The tensors in a safetensors or pickle file; from a pickle file nothing but tensors is loaded."""
    with library_errors(f"{file}: the weights cannot be loaded; fetch the file again"):
        if file.suffix == ".safetensors":
            found: Weights = load_file(file)
            return found
        try:
            # torch's older format is no zip file and cannot be memory-mapped.
            found = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
        except UnpicklingError as error:
            # torch's own message goes on to explain how to load it anyway.
            raise ModelError(
                f"{file}: damaged, or holds more than tensors, which could be code and is not loaded; fetch safetensors"
            ) from error
    if not isinstance(found, dict) or not all(_is_plain(tensor) for tensor in found.values()):
        raise ModelError(f"{file}: expected a dictionary of tensors; fetch the file again")
    return found


def _is_plain(value: object) -> bool:
    """Whether a value is a dense tensor on the CPU with as much storage as its shape needs."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and value.untyped_storage().nbytes() >= value.numel() * value.element_size()
    )


def _check_shapes(name: str, weights: Weights, config: PreTrainedConfig) -> None:
    """Compare the weights with those of a model of this config on the meta device, which takes no memory."""
    with library_errors(f"{name}: no model can be made from its config.json"), torch.device("meta"):
        expected = model_class(config)(config).state_dict()
    common = sorted(expected.keys() & weights.keys())
    for key in common:
        found, wanted = tuple(weights[key].shape), tuple(expected[key].shape)
        if found != wanted:
            raise ModelError(
                f"{name}: the checkpoint has other shapes than its config.json asks for: {key} is {_times(found)}, not "
                f"{_times(wanted)}; one of the two files is damaged or another model's"
            )
        if not weights[key].is_floating_point():
            raise ModelError(f"{name}: {key} is {weights[key].dtype}; quantised weights are not supported")
    homeless = sorted(key for key in weights.keys() - expected.keys() if _LAYER.search(key))
    if homeless:
        raise ModelError(
            f"{name}: the checkpoint has {counted(len(homeless), 'weight')} that its config.json has no layer for, "
            f"such as {homeless[0][:80]}; one of the two files is damaged or another model's"
        )
    _refuse_missing(name, [key for key in expected.keys() - weights.keys() if _LAYER.search(key)])


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a number"


def _refuse_missing(name: str, missing: list[str]) -> None:
    """Raise `ModelError` if weights are missing, which would otherwise be random numbers."""
    if missing:
        raise ModelError(
            f"{name}: the checkpoint lacks {counted(len(missing), 'weight')} of its architecture, such as "
            f"{min(missing)}; it is damaged or made for another architecture"
        )


def refuse_not_finite(name: str, model: PreTrainedModel) -> None:
    """Raise `ModelError` if a weight is NaN or infinite, with which the model would write nonsense, or nothing."""
    for key, weight in model.named_parameters():
        # The sum first: it is ten times as fast, and not finite if any summand is not.
        if not math.isfinite(weight.detach().sum()) and not bool(torch.isfinite(weight).all()):
            raise ModelError(f"{name}: {key} holds NaN or infinite numbers; it is damaged, or training diverged")
