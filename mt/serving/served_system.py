"""A system that is loaded once and then answers texts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice

from mt.config import CorpusConfig, ModelConfig
from mt.data.readers import read_corpus
from mt.errors import DataError
from mt.evaluation.confidence import read_calibration
from mt.input_files import is_directory
from mt.languages import ENGLISH
from mt.models.ctranslate2_model import CTranslate2Translator
from mt.models.decoding import prepared, translate
from mt.models.engines import CTRANSLATE2, Engine
from mt.models.model_files import is_ctranslate2
from mt.models.translator import Translator
from mt.systems.confidence import Estimator, estimator_of
from mt.systems.engine_choice import MIN_SENTENCES, own_engine, plan_engine
from mt.systems.fitting import parts_for
from mt.systems.streaming import Translation
from mt.systems.system import System
from mt.systems.translating import open_by
from mt.text.glossary import DEFAULT
from mt.text.normalise import normalise

logger = logging.getLogger(__name__)

_STARTER = DEFAULT.with_name("starter.tsv")
_SAMPLE = 400


class ServedSystem:
    """A system and its model. Only one thread may use it."""

    def __init__(self, system: System, translator: Translator, engine: Engine, estimator: Estimator) -> None:
        assert system.settings is not None, "a file of translations has no model"
        self.label = system.label
        self.languages = system.settings.model.languages
        self.is_calibrated = estimator.calibration is not None
        self._decoding, self._estimator = system.settings.decoding, estimator
        self._translator, self.engine = translator, engine
        ways = max(self._decoding.num_beams, self._decoding.mbr)
        at_once = translator.engine.num_translators if isinstance(translator, CTranslate2Translator) else 1
        self.turn_tokens = max(1, translator.batch_tokens(self._decoding) // ways) * int(at_once)
        """One full batch for each core or card that decodes one."""

    def tokens(self, text: str) -> int:
        """Source tokens of a text."""
        source = normalise(text)
        return len(self._translator.encode_sources(prepared([source], self._decoding))[0]) if source else 0

    def translate(self, texts: Sequence[str]) -> list[Translation]:
        """As `mt translate` translates sentences of documents: normalised, and in parts if too long for the model."""
        sources = [normalise(text) for text in texts]
        fitting = iter(parts_for(self._translator, list(filter(None, sources)), self._decoding))
        parts = [next(fitting) if source else [] for source in sources]
        found = iter(translate(self._translator, [part for own in parts for part in own], self._decoding))
        pairs = [list(zip(own, islice(found, len(own)), strict=True)) for own in parts]
        hypotheses = [" ".join(hypothesis for _, hypothesis in own) for own in pairs]
        there = [index for index, hypothesis in enumerate(hypotheses) if hypothesis.strip()]
        sure = dict(zip(there, self._estimator.confidences(self._translator, [pairs[i] for i in there]), strict=True))
        return [Translation(hypothesis, sure.get(index)) for index, hypothesis in enumerate(hypotheses)]


def check_servable(system: System) -> None:
    """Raise `DataError` for a file of translations, and `RunError` if what a run knows of its confidence is damaged."""
    if system.is_text and is_directory(system.path):
        raise DataError(f"{system.path}: is no run and holds no model; name a directory that does")
    if system.is_text:
        raise DataError(f"{system.path}: translations in a file cannot be served; name the run or model that made them")
    if system.run is not None:
        read_calibration(system.run.confidence)


def load_served(system: System) -> ServedSystem:
    """Load the system's model, by the engine for many sentences, and try it out on one. Raises `ModelError`."""
    assert system.settings is not None, "a file of translations has no model"
    model, decoding = system.settings.model, system.settings.decoding
    engine, sample = plan_engine(model, decoding, MIN_SENTENCES), _sample(model)
    is_unchecked = engine.name == CTRANSLATE2 and not is_ctranslate2(model.name) and not sample
    if is_unchecked and decoding.asks_for_ctranslate2:
        logger.warning("%s: decoded by CTranslate2 as asked for, but not compared with torch", system.label)
    elif is_unchecked:
        engine = own_engine(model, decoding)
    translator, engine = open_by(engine, model, decoding, sample)
    estimator = estimator_of(system.label, system.run, decoding)
    estimator.check_engine(engine)
    served = ServedSystem(system, translator, engine, estimator)
    served.translate(sample[:1] or ["1"])
    logger.info("%s: ready, by %s", system.label, engine)
    return served


def _sample(model: ModelConfig) -> list[str]:
    """Sentences that come with this project, on which a conversion is checked; none unless they are in the language."""
    if model.languages.source != ENGLISH:
        return []
    pairs = read_corpus("starter", CorpusConfig(path=str(_STARTER)))
    return [pair.source for pair in islice(pairs, _SAMPLE)]
