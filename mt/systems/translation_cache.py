"""A cache of translations, keyed by everything that they depend on, so that a second comparison decodes nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mt.caches import cache_directory
from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError, RunError
from mt.evaluation.searches import search_as_json
from mt.files import sha256_of, sha256_of_json, write_text
from mt.models.engines import Engine, engine_of
from mt.models.identity import model_identity

logger = logging.getLogger(__name__)

# To be raised by whoever changes what a model's translations come out as: encoding, search, decoding.
_FORMAT = 6


@dataclass(frozen=True)
class CacheKey:
    """What a list of translations depends on."""

    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its file, without the directory."""
        return f"{sha256_of_json(self.facts)[:32]}.json"


def cache_root() -> Path:
    """Where translations are kept; it may be deleted at any time."""
    return cache_directory("translations")


def cache_key(
    model: ModelConfig, decoding: DecodingConfig, sources: Sequence[str], engine: Engine | None = None
) -> CacheKey | None:
    """The key for `sources` translated by `model`; None if its files or its commit cannot be determined.

    engine: what decodes; by default the model's own, without a conversion. Libraries count by major and minor version.
    """
    try:
        identity = model_identity(model.name, model.revision)
        terms = None if decoding.terminology is None else sha256_of(Path(decoding.terminology))
    except (OSError, ModelError, ValueError) as error:
        # Whatever is wrong with it, loading it will tell.
        logger.debug("%s: no key for the cache of translations (%s)", model.name, error)
        return None
    engine = engine or engine_of(model.name)
    return CacheKey(
        {
            "format": _FORMAT,
            "model": identity,
            "languages": [model.source_language, model.target_language],
            **({} if model.prompt is None else {"prompt": model.prompt}),
            # Terms count by what they are, not by where they lie.
            "decoding": search_as_json(replace(decoding, terminology=None)),
            "terms": terms,
            "precision": engine.precision,
            "libraries": {name: ".".join(version(name).split(".")[:2]) for name in (engine.name, "transformers")},
            "sources": sha256_of_json(list(sources)),
        }
    )


def read_translations(key: CacheKey, expected: int) -> list[str] | None:
    """The `expected` translations kept for `key`; None if there are none, with a warning if they are damaged."""
    file = cache_root() / key.name
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        translations = kept["translations"]
        is_whole = (
            isinstance(translations, list)
            and len(translations) == expected
            and all(isinstance(line, str) for line in translations)
            and kept["sha256"] == sha256_of_json(translations)
            # Somebody may have renamed the file.
            and kept["facts"] == key.facts
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning("%s: kept translations cannot be read (%s); translating anew", file, error)
        return None
    if not is_whole:
        logger.warning("%s: kept translations are damaged; translating anew", file)
        return None
    return list(translations)


def keep_translations(key: CacheKey, translations: Sequence[str]) -> None:
    """Keep translations for `key`; if the disk cannot be written to, only log a warning."""
    lines = list(translations)
    content = {"facts": key.facts, "sha256": sha256_of_json(lines), "translations": lines}
    try:
        write_text(cache_root() / key.name, json.dumps(content, ensure_ascii=False, indent=1), make_parents=True)
    except (OSError, RunError) as error:
        logger.warning("%s: translations cannot be kept there (%s)", cache_root(), error)
