"""What the commands are told that work with one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mt.arguments.parsing import NOT_FOR_DECODING, QuietParser, parse_or_help
from mt.config import DecodingConfig, ModelConfig
from mt.errors import ConfigError


@dataclass(frozen=True)
class TranslateCommand:
    """What `mt translate` was asked to do."""

    file: str
    model: ModelConfig
    decoding: DecodingConfig


def parse_doctor(argv: Sequence[str], prog: str) -> ModelConfig:
    """The model that `mt doctor` is asked about. Raises `UsageError` or `ConfigError`."""
    parser = _model_parser(prog, "%(prog)s MODEL [--model.key VALUE ...]", "Check that a model translates at all.")
    options = parse_or_help(parser, argv)
    return ModelConfig(name=options.name, **vars(options.model))


def parse_translate(argv: Sequence[str], prog: str) -> TranslateCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    usage = "%(prog)s MODEL [FILE] [--section.key VALUE ...]"
    parser = _model_parser(prog, usage, "Translate a text file, one sentence a line, to stdout.")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", type=str, help="UTF-8 text; default: stdin")
    parser.add_class_arguments(DecodingConfig, "decoding")
    options = parse_or_help(parser, argv)
    model = ModelConfig(name=options.name, **vars(options.model))
    return TranslateCommand(options.file, model, DecodingConfig(**vars(options.decoding)))


@dataclass(frozen=True)
class ExportCommand:
    """What `mt export` was asked to do."""

    directory: str
    format: Literal["transformers", "ctranslate2"]
    precision: Literal["float16", "bfloat16", "float32", "int8"]
    model: ModelConfig
    decoding: DecodingConfig


def parse_export(argv: Sequence[str], prog: str) -> ExportCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    usage = "%(prog)s MODEL DIRECTORY [--format FORMAT] [--precision PRECISION] [--section.key VALUE ...]"
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
    # What the model is saved with; the rest is no part of a model.
    parser.add_class_arguments(
        DecodingConfig, "decoding", skip={"tag", "terminology", "max_length_ratio", "batch_tokens"}
    )
    options = parse_or_help(parser, argv)
    model = ModelConfig(name=options.name, **vars(options.model))
    if (options.format, options.precision) in (("transformers", "int8"), ("ctranslate2", "bfloat16")):
        raise ConfigError(f"--format {options.format} does not go with --precision {options.precision}; use float16")
    return ExportCommand(
        options.directory, options.format, options.precision, model, DecodingConfig(**vars(options.decoding))
    )


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
        help="a model directory, a hub name, or tiny-en-ar, which comes along",
    )
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING)
    return parser
