"""A system: anything that translates, be it a run, a model directory, a hub name or files of translations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mt.config import DecodingConfig
from mt.errors import DataError, RunError
from mt.evaluation.fidelity import REFERENCE
from mt.files import check_distinct, check_name
from mt.input_files import is_directory
from mt.models.ctranslate2_model import check_ctranslate2
from mt.models.model_files import is_ctranslate2, shown
from mt.models.run_settings import RunSettings, TranslationSettings, read_run_settings, run_that_is
from mt.models.terminology import check_terminology
from mt.models.transformers_model import check_model
from mt.runs import RunDirectory
from mt.systems.names import default_label, refuse_missing_file, split_label
from mt.systems.settings import SettingsRule
from mt.text.glossary import check_glossary


@dataclass(frozen=True)
class System:
    """One system, with everything that was found out about it when the command began."""

    label: str
    """Its name in scores and report; unique within one evaluation."""
    path: str
    """As the user gave it, without the label."""
    run: RunDirectory | None = None
    """The run directory that `path` is, if it is one."""
    settings: TranslationSettings | None = None
    """How it translates, and with which model; None for files of translations, which were made elsewhere."""
    use_cache: bool = True
    """Whether translations are taken from the cache, and new ones are kept there."""

    @property
    def is_text(self) -> bool:
        """Whether `path` is a file of translations, or a directory with one file per test set."""
        return self.settings is None

    def text_file(self, test_set: str) -> Path:
        """The file with the system's translations of a test set, if it is a text."""
        path = Path(self.path)
        return path if path.is_file() else path / f"{test_set}.txt"


def resolve_systems(
    arguments: Sequence[str],
    model: Mapping[str, Any] | None = None,
    decoding: Mapping[str, Any] | None = None,
    *,
    use_cache: bool = True,
) -> list[System]:
    """Systems from `SYSTEM` or `label=SYSTEM`; their files are looked at here, once, and nowhere else.

    model, decoding: the options that were typed, by name. Raises `UserError`s, also for terms that are not there.
    """
    found = [_look_at(*split_label(argument)) for argument in arguments]
    _check_labels(found)
    rule = SettingsRule({each.run.root: each.own for each in found if each.run and each.own}, model, decoding)
    systems = [
        System(
            each.label, each.path, each.run, None if each.is_text else rule.settings_of(each.model, each.own), use_cache
        )
        for each in found
    ]
    for settings in filter(None, (system.settings for system in systems)):
        _check_languages(settings, is_scored=True)
    return systems


def resolve_model(name: str, model: Mapping[str, Any], decoding: Mapping[str, Any]) -> TranslationSettings:
    """The settings of one run or model, for a command that compares nothing. Raises as `resolve_systems` does."""
    run = run_that_is(name)
    own = None if run is None else _read_complete_run(name, run)
    settings = SettingsRule({}, model, decoding).settings_of(name if run is None else str(run.model), own)
    _check_languages(settings)
    return settings


def _check_languages(settings: TranslationSettings, *, is_scored: bool = False) -> None:
    """Raise `UserError` for languages that cannot be scored, and for terms that are not there or of another pair."""
    if is_scored or settings.decoding.terminology is not None:
        check_glossary(settings.decoding.terminology, settings.model.languages)
    check_terminology(settings.decoding)


@dataclass(frozen=True)
class _Found:
    """What is at a path, before it is known how the other systems translate."""

    label: str
    path: str
    run: RunDirectory | None = None
    own: RunSettings | None = None
    is_text: bool = False

    @property
    def model(self) -> str:
        """The model to load: a run's chosen one, else `path` itself."""
        return str(self.run.model) if self.run else self.path


def _look_at(label: str, path: str) -> _Found:
    label, run = label or default_label(path), run_that_is(path)
    own = None if run is None else _read_complete_run(path, run)
    if run is None and _is_text(path):
        return _Found(label, path, is_text=True)
    refuse_missing_file(path)
    found = _Found(label, path, run, own)
    if is_ctranslate2(found.model):
        check_ctranslate2(found.model)
    else:
        check_model(found.model)
    return found


def _is_text(path: str) -> bool:
    if not is_directory(path):
        # `os.path`: what is too long or may not be looked at is nothing, and no error.
        return os.path.isfile(path)  # noqa: PTH113
    holds_model = (Path(path) / "config.json").is_file() or is_ctranslate2(path)
    return not holds_model and any(Path(path).glob("*.txt"))


def _read_complete_run(name: str, run: RunDirectory) -> RunSettings:
    """The settings of a run. Raises `RunError` if its config is damaged, or if it has no model."""
    own = read_run_settings(run.config)
    if not os.path.lexists(run.model / "config.json"):
        raise RunError(f"{name}: the run has no model yet; let it finish by train.py with --resume")
    return own


def _check_labels(systems: Sequence[_Found]) -> None:
    for system in systems:
        if system.label == REFERENCE:
            raise DataError(
                f"the label `{system.label}` is taken by the test set's own translations; choose another, as in "
                f"better={shown(system.path)}"
            )
        check_name(system.label, "the label")
        namesakes = [other.path for other in systems if other.label == system.label]
        if len(namesakes) > 1:
            raise DataError(
                f"{' and '.join(namesakes)} share the label `{system.label}`; name them, as in better={namesakes[1]}"
            )
    check_distinct([REFERENCE, *(system.label for system in systems)], "the labels")


def searches_of(systems: Sequence[System]) -> dict[str, DecodingConfig]:
    """How each system decodes, by label; files of translations were made elsewhere."""
    return {system.label: system.settings.decoding for system in systems if system.settings is not None}
