"""How each system of a comparison translates.

A run translates as it was scored. The base of a run in the comparison, else a model that lies in a run's directory,
translates by that run's search and into its language, without its tag and its terms, as the run's own report has the
base. Any other model translates by the search of the first run in the comparison, so that a difference is one of models
and not of searches; where there is no run, by the defaults. An option that was typed holds for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
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
from mt.runs import RunDirectory


class SettingsRule:
    """The rule above for one comparison; no config of a run is read twice."""

    def __init__(
        self,
        runs: Mapping[Path, RunSettings],
        model: Mapping[str, Any] | None = None,
        decoding: Mapping[str, Any] | None = None,
    ) -> None:
        """runs: the settings of the runs in the comparison, by directory. model, decoding: typed options by name."""
        self._runs, self._model, self._decoding = runs, model or {}, decoding or {}
        self._known: dict[Path, RunSettings | None] = {root.resolve(): own for root, own in runs.items()}

    def settings_of(self, model: str, own: RunSettings | None) -> TranslationSettings:
        """How `model` translates. own: the settings of the run whose chosen model it is, if there is one."""
        if own is not None:
            return settings_of_run(model, own, self._model, self._decoding)
        base_of = next((run for root, run in self._runs.items() if _is_base(model, root, run)), None)
        if base_of is not None and base_of.base != model:
            # The base by another name: its prompt is the run's, its revision is not.
            base_of = replace(base_of, base=model, revision=None)
        like = base_of or self._home(model)
        is_base = like is not None
        like = like or next(iter(self._runs.values()), None)
        return settings_of_model(model, self._model, self._decoding, like=like, is_base=is_base)

    def _home(self, path: str) -> RunSettings | None:
        """The settings of the run in whose directory a model lies; None if there is none or its config is damaged."""
        run = run_that_holds(path)
        if run is None:
            return None
        if run.root not in self._known:
            self._known[run.root] = None
            with suppress(RunError):
                self._known[run.root] = read_run_settings(run.config)
        return self._known[run.root]


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
