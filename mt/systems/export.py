"""Export: a model in half precision or for CTranslate2, scored beside the model that it was made from."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError, RunError
from mt.evaluation.metrics import METRICS
from mt.evaluation.results import Evaluation
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.test_set import Hypotheses, TestSet
from mt.files import cannot_write, new_directory, writing
from mt.models.families import family_of_model
from mt.models.model_files import is_ctranslate2, is_path_name, require_ctranslate2, shown
from mt.models.run_settings import TranslationSettings
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.systems.export_cost import EXPORT, MODEL
from mt.systems.system import System
from mt.systems.translating import translate_test_sets

logger = logging.getLogger(__name__)


Precision = Literal["float16", "bfloat16", "float32", "int8"]


Format = Literal["transformers", "ctranslate2"]
RESAMPLES = 1000
"""Bootstrap resamples when an export is compared with its model."""


def export_model(
    model: ModelConfig,
    directory: Path,
    precision: Precision,
    decoding: DecodingConfig,
    form: Format = "transformers",
    test_sets: Sequence[TestSet] = (),
) -> Evaluation | None:
    """Write the model with its tokenizer to a new directory, its weights in `precision`.

    Half precision halves the file; `load_translator` computes in float32 whatever the file holds. For `ctranslate2`,
    which knows int8 and no bfloat16, see `mt.models.ctranslate2_export.convert`; decoding settings are saved for
    `transformers` only.
    Returns how the export scores beside the model, if there are `test_sets`.
    """
    _check_is_free(directory)
    if form == "ctranslate2":
        require_ctranslate2(f"--format {form}")
    translator = load_translator(model, decoding)
    family = family_of_model(translator.model)
    if form == "ctranslate2":
        # Not at the top: it needs the package.
        from mt.models.ctranslate2_export import refuse_unconvertible

        refuse_unconvertible(translator)
    fault = family.fp16_fault
    if precision == "float16" and fault is not None:
        others = "bfloat16 or float32" if form == "transformers" else "int8 or float32"
        raise ModelError(f"{model.name}: --precision float16: {fault}; use {others}")
    hypotheses: Hypotheses = {}
    # Before anything is written: that may be made of the model's own weights, changed in place.
    translate_test_sets(_system(MODEL, model, decoding), test_sets, hypotheses, translator=translator)
    try:
        if form == "transformers":
            _save(translator, directory, precision)
        else:
            from mt.models.ctranslate2_export import convert

            assert precision != "bfloat16"
            convert(translator, directory, precision)
    except (OSError, SafetensorError) as error:
        raise cannot_write(directory, error) from error
    if decoding.tag or decoding.terminology:
        # A run's: away from the run, nothing says so.
        logger.warning(
            "%s: the model was trained to be given%s%s, which mt translate gives it by the same option",
            directory,
            f" --decoding.tag {decoding.tag!r}" if decoding.tag else "",
            f" --decoding.terminology {decoding.terminology}" if decoding.terminology else "",
        )
    if not test_sets:
        return None
    translate_test_sets(_system(EXPORT, model.with_name(str(directory)), decoding), test_sets, hypotheses)
    return evaluate_hypotheses(test_sets, hypotheses, RESAMPLES, metrics=METRICS)


def _system(label: str, model: ModelConfig, decoding: DecodingConfig) -> System:
    # By its own engine: a conversion would hide what the export costs.
    is_converted = is_ctranslate2(model.name)
    precision = "auto" if is_converted or decoding.precision == "int8" else decoding.precision
    search = replace(decoding, engine="auto" if is_converted else "torch", precision=precision)
    settings = TranslationSettings(model=model, decoding=search)
    return System(label, model.name, settings=settings)


def _check_is_free(directory: Path) -> None:
    """Raise `RunError` unless a model can be written to `directory`: new, or empty."""
    if not is_path_name(str(directory)):
        raise RunError(f"{shown(str(directory))}: no path; it is too long, not UTF-8 or holds control characters")
    with writing(directory):
        if os.path.lexists(directory) and (not directory.is_dir() or any(directory.iterdir())):
            raise RunError(f"{directory}: is not empty; choose a new directory to export to")


def _save(translator: TransformersTranslator, directory: Path, precision: Precision) -> None:
    """Write the whole model beside `directory`, then rename: half a model would load as one."""
    translator.model.to(getattr(torch, precision))
    with new_directory(directory) as work:
        translator.save(work)
