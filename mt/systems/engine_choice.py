"""Which engine decodes a system: planned before anything is loaded, and given up if its conversion is no good."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError, RunError
from mt.models.ctranslate2_model import require_ctranslate2
from mt.models.engines import CTRANSLATE2, TORCH, Engine, ctranslate2_engine, engine_of
from mt.models.model_files import is_ctranslate2
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

    A CTranslate2 directory is always decoded by CTranslate2.
    """
    own = own_engine(model, decoding)
    if own.name == CTRANSLATE2 and decoding.mbr:
        raise ModelError(
            f"{model.name}: decoding.mbr draws samples by torch; use the model that this one was made from"
        )
    if own.name == CTRANSLATE2 or decoding.engine == TORCH:
        return own
    asked = _asked_for(decoding)
    if asked:
        require_ctranslate2(asked)
        fault = why_not(decoding)
        if fault:
            raise ModelError(f"{asked}: {fault}; set it to auto")
        return ctranslate2_engine(precision_of(decoding))
    if torch.cuda.is_available() or sentences < MIN_SENTENCES or find_spec("ctranslate2") is None or why_not(decoding):
        return own
    return own if _known_fault(model, decoding) else ctranslate2_engine(precision_of(decoding))


def own_engine(model: ModelConfig, decoding: DecodingConfig) -> Engine:
    """What decodes the model as it is, in the precision that is asked for. Raises `ModelError`."""
    own = engine_of(model.name)
    needs_float32 = own.name == TORCH and (decoding.mbr or decoding.precision == "float32")
    return replace(own, precision="float32") if needs_float32 else own


def precision_of(decoding: DecodingConfig) -> Precision:
    """Of a conversion."""
    return "int8" if decoding.precision == "int8" else "float32"


def _asked_for(decoding: DecodingConfig) -> str:
    """The option with its value that asks for CTranslate2, whatever there is to translate; empty if none does."""
    if decoding.precision == "int8":
        return "decoding.precision int8"
    return "decoding.engine ctranslate2" if decoding.engine == CTRANSLATE2 else ""


def why_not(decoding: DecodingConfig) -> str:
    """What CTranslate2 does not do as transformers does it, as a clause; empty if this search is the same in both.

    Where a token is forbidden because it would repeat a phrase, CTranslate2 shares its probability out among the other
    tokens, and transformers does not, so a search with beams takes another way.
    """
    if decoding.no_repeat_ngram_size:
        return "CTranslate2 searches differently with decoding.no_repeat_ngram_size"
    if decoding.mbr:
        return "the samples of decoding.mbr are drawn by torch"
    return ""


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
        asked = _asked_for(decoding)
        if asked:
            remedy = "" if isinstance(error, RunError) else "; set it to auto"
            raise ModelError(f"{asked}: {error}{remedy}") from error
        _log_fallback(model, str(error).removeprefix(f"{model.name}: "))
        return None


def _log_fallback(model: ModelConfig, fault: str) -> None:
    logger.warning("%s: decoded by torch, which is slower: %s", model.name, fault)
