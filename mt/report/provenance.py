"""What a report says of how it came about: which systems on which test sets, how they were decoded, by what code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import mt
from mt.config import CorpusConfig, ModelConfig
from mt.data.cache import input_hashes
from mt.evaluation.searches import describe_searches
from mt.models.run_settings import TranslationSettings
from mt.systems.system import System


def describe_comparison(
    systems: Sequence[System],
    settings: Mapping[str, TranslationSettings],
    test_sets: Mapping[str, CorpusConfig],
    *,
    glossary: str | None,
    ratings: Sequence[str],
) -> dict[str, str]:
    """What the comparison is of, by name: systems, test sets with their SHA-256, glossary, ratings, version, date."""
    facts = {f"system {system.label}": _described(system, settings.get(system.label)) for system in systems}
    for name, corpus in test_sets.items():
        hashes = ", ".join(f"{path}, SHA-256 {digest}" for path, digest in input_hashes(corpus).items())
        facts[f"test set {name}"] = hashes
    if glossary:
        facts["glossary"] = glossary
    if ratings:
        facts["ratings"] = ", ".join(ratings)
    facts |= describe_searches({label: each.decoding for label, each in settings.items()})
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return facts | {"made": f"{made} by mt {mt.__version__}, sacreBLEU {version('sacrebleu')}"}


def _described(system: System, settings: TranslationSettings | None) -> str:
    usual, target = ModelConfig().target_language, "" if settings is None else settings.model.target_language
    return system.path if target in ("", usual) else f"{system.path}, into {target}"
