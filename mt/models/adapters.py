"""LoRA adapters: finding the base of one, and merging it into that base."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mt.errors import ModelError
from mt.models.model_files import ADAPTER_CONFIG, ModelFiles, files_of, library_errors
from mt.models.weights import read_tensors, refuse_not_finite

CONFIG = ADAPTER_CONFIG
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
# The keys of an adapter's config that are used; others would import further modules (`megatron_core`, `auto_mapping`).
_SETTINGS = (
    *("r", "lora_alpha", "lora_dropout", "bias", "use_rslora", "use_dora", "fan_in_fan_out", "rank_pattern"),
    *("alpha_pattern", "target_modules", "exclude_modules", "layers_to_transform", "modules_to_save"),
)
_MAX_RANK = 2**14
_LAYER_NAME = re.compile(r"[\w.]+")


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter and the model that it was trained on."""

    files: ModelFiles
    settings: Mapping[str, Any]
    base: ModelFiles

    def home_of(self, *names: str) -> ModelFiles:
        """The directory with the files of these names: the adapter's if it has one of them, else its base's."""
        return self.files if any(self.files.find(name) is not None for name in names) else self.base


def find_adapter(files: ModelFiles) -> Adapter | None:
    """The adapter in `files`; None if they are a whole model. Raises `ModelError` for one that cannot be used."""
    settings = files.read_json(CONFIG)
    if settings is None:
        return None
    origin = f"{files.path}/{CONFIG}"
    if find_spec("peft") is None:
        raise ModelError(
            f"{files.name}: holds a LoRA adapter, which needs the extra `lora`: pip install 'mt-conflict-news[lora]'"
        )
    if settings.get("peft_type") != "LORA":
        raise ModelError(f"{origin}: an adapter of type {settings.get('peft_type')!r:.40}; only LORA is supported")
    return Adapter(files, settings, base_of(files, settings))


def base_of(files: ModelFiles, settings: Mapping[str, Any]) -> ModelFiles:
    """The model that the adapter with these settings was trained on. Raises `ModelError` if there is none."""
    name, revision = settings.get("base_model_name_or_path"), settings.get("revision")
    if not isinstance(name, str) or not name or not isinstance(revision, str | None):
        raise ModelError(f"{files.path}/{CONFIG}: base_model_name_or_path and revision do not name a model")
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise ModelError(
            f"{files.name}: holds a LoRA adapter for {name[:200]}, which is not there; use the run's model/ instead"
        )
    base = files_of(name, revision or "main")
    if base.find(CONFIG) is not None:
        raise ModelError(
            f"{files.name}: holds a LoRA adapter for {name}, which is itself an adapter; use the run's model/ instead"
        )
    return base


def merge_adapter(model: Any, files: ModelFiles) -> Any:
    """Merge the adapter in `files` into the weights of `model`, its base, which is changed and returned.

    W becomes W + alpha / rank * B A, with B (rows, rank) and A (rank, columns), in every layer that the adapter has
    matrices for (Hu et al., 2022). Raises `ModelError` if the adapter is damaged or made for another model.
    """
    import peft

    options = _lora_config(f"{files.path}/{CONFIG}", files.read_json(CONFIG) or {})
    weights = next((read_tensors(file) for name in _WEIGHTS if (file := files.find(name)) is not None), None)
    if weights is None:
        raise ModelError(f"{files.name}: holds {CONFIG} and no {_WEIGHTS[0]}; use the run's model/ instead")
    with library_errors(f"{files.name}: the LoRA adapter does not fit its base {model.name_or_path}"):
        wrapped = peft.get_peft_model(model, options)
        expected = peft.get_peft_model_state_dict(wrapped, save_embedding_layers=False)
        missing = sorted(expected.keys() - weights.keys())
        # LoRA matrices that are not loaded keep their initial values, which change nothing: the translations would
        # silently be the base's.
        strange = sorted(key for key in weights.keys() - expected.keys() if "lora_" in key)
        if missing or strange:
            what = "lacks" if missing else "has, but its base has no layer for,"
            raise ModelError(f"{files.name}: the LoRA adapter {what} {(missing or strange)[0]}; it is damaged")
        peft.set_peft_model_state_dict(wrapped, weights)
        merged = wrapped.merge_and_unload()
    refuse_not_finite(files.name, merged)
    return merged


def _lora_config(origin: str, settings: Mapping[str, Any]) -> Any:
    import peft

    rank, layers = settings.get("r"), settings.get("target_modules")
    if not isinstance(rank, int) or not 1 <= rank <= _MAX_RANK:
        raise ModelError(f"{origin}: r must be a whole number from 1 to {_MAX_RANK}, not {rank!r:.40}")
    names = [*layers] if isinstance(layers, list) else [None]
    for key in ("rank_pattern", "alpha_pattern"):
        names += settings.get(key) or {}
    # PEFT treats them as regular expressions, and a malicious one can take forever to match.
    if not all(isinstance(name, str) and _LAYER_NAME.fullmatch(name) for name in names):
        raise ModelError(f"{origin}: target_modules, rank_pattern and alpha_pattern must name layers, not patterns")
    with library_errors(f"{origin}: PEFT does not accept these settings"):
        return peft.LoraConfig(**{key: settings[key] for key in _SETTINGS if key in settings})
