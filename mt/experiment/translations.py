"""A training run's translations of its test sets; the cache shares them with other runs and with `evaluate.py`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mt.config import Config
from mt.evaluation.searches import search_as_json
from mt.evaluation.test_set import TestSet
from mt.files import sha256_of, sha256_of_json
from mt.manifest import Manifest
from mt.models.transformers_model import TransformersTranslator
from mt.runs import RunDirectory
from mt.systems.system import open_translator, translate_once
from mt.text.lines import read_lines

logger = logging.getLogger(__name__)

BASE, FINETUNED = "base", "finetuned"
"""The systems of a training run."""


def translate_base(
    config: Config,
    run: RunDirectory,
    base: TransformersTranslator,
    test_sets: Sequence[TestSet],
    manifest: Manifest | None,
    *,
    use_cache: bool = True,
) -> dict[str, dict[str, list[str]]]:
    """The base's translations by test set, as its entry in a dict by system; empty for a model from scratch.

    Those that a resumed run finds are taken if they were made by this model, of these sources, in this way, and are
    as they were written; those in the cache likewise.
    """
    if config.model.scratch is not None or manifest is None:
        return {}
    plain, known = config.decoding.without_domain(), dict(manifest.facts.get("translations") or {})
    translations = {}
    for test_set in test_sets:
        name, file = f"{test_set.name}/{BASE}", run.translations(test_set.name, BASE)
        made_from = {
            "model": manifest.facts["base_model"]["identity"],
            "decoding": search_as_json(plain),
            "sources": sha256_of_json(list(test_set.sources)),
        }
        lines = _read_if_intact(file, known.get(name), made_from)
        if lines is None:
            lines = translate_once(config.model, test_set, plain, lambda: base, BASE, use_cache=use_cache)
            run.write_translations(test_set.name, BASE, lines)
            known[name] = {"made_from": made_from, "sha256": sha256_of(file)}
            manifest.update(translations=known)
        translations[test_set.name] = lines
    return {BASE: translations}


def _read_if_intact(file: Path, known: Mapping[str, Any] | None, made_from: Mapping[str, Any]) -> list[str] | None:
    """The translations in a file, if the manifest knows them as made from the same and as they are."""
    if known is None or known.get("made_from") != made_from or not file.is_file():
        return None
    if known.get("sha256") != sha256_of(file):
        logger.warning("%s: is not as it was written; translating anew", file)
        return None
    return [line for _, line in read_lines(file)]


def translate_tuned(
    config: Config, run: RunDirectory, test_sets: Sequence[TestSet], *, use_cache: bool = True
) -> dict[str, list[str]]:
    """The translations of the run's model by test set, each written as soon as it is there.

    By the model as it was saved, which is the one that other commands will load.
    """
    model = config.model.with_name(str(run.model))
    opened = cache(lambda: open_translator(model, config.decoding))
    translations = {}
    for test_set in test_sets:
        lines = translate_once(model, test_set, config.decoding, opened, FINETUNED, use_cache=use_cache)
        run.write_translations(test_set.name, FINETUNED, lines)
        translations[test_set.name] = lines
    return translations
