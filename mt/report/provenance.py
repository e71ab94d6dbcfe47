"""Where the numbers of a report come from: systems, test sets, decoding, version of the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import mt
from mt.config import CorpusConfig, ModelConfig
from mt.data.cache import input_hashes
from mt.evaluation.searches import describe_searches
from mt.models.engines import Engine
from mt.systems.system import System, searches_of


def describe_comparison(
    systems: Sequence[System],
    test_sets: Mapping[str, CorpusConfig],
    *,
    glossary: str | None,
    ratings: Sequence[str],
    engines: Mapping[str, Engine],
) -> dict[str, str]:
    """Facts on a comparison by name: systems, test sets with their SHA-256, glossary, ratings, version, date.

    engines: what decoded each system.
    """
    facts = {f"system {system.label}": _described(system) for system in systems}
    for name, corpus in test_sets.items():
        hashes = ", ".join(f"{path}, SHA-256 {digest}" for path, digest in input_hashes(corpus).items())
        facts[f"test set {name}"] = hashes
    if glossary:
        facts["glossary"] = glossary
    if ratings:
        facts["ratings"] = ", ".join(ratings)
    facts |= describe_searches(searches_of(systems), engines)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return facts | {"made": f"{made} by mt {mt.__version__}, sacreBLEU {version('sacrebleu')}"}


def _described(system: System) -> str:
    usual = ModelConfig().target_language
    target = usual if system.settings is None else system.settings.model.target_language
    return system.path if target == usual else f"{system.path}, into {target}"
