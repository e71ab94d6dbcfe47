"""Parsers that speak in one sentence, and YAML files read with them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ArgumentError as ParseError
from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

from mt.argument_errors import one_sentence
from mt.config import Config
from mt.errors import ConfigError

set_parsing_settings(docstring_parse_attribute_docstrings=True)

NOT_FOR_DECODING = {"name", "scratch", "skip_doctor", "dropout"}
"""Options of a model that only training has."""
_USAGE = ("unrecognized", "not accept", "required", "expected one argument")
_CORPUS_KEYS = (("data", "corpora"), ("evaluation", "test_sets"), ("evaluation", "general"))
_SINGLE_CORPUS = ("training", "general_dev")


class UsageError(Exception):
    """A command line that cannot be understood; the program exits 2."""


class QuietParser(ArgumentParser):
    """An ArgumentParser that raises and leaves it to the caller to speak."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ex if isinstance(ex, ParseError) else ParseError(None, message)


def config_parser(prog: str, usage: str, description: str) -> ArgumentParser:
    parser = QuietParser(prog=prog, usage=usage, description=description, exit_on_error=False)
    parser.add_argument("--config", action="config", help="the same as CONFIG, the first argument")
    parser.add_class_arguments(Config)
    return parser


def parse_or_help(parser: ArgumentParser, argv: Sequence[str]) -> Namespace:
    if "--help" in argv or "-h" in argv:
        parser.print_help()
        raise SystemExit(0)
    return _parse(parser, None, list(argv))


def parse_with_config(parser: ArgumentParser, argv: Sequence[str], prog: str) -> Namespace:
    if "--help" in argv or "-h" in argv:
        parser.print_help()
        raise SystemExit(0)
    if not argv or argv[0].startswith("-"):
        raise UsageError(f"the first argument is the config, as in: {prog} configs/demo.yaml")
    path = Path(argv[0])
    file_arguments = ["--config", json.dumps(_read_yaml(path))]
    _parse(parser, path, file_arguments)  # the file alone, so that its own mistakes carry its name
    return _parse(parser, None, [*file_arguments, *map(_spell_out_option, argv[1:])])


def _read_yaml(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such config file (seen from {Path.cwd()}); see configs/ for examples") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the config cannot be read ({error})") from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f"{path}:{where.line + 1}" if where else str(path)
        raise ConfigError(f"{place}: not valid YAML ({getattr(error, 'problem', error)})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(content).__name__}")
    sections = [name for name, option in Config.__dataclass_fields__.items() if "Config" in str(option.type)]
    for name in sections:
        if not isinstance(content.get(name, {}), dict):
            raise ConfigError(f"{path}: `{name}` is a section, so `key: value` lines belong under it")
    return _spell_out_file(_numbers(content))


def _spell_out_file(content: Any) -> dict[str, object]:
    """A bare path in place of a corpus stands for a corpus with default options."""
    for section, key in _CORPUS_KEYS:
        corpora = content.get(section, {}).get(key)
        if isinstance(corpora, dict):
            named = {name: {"path": corpus} if isinstance(corpus, str) else corpus for name, corpus in corpora.items()}
            content[section][key] = named
    section, key = _SINGLE_CORPUS
    if isinstance(path := content.get(section, {}).get(key), str):
        content[section][key] = {"path": path}
    return content  # type: ignore[no-any-return]


def _spell_out_option(argument: str) -> str:
    """Likewise on the command line: `--data.corpora.news FILE` means `--data.corpora.news.path FILE`."""
    keys = "|".join(rf"{section}\.{key}" for section, key in _CORPUS_KEYS)
    single = r"\.".join(_SINGLE_CORPUS)
    return re.sub(rf"^(--(?:(?:{keys})\.[^.=]+|{single}))(?==|$)", r"\1.path", argument)


def _numbers(value: Any) -> Any:
    """PyYAML reads `2e-5` as text; YAML 1.2, and everyone who writes configs, means a number."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)
    return value


def _parse(parser: ArgumentParser, path: Path | None, arguments: list[str]) -> Namespace:
    try:
        return parser.parse_args(arguments).clone(with_meta=False)
    except (ParseError, TypeError, KeyError) as error:
        message = one_sentence(str(error))
        if path is not None:
            raise ConfigError(f"{path}: {message}") from error
        # An unknown option is a matter of usage, an impossible value one of configuration.
        kind = UsageError if any(words in message for words in _USAGE) else ConfigError
        raise kind(message) from error


def instantiate_config(parser: ArgumentParser, options: Namespace) -> Config:
    try:
        made = parser.instantiate(options)
    except ValueError as error:
        # Inside an optional section our own message comes wrapped in jsonargparse's.
        ours = re.search(r"[\w.]+ must .*, got .*", str(error))
        raise ConfigError(ours.group() if ours else one_sentence(str(error))) from error
    return Config(**{name: made[name] for name in Config.__dataclass_fields__})
