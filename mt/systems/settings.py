"""How each system of a comparison translates.

A run translates as it was scored. The base of a run in the comparison, else a model that lies in a run's directory,
translates by that run's search and into its language, without its tag and its terms, as the run's own report has the
base. Any other model translates by the search of the first run in the comparison, so that a difference is one of models
and not of searches; where there is no run, by the defaults. An option that was typed holds for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mt.errors import ModelError, RunError
from mt.manifest import read_manifest
from mt.models.identity import model_identity
from mt.models.run_settings import (
    RunSettings,
    TranslationSettings,
    read_run_settings,
    run_that_holds,
    settings_of_model,
    settings_of_run,
)
from mt.models.terminology import check_terminology
from mt.runs import RunDirectory
from mt.systems.system import System, check_run


def settle(
    systems: Sequence[System], model: Mapping[str, Any], decoding: Mapping[str, Any]
) -> dict[str, TranslationSettings]:
    """The settings of every system by its label, but for files of translations, which were made elsewhere.

    model, decoding: the options that were typed, by name. Raises `UserError`s, also for terms that are not there.
    """
    runs = {run.root: read_run_settings(run.config) for system in systems if (run := system.run) is not None}
    settings = {s.label: _settings_of(s, runs, model, decoding) for s in systems if not s.is_text}
    for each in settings.values():
        each.model.require_english_to_arabic()
        check_terminology(each.decoding)
    return settings


def settle_one(name: str, model: Mapping[str, Any], decoding: Mapping[str, Any]) -> TranslationSettings:
    """The settings of one run or model for a command that compares nothing. Raises `UserError`s as `settle` does."""
    system = System(name, name)
    if system.run is not None:
        check_run(system.path, system.run)
    settings = _settings_of(system, {}, model, decoding)
    check_terminology(settings.decoding)
    return settings


def _settings_of(
    system: System, runs: Mapping[Path, RunSettings], model: Mapping[str, Any], decoding: Mapping[str, Any]
) -> TranslationSettings:
    if system.run is not None:
        return settings_of_run(system.run, model, decoding)
    own = next((run for root, run in runs.items() if _is_base(system.path, root, run)), None) or _home(system.path)
    like = own or next(iter(runs.values()), None)
    return settings_of_model(system.path, model, decoding, like=like, is_base=own is not None)


def _home(path: str) -> RunSettings | None:
    """The settings of the run in whose directory a model lies, unless its config is damaged: the model is not."""
    run = run_that_holds(path)
    with suppress(RunError):
        return None if run is None else read_run_settings(run.config)
    return None


def _is_base(name: str, root: Path, run: RunSettings) -> bool:
    """Whether a run started from this model: the same name, the same directory, or the same content elsewhere."""
    if run.base is None:
        return False
    if name == run.base or _is_same_directory(name, run.base):
        return True
    # Nobody asks the hub whether one of its models is another one.
    with suppress(OSError, ModelError, RunError, ValueError, TypeError, KeyError):
        known = read_manifest(RunDirectory(root).manifest)["base_model"]["identity"]
        return os.path.isdir(name) and known == model_identity(name, "main")  # noqa: PTH112
    return False


def _is_same_directory(name: str, other: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(name).samefile(other)
    return False
