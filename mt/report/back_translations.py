"""What is said of back-translations, in the data card, the report and the model card: which model wrote the sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mt.languages import language_named
from mt.models.model_files import shown_name

_SHOWN_TEXTS = 5
_SHOWN_COMMIT = 10


def made_in_words(facts: Mapping[str, Any]) -> str:
    """How a table was made, as a sentence. facts: of `mt.data.formats.backtranslated.read_provenance`."""
    if "model" not in facts:
        return (
            f"Synthetic: the sources in {facts['table']} were written by a model, and no file beside it says by which."
        )
    model, languages, counts = facts["model"], facts["languages"], facts["counts"]
    commit = (model.get("identity") or {}).get("commit")
    who = shown_name(model["name"]) + (f" (commit {commit[:_SHOWN_COMMIT]})" if commit else "")
    names = [_name(languages[side]) for side in ("source", "target")]
    search, engine = facts["decoding"], facts["engine"]
    how = f"{search['mbr']} samples" if search.get("mbr") else f"{search['num_beams']} beams"
    texts = [each["document"] for each in facts["inputs"]]
    more = f" and {len(texts) - _SHOWN_TEXTS} more" if len(texts) > _SHOWN_TEXTS else ""
    said = (
        f"Synthetic: the sources in {facts['table']} were translated from {names[0]} to {names[1]} by {who}, "
        f"{how}, {engine['name']} in {engine['precision']}; its targets are {counts['pairs']:,} lines of "
        f"{', '.join(texts[:_SHOWN_TEXTS])}{more}."
    )
    return said if facts.get("is_unchanged") else f"{said} The table was changed since."


def _name(code: str) -> str:
    language = language_named(code)
    return code if language is None else language.name
