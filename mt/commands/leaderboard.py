"""`mt leaderboard`: all runs and evaluations below a folder in one table, or two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mt.config.parsing import QuietParser, parse_or_help
from mt.errors import RunError, UsageError
from mt.files import printable, refuse_device, write_text

_DEFAULT_METRIC = "chrF"
_PUBLISHED = ("BLEU", "chrF", "chrF++", "TER")


def run(argv: Sequence[str], prog: str) -> int:
    """Print the table and, with `--output`, write the page. Raises `UserError`s and `UsageError`."""
    command = parse_leaderboard(argv, prog)
    check_leaderboard(command)
    text, page = render(command)
    # Half a character, as JSON may hold it, cannot be printed.
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))
    if command.output is not None and page is not None:
        write_text(command.output, page, make_parents=True)
        print(f"page: {command.output}")
    return 0


@dataclass(frozen=True)
class LeaderboardCommand:
    """What `mt leaderboard` was asked to do."""

    paths: list[Path]
    format: Literal["text", "markdown", "csv", "json"]
    sort: str | None
    reverse: bool
    metrics: list[str]
    """Empty: chrF in the table, the four published ones for two runs."""
    test_sets: list[str]
    output: Path | None
    overwrite: bool


def render(command: LeaderboardCommand) -> tuple[str, str | None]:
    """(what is printed, the page if one was asked for). Raises `RunError` if there is nothing to show."""
    # Not at the top: --help and mistakes are answered before these are imported.
    from mt.report.leaderboard_directories import find_directories, kind_of
    from mt.runs import TRAINING_RUN

    if len(command.paths) == 2 and all(kind_of(path) == TRAINING_RUN.name for path in command.paths):
        return _render_pair(command)
    return _render_board(command, find_directories(command.paths))


def _render_board(command: LeaderboardCommand, directories: Sequence[Path]) -> tuple[str, str | None]:
    from mt.report import leaderboard_output as output
    from mt.report.leaderboard import make_board
    from mt.report.leaderboard_reading import read_entries

    entries = [e for directory in directories for e in read_entries(directory, _name(directory, command.paths))]
    known = dict.fromkeys(score.metric for entry in entries for score in entry.scores)
    _check_known("--metric", command.metrics, known)
    _check_known("--test_set", command.test_sets, dict.fromkeys(s.test_set for e in entries for s in e.scores))
    board = make_board(entries, command.metrics or [_DEFAULT_METRIC], command.test_sets)
    board = board.ordered(command.sort, reverse=command.reverse)
    narrow = board.narrowed(output.IN_TERMINAL)
    text = {
        "text": lambda: output.board_as_text(narrow),
        "markdown": lambda: output.board_as_markdown(narrow),
        "csv": lambda: output.board_as_csv(board),
        "json": lambda: output.board_as_json(board),
    }[command.format]()
    title = f"Leaderboard of {', '.join(map(printable, command.paths))}"
    return text, output.board_as_page(board.narrowed(output.ON_PAGE), title) if command.output else None


def _render_pair(command: LeaderboardCommand) -> tuple[str, str | None]:
    from mt.report import leaderboard_output as output
    from mt.report.leaderboard_pair import compare_runs
    from mt.report.leaderboard_reading import read_entries

    first, second = (read_entries(path, printable(path))[0] for path in command.paths)
    sections = compare_runs(first, second, command.metrics or _PUBLISHED)
    text = {
        "text": output.pair_as_text,
        "markdown": output.pair_as_markdown,
        "csv": output.pair_as_csv,
        "json": output.pair_as_json,
    }[command.format](sections)
    page = output.pair_as_page(sections, f"{first.name} and {second.name}") if command.output else None
    return text, page


def _name(directory: Path, paths: Sequence[Path]) -> str:
    """The directory as seen from the one folder that was named, else as it was named."""
    if len(paths) == 1 and directory != paths[0] and directory.is_relative_to(paths[0]):
        return printable(directory.relative_to(paths[0]))
    return printable(directory)


def _check_known(option: str, wanted: Sequence[str], known: dict[str, None]) -> None:
    for name in wanted:
        if name not in known:
            there = f"there are {', '.join(map(printable, known))}" if known else "nothing was scored"
            raise RunError(f"{option} {name}: no run has scores by that name; {there}")


def leaderboard_parser(prog: str) -> QuietParser:
    """The parser behind `mt leaderboard --help`."""
    parser = QuietParser(
        prog=prog,
        usage="%(prog)s FOLDER [FOLDER ...] [--test_set NAME] [--metric NAME] [--sort COLUMN] [--format FORMAT] "
        "[--output FILE.html]",
        description="Show all runs and evaluations below the folders in one table: base model, method, options that "
        "differ, scores with their intervals on common test sets, forgetting, date, time and size. With exactly two "
        "run directories: what differs between them in options, data and scores. Nothing is computed again.",
    )
    parser.add_argument("paths", nargs="+", metavar="FOLDER", type=str, help="folders of runs, or run directories")
    parser.add_argument(
        "--format",
        type=Literal["text", "markdown", "csv", "json"],
        default="text",
        help="text and markdown for people; csv and json with all columns and exact values",
    )
    parser.add_argument(
        "--sort",
        metavar="COLUMN",
        type=str | None,
        default=None,
        help="a column by its title, a test set or an option; the best, newest or largest first",
    )
    parser.add_argument("--reverse", action="store_true", help="sort the other way round")
    for option, what in (("--test_set", "show scores on this test set"), ("--metric", "show this metric, not chrF")):
        parser.add_argument(
            option, action="append", default=[], metavar="NAME", type=str, help=f"{what}; may be given several times"
        )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=str | None,
        default=None,
        help="also write one page, FILE.html, to sort by click",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file that is there")
    return parser


def parse_leaderboard(argv: Sequence[str], prog: str) -> LeaderboardCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    options = parse_or_help(leaderboard_parser(prog), argv)
    output = None if options.output is None else Path(options.output)
    if output is not None and output.suffix not in (".html", ".htm"):
        raise UsageError(f"--output takes the name of a page, such as leaderboard.html, got {options.output}")
    return LeaderboardCommand(
        list(map(Path, options.paths)),
        options.format,
        options.sort,
        options.reverse,
        options.metric,
        options.test_set,
        output,
        options.overwrite,
    )


def check_leaderboard(command: LeaderboardCommand) -> None:
    """Refuse an `--output` that is a directory, or a file that is not to be replaced. Raises `RunError`."""
    output = command.output
    if output is None:
        return
    refuse_device(output)
    if output.is_dir():
        raise RunError(f"{printable(output)}: is a directory; name a file with --output FILE.html")
    if output.exists() and not command.overwrite:
        raise RunError(f"{printable(output)}: exists; replace it with --overwrite or choose another --output")
