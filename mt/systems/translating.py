"""Translating with a system, the same way in every command: test sets, through the cache, and plain files."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.errors import DataError
from mt.evaluation.test_set import Hypotheses, TestSet
from mt.models.ctranslate2_model import load_ctranslate2
from mt.models.decoding import translate
from mt.models.model_files import is_ctranslate2, shown
from mt.models.terminology import check_terminology
from mt.models.transformers_model import load_translator
from mt.models.translator import Translator
from mt.systems.system import System
from mt.systems.texts import read_text
from mt.systems.translation_cache import cache_key, keep_translations, read_translations
from mt.text.lines import read_lines, read_stdin
from mt.text.normalise import normalise

logger = logging.getLogger(__name__)


Write = Callable[[str, str, list[str]], object]
"""Keeps translations: called with test set, system and lines."""


def _discard(test_set: str, system: str, lines: list[str]) -> None:
    """Keep no translations."""


def open_translator(model: ModelConfig, decoding: DecodingConfig) -> Translator:
    """Load what `model` names, be it a model of transformers or of CTranslate2. Raises `ModelError`."""
    logger.info("loading %s", model.name)
    if is_ctranslate2(model.name):
        return load_ctranslate2(model)
    translator = load_translator(model, decoding)
    translator.model.to("cuda" if torch.cuda.is_available() else "cpu")
    return translator


def translate_systems(systems: Sequence[System], test_sets: Sequence[TestSet], write: Write = _discard) -> Hypotheses:
    """The translations of every system on every test set; see `translate_test_sets`."""
    hypotheses: Hypotheses = {}
    for system in systems:
        translate_test_sets(system, test_sets, hypotheses, write=write)
    return hypotheses


def translate_test_sets(
    system: System,
    test_sets: Sequence[TestSet],
    hypotheses: Hypotheses,
    *,
    translator: Translator | None = None,
    write: Write = _discard,
) -> None:
    """Add a system's translations to `hypotheses`: from its files if it is a text, else from the cache or decoded.

    translator: the system's model if it is loaded already; else it is loaded once, and only if it must translate.
    write: called with each test set's translations as soon as they exist, so that a later failure loses nothing.
    """
    opened = cache(lambda: translator or open_translator(*_model_of(system)))
    for test_set in test_sets:
        lines = read_text(system, test_set) if system.is_text else _translate_once(system, test_set, opened)
        write(test_set.name, system.label, lines)
        hypotheses.setdefault(test_set.name, {})[system.label] = lines


def _model_of(system: System) -> tuple[ModelConfig, DecodingConfig]:
    assert system.settings is not None, "a file of translations has no model"
    return system.settings.model, system.settings.decoding


def _translate_once(system: System, test_set: TestSet, opened: Callable[[], Translator]) -> list[str]:
    """A model's translations of a test set: from the cache if it has them, else decoded and kept there."""
    model, decoding = _model_of(system)
    decoding = test_set.decoding_for(decoding)
    job = f"{system.label} on {test_set.name}"
    key = cache_key(model, decoding, test_set.sources) if system.use_cache else None
    kept = None if key is None else read_translations(key, len(test_set.sources))
    if kept is not None:
        logger.info("%s: translated before, taken from the cache", job)
        return kept
    logger.info("%s: translating %d sentences", job, len(test_set.sources))
    lines = translate(opened(), test_set.sources, decoding, job)
    # Not if the model's files were changed while it was loaded.
    if key is not None and key == cache_key(model, decoding, test_set.sources):
        keep_translations(key, lines)
    return lines


def translate_file(model: ModelConfig, decoding: DecodingConfig, file: str) -> list[str]:
    """One translation per line of `file` (`-`: stdin), in order; an empty line stays empty."""
    check_terminology(decoding)
    if file == "-":
        lines = [line for _, line in read_stdin()]
    elif os.path.isfile(file):  # noqa: PTH113
        lines = [line for _, line in read_lines(Path(file))]
    else:
        raise DataError(f"{shown(file)}: no such text file (seen from {Path.cwd()})")
    sources = [normalise(line) for line in lines]
    wanted = [index for index, source in enumerate(sources) if source]
    translator, origins = open_translator(model, decoding), [f"line {i + 1}" for i in wanted]
    hypotheses = translate(translator, [sources[i] for i in wanted], decoding, "translate", origins)
    translations = [""] * len(lines)
    for index, hypothesis in zip(wanted, hypotheses, strict=True):
        translations[index] = hypothesis
    return translations
