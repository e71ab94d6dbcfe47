"""What computes translations: the engine, its version and its precision."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from mt.errors import ModelError
from mt.models.adapters import find_adapter
from mt.models.ctranslate2_file import stored_precision
from mt.models.families import families_of_type
from mt.models.gpu_decoding import decoding_dtype, wide_decoding_dtype
from mt.models.model_files import files_of, is_ctranslate2, require_ctranslate2

TORCH, CTRANSLATE2 = "torch", "ctranslate2"
_SHOWN = {TORCH: "torch", CTRANSLATE2: "CTranslate2"}


@dataclass(frozen=True)
class Engine:
    """What made a translation. Two that differ here may translate some sentences differently."""

    name: str
    version: str
    precision: str
    """That it computes in or, for a CTranslate2 model, of the weights; empty where it cannot be told."""

    def __str__(self) -> str:
        """In words, as in a report: `CTranslate2 4.8.5 in float32`."""
        words = f"{_SHOWN.get(self.name, self.name)} {self.version}"
        return f"{words} in {self.precision}" if self.precision else words


def engine_of(model: str) -> Engine:
    """The engine that decodes a model as it is, without a conversion. Raises `ModelError` if it is not installed."""
    if is_ctranslate2(model):
        require_ctranslate2(model)
        return ctranslate2_engine(stored_precision(Path(model) / "model.bin"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    overflows = device.type == "cuda" and _overflows_in_float16(model)
    dtype = wide_decoding_dtype(device) if overflows else decoding_dtype(device)
    return Engine(TORCH, version("torch").partition("+")[0], str(dtype).removeprefix("torch."))


def _overflows_in_float16(model: str) -> bool:
    """Whether the model's family does; False if that cannot be told without loading it."""
    with suppress(ModelError):
        files = files_of(model, "main")
        adapter = find_adapter(files)
        settings = (files if adapter is None else adapter.home_of("config.json")).read_json("config.json") or {}
        return any(family.fp16_fault is not None for family in families_of_type(settings.get("model_type")))
    return False


def ctranslate2_engine(precision: str) -> Engine:
    """CTranslate2 in the version that is installed. Raises `PackageNotFoundError` if there is none."""
    return Engine(CTRANSLATE2, version("ctranslate2"), precision)
