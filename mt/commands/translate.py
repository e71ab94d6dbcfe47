"""`mt translate`: plain lines to standard output, and documents into documents."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import cast

from mt.commands.environment import quiet_libraries
from mt.commands.options import ModelCommand, model_parser, typed_sections
from mt.config import DecodingConfig, ModelConfig
from mt.config.parsing import QuietParser, parse_or_help
from mt.documents.formats import FORMATS, Format, check_column, format_of
from mt.documents.outputs import Job, bilingual_path, check_free, codes_of, output_paths, page_path
from mt.documents.reading import name_of
from mt.errors import DataError, UsageError
from mt.experiment.early_checks import check_tables
from mt.files import printable
from mt.input_files import is_file, is_pipe
from mt.models.model_files import shown
from mt.systems.names import check_model_argument

_FLAGS = ("--bilingual", "--confidence", "--page", "--overwrite", "--help")


def run(argv: Sequence[str], prog: str) -> int:
    """Print one translation per line, or write the documents and print where they are. Raises `UserError`s."""
    command = parse_translate(argv, prog)
    check_translate(command)
    quiet_libraries()
    from mt.documents.jobs import read_documents, write_documents, write_lines
    from mt.documents.review_files import Review
    from mt.models.run_settings import run_that_is
    from mt.models.terminology import check_terminology
    from mt.report.reading_page import render_page
    from mt.systems.confidence import estimator_of
    from mt.systems.streaming import Stream, lines_of
    from mt.systems.system import resolve_model

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    settings = resolve_model(command.name, command.model, command.decoding)
    check_terminology(settings.decoding)
    jobs = plan_jobs(command, settings.model)
    lines = [job for job in jobs if job.format == "lines"]
    texts = [(job, lines_of(settings.decoding, job.file)) for job in lines]
    documents = read_documents([job for job in jobs if job.format != "lines"], command.column, settings.model)
    review = Review(
        settings.model, settings.decoding, command.has_confidence, render_page if command.has_page else None
    )
    needs_confidence = command.has_confidence or command.has_page
    estimator = estimator_of(command.name, run_that_is(command.name), settings.decoding) if needs_confidence else None
    stream = Stream(settings.model, settings.decoding, estimator)
    for job, text in texts:
        _say(write_lines(job, text, stream.lines, review), job)
    for job, paths in write_documents(documents, stream.sentences, review):
        _say(paths, job)
    return 0


def _say(paths: list[Path], job: Job) -> None:
    """Name what was written, on standard output unless the translation itself goes there."""
    for path in paths:
        print(printable(path), file=sys.stderr if job.output is None else sys.stdout, flush=True)


@dataclass(frozen=True)
class TranslateCommand(ModelCommand):
    """What `mt translate` was asked to do."""

    files: list[str]
    """`-` is standard input."""
    format: Format | None = None
    """That of all files; None: by the name of each."""
    output: str | None = None
    column: str | None = None
    is_bilingual: bool = False
    has_confidence: bool = False
    has_page: bool = False
    overwrite: bool = False
    formats: list[Format] = field(init=False)
    """The format of each file."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "formats", [self.format or format_of(file) for file in self.files])


def _parser(prog: str) -> QuietParser:
    usage = "%(prog)s MODEL [FILE ...] [--section.key VALUE ...]"
    parser = model_parser(prog, usage, "Translate lines to standard output, or documents into documents beside them.")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", type=str, default=["-"], help="lines or documents; `-`: standard input"
    )
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        type=str,
        help=f"{', '.join(FORMATS)}; default: by the name of each file, and lines, one sentence per line, for standard "
        "input, .txt and all other names",
    )
    parser.add_argument(
        "--output",
        metavar="FILE_OR_DIRECTORY",
        type=str,
        help="where translations are written, `-` for standard output; default: standard output for a single file of "
        "lines, else beside each document with the language in the name: report.ar.docx",
    )
    parser.add_argument("--column", metavar="NAME_OR_NUMBER", type=str, help="the column of a table to translate")
    parser.add_argument(
        "--bilingual", action="store_true", help="also write a table of source and target sentences, for review"
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="also write a page on which a person reads and corrects the translations, the least sure ones first",
    )
    parser.add_argument(
        "--confidence",
        action="store_true",
        help="write how good each translation probably is, in columns beside each line and in the table",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace translations that are there already")
    parser.add_class_arguments(DecodingConfig, "decoding")
    return parser


def parse_translate(argv: Sequence[str], prog: str) -> TranslateCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    parser, argv = _parser(prog), files_first(argv)
    options = parse_or_help(parser, argv)
    if options.format is not None and options.format not in FORMATS:
        raise UsageError(f"--format must be one of {', '.join(FORMATS)}; got {options.format}")
    return TranslateCommand(
        options.name,
        *typed_sections(parser, argv),
        files=options.files or ["-"],
        format=cast("Format | None", options.format),
        output=options.output,
        column=options.column,
        is_bilingual=options.bilingual,
        has_confidence=options.confidence,
        has_page=options.page,
        overwrite=options.overwrite,
    )


def files_first(argv: Sequence[str]) -> list[str]:
    """The arguments with the options last: argparse takes files behind an option for unknown arguments."""
    files: list[str] = []
    options: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            files.append(word)
            continue
        options.append(word)
        takes_value = word.startswith("--") and "=" not in word and word not in _FLAGS
        options += [rest.pop(0)] if rest and takes_value else []
    return [*files, *options]


def check_translate(command: TranslateCommand) -> None:
    """`mt translate`: the model, the files, where the translations go, and the terms."""
    check_model_argument(command.name)
    for file in command.files:
        if file != "-" and not is_file(file) and not is_pipe(file):
            raise DataError(f"{shown(file)}: no such text file (seen from {Path.cwd()})")
        if _is_output(file):
            raise DataError(
                f"{'standard input' if file == '-' else shown(file)}: the translations would be written to the text "
                "itself, without end; write them to another file"
            )
    if len(set(command.files)) < len(command.files):
        raise UsageError("a file is named twice; name it once")
    check_column(command.formats, command.column)
    if command.has_confidence and not (command.is_bilingual or command.has_page) and "lines" not in command.formats:
        raise UsageError(
            "--confidence has columns beside lines and in the table of --bilingual; for documents, add one, or --page"
        )
    # A run says in its config which languages it translates, and so how files are named; that is read later.
    if not is_file(Path(command.name) / "config.yaml"):
        plan_jobs(command, ModelConfig(**command.model))
    check_tables([command.decoding.get("terminology")])


def plan_jobs(command: TranslateCommand, model: ModelConfig) -> list[Job]:
    """What is read, and where its translation goes. Raises `UsageError` and `DataError`."""
    codes = codes_of(model.source_language, model.target_language)
    outputs = output_paths(
        command.files,
        command.output,
        codes,
        to_stdout=command.formats == ["lines"],
        overwrite=command.overwrite,
    )
    jobs = []
    for file, kind, output in zip(command.files, command.formats, outputs, strict=True):
        table = bilingual_path(output, file, codes) if command.is_bilingual else None
        page = page_path(output, file, codes) if command.has_page else None
        for path in filter(None, (table, page)):
            check_free(path, command.files, overwrite=command.overwrite)
        jobs.append(Job(file, name_of(file), kind, output, table, page))
    return jobs


def _is_output(file: str) -> bool:
    """Whether standard output goes into the file that is read (`-`: standard input)."""
    try:
        output, text = os.fstat(1), os.fstat(0) if file == "-" else Path(file).stat()
    except OSError:
        return False
    return stat.S_ISREG(output.st_mode) and os.path.samestat(output, text)
