"""A model in the form it is handed on in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.errors import RunError
from mt.model import load_translator

Precision = Literal["float16", "bfloat16", "float32"]


def export_model(model: ModelConfig, directory: Path, precision: Precision, decoding: DecodingConfig) -> None:
    """Write the model with its tokenizer and decoding settings to a new directory, its weights in `precision`.

    Half precision halves the file; `load_translator` computes in float32 whatever the file holds.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RunError(f"{directory}: is not empty; choose a new directory to export to")
    translator = load_translator(model, decoding)
    translator.model.to(getattr(torch, precision))
    directory.mkdir(parents=True, exist_ok=True)
    translator.save(directory)
