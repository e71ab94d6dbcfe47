"""How a run's model translates, by its config, in every command: languages, search, tag and terms."""

from __future__ import annotations

import math
import os
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from mt.config import DecodingConfig, ModelConfig
from mt.config.yaml_files import MAX_BYTES, parse_yaml
from mt.errors import ConfigError, RunError
from mt.input_files import read_small
from mt.languages import ENGLISH_TO_ARABIC
from mt.models.model_files import first_line, is_ctranslate2, is_path_name
from mt.outputs import is_marked
from mt.runs import TRAINING_RUN, RunDirectory

_REMEDY = "take its model instead, {root}/model, or train the run again"
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The part of a run's config that matters for translating; None for what it does not contain."""

    base: str | None = None
    """The model that training started from, as the config names it; None for a model from scratch."""
    revision: str | None = None
    source_language: str | None = None
    target_language: str | None = None
    prompt: str | None = None
    decoding: DecodingConfig = field(default_factory=DecodingConfig)


@dataclass(frozen=True, kw_only=True)
class TranslationSettings:
    """How one system translates."""

    model: ModelConfig
    """The model to load, and the languages to set it to."""
    decoding: DecodingConfig = field(default_factory=DecodingConfig)


def settings_of_run(
    model: str, own: RunSettings, typed: Mapping[str, Any] | None = None, decoding: Mapping[str, Any] | None = None
) -> TranslationSettings:
    """How `model`, the chosen one of a run, translates: as the run was scored, but for the options that were typed.

    own: what `read_run_settings` found. typed, decoding: typed options by name, as
    `mt.config.parsing.typed_options` finds them.
    """
    return TranslationSettings(
        model=_model(model, _languages(own) | ({} if own.prompt is None else {"prompt": own.prompt}), typed),
        decoding=replace(own.decoding, **decoding or {}),
    )


def settings_of_model(
    name: str,
    model: Mapping[str, Any] | None = None,
    decoding: Mapping[str, Any] | None = None,
    *,
    like: RunSettings | None = None,
    is_base: bool = False,
) -> TranslationSettings:
    """How a model that is no run translates: with the search of the run `like`, but without its tag and terms.

    is_base: the model is the base of that run or in its directory, so it gets the run's languages, too. Any other model
    gets them if the run is not English to Arabic, for else nothing could be compared. Typed options win.
    """
    search = DecodingConfig() if like is None else like.decoding.without_domain()
    if is_ctranslate2(name):
        # It has an engine and a precision of its own; those of a run are not meant for it.
        search = replace(search, engine="auto", precision="auto")
    known = _languages(like) if like is not None and (is_base or _is_of_another_pair(like)) else {}
    if like is not None and is_base and like.base == name:
        own = {"revision": like.revision, "prompt": like.prompt}
        known |= {key: value for key, value in own.items() if value}
    return TranslationSettings(model=_model(name, known, model), decoding=replace(search, **decoding or {}))


def _model(name: str, known: Mapping[str, str], typed: Mapping[str, Any] | None) -> ModelConfig:
    return ModelConfig(**{**known, **(typed or {}), "name": name})


def _languages(run: RunSettings) -> dict[str, str]:
    found = {"source_language": run.source_language, "target_language": run.target_language}
    return {key: language for key, language in found.items() if language is not None}


def _is_of_another_pair(run: RunSettings) -> bool:
    with suppress(ConfigError):
        return _model("", _languages(run), None).languages != ENGLISH_TO_ARABIC
    return False


def read_run_settings(config: Path) -> RunSettings:
    """The settings in a run's `config.yaml`. Raises `RunError`, naming the file, if it is damaged."""
    content = read_run_config(config)
    model = _section(config, content, "model")
    texts = ("name", "revision", "source_language", "target_language", "prompt")
    values = {key: _value(config, f"model.{key}", model.get(key), str) or None for key in texts}
    name = values.pop("name")
    return RunSettings(base=None if model.get("scratch") else name, decoding=_decoding(config, content), **values)


def _decoding(config: Path, content: dict[str, Any]) -> DecodingConfig:
    """The run's options for decoding; those that its version did not have keep their defaults."""
    section, hints = _section(config, content, "decoding"), typing.get_type_hints(DecodingConfig)
    names = [each.name for each in fields(DecodingConfig) if section.get(each.name) is not None]
    values = {name: _value(config, f"decoding.{name}", section[name], hints[name]) for name in names}
    terms = values["terminology"] = values.get("terminology") or None
    if terms is not None and not is_path_name(terms):
        raise _damaged(config, f"decoding.terminology is not a path: {terms!r:.60}")
    try:
        return DecodingConfig(**values)
    except ConfigError as error:
        raise _damaged(config, str(error)) from error


def read_run_config(config: Path) -> dict[str, Any]:
    """A run's `config.yaml` as plain values. Raises `RunError`, naming the file, if it is damaged."""
    try:
        content = parse_yaml(read_small(config, "config", MAX_BYTES, RunError))
    except (OSError, yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        problem = getattr(error, "problem", None) or getattr(error, "strerror", None) or first_line(error)
        raise _damaged(config, f"cannot be read ({problem})") from error
    if not isinstance(content, dict):
        raise _damaged(config, f"holds no options but {type(content).__name__.replace('NoneType', 'nothing')}")
    return content


def _section(config: Path, content: dict[str, Any], name: str) -> dict[str, Any]:
    section = content.get(name)
    if section is not None and not isinstance(section, dict):
        raise _damaged(config, f"{name} must hold options, not {section!r:.60}")
    return section or {}


def _value(config: Path, key: str, value: Any, hint: Any) -> Any:
    """`value`, if it has the type `hint` or is None. Raises `RunError` otherwise."""
    if typing.get_origin(hint) is typing.Literal:
        if value is None or value in typing.get_args(hint):
            return value
        raise _damaged(config, f"{key} must be one of {', '.join(typing.get_args(hint))}, not {value!r:.60}")
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    is_right = type(value) in kinds or (float in kinds and type(value) is int)
    is_right &= not isinstance(value, float) or math.isfinite(value)
    if value is not None and not is_right:
        raise _damaged(config, f"{key} must be {_KINDS[kinds[0]]}, not {value!r:.60}")
    return value


def _damaged(config: Path, fault: str) -> RunError:
    return RunError(f"{config}: {fault}; {_REMEDY.format(root=config.parent)}")


def run_that_is(path: str) -> RunDirectory | None:
    """The run whose directory `path` is, or None."""
    run = RunDirectory(Path(path))
    # `os.path`: a path that is too long or may not be read is no run, and no error.
    return run if os.path.isfile(run.config) or is_marked(run.root, TRAINING_RUN.name) else None  # noqa: PTH113


def run_that_holds(path: str) -> RunDirectory | None:
    """The run whose directory contains the model, checkpoint or export `path`, or None."""
    # `os.path`: the name may be too long for a path.
    parents = Path(path).resolve().parents if os.path.isdir(path) else ()  # noqa: PTH112
    return next((run for parent in parents if (run := RunDirectory(parent)).is_run()), None)
