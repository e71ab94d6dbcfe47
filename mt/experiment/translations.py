"""A training run's translations of its test sets; the cache shares them with other runs and with `evaluate.py`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mt.config import Config
from mt.evaluation.searches import search_as_json
from mt.evaluation.test_set import Hypotheses, TestSet
from mt.files import sha256_of, sha256_of_json
from mt.manifest import Manifest
from mt.models.run_settings import TranslationSettings
from mt.models.transformers_model import TransformersTranslator
from mt.runs import RunDirectory
from mt.systems.system import System
from mt.systems.translating import Decoder, Engines, count_sentences
from mt.teamwork import from_main
from mt.text.lines import read_lines

logger = logging.getLogger(__name__)

BASE, FINETUNED = "base", "finetuned"
"""The systems of a training run."""


def systems_of_run(config: Config, run: RunDirectory, *, use_cache: bool = True) -> list[System]:
    """The base, which a run that starts from scratch has not, and the run's model as it is saved.

    The saved model is the one that other commands will load. The base is given no tag and no terms.
    """
    base = TranslationSettings(model=config.model, decoding=config.decoding.without_domain())
    tuned = TranslationSettings(model=config.model.with_name(str(run.model)), decoding=config.decoding)
    systems = [] if config.model.scratch else [System(BASE, config.model.name, None, base, use_cache)]
    return [*systems, System(FINETUNED, str(run.root), run, tuned, use_cache)]


def translate_base(
    system: System,
    base: TransformersTranslator | None,
    test_sets: Sequence[TestSet],
    run: RunDirectory,
    manifest: Manifest | None,
    engines: Engines,
) -> Hypotheses:
    """The base's translations, each written as soon as it exists; none unless `system` is a base.

    Those that a resumed run finds are taken if they were made by this model, of these sources, in this way, and are
    as they were written. Of several processes each translates a share; the main one, which has the manifest, writes.
    base: the model, if it is loaded; None: it is loaded anew. engines: gets what decoded them.
    """
    hypotheses: Hypotheses = {}
    if system.label != BASE or system.settings is None or not test_sets:
        return hypotheses
    facts = from_main(None if manifest is None else manifest.facts) or {}
    known = dict(facts.get("translations") or {})
    decoder = Decoder(system, count_sentences(test_sets), base)
    for test_set in decoder.until_of_one_engine(test_sets):
        name, file = f"{test_set.name}/{BASE}", run.translations(test_set.name, BASE)
        made_from = {
            "model": facts["base_model"]["identity"],
            "decoding": search_as_json(system.settings.decoding),
            "sources": sha256_of_json(list(test_set.sources)),
            "engine": asdict(decoder.engine),
        }
        lines = from_main(None if manifest is None else _read_if_intact(file, known.get(name), made_from))
        if lines is not None:
            hypotheses[test_set.name] = {BASE: lines}
            continue
        lines = decoder.translate(test_set)
        hypotheses[test_set.name] = {BASE: lines}
        if manifest is not None:
            run.write_translations(test_set.name, BASE, lines)
            # The engine may be another one than was planned; then the earlier sets come again.
            known[name] = {"made_from": made_from | {"engine": asdict(decoder.engine)}, "sha256": sha256_of(file)}
            manifest.update(translations=known)
    engines[BASE] = decoder.engine
    return hypotheses


def _read_if_intact(file: Path, known: Mapping[str, Any] | None, made_from: Mapping[str, Any]) -> list[str] | None:
    """The translations in a file, if the manifest knows them as made from the same and as they are."""
    if known is None or known.get("made_from") != made_from or not file.is_file():
        return None
    if known.get("sha256") != sha256_of(file):
        logger.warning("%s: is not as it was written; translating anew", file)
        return None
    return [line for _, line in read_lines(file)]
