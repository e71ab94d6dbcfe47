"""`mt export`: a model in half precision, or for CTranslate2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mt.commands.environment import quiet_libraries
from mt.commands.options import ModelCommand, add_test_set, model_parser, named_files, typed_sections
from mt.config import CorpusConfig, DataConfig, DecodingConfig
from mt.config.parsing import parse_or_help
from mt.errors import ConfigError
from mt.systems.names import check_model_argument


def run(argv: Sequence[str], prog: str) -> int:
    """Write the export and print where it is and, with test sets, what it costs. Raises `UserError`s."""
    command = parse_export(argv, prog)
    check_model_argument(command.name)
    quiet_libraries()
    from mt.evaluation.reading_test_sets import read_named_test_set
    from mt.systems.export import export_model
    from mt.systems.export_cost import describe
    from mt.systems.system import resolve_model

    settings = resolve_model(command.name, command.model, command.decoding)
    test_sets = [
        read_named_test_set(name, file, DataConfig(), settings.model.languages)
        for name, file in command.test_sets.items()
    ]
    directory = Path(command.directory)
    cost = export_model(
        settings.model, directory, command.precision, settings.decoding, command.format, test_sets=test_sets
    )
    for sentence in [] if cost is None else describe(cost):
        print(sentence)
    print(f"model: {directory}")
    return 0


@dataclass(frozen=True)
class ExportCommand(ModelCommand):
    """What `mt export` was asked to do."""

    directory: str
    format: Literal["transformers", "ctranslate2"]
    precision: Literal["float16", "bfloat16", "float32", "int8"]
    test_sets: dict[str, CorpusConfig]
    """The export is compared with the model on these."""


def parse_export(argv: Sequence[str], prog: str) -> ExportCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    usage = (
        "%(prog)s MODEL DIRECTORY [--format FORMAT] [--precision PRECISION] [--test_set NAME=FILE ...] "
        "[--section.key VALUE ...]"
    )
    parser = model_parser(prog, usage, "Write a model to a new directory, its weights in the precision asked for.")
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
        DecodingConfig, "decoding", skip={"tag", "terminology", "max_length_ratio", "batch_tokens", "precision"}
    )
    options = parse_or_help(parser, argv)
    if (options.format, options.precision) in (("transformers", "int8"), ("ctranslate2", "bfloat16")):
        raise ConfigError(f"--format {options.format} does not go with --precision {options.precision}; use float16")
    typed = typed_sections(parser, argv)
    test_sets = named_files("--test_set", options.test_set)
    return ExportCommand(options.name, *typed, options.directory, options.format, options.precision, test_sets)
