"""Configs merged into one: what a file extends, further files, mappings on the command line.

Sections are merged key by key, corpora and test sets by name; any other value of a later config replaces that of an
earlier one. `null` removes a corpus or a test set.
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
"""The key of a config file that names the file it builds on, relative to its own directory."""


class Layer(NamedTuple):
    """The content of one file, as `read_config_file` returns it."""

    path: Path
    content: dict[str, Any]


def read_layers(files: Iterable[Path]) -> list[Layer]:
    """Each file, preceded by those that it extends. Raises `ConfigError`."""
    return [layer for file in files for layer in _chain(file, [])]


def _chain(file: Path, above: list[Path]) -> Iterator[Layer]:
    """The files that `file` extends, then `file` itself. above: the files that led here, to detect circles."""
    if file.resolve() in [path.resolve() for path in above]:
        names = " -> ".join(printable(path) for path in [*above, file])
        raise ConfigError(f"{printable(above[-1])}: `{EXTENDS}` goes in a circle: {names}")
    content = read_config_file(file, named_by=above[-1] if above else None)
    base = content.pop(EXTENDS, None)
    if base is not None:
        if not isinstance(base, str) or not base:
            raise ConfigError(f"{printable(file)}: `{EXTENDS}` must name one config file, got {base!r:.60}")
        yield from _chain(file.parent / base, [*above, file])
    yield Layer(file, content)


def merged(below: Mapping[str, Any], over: Mapping[str, Any], key: str = "") -> dict[str, Any]:
    """`below`, overridden by `over`. Raises `ConfigError` for a null that has nothing to remove."""
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
    """(`content` with the mappings and nulls for corpora among `arguments` merged in, the other arguments).

    A mapping for all corpora or test sets, `--data.corpora '{tm: desk.tmx}'`, replaces them all; one for a single
    corpus or a section is merged. Raises `ConfigError`.
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
    """`content` without its corpora or test sets if `option` is about to replace them all."""
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
