"""A model in the form it is handed on in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.converted import require_ctranslate2
from mt.errors import RunError
from mt.model import Translator, load_translator

Precision = Literal["float16", "bfloat16", "float32", "int8"]
Format = Literal["transformers", "ctranslate2"]


def export_model(
    model: ModelConfig, directory: Path, precision: Precision, decoding: DecodingConfig, form: Format = "transformers"
) -> None:
    """Write the model with its tokenizer to a new directory, its weights in `precision`.

    Half precision halves the file; `load_translator` computes in float32 whatever the file holds. For `ctranslate2`,
    which knows int8 and no bfloat16, see `mt.conversion.convert`; decoding settings are saved for `transformers` only.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RunError(f"{directory}: is not empty; choose a new directory to export to")
    if form == "ctranslate2":
        require_ctranslate2(f"--format {form}")
    translator = load_translator(model, decoding)
    try:
        if form == "transformers":
            _save(translator, directory, precision)
        else:
            # Not at the top: it needs the package.
            from mt.conversion import convert

            assert precision != "bfloat16"
            convert(translator, directory, precision)
    except OSError as error:
        raise RunError(f"{directory}: cannot be written ({error.strerror or error})") from error


def _save(translator: Translator, directory: Path, precision: Precision) -> None:
    translator.model.to(getattr(torch, precision))
    directory.mkdir(parents=True, exist_ok=True)
    translator.save(directory)
