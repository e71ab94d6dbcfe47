"""Which engine decodes a system: planned before anything is loaded, and given up if its conversion is no good."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError, RunError
from mt.models.engines import CTRANSLATE2, TORCH, Engine, ctranslate2_engine, engine_of
from mt.models.model_files import is_ctranslate2, require_ctranslate2
from mt.models.translator import Translator
from mt.systems.conversions import Conversion, Precision

logger = logging.getLogger(__name__)

MIN_SENTENCES = 200
"""Sentences from which on `decoding.engine: auto` converts a model.

On two cores, converting and checking `tiny-en-ar` takes 3 seconds, in which torch decodes 50 sentences; at 100
sentences both ways take equally long, at 200 CTranslate2 is 1.4 times as fast, at 400 twice, and the second time the
conversion is there.
"""


def plan_engine(model: ModelConfig, decoding: DecodingConfig, sentences: int) -> Engine:
    """The engine for so many sentences. Raises `ModelError` if CTranslate2 is asked for and cannot be.

    A CTranslate2 directory is always decoded by CTranslate2, in its own precision; `ModelError` if torch or another
    precision is asked for.
    """
    own = own_engine(model, decoding)
    if own.name == CTRANSLATE2:
        _check_directory(model, decoding, own)
        return own
    if decoding.engine == TORCH:
        return own
    if decoding.asks_for_ctranslate2:
        require_ctranslate2(decoding.asks_for_ctranslate2)
        return ctranslate2_engine(precision_of(decoding))
    is_worth_it = sentences >= MIN_SENTENCES and not torch.cuda.is_available() and not decoding.only_by_torch
    if not is_worth_it or find_spec("ctranslate2") is None:
        return own
    return own if _known_fault(model, decoding) else ctranslate2_engine(precision_of(decoding))


def _check_directory(model: ModelConfig, decoding: DecodingConfig, own: Engine) -> None:
    if decoding.mbr:
        raise ModelError(
            f"{model.name}: decoding.mbr draws samples by torch; use the model that this one was made from"
        )
    remedy = "set it to auto, or use the model that this one was made from"
    if decoding.engine == TORCH:
        raise ModelError(f"{model.name}: decoding.engine torch cannot decode a CTranslate2 model; {remedy}")
    if own.precision and decoding.precision not in ("auto", own.precision):
        raise ModelError(
            f"{model.name}: decoding.precision {decoding.precision} is not that of this CTranslate2 model, which is in "
            f"{own.precision}; {remedy}"
        )


def own_engine(model: ModelConfig, decoding: DecodingConfig) -> Engine:
    """What decodes the model as it is, in the precision that is asked for. Raises `ModelError`."""
    own = engine_of(model.name)
    needs_float32 = own.name == TORCH and (decoding.mbr or decoding.precision == "float32")
    return replace(own, precision="float32") if needs_float32 else own


def precision_of(decoding: DecodingConfig) -> Precision:
    """Of a conversion."""
    return "int8" if decoding.precision == "int8" else "float32"


def _known_fault(model: ModelConfig, decoding: DecodingConfig) -> str:
    """Why this model was found unfit before; one line in the log says so."""
    try:
        fault = Conversion(model, precision_of(decoding)).fault(decoding)
    except (OSError, ModelError, ValueError) as error:
        # Whatever is wrong with it, loading it will tell.
        logger.debug("%s: no conversion (%s)", model.name, error)
        return "it cannot be identified"
    if fault:
        _log_fallback(model, fault)
    return fault


def open_conversion(
    model: ModelConfig, decoding: DecodingConfig, engine: Engine, sample: Sequence[str]
) -> Translator | None:
    """The model on the planned engine, if that takes a conversion; None if it is decoded as it is.

    sample: sentences to be translated, on some of which the conversion is checked. None, with one line in the log, is
    also what `auto` makes of a conversion that failed. Raises `ModelError` where `ctranslate2` was asked for.
    """
    if engine.name != CTRANSLATE2 or is_ctranslate2(model.name):
        return None
    try:
        return Conversion(model, precision_of(decoding)).open(decoding, sample)
    except (ModelError, RunError, OSError, ValueError) as error:
        asked = decoding.asks_for_ctranslate2
        if asked:
            remedy = "" if isinstance(error, RunError) else "; set it to auto"
            raise ModelError(f"{asked}: {error}{remedy}") from error
        _log_fallback(model, str(error).removeprefix(f"{model.name}: "))
        return None


def _log_fallback(model: ModelConfig, fault: str) -> None:
    logger.warning("%s: decoded by torch, which is slower: %s", model.name, fault)
