"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mt.config import CorpusConfig, DecodingConfig, ModelConfig
from mt.config.parsing import QuietParser, typed_options
from mt.errors import UsageError
from mt.files import check_name

NOT_FOR_DECODING = {"name", "scratch", "skip_doctor", "dropout"}
"""Options of the section `model` that only matter in training."""
TESTED_ON = "sentence pairs to test on, in any corpus format; repeatable; default: the test split of the runs"


def add_test_set(parser: QuietParser, purpose: str) -> None:
    """Add `--test_set NAME=FILE`, repeatable, with the help text `purpose`."""
    parser.add_argument(
        "--test_set",
        action="append",
        default=[],
        metavar="NAME=FILE",
        type=str,
        help=purpose,
    )


def named_files(option: str, arguments: Sequence[str]) -> dict[str, CorpusConfig]:
    """The files of NAME=FILE arguments by name. Raises `UsageError` or `RunError`."""
    found: dict[str, CorpusConfig] = {}
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not (name and separator and path):
            raise UsageError(f"{option} takes NAME=FILE, got {argument}")
        if name in found:
            raise UsageError(f"{option} {name} is given twice; use different names")
        found[check_name(name, f"{option}: the name")] = CorpusConfig(path=path)
    return found


@dataclass(frozen=True)
class ModelCommand:
    """A run or a model, and the options that were typed for it; a run may bring values for the others."""

    name: str
    model: dict[str, Any]
    """Options of the section `model` by name; `decoding` holds those of the section `decoding`."""
    decoding: dict[str, Any]


def typed_sections(
    parser: QuietParser, argv: Sequence[str], *, is_scored: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the sections `model` and `decoding` that were typed, by name.

    is_scored: translations will be compared with references, so the languages must be ones that can be scored. Raises
    `ConfigError`.
    """
    model, decoding = (typed_options(parser, argv, section) for section in ("model", "decoding"))
    settings = ModelConfig(**model)
    if is_scored:
        _ = settings.languages
    DecodingConfig(**decoding)
    return model, decoding


def model_parser(prog: str, usage: str, description: str) -> QuietParser:
    """A parser for commands whose first argument is a run or a model."""
    parser = QuietParser(prog=prog, usage=usage, description=description)
    parser.add_argument(
        "name",
        metavar="MODEL",
        type=str,
        help="a run, whose final model is used with the settings it was scored with; a model directory; a name on the "
        "hub; or tiny-en-ar, which comes with this project",
    )
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING)
    return parser
