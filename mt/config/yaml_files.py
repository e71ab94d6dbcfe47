"""YAML for configs: plain values only, no duplicate keys, no aliases that expand to something huge."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

MAX_BYTES = 1 << 17
"""Longer files are refused."""

_MAX_DEPTH = 30
_MAX_VALUES = 20_000
_MAX_DIGITS = 18  # of a whole number, so that it fits 64 bits
_PREFIX = "tag:yaml.org,2002:"
_MERGE = f"{_PREFIX}merge"
_TAGS = {f"{_PREFIX}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
# Numbers as YAML 1.2, and everyone who writes configs, reads them: 2e-5 is a number; 010 is not 8, 1:30 is not 90 and
# 2026-11-26 is not a date, as they are in YAML 1.1.
_RESOLVED = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"(?i:true|false|yes|no|on|off)", list("tTfFyYnNoO")),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.(?i:inf)|\.(?i:nan)",
        list("-+0123456789."),
    ),
    "merge": ("<<", ["<"]),
}

# That of libyaml, if PyYAML was built with it, is ten times as fast.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ConfigLoader(_Base):  # type: ignore[misc]
    """Reads one document as a config: 2e-5 is a number, 1:30 and 0x1F are text. Raises `yaml.YAMLError`."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def __init__(self, text: str) -> None:
        if len(text) > MAX_BYTES:
            raise UnusableYaml(problem=f"more than {MAX_BYTES} characters, which is no config")
        _check_depth(text)
        super().__init__(text)

    def get_single_data(self) -> Any:
        """The value of the document; None if it is empty."""
        node = self.get_single_node()
        if node is None:
            return None
        _measure(node, {}, 1)
        return self.construct_document(node)


for _name, (_pattern, _first) in _RESOLVED.items():
    ConfigLoader.add_implicit_resolver(f"{_PREFIX}{_name}", re.compile(rf"^(?:{_pattern})$"), _first)


class UnusableYaml(yaml.MarkedYAMLError):
    """YAML that is valid, but makes no sense in a config."""


def parse_yaml(text: str) -> Any:
    """The value of one YAML document: dicts with text keys, lists, text, numbers, truth values, None.

    Raises `yaml.YAMLError`, which knows the line where there is one.
    """
    return yaml.load(text, Loader=ConfigLoader)


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise _unusable(event, f"more than {_MAX_DEPTH} levels deep")


def _measure(node: yaml.Node, measured: dict[int, tuple[int, int]], depth: int) -> tuple[int, int]:
    """(values, levels) of a node, its aliases expanded. Raises `UnusableYaml` for what has no meaning in a config."""
    if id(node) not in measured:
        if node.tag not in _TAGS:
            raise _unusable(node, f"the tag {node.tag.replace(_PREFIX, '!!')} has no meaning in a config")
        measured[id(node)] = (0, _MAX_DEPTH + 1)  # met again inside itself, it is too deep
        below = [_measure(part, measured, depth + 1) for part in _parts(node)]
        measured[id(node)] = 1 + sum(size for size, _ in below), 1 + max((levels for _, levels in below), default=0)
    values, levels = measured[id(node)]
    if depth + levels - 1 > _MAX_DEPTH:
        raise _unusable(node, f"more than {_MAX_DEPTH} levels deep (an alias inside its own anchor?)")
    if values > _MAX_VALUES:
        raise _unusable(node, f"more than {_MAX_VALUES} values once its aliases are written out")
    return values, levels


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """The nodes inside a node; turns the keys of a mapping into text."""
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        return [value for _, value in node.value]
    kind = node.tag.removeprefix(_PREFIX)
    if kind in _RESOLVED and not re.fullmatch(_RESOLVED[kind][0], node.value):
        raise _unusable(node, f"`{node.value[:40]}` does not go with its tag !!{kind}")
    if kind == "int" and len(node.value) > _MAX_DIGITS:
        raise _unusable(node, f"a number of {len(node.value)} digits, which no option accepts")
    return []


def _check_keys(node: yaml.MappingNode) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _unusable(key, "a list or section where a key belongs")
        line = key.start_mark.line + 1
        if key.value in lines:
            raise _unusable(key, f"the key `{key.value[:40]}` is already in line {lines[key.value]}; remove one")
        lines[key.value] = line
        if key.tag != _MERGE:
            key.tag = f"{_PREFIX}str"


def _unusable(where: Any, problem: str) -> UnusableYaml:
    return UnusableYaml(problem=problem, problem_mark=where.start_mark)
