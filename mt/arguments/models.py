"""The command lines of what works with one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mt.arguments.evaluation import add_test_set, named_files
from mt.arguments.parsing import NOT_FOR_DECODING, QuietParser, parse_or_help, typed_options
from mt.config import CorpusConfig, DecodingConfig, ModelConfig
from mt.errors import ConfigError


@dataclass(frozen=True)
class ModelCommand:
    """A run or a model, and the options that were typed for it: what is left out, a run may know better."""

    name: str
    model: dict[str, Any]
    """Options of the section `model` by name; likewise `decoding`."""
    decoding: dict[str, Any]


@dataclass(frozen=True)
class TranslateCommand(ModelCommand):
    """What `mt translate` was asked to do."""

    file: str


def parse_doctor(argv: Sequence[str], prog: str) -> ModelCommand:
    """The model that `mt doctor` is asked about. Raises `UsageError` or `ConfigError`."""
    parser = _model_parser(prog, "%(prog)s MODEL [--model.key VALUE ...]", "Check that a model translates at all.")
    options = parse_or_help(parser, argv)
    return ModelCommand(options.name, typed_options(parser, argv, "model"), {})


def parse_translate(argv: Sequence[str], prog: str) -> TranslateCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    usage = "%(prog)s MODEL [FILE] [--section.key VALUE ...]"
    parser = _model_parser(prog, usage, "Translate a text file, one sentence per line, to stdout.")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", type=str, help="UTF-8 text; default: stdin")
    parser.add_class_arguments(DecodingConfig, "decoding")
    options = parse_or_help(parser, argv)
    return TranslateCommand(options.name, *_typed(parser, argv), options.file)


@dataclass(frozen=True)
class ExportCommand(ModelCommand):
    """What `mt export` was asked to do."""

    directory: str
    format: Literal["transformers", "ctranslate2"]
    precision: Literal["float16", "bfloat16", "float32", "int8"]
    test_sets: dict[str, CorpusConfig]
    """On which the export is compared with the model."""


def parse_export(argv: Sequence[str], prog: str) -> ExportCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    usage = (
        "%(prog)s MODEL DIRECTORY [--format FORMAT] [--precision PRECISION] [--test_set NAME=FILE ...] "
        "[--section.key VALUE ...]"
    )
    parser = _model_parser(prog, usage, "Write a model to a new directory, its weights in the precision asked for.")
    parser.add_argument("directory", metavar="DIRECTORY", type=str, help="new directory to write")
    parser.add_argument(
        "--format",
        type=Literal["transformers", "ctranslate2"],
        default="transformers",
        help="transformers, or ctranslate2: checked to translate alike, decodes several times as fast on a CPU",
    )
    parser.add_argument(
        "--precision",
        type=Literal["float16", "bfloat16", "float32", "int8"],
        default="float16",
        help="float16, float32; bfloat16 for transformers, int8 for ctranslate2",
    )
    add_test_set(parser, "a test set on which the export is scored beside the model; may be given several times")
    # What the model is saved with; the rest is no part of a model.
    parser.add_class_arguments(
        DecodingConfig, "decoding", skip={"tag", "terminology", "max_length_ratio", "batch_tokens"}
    )
    options = parse_or_help(parser, argv)
    if (options.format, options.precision) in (("transformers", "int8"), ("ctranslate2", "bfloat16")):
        raise ConfigError(f"--format {options.format} does not go with --precision {options.precision}; use float16")
    typed = _typed(parser, argv)
    test_sets = named_files("--test_set", options.test_set)
    return ExportCommand(options.name, *typed, options.directory, options.format, options.precision, test_sets)


def _typed(parser: QuietParser, argv: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the sections `model` and `decoding` that were typed. Raises `ConfigError`."""
    model, decoding = (typed_options(parser, argv, section) for section in ("model", "decoding"))
    ModelConfig(**model)
    DecodingConfig(**decoding)
    return model, decoding


def parse_comet_setup(argv: Sequence[str], prog: str) -> tuple[str, bool]:
    """(COMET's model, whether to overwrite) for `mt comet-setup`. Raises `UsageError`."""
    description = "Install COMET in an environment of its own, where `mt evaluate` finds it."
    usage = "%(prog)s [--model NAME] [--overwrite]"
    parser = QuietParser(prog=prog, usage=usage, description=description)
    parser.add_argument("--model", type=str, default="Unbabel/wmt22-comet-da", help="hub name of a COMET model")
    parser.add_argument("--overwrite", action="store_true", help="replace the environment that is there")
    options = parse_or_help(parser, argv)
    return options.model, options.overwrite


def _model_parser(prog: str, usage: str, description: str) -> QuietParser:
    parser = QuietParser(prog=prog, usage=usage, description=description)
    parser.add_argument(
        "name",
        metavar="MODEL",
        type=str,
        help="a run, whose chosen model is taken and works as the run was scored; a model directory; a hub name; or "
        "tiny-en-ar, which comes along",
    )
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING)
    return parser
