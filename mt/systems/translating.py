"""One decoding of a system, for every command: translations of test sets, through the cache, and of a plain file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.errors import DataError
from mt.evaluation.test_set import TestSet
from mt.models.ctranslate2_model import load_converted
from mt.models.decoding import translate
from mt.models.model_files import shown
from mt.models.terminology import check_terminology
from mt.models.transformers_model import is_converted, load_translator
from mt.models.translator import Translator
from mt.systems.system import System
from mt.systems.texts import hypotheses_of_text
from mt.systems.translation_cache import CacheKey, cache_key, keep_translations, read_translations
from mt.text.lines import read_lines, read_stdin
from mt.text.normalise import normalise

logger = logging.getLogger(__name__)


def open_translator(model: ModelConfig, decoding: DecodingConfig) -> Translator:
    """Load what `model` names, be it a model of transformers or of CTranslate2. Raises `ModelError`."""
    logger.info("loading %s", model.name)
    if is_converted(model.name):
        return load_converted(model)
    translator = load_translator(model, decoding)
    translator.model.to("cuda" if torch.cuda.is_available() else "cpu")
    return translator


def hypotheses_of(system: System, test_sets: Sequence[TestSet]) -> dict[str, list[str]]:
    """The system's translations by test set: read if it is a text file, else decoded, unless they were before.

    A text file must have one line per sentence of every test set. The model is loaded only if it must translate.
    """
    if system.settings is None:
        return hypotheses_of_text(system, test_sets)
    model, decoding = system.settings.model, system.settings.decoding
    opened = cache(partial(open_translator, model, decoding))
    return {
        test_set.name: translate_once(model, test_set, decoding, opened, system.label, use_cache=system.use_cache)
        for test_set in test_sets
    }


def translate_once(
    model: ModelConfig,
    test_set: TestSet,
    decoding: DecodingConfig,
    open_model: Callable[[], Translator],
    label: str,
    *,
    use_cache: bool = True,
) -> list[str]:
    """A model's translations of a test set: from the cache if it has them, else decoded and kept there.

    open_model: loads `model`, and is called only if it must translate. label: names the system in log and progress.
    """
    own = test_set.search(decoding)
    key = cache_key(model, own, test_set.sources) if use_cache else None
    kept = _kept(label, test_set, key)
    if kept is None:
        logger.info("%s on %s: translating %d sentences", label, test_set.name, len(test_set.sources))
        kept = translate(open_model(), test_set.sources, own, f"{label} on {test_set.name}")
        # Not if the model's files were changed while it was loaded.
        if key is not None and key == cache_key(model, own, test_set.sources):
            keep_translations(key, kept)
    return kept


def _kept(label: str, test_set: TestSet, key: CacheKey | None) -> list[str] | None:
    lines = None if key is None else read_translations(key, len(test_set.sources))
    if lines is not None:
        logger.info("%s on %s: translated before, taken from the cache", label, test_set.name)
    return lines


def translate_file(model: ModelConfig, decoding: DecodingConfig, file: str) -> list[str]:
    """One translation a line of `file` (`-`: stdin), in order; an empty line stays empty."""
    check_terminology(decoding)
    if file == "-":
        lines = [line for _, line in read_stdin()]
    elif os.path.isfile(file):  # noqa: PTH113
        lines = [line for _, line in read_lines(Path(file))]
    else:
        raise DataError(f"{shown(file)}: no such text file (seen from {Path.cwd()})")
    sources = [normalise(line) for line in lines]
    wanted = [index for index, source in enumerate(sources) if source]
    translator, places = open_translator(model, decoding), [f"line {i + 1}" for i in wanted]
    hypotheses = translate(translator, [sources[i] for i in wanted], decoding, "translate", places)
    translations = [""] * len(lines)
    for index, hypothesis in zip(wanted, hypotheses, strict=True):
        translations[index] = hypothesis
    return translations
