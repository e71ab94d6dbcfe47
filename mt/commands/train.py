"""`train.py` and `mt train`: build the data, fine-tune, score base and tuned model, write the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mt.commands.environment import is_main_process, quiet_libraries, stop_on_sigterm
from mt.config import Config
from mt.config.input_paths import paths_of
from mt.config.parsing import QuietParser, config_parser, instantiate_config, parse_with_config
from mt.errors import RunError, Stopped, UsageError
from mt.experiment.early_checks import check_config
from mt.experiment.extension import find_changes
from mt.runs import RunDirectory, check_run_directory

if TYPE_CHECKING:
    from mt.evaluation.results import Evaluation


def run(argv: Sequence[str], prog: str) -> int:
    """Train as `argv` says, and print scores, verdicts and where everything is. Raises `UserError`s."""
    command = parse_train(argv, prog)
    if command.dry_run:
        return _try(command.config)
    if is_main_process():
        check_train(command)
    quiet_libraries()
    from mt.experiment.run import run_experiment

    stop_on_sigterm()
    run_directory, evaluation = run_experiment(
        command.config, resume=command.resume, overwrite=command.overwrite, use_cache=not command.no_cache
    )
    if evaluation is not None:
        _print_results(run_directory, evaluation)
    return 0


def _try(config: Config) -> int:
    """Say what the training would take; refuses all that the run itself would refuse, but a run that is there."""
    if is_main_process():
        check_config(config)
        check_run_directory(_root(config), paths_of(config), resume=False, overwrite=True)
    quiet_libraries()
    print_estimate(config)
    return 0


def print_estimate(config: Config) -> None:
    """Measure on this machine what a training would take, and print it. Raises the `UserError`s of the training."""
    from mt.experiment.dry_run import as_text, dry_run

    stop_on_sigterm()
    try:
        found = dry_run(config)
    except (Stopped, KeyboardInterrupt) as error:
        raise RunError("stopped before anything was measured; nothing of it was kept") from error
    if is_main_process():
        print(as_text(found))


def _print_results(run_directory: RunDirectory, evaluation: Evaluation) -> None:
    from mt.report.score_table import as_text

    print(as_text(evaluation))
    print(f"model:  {run_directory.model}\nreport: {run_directory.report}")


@dataclass(frozen=True)
class TrainCommand:
    """What `train.py` was asked to do."""

    config: Config
    resume: bool
    overwrite: bool
    no_cache: bool = False
    """Translate the test sets anew, whatever was translated before."""
    dry_run: bool = False
    """Only say what the training would take."""


def train_parser(prog: str) -> QuietParser:
    """The parser behind `train.py --help`: every option of `Config`, its docstring as help text."""
    usage = (
        "%(prog)s CONFIG [--config FILE ...] [--section.key VALUE ...] [--output_dir DIR] "
        "[--resume | --overwrite | --dry_run] [--no_cache]"
    )
    description = "Build the data, fine-tune, score the base and the tuned model, write the report."
    parser = config_parser(prog, usage, description)
    parser.add_argument("--resume", action="store_true", help="go on with the run in the output directory")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in the output directory")
    parser.add_argument(
        "--no_cache", action="store_true", help="translate anew what was translated before, and do not keep it"
    )
    parser.add_argument(
        "--dry_run",
        action="store_true",
        help="time a few updates and say what memory and how long the training would take; no output directory is "
        "written, only the cache of built data",
    )
    return parser


def parse_train(argv: Sequence[str], prog: str) -> TrainCommand:
    """The command in `argv`; overrides win over the file.

    Raises `UsageError` for a command line, `ConfigError` for a config or value, that cannot be used.
    """
    parser = train_parser(prog)
    options = parse_with_config(parser, argv, prog)
    exclusive = [f"--{name}" for name in ("resume", "overwrite", "dry_run") if options[name]]
    if len(exclusive) > 1:
        raise UsageError(f"{' and '.join(exclusive)} exclude each other")
    return TrainCommand(
        instantiate_config(parser, options), options.resume, options.overwrite, options.no_cache, options.dry_run
    )


def check_train(command: TrainCommand) -> None:
    """`train.py`: the config's files and the run directory."""
    config = command.config
    check_config(config)
    root = _root(config)
    check_run_directory(root, paths_of(config), resume=command.resume, overwrite=command.overwrite)
    if command.resume:
        find_changes(RunDirectory(root), config)


def _root(config: Config) -> Path:
    return Path(config.output_dir or f"runs/{config.name}")
