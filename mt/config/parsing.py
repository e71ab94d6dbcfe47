"""Command lines and configs parsed into a `Config`; every mistake is reported in one sentence."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ArgumentError as ParseError
from jsonargparse import ArgumentParser, Namespace, _loaders_dumpers, set_loader, set_parsing_settings

from mt.config import Config
from mt.config.config_files import CORPUS_MAPS, find_unknown, is_off, off_value
from mt.config.layers import Layer, merged, read_layers, with_typed
from mt.config.parse_errors import one_sentence
from mt.config.yaml_files import ConfigLoader, parse_yaml
from mt.errors import ConfigError, UsageError
from mt.files import printable

# Values may name no Python object to import but our own options: nothing in a config or command line is ever run.
set_parsing_settings(
    docstring_parse_attribute_docstrings=True, import_path_denylist=["*"], import_path_allowlist=["mt.config"]
)

_USAGE = ("unrecognized", "not accept", "required", "expected one argument")
_SINGLE_CORPUS = ("training", "general_dev")
_CLEANING = "--data.cleaning."
_MAX_WHOLE_NUMBER = 2**63 - 1
_LONG_NUMBER = re.compile(r"[-+]?[\d_]{40,}\.?\d*(?:[eE][-+]?\d*)?")


class QuietParser(ArgumentParser):
    """An ArgumentParser that raises instead of printing and exiting, and accepts no abbreviated options."""

    def __init__(self, **options: Any) -> None:
        # jsonargparse itself creates parsers of this class, for sections inside values.
        super().__init__(**{"exit_on_error": False, "allow_abbrev": False} | options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ex if isinstance(ex, ParseError) else ParseError(None, message)

    @property
    def option_names(self) -> list[str]:
        """Every option that may be typed, without its dashes."""
        names = (string for action in self._actions for string in action.option_strings)
        return [name.removeprefix("--") for name in names if name != "--config" and not name.endswith(".help")]


def _load(text: str) -> Any:
    """The value of an argument in YAML, or of a whole config in JSON."""
    if text.startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass  # a mapping in YAML, or a mistake for which YAML has the better message
    return parse_yaml(text)


set_loader("yaml", _load, (yaml.YAMLError,))
# A private name, for want of a public one; pyproject bounds jsonargparse's version for it. `set_loader` does not reach
# single numbers and truth values: jsonargparse reads them with a loader of its own, unless this name holds another.
# Its own would read 1:30 as 90 and 0x1F as 31.
_loaders_dumpers.yaml_default_loader = ConfigLoader  # type: ignore[assignment]


def config_parser(prog: str, usage: str, description: str) -> QuietParser:
    """A parser with every option of `Config`."""
    parser = QuietParser(prog=prog, usage=usage, description=description)
    parser.add_argument("--config", action="config", metavar="FILE", help="another config, which overrides CONFIG")
    parser.add_class_arguments(Config)
    return parser


def parse_or_help(parser: QuietParser, argv: Sequence[str]) -> Namespace:
    """The options of a command without a config. Raises `UsageError` or `ConfigError`."""
    _help_if_asked(parser, argv)
    _check_text(argv)
    return _parse(parser, None, list(argv))


def typed_options(parser: QuietParser, argv: Sequence[str], section: str) -> dict[str, Any]:
    """The options of a section that were typed, by name; a run may bring values for those that were not."""
    typed = parser.parse_args(list(argv), defaults=False).get(section)
    return {} if typed is None else dict(vars(typed))


def parse_with_config(parser: QuietParser, argv: Sequence[str], prog: str) -> Namespace:
    """The options of a command that begins with a config. Raises `UsageError` or `ConfigError`."""
    _help_if_asked(parser, argv)
    if not argv or argv[0].startswith("-"):
        raise UsageError(f"the first argument is the config, as in: {prog} configs/demo.yaml")
    _check_text(argv)
    further, arguments = _further_configs(argv[1:])
    layers = read_layers([Path(argv[0]), *further])
    content = _merged(layers)
    try:
        overridden, arguments = with_typed(content, arguments)
        return _parse(parser, None, ["--config", json.dumps(overridden), *_spelt_out(arguments)])
    except (ConfigError, UsageError):
        _blame_file(parser, layers)
        raise


def _further_configs(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """(the files of `--config FILE`, the other arguments)."""
    files, others, waiting = [], [], list(arguments)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if name != "--config":
            others.append(f"{name}{equals}{value}")
            continue
        if not equals and (not waiting or waiting[0].startswith("--")):
            raise UsageError("--config takes a file, whose options override those of the configs before it")
        files.append(Path(value if equals else waiting.pop(0)))
    return files, others


def _merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """What the files say together. Raises `ConfigError` that names the file at fault."""
    content: dict[str, Any] = {}
    for layer in layers:
        try:
            content = merged(content, layer.content)
        except ConfigError as error:
            raise ConfigError(f"{printable(layer.path)}: {error}") from error
    return content


def _blame_file(parser: QuietParser, layers: Sequence[Layer]) -> None:
    """After a failure: raise `ConfigError` with the name of the file at fault; return if it is the command line."""
    for number, layer in enumerate(layers, start=1):
        so_far = reduce(merged, (layer.content for layer in layers[:number]))
        _parse(parser, layer.path, ["--config", json.dumps(so_far)])


def _help_if_asked(parser: QuietParser, argv: Sequence[str]) -> None:
    if "--help" in argv or "-h" in argv:
        parser.print_help()
        raise SystemExit(0)


def _check_text(argv: Sequence[str]) -> None:
    for argument in argv:
        if _LONG_NUMBER.fullmatch(argument.partition("=")[2] or argument):
            raise ConfigError(f"{argument[:40]}...: a number of {len(argument)} characters, which no option accepts")
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"{printable(argument)}: is not UTF-8, so files would get another name than this; "
                "rename the file, or set the terminal to UTF-8"
            ) from error


def _spelt_out(arguments: Sequence[str]) -> Iterator[str]:
    """Arguments with short forms written out: `--data.corpora.news FILE` as `--data.corpora.news.path FILE`.

    Raises `UsageError` for an unknown option.
    """
    keys = "|".join(map(re.escape, CORPUS_MAPS))
    single = r"\.".join(_SINGLE_CORPUS)
    rule = ""
    for argument in arguments:
        if rule:
            argument, rule = _rule_value(rule, argument), ""
        elif argument.startswith("--"):
            name, equals, value = argument.partition("=")
            _check_option(name)
            if name.startswith(_CLEANING):
                rule = "" if equals else name.removeprefix(_CLEANING)
                argument = f"{name}={_rule_value(name.removeprefix(_CLEANING), value)}" if equals else argument
            argument = re.sub(rf"^(--(?:(?:{keys})\.[^.=]+|{single}))(?==|$)", r"\1.path", argument)
        yield argument


def _rule_value(rule: str, value: str) -> str:
    """`value`, or the rule's own value for "off" if it is null, none or false."""
    is_switch = is_off(value) or value in ("null", "false")
    return json.dumps(off_value(rule)).strip('"') if is_switch else value


