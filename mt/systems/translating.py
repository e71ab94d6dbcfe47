"""Translating test sets with a system, the same way in every command, through the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.evaluation.test_set import Hypotheses, TestSet
from mt.models.ctranslate2_model import load_ctranslate2
from mt.models.engines import CTRANSLATE2, Engine
from mt.models.model_files import is_ctranslate2
from mt.models.transformers_model import load_translator
from mt.models.translator import Translator
from mt.processes import process_state
from mt.systems.engine_choice import open_conversion, own_engine, plan_engine
from mt.systems.sharing import translate_shared
from mt.systems.system import System
from mt.systems.texts import read_text
from mt.systems.translation_cache import CacheKey, cache_key, keep_translations, read_translations
from mt.teamwork import from_main

logger = logging.getLogger(__name__)


Write = Callable[[str, str, list[str]], object]
"""Keeps translations: called with test set, system and lines."""

Engines = dict[str, Engine]
"""What decoded each system, by its label."""


def _discard(test_set: str, system: str, lines: list[str]) -> None:
    """Keep no translations."""


def open_translator(model: ModelConfig, decoding: DecodingConfig) -> Translator:
    """Load what `model` names, be it a model of transformers or of CTranslate2. Raises `ModelError`."""
    logger.info("loading %s", model.name)
    if is_ctranslate2(model.name):
        return load_ctranslate2(model)
    translator = load_translator(model, decoding, only_decodes=True)
    # Of several processes each has a GPU of its own, which is `cuda` to it.
    translator.model.to("cuda" if torch.cuda.is_available() else "cpu")
    return translator


def open_by(
    engine: Engine, model: ModelConfig, decoding: DecodingConfig, sample: Sequence[str]
) -> tuple[Translator, Engine]:
    """The model on the engine of `plan_engine`, or as it is if its conversion failed; and what decodes it.

    sample: sentences to be translated, on some of which a conversion is checked. Raises `ModelError`.
    """
    conversion = open_conversion(model, decoding, engine, sample)
    if conversion is not None:
        return conversion, engine
    return open_translator(model, decoding), own_engine(model, decoding)


def translate_systems(
    systems: Sequence[System],
    test_sets: Sequence[TestSet],
    write: Write = _discard,
    engines: Engines | None = None,
) -> Hypotheses:
    """The translations of every system on every test set; see `translate_test_sets`.

    engines: gets what decoded each system.
    """
    hypotheses: Hypotheses = {}
    for system in systems:
        translate_test_sets(system, test_sets, hypotheses, write=write, engines=engines)
    return hypotheses


def translate_test_sets(
    system: System,
    test_sets: Sequence[TestSet],
    hypotheses: Hypotheses,
    *,
    translator: Translator | None = None,
    write: Write = _discard,
    engines: Engines | None = None,
) -> None:
    """Add a system's translations to `hypotheses`: from its files if it is a text, else from the cache or decoded.

    translator: the system's model if it is loaded already, to decode by torch; else it is loaded once, and only if it
    must translate. write: called with each test set's translations as soon as they exist, so that a later failure
    loses nothing, and once more if another engine must translate the set again. engines: gets what decoded the system,
    if it is no text.
    """
    decoder = None if system.settings is None else Decoder(system, count_sentences(test_sets), translator)
    for test_set in test_sets if decoder is None else decoder.until_of_one_engine(test_sets):
        lines = read_text(system, test_set) if decoder is None else decoder.translate(test_set)
        if process_state().is_main_process:
            write(test_set.name, system.label, lines)
        hypotheses.setdefault(test_set.name, {})[system.label] = lines
    if decoder is not None and engines is not None:
        engines[system.label] = decoder.engine


def count_sentences(test_sets: Sequence[TestSet]) -> int:
    """How many sentences there are to translate, on which the choice of the engine depends."""
    return sum(len(test_set.sources) for test_set in test_sets)


class Decoder:
    """A system's model, loaded when something must be decoded that the cache does not have."""

    def __init__(self, system: System, sentences: int, translator: Translator | None = None) -> None:
        """sentences: how many there are in all. translator: the model, if it is loaded already, to decode by torch."""
        assert system.settings is not None, "a file of translations has no model"
        self._system, self._settings, self._loaded = system, system.settings, translator
        self._translator: Translator | None = None
        self.engine = from_main(plan_engine(self._settings.model, self._settings.decoding, sentences))
        """What decodes; the model's own engine instead of the planned one if its conversion turns out to be no good."""

    def until_of_one_engine(self, test_sets: Sequence[TestSet]) -> Iterator[TestSet]:
        """Each test set, to be translated before the next is asked for; those that another engine than the last one
        has translated are given again, so that scores of a system never are of two engines.
        """
        made_by: dict[str, Engine] = {}
        while rest := [each for each in test_sets if made_by.get(each.name) != self.engine]:
            test_set = rest[0]
            if test_set.name in made_by:
                logger.info(
                    "%s on %s: once more by %s, as the other test sets", self._system.label, test_set.name, self.engine
                )
            yield test_set
            made_by[test_set.name] = self.engine

    def translate(self, test_set: TestSet) -> list[str]:
        """The translations of a test set: from the cache if it has them, else decoded and kept there.

        Of several processes each translates a share, and all get the whole.
        """
        decoding = test_set.decoding_for(self._settings.decoding)
        job = f"{self._system.label} on {test_set.name}"
        key = self._key(test_set, decoding)
        kept = _read(key, test_set)
        if kept is None and self._translator is None and not self._takes_conversion(test_set, decoding):
            key = self._key(test_set, decoding)
            kept = _read(key, test_set)
        if kept is not None:
            logger.info("%s: translated before, taken from the cache", job)
            return kept
        if self._translator is None:
            self._translator = self._loaded or open_translator(self._settings.model, self._settings.decoding)
        logger.info("%s: translating %d sentences by %s", job, len(test_set.sources), self.engine)
        lines = translate_shared(self._translator, test_set.sources, decoding, job)
        if self._translator.overflows:
            self.engine = replace(self.engine, precision="float32")
        # Not if the model's files were changed while it was loaded.
        if key is not None and key == self._key(test_set, decoding):
            keep_translations(key, lines)
        return lines

    def _takes_conversion(self, test_set: TestSet, decoding: DecodingConfig) -> bool:
        """Open the conversion, if one is planned; false if that one is no good."""
        model = self._settings.model
        if self.engine.name != CTRANSLATE2 or is_ctranslate2(model.name):
            return True
        is_main = process_state().is_main_process
        if is_main:
            self._translator = open_conversion(model, decoding, self.engine, test_set.sources)
        # The others open what the main process has made, or nothing.
        is_good = from_main(self._translator is not None)
        if is_good and not is_main:
            self._translator = open_conversion(model, decoding, self.engine, test_set.sources)
        if not is_good:
            self.engine = own_engine(model, decoding)
        return is_good

    def _key(self, test_set: TestSet, decoding: DecodingConfig) -> CacheKey | None:
        # The main process reads and keeps for all.
        if not self._system.use_cache or not process_state().is_main_process:
            return None
        return cache_key(self._settings.model, decoding, test_set.sources, self.engine)


def _read(key: CacheKey | None, test_set: TestSet) -> list[str] | None:
    return from_main(None if key is None else read_translations(key, len(test_set.sources)))
