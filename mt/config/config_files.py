"""Config files read into dictionaries with the keys of `Config`, and `Config` written back as YAML."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import yaml

from mt.config import CleaningConfig, Config, CorpusConfig
from mt.config.yaml_files import MAX_BYTES, parse_yaml
from mt.errors import ConfigError
from mt.files import printable
from mt.input_files import fault_of_file, read_small
from mt.wording import shorten

OFF = (None, False, "none")
"""Values that switch off a rule of `data.cleaning`, whatever its type."""

CORPUS_MAPS = ("data.corpora", "evaluation.test_sets", "evaluation.general")
"""Options whose values are corpora by name."""


def read_config_file(path: Path, named_by: Path | None = None) -> dict[str, Any]:
    """A config in the form that `--config` takes: short forms of corpora and of switched-off rules are written out.

    named_by: the config that extends this one, for the message. Raises `ConfigError` with file and line or key.
    """
    if fault_of_file(path) == "does not exist":
        seen = f"named by `extends` in {named_by}" if named_by else f"seen from {printable(Path.cwd())}"
        raise ConfigError(f"{path}: no such config file ({seen}); `mt configs` lists the recipes")
    text = read_small(path, "config", MAX_BYTES, ConfigError)
    try:
        content = parse_yaml(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        # Where the end of something is missing, libyaml names the line after the last one.
        origin = f"{path}:{min(where.line, text.rstrip().count(chr(10))) + 1}" if where else str(path)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ConfigError(f"{origin}: not valid YAML ({problem})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(content).__name__}")
    try:
        return typing.cast(dict[str, Any], written_out(Config, content, ""))
    except ConfigError as error:
        raise ConfigError(f"{printable(path)}: {error}") from error


def written_out(kind: Any, value: Any, key: str) -> Any:
    """`value` as an option of type `kind` takes it. Raises `ConfigError` for null where it is not allowed."""
    is_union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    kinds = typing.get_args(kind) if is_union else (kind,)
    if value is None and type(None) not in kinds and kind is not Any:
        raise ConfigError(f"{key} must not be null; leave it out to get its default")
    if value is False and any("off" in typing.get_args(kind) for kind in kinds):
        # YAML reads a bare `off` as false.
        return "off"
    section = _section_of(kind)
    if section is CorpusConfig and isinstance(value, str):
        return {"path": value}
    if section is not None and value is not None and not isinstance(value, dict):
        raise ConfigError(f"`{key}` is a section, so `key: value` lines belong under it, got {shorten(repr(value))}")
    if not isinstance(value, dict):
        return value
    of_key = typing.get_type_hints(section) if section is not None else {}
    values = typing.get_args(kind)[1] if typing.get_origin(kind) is dict else Any
    below: dict[str, Any] = {}
    for name, item in value.items():
        if item is None and key in CORPUS_MAPS:
            below[name] = None  # removes the corpus
            continue
        hint, item_key = of_key.get(name, values), f"{key}.{name}".lstrip(".")
        if section is CleaningConfig and name in of_key and is_off(item):
            item = off_value(name)
        below[name] = written_out(hint, item, item_key)
    return below


def is_off(value: object) -> bool:
    """Whether a value switches off a rule of `data.cleaning`; 0 does not."""
    return any(value is off or (isinstance(value, str) and value == off) for off in OFF)


def off_value(rule: str) -> object:
    """The value by which an option of `CleaningConfig` switches off its rule: None, False or "none"."""
    hint = typing.get_type_hints(CleaningConfig)[rule]
    if hint is bool:
        return False
    return "none" if "none" in typing.get_args(hint) else None


def find_unknown(option: str) -> tuple[str, list[str]] | None:
    """(the part of `section.key` that is no option, the options there are); None if all of it is known.

    Also looks behind names that users choose, as in `data.corpora.news.format`.
    """
    return _walk(option)[1]


def takes_mapping(option: str) -> bool:
    """Whether `section.key` is an option whose value has keys of its own: a section, a corpus, all corpora."""
    kind, unknown = _walk(option)
    return unknown is None and (_section_of(kind) is not None or typing.get_origin(kind) is dict)


def _walk(option: str) -> tuple[Any, tuple[str, list[str]] | None]:
    """(type of the option `section.key`, what `find_unknown` returns)."""
    kind: Any = Config
    for name in option.split("."):
        section = _section_of(kind)
        if section is not None:
            hints: Mapping[str, Any] = typing.get_type_hints(section)
            if name not in hints:
                return kind, (name, list(hints))
            kind = hints[name]
        elif typing.get_origin(kind) is dict:
            kind = typing.get_args(kind)[1]
        else:
            return kind, (name, [])
    return kind, None


def _section_of(kind: Any) -> Any:
    is_union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    kinds = typing.get_args(kind) if is_union else (kind,)
    return next((kind for kind in kinds if is_dataclass(kind)), None)


def config_as_yaml(config: Config) -> str:
    """`config` as a YAML file that `train.py` takes."""
    return yaml.safe_dump(_plain(config), allow_unicode=True, sort_keys=False, width=100)


def _plain(value: object) -> object:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple | list) else value