def _check_option(argument: str) -> None:
    option = argument.removeprefix("--").removesuffix("+")
    first = option.partition(".")[0]
    unknown = find_unknown(option) if first in Config.__dataclass_fields__ else None
    if unknown is not None:
        near = difflib.get_close_matches(unknown[0], unknown[1], n=1)
        meant = f" (did you mean {argument.rpartition(unknown[0])[0]}{near[0]}?)" if near else ""
        raise UsageError(f"unrecognized arguments: {argument}{meant}")


def _parse(parser: QuietParser, path: Path | None, arguments: list[str]) -> Namespace:
    try:
        options = parser.parse_args(arguments).clone(with_meta=False)
        _check_values(options)
    except (ParseError, TypeError, KeyError, ValueError, OverflowError, ConfigError) as error:
        message = one_sentence(str(error), parser.option_names)
        if path is not None:
            raise ConfigError(f"{path}: {message}") from error
        # An unknown option is a usage error, an impossible value a config error.
        kind = UsageError if any(words in message for words in _USAGE) else ConfigError
        raise kind(message) from error
    return options


def _check_values(options: Namespace) -> None:
    """Raise `ConfigError` for what no option accepts: infinite numbers, text that no file can hold or be named by."""
    for key, value in options.items(branches=False):
        for item in _plain_values(value):
            if isinstance(item, float) and not math.isfinite(item):
                raise ConfigError(f"{key} must be a finite number, got {item}")
            if isinstance(item, int) and abs(item) > _MAX_WHOLE_NUMBER:
                raise ConfigError(f"{key} must fit 64 bits, got a number of {len(str(item))} digits")
            if isinstance(item, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in item):
                raise ConfigError(f"{key} holds a NUL or half a character (a lone surrogate), got {item[:40]!r}")


def _plain_values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | Namespace):
        for name, item in vars(value).items() if isinstance(value, Namespace) else value.items():
            yield name
            yield from _plain_values(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _plain_values(item)
    else:
        yield value


def instantiate_config(parser: ArgumentParser, options: Namespace) -> Config:
    """The `Config` of parsed options. Raises `ConfigError` for a value that cannot work."""
    try:
        made = parser.instantiate(options)
    except ValueError as error:
        # Inside an optional section, jsonargparse wraps our own message in its own.
        ours = re.search(r"[\w.]+ must .*, got .*", str(error))
        raise ConfigError(ours.group() if ours else one_sentence(str(error), [])) from error
    return Config(**{name: made[name] for name in Config.__dataclass_fields__})


def read_config(file: Path) -> Config:
    """The config in one file, as `train.py` takes it. Raises `UsageError` or `ConfigError`."""
    parser = config_parser("", "", "")
    return instantiate_config(parser, parse_with_config(parser, [str(file)], ""))
