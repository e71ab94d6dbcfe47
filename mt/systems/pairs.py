"""Which languages a comparison is about: those that its systems translate between. Nothing here loads a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mt.config import ModelConfig
from mt.errors import DataError, RunError
from mt.languages import LanguagePair
from mt.models.run_settings import read_run_settings, run_that_is, settings_of_run
from mt.systems.names import split_label

if TYPE_CHECKING:
    from mt.systems.system import System


def expected_pair(arguments: Sequence[str], model: Mapping[str, Any]) -> LanguagePair:
    """The pair of the first run among the `SYSTEM` arguments, or else of the typed options; loads nothing.

    model: typed options by name. Raises `ConfigError`.
    """
    for argument in arguments:
        path = split_label(argument)[1]
        run = run_that_is(path)
        # Whoever opens the run says what is wrong with it.
        with suppress(RunError):
            if run is not None:
                return settings_of_run(path, read_run_settings(run.config), model).model.languages
    return ModelConfig(**model).languages


def compared_pair(systems: Sequence[System], model: Mapping[str, Any]) -> LanguagePair:
    """The one pair of all systems; files of translations have the others' or that of the typed options.

    Raises `DataError` if the systems translate between different languages.
    """
    pairs = {system.label: system.settings.model.languages for system in systems if system.settings is not None}
    for label, pair in pairs.items():
        first, expected = next(iter(pairs.items()))
        if pair != expected:
            raise DataError(
                f"{first} translates {expected}, {label} {pair}; compare systems for the same two languages, or set "
                "them by --model.source_language and --model.target_language"
            )
    return next(iter(pairs.values()), None) or ModelConfig(**model).languages
