"""`mt backtranslate`: text in the target language becomes training pairs, whose sources a model writes."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mt.commands.environment import quiet_libraries
from mt.commands.options import NOT_FOR_DECODING, ModelCommand, typed_sections
from mt.commands.translate import files_first
from mt.config import DecodingConfig, ModelConfig
from mt.config.parsing import QuietParser, parse_or_help
from mt.data.formats.backtranslated import ENDING, provenance_file
from mt.documents.outputs import check_free
from mt.errors import DataError, UsageError
from mt.experiment.early_checks import check_tables
from mt.files import printable
from mt.input_files import is_directory, is_file, is_pipe
from mt.languages import language_named
from mt.models.model_files import shown
from mt.models.run_settings import TranslationSettings, run_that_holds, run_that_is
from mt.systems.names import check_model_argument
from mt.text.lines import uncompressed_name

_USUAL = {"source_language": "ar", "target_language": "en"}


def run(argv: Sequence[str], prog: str) -> int:
    """Write the table and its provenance, and print where the table is. Raises `UserError`s."""
    command = parse_backtranslate(argv, prog)
    check_backtranslate(command)
    quiet_libraries()
    from mt.models.terminology import check_terminology
    from mt.systems.backtranslation import BackTranslation, Text, count_lines
    from mt.systems.unfinished_table import claimed

    settings = settings_of(command)
    check_terminology(settings.decoding)
    output = output_of(command, settings.model.source_language)
    texts = [Text(*each) for each in zip(command.files, names_of(command.files), strict=True)]
    lines = None if any(text.is_pipe for text in texts) else count_lines(texts, settings.decoding)
    with claimed(output) as table:
        check_outputs(command, output, is_begun=table.state_file.is_file())
        work = BackTranslation(settings.model, settings.decoding, texts, table)
        try:
            work.make(lines, overwrite=command.overwrite)
        except KeyboardInterrupt:
            kept = f"; {work.kept_pairs:,} pairs are kept, and the same command goes on" if work.kept_pairs else ""
            print(f"{prog}: interrupted{kept}", file=sys.stderr)
            return 130
    print(work.in_words(), file=sys.stderr)
    print(printable(output))
    return 0


@dataclass(frozen=True)
class BackTranslateCommand(ModelCommand):
    """What `mt backtranslate` was asked to do."""

    files: list[str]
    """`-` is standard input."""
    output: str | None = None
    overwrite: bool = False


def _parser(prog: str) -> QuietParser:
    parser = QuietParser(
        prog=prog,
        usage="%(prog)s TEXT [TEXT ...] --model MODEL [--output FILE] [--overwrite] [--section.key VALUE ...]",
        description="Make training pairs from text in the language that is translated into: MODEL, which translates "
        "from it, writes the sources.",
    )
    parser.add_argument("files", nargs="*", metavar="TEXT", type=str, help="one sentence per line; `-`: standard input")
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=str,
        help=f"where the pairs are written, a name that ends in {ENDING}; default: beside a single text, "
        f"news.ar.txt -> news{ENDING}",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace pairs that are there already, and what was begun otherwise"
    )
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING - {"name"})
    parser.set_defaults({f"model.{name}": language for name, language in _USUAL.items()})
    parser.add_class_arguments(DecodingConfig, "decoding")
    _describe_model(parser)
    return parser


def _describe_model(parser: QuietParser) -> None:
    """Have the help say of `--model` what it is here. For the parser it is a file with the options of that section."""
    for action in parser._actions:
        if action.option_strings == ["--model"]:
            action.metavar, action.help = "MODEL", "the same as --model.name"


def parse_backtranslate(argv: Sequence[str], prog: str) -> BackTranslateCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    # For the parser, `--model` alone would be a file with the options of that section.
    argv = files_first([re.sub(r"^--model(?==|$)", "--model.name", word) for word in argv])
    parser = _parser(prog)
    options = parse_or_help(parser, argv)
    model, decoding = typed_sections(parser, argv)
    name = model.pop("name", None)
    if not options.files:
        raise UsageError(f"name a text in the target language, as in: {prog} news.ar.txt --model MODEL")
    if name is None:
        raise UsageError("--model is missing: a model that translates from the language of the text, or a run of one")
    return BackTranslateCommand(name, model, decoding, options.files, options.output, options.overwrite)


def check_backtranslate(command: BackTranslateCommand) -> None:
    """The model, the texts, the terms, and the name of the output. Raises `UserError`s."""
    check_model_argument(command.name)
    for file in command.files:
        if file != "-" and not is_file(file) and not is_pipe(file):
            raise DataError(f"{shown(file)}: no such text file (seen from {Path.cwd()})")
    if len(set(command.files)) < len(command.files):
        raise UsageError("a text is named twice; name it once")
    if command.output is None and (len(command.files) > 1 or _is_nameless(command.files[0])):
        raise UsageError(f"the pairs need a name; give --output NAME{ENDING}")
    if command.output is not None and (not command.output.endswith(ENDING) or is_directory(command.output)):
        raise UsageError(
            f"--output {command.output}: must be a file that ends in {ENDING}, by which training knows that a model "
            "wrote the sources"
        )
    check_tables([command.decoding.get("terminology")])


def _is_nameless(file: str) -> bool:
    return file == "-" or is_pipe(file)


def names_of(files: Sequence[str]) -> list[str]:
    """The names of the texts in the table: without directories, unless two would have the same name."""
    names = ["stdin" if file == "-" else printable(Path(file).name) for file in files]
    return names if len(set(names)) == len(names) else [printable(file) for file in files]


def settings_of(command: BackTranslateCommand) -> TranslationSettings:
    """How the model translates: a run as it was scored, any other model from Arabic to English if nothing was typed."""
    from mt.systems.system import resolve_model

    is_of_run = run_that_is(command.name) is not None or run_that_holds(command.name) is not None
    return resolve_model(command.name, {**({} if is_of_run else _USUAL), **command.model}, command.decoding)


def output_of(command: BackTranslateCommand, language: str) -> Path:
    """Where the pairs go. language: of the text, whose code at the end of its name is left out."""
    if command.output is not None:
        return Path(command.output)
    text, known = Path(command.files[0]), language_named(language)
    name = uncompressed_name(text).removesuffix(".txt").removesuffix(f".{language if known is None else known.code}")
    return text.with_name(f"{name}{ENDING}")


def check_outputs(command: BackTranslateCommand, output: Path, *, is_begun: bool) -> None:
    """Raise `DataError` if a file would be replaced without --overwrite, or a text in any case.

    is_begun: an unfinished table is there, whose provenance may have been written just before it got its name.
    """
    check_free(output, command.files, overwrite=command.overwrite)
    check_free(provenance_file(output), command.files, overwrite=command.overwrite or is_begun)
