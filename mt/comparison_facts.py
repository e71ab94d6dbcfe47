"""What a report says of how it came about: which systems on which test sets, how they were decoded, by what code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version

import mt
from mt.arguments import EvaluateCommand
from mt.config import DecodingConfig, ModelConfig
from mt.data.cache import input_hashes
from mt.errors import RunError
from mt.evaluation.results import Evaluation
from mt.evaluation.searches import describe_searches, unlike_searches
from mt.manifest import read_manifest
from mt.run_settings import TranslationSettings
from mt.runs import RunDirectory
from mt.systems import System


def remarks_on(runs: Mapping[str, RunDirectory]) -> list[str]:
    """A sentence on each run whose model is its base as it was, as far as the runs say so; `runs` by system."""
    found = []
    for label, run in runs.items():
        with suppress(RunError):
            if read_manifest(run.manifest).get("model_is_base"):
                found.append(f"The model of {label} is its base as it was, for nothing that was trained was as good.")
    return found


def describe_search(evaluation: Evaluation, searches: Mapping[str, DecodingConfig]) -> None:
    """Note how each system was decoded, and a remark if not all were by the same search."""
    evaluation.decoding = dict(searches)
    evaluation.remarks += filter(None, [unlike_searches(searches)])


def describe_comparison(
    command: EvaluateCommand, systems: Sequence[System], settings: Mapping[str, TranslationSettings]
) -> dict[str, str]:
    """What the comparison is of, by name: systems, test sets with their SHA-256, glossary, ratings, version, date."""
    facts = {f"system {system.label}": _described(system, settings.get(system.label)) for system in systems}
    for name, corpus in (command.test_sets | command.general).items():
        hashes = ", ".join(f"{path}, SHA-256 {digest}" for path, digest in input_hashes(corpus).items())
        facts[f"test set {name}"] = hashes
    if command.glossary:
        facts["glossary"] = command.glossary
    if command.ratings:
        facts["ratings"] = ", ".join(command.ratings)
    facts |= describe_searches({label: each.decoding for label, each in settings.items()})
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return facts | {"made": f"{made} by mt {mt.__version__}, sacreBLEU {version('sacrebleu')}"}


def _described(system: System, settings: TranslationSettings | None) -> str:
    usual, target = ModelConfig().target_language, "" if settings is None else settings.model.target_language
    return system.path if target in ("", usual) else f"{system.path}, into {target}"
