"""The command lines of `train.py` and `mt data`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import yaml

from mt.arguments.parsing import QuietParser, UsageError, config_parser, instantiate_config, parse_with_config
from mt.config import Config


@dataclass(frozen=True)
class TrainCommand:
    """What `train.py` was asked to do."""

    config: Config
    resume: bool
    overwrite: bool
    no_cache: bool = False
    """Translate the test sets anew, whatever was translated before."""


def train_parser(prog: str) -> QuietParser:
    """The parser behind `train.py --help`: every option of `Config`, its docstring as help text."""
    usage = (
        "%(prog)s CONFIG [--config FILE ...] [--section.key VALUE ...] [--output_dir DIR] [--resume | --overwrite] "
        "[--no_cache]"
    )
    description = "Build the data, fine-tune, score the base and the tuned model, write the report."
    parser = config_parser(prog, usage, description)
    parser.add_argument("--resume", action="store_true", help="go on with the run in the output directory")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in the output directory")
    parser.add_argument(
        "--no_cache", action="store_true", help="translate anew what was translated before, and do not keep it"
    )
    return parser


def parse_train(argv: Sequence[str], prog: str) -> TrainCommand:
    """The command in `argv`; overrides win over the file.

    Raises `UsageError` for a command line, `ConfigError` for a config or value, that cannot be used.
    """
    parser = train_parser(prog)
    options = parse_with_config(parser, argv, prog)
    if options.resume and options.overwrite:
        raise UsageError("--resume and --overwrite exclude each other")
    return TrainCommand(instantiate_config(parser, options), options.resume, options.overwrite, options.no_cache)


@dataclass(frozen=True)
class InspectCommand:
    """What `mt data` was asked to do."""

    config: Config
    as_tsv: bool


def parse_data(argv: Sequence[str], prog: str) -> Config:
    """The config whose data `mt data` builds. Raises `UsageError` or `ConfigError`."""
    return parse_inspection(argv, prog).config


def parse_inspection(argv: Sequence[str], prog: str) -> InspectCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    description = "Build and inspect the data of a config without training; the options are those of `mt train`."
    parser = config_parser(
        prog,
        "%(prog)s CONFIG [--config FILE ...] [--section.key VALUE ...] [--output_dir DIR] [--export tsv]",
        description,
    )
    parser.add_argument(
        "--export",
        type=Literal["tsv"] | None,
        default=None,
        metavar="FORMAT",
        help="tsv: write the splits as tables, too: data/train.tsv, dev.tsv and test.tsv",
    )
    options = parse_with_config(parser, argv, prog)
    return InspectCommand(instantiate_config(parser, options), options.export == "tsv")


def config_as_yaml(config: Config) -> str:
    """`config` as a YAML file that `train.py` takes."""
    return yaml.safe_dump(_plain(config), allow_unicode=True, sort_keys=False, width=100)


def _plain(value: object) -> object:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple | list) else value
