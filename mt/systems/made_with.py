"""What translations that are made over hours depend on, so that a later process does not go on otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.model_files import not_found, shown
from mt.systems.translation_cache import cache_key

# What `cache_key` holds that is not of the model and its search alone; the engine is known when the model is loaded.
_NOT_OF_THE_MODEL = ("sources", "precision", "libraries")
_WORDS = {
    "model": "another model",
    "languages": "other languages",
    "terms": "other terms",
    "prompt": "another prompt",
}


def made_with(model: ModelConfig, decoding: DecodingConfig, window: int) -> dict[str, Any]:
    """The identity of the model, languages, search, terms, and how many lines are translated together.

    Raises `ModelError` if the model cannot be identified.
    """
    key = cache_key(model, decoding, [])
    if key is None:
        raise ModelError(not_found(shown(model.name), model.revision))
    return {name: fact for name, fact in key.facts.items() if name not in _NOT_OF_THE_MODEL} | {"window": window}


def difference(before: Any, now: Mapping[str, Any]) -> str:
    """What was different before, in words: `decoding.num_beams 4, not 1; another model`."""
    if not isinstance(before, dict):
        return "another version of mt"
    search = before.get("decoding") or {}
    options = [name for name, value in now["decoding"].items() if search.get(name) != value]
    changed = [f"decoding.{name} {search.get(name)}, not {now['decoding'][name]}" for name in options]
    changed += [words for name, words in _WORDS.items() if before.get(name) != now.get(name)]
    return "; ".join(changed) or "another version of mt"
