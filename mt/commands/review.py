"""`mt review`: a page on which a person compares two systems without knowing which is which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt.commands.environment import quiet_libraries
from mt.commands.options import NOT_FOR_DECODING, TESTED_ON, add_test_set, named_files, typed_sections
from mt.config import CorpusConfig, DecodingConfig, ModelConfig
from mt.config.checks import require
from mt.config.parsing import QuietParser, parse_or_help
from mt.errors import RunError, UsageError
from mt.experiment.early_checks import check_corpora, check_tables
from mt.files import refuse_device, write_text, writing
from mt.systems.names import check_systems
from mt.systems.pairs import compared_pair, expected_pair
from mt.wording import counted

if TYPE_CHECKING:
    from mt.evaluation.blind_review import Draw


def run(argv: Sequence[str], prog: str) -> int:
    """Write the page and print what it holds. Raises `UserError`s."""
    command = parse_review(argv, prog)
    check_review(command)
    quiet_libraries()
    print(summary(write_review(command), command.output))
    return 0


def write_review(command: ReviewCommand) -> Draw:
    """Translate, draw and write the page; what can fail cheaply fails before anything is translated."""
    from mt.evaluation.blind_review import draw_items
    from mt.evaluation.reading_test_sets import read_test_sets
    from mt.report.review_page import render_review
    from mt.systems.system import resolve_systems
    from mt.systems.translating import translate_systems

    systems = resolve_systems(command.systems, command.model, command.decoding)
    languages = compared_pair(systems, command.model)
    check_corpora(command.test_sets, languages)
    output = Path(command.output)
    _check_output(output, command.overwrite)
    runs = [system.run for system in systems if system.run]
    (test_set,) = read_test_sets(command.test_sets, runs, languages=languages)
    first, second = translate_systems(systems, [test_set])[test_set.name].values()
    draw = draw_items(test_set, first, second, command.sentences, command.seed)
    write_text(output, render_review(test_set.name, draw.items, languages))
    return draw


def summary(draw: Draw, output: str) -> str:
    """What the page holds and what it leaves out, for the terminal."""
    differing = draw.sentences - draw.alike
    return (
        f"{len(draw.items)} of {counted(differing, 'sentence')} that differ; "
        f"{draw.alike} of {draw.sentences} translated alike and left out\n"
        f"page: {output}"
    )


def _check_output(output: Path, overwrite: bool) -> None:
    from mt.evaluation.blind_review import STORAGE_KEY

    check_page(output, overwrite)
    if output.exists() and STORAGE_KEY not in output.read_bytes():
        raise RunError(f"{output}: is not a page that mt has written, so it is not replaced; choose another --output")
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class ReviewCommand:
    """What `mt review` was asked to do."""

    systems: list[str]
    """Two of them."""
    test_sets: dict[str, CorpusConfig]
    """At most one."""
    sentences: int
    output: str
    overwrite: bool
    seed: int
    model: dict[str, Any]
    """The typed options by name, as in `decoding`; for the others a run has its own values."""
    decoding: dict[str, Any]


def review_parser(prog: str) -> QuietParser:
    """The parser behind `mt review --help`."""
    usage = "%(prog)s A B [--test_set NAME=FILE] [--sentences N] [--output FILE] [--section.key VALUE ...]"
    description = "Write a page on which a person compares two systems' translations without knowing which is which."
    parser = QuietParser(prog=prog, usage=usage, description=description)
    for name in ("A", "B"):
        parser.add_argument(
            name, metavar=name, type=str, help="a system, as `mt evaluate` takes it; label=SYSTEM names it"
        )
    add_test_set(parser, TESTED_ON)
    parser.add_argument("--sentences", type=int, default=100, help="how many sentences the page holds at most")
    parser.add_argument("--output", default="review.html", metavar="FILE", type=str, help="the page to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the page that is there")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other sentences and sides")
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING)
    parser.add_class_arguments(DecodingConfig, "decoding")
    return parser


def parse_review(argv: Sequence[str], prog: str) -> ReviewCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    parser = review_parser(prog)
    options = parse_or_help(parser, argv)
    require(options.sentences >= 1, "--sentences", "be at least 1", options.sentences)
    test_sets = named_files("--test_set", options.test_set)
    if len(test_sets) > 1:
        raise UsageError(f"a page holds one test set, got {', '.join(test_sets)}; make a page of each by --output FILE")
    return ReviewCommand(
        [options.A, options.B],
        test_sets,
        options.sentences,
        options.output,
        options.overwrite,
        options.seed,
        *typed_sections(parser, argv, is_scored=True),
    )


def check_review(command: ReviewCommand) -> None:
    """`mt review`: test sets, tables, systems and the page."""
    languages = expected_pair(command.systems, command.model)
    check_corpora(command.test_sets, languages)
    check_tables([command.decoding.get("terminology")], languages)
    check_systems(command.systems)
    check_page(Path(command.output), command.overwrite)


def check_page(output: Path, overwrite: bool) -> None:
    """Refuse to replace the page of another review unasked.

    A browser keeps the ratings, but only the page they were given on can export them.
    """
    refuse_device(output)
    if output.is_dir():
        raise RunError(f"{output}: is a directory; name a file with --output FILE")
    if output.exists() and not overwrite:
        raise RunError(
            f"{output}: exists, and may be under review; replace it by --overwrite or choose another --output"
        )
