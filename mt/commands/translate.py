"""`mt translate`: a text file, one sentence per line."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from mt.commands.environment import quiet_libraries
from mt.commands.options import ModelCommand, model_parser, typed_sections
from mt.config import DecodingConfig
from mt.config.parsing import parse_or_help
from mt.errors import DataError
from mt.experiment.early_checks import check_tables
from mt.input_files import is_file
from mt.models.model_files import shown
from mt.systems.names import check_model_argument


def run(argv: Sequence[str], prog: str) -> int:
    """Print one translation per line. Raises `UserError`s."""
    command = parse_translate(argv, prog)
    check_translate(command)
    quiet_libraries()
    from mt.systems.streaming import translate_file
    from mt.systems.system import resolve_model

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    settings = resolve_model(command.name, command.model, command.decoding)
    for lines in translate_file(settings.model, settings.decoding, command.file):
        print("\n".join(lines), flush=True)
    return 0


@dataclass(frozen=True)
class TranslateCommand(ModelCommand):
    """What `mt translate` was asked to do."""

    file: str


def parse_translate(argv: Sequence[str], prog: str) -> TranslateCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    usage = "%(prog)s MODEL [FILE] [--section.key VALUE ...]"
    parser = model_parser(prog, usage, "Translate a text file, one sentence per line, to stdout.")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", type=str, help="UTF-8 text; default: stdin")
    parser.add_class_arguments(DecodingConfig, "decoding")
    options = parse_or_help(parser, argv)
    return TranslateCommand(options.name, *typed_sections(parser, argv), options.file)


def check_translate(command: TranslateCommand) -> None:
    """`mt translate`: the model, the text and the terms."""
    check_model_argument(command.name)
    if command.file != "-" and not is_file(command.file):
        raise DataError(f"{shown(command.file)}: no such text file (seen from {Path.cwd()})")
    if _is_output(command.file):
        raise DataError(
            f"{'standard input' if command.file == '-' else shown(command.file)}: the translations would be written to "
            "the text itself, without end; write them to another file"
        )
    check_tables([command.decoding.get("terminology")])


def _is_output(file: str) -> bool:
    """Whether standard output goes into the file that is read (`-`: standard input)."""
    try:
        output, text = os.fstat(1), os.fstat(0) if file == "-" else Path(file).stat()
    except OSError:
        return False
    return stat.S_ISREG(output.st_mode) and os.path.samestat(output, text)
