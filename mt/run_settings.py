"""What a finished run was trained for, from its config: the languages, the tag and the terms that its model expects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mt.errors import RunError
from mt.model_files import first_line, is_path_name
from mt.reading import read_small
from mt.yaml_files import MAX_BYTES, parse_yaml

_REMEDY = "take its model instead, {root}/model, or train the run again"


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The options of a run that its model must be given when it translates; None where the run says nothing."""

    source_language: str | None = None
    target_language: str | None = None
    tag: str | None = None
    terminology: str | None = None


def read_run_settings(config: Path) -> RunSettings:
    """The settings in a run's `config.yaml`. Raises `RunError`, naming the file, if it is damaged."""
    content = read_run_config(config)
    model, decoding = (_section(config, content, name) for name in ("model", "decoding"))
    settings = RunSettings(
        source_language=_text(config, model, "model.source_language"),
        target_language=_text(config, model, "model.target_language"),
        tag=_text(config, decoding, "decoding.tag"),
        terminology=_text(config, decoding, "decoding.terminology"),
    )
    if settings.terminology is not None and not is_path_name(settings.terminology):
        raise _damaged(config, f"decoding.terminology is no path: {settings.terminology!r:.60}")
    return settings


def read_run_config(config: Path) -> dict[str, Any]:
    """A run's `config.yaml`, its options as plain values. Raises `RunError`, naming the file, if it is damaged."""
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


def _text(config: Path, section: dict[str, Any], key: str) -> str | None:
    value = section.get(key.partition(".")[2])
    if value is not None and not isinstance(value, str):
        raise _damaged(config, f"{key} must be text, not {value!r:.60}")
    return value or None


def _damaged(config: Path, fault: str) -> RunError:
    return RunError(f"{config}: {fault}; {_REMEDY.format(root=config.parent)}")
