"""Configs on top of each other: what a file extends, further files, values of several keys on a command line.

Sections are merged key by key, corpora and test sets by name; whatever else a later config says takes the place of what
an earlier one said. `null` takes a corpus or a test set away.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mt.config import Config
from mt.config.config_files import CORPUS_MAPS, read_config_file, takes_mapping, written_out
from mt.config.yaml_files import parse_yaml
from mt.errors import ConfigError
from mt.files import printable

EXTENDS = "extends"
"""The key of a config file that names the file it builds upon, seen from its own directory."""


class Layer(NamedTuple):
    """What one file says, as `read_config_file` returns it."""

    path: Path
    content: dict[str, Any]


def read_layers(files: Iterable[Path]) -> list[Layer]:
    """Each file with all that it extends, the ground first. Raises `ConfigError`."""
    return [layer for file in files for layer in _chain(file, [])]


def _chain(file: Path, above: list[Path]) -> Iterator[Layer]:
    """A file behind those that it extends. above: the files that led here."""
    if file.resolve() in [path.resolve() for path in above]:
        names = " -> ".join(printable(path) for path in [*above, file])
        raise ConfigError(f"{printable(above[-1])}: `{EXTENDS}` goes in a circle: {names}")
    content = read_config_file(file, named_by=above[-1] if above else None)
    ground = content.pop(EXTENDS, None)
    if ground is not None:
        if not isinstance(ground, str) or not ground:
            raise ConfigError(f"{printable(file)}: `{EXTENDS}` must name one config file, got {ground!r:.60}")
        yield from _chain(file.parent / ground, [*above, file])
    yield Layer(file, content)


def merged(below: Mapping[str, Any], over: Mapping[str, Any], key: str = "") -> dict[str, Any]:
    """`below` with what `over` says on top. Raises `ConfigError` for a null that takes nothing away."""
    result = dict(below)
    for name, value in over.items():
        inside = f"{key}.{name}".lstrip(".")
        if value is None and key in CORPUS_MAPS:
            if name not in result:
                known = f"there are {', '.join(result)}" if result else "there is none"
                raise ConfigError(f"{inside} must not be null: no `{name}` to take away, {known}")
            del result[name]
        else:
            before = result.get(name)
            is_mapping = isinstance(value, dict)
            result[name] = merged(before if isinstance(before, dict) else {}, value, inside) if is_mapping else value
    return result


def with_typed(content: dict[str, Any], arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """`content` with what `arguments` say in mappings or by null of a corpus, and the arguments that remain.

    A mapping for all corpora or test sets, `--data.corpora '{tm: desk.tmx}'`, takes the place of those there were; for
    one of them, or for a section, it is merged. Raises `ConfigError`.
    """
    remaining: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        option, equals, value = argument.removeprefix("--").partition("=")
        if not equals and waiting:
            value = waiting[0]
        if argument.startswith("--") and _is_layer(option, value):
            content = merged(_without(content, option), _layer(option, value))
            if not equals:
                waiting.pop(0)
        else:
            remaining.append(argument)
    return content, remaining


def _is_layer(option: str, value: str) -> bool:
    return (value == "null" or value.lstrip().startswith("{")) and takes_mapping(option)


def _without(content: dict[str, Any], option: str) -> dict[str, Any]:
    """`content` without all corpora or test sets if `option` gives them anew."""
    section, _, name = option.partition(".")
    if option not in CORPUS_MAPS or section not in content:
        return content
    return content | {section: {key: value for key, value in content[section].items() if key != name}}


def _layer(option: str, text: str) -> dict[str, Any]:
    try:
        value = parse_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--{option}: not valid YAML ({getattr(error, 'problem', None) or error})") from error
    for name in reversed(option.split(".")):
        value = {name: value}
    return typing.cast(dict[str, Any], written_out(Config, value, ""))
