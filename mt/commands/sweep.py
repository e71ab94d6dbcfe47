"""`mt sweep`: train a config with several values of its options, compare the dev scores, test the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from mt.commands.environment import is_main_process, quiet_libraries, stop_on_sigterm
from mt.config import Config
from mt.config.input_paths import paths_of
from mt.config.parsing import QuietParser, config_parser, instantiate_config, parse_with_config
from mt.errors import RunError, UsageError
from mt.experiment.early_checks import check_config
from mt.experiment.sweep import SearchRange, Sweep, run_sweep
from mt.outputs import check_output
from mt.report.sweep_table import Trial, as_table, chosen_trial, group_table, groups_of
from mt.runs import SWEEP, RunDirectory


def run(argv: Sequence[str], prog: str) -> int:
    """Run the trials and print their table, the best first, and its test scores. Returns 1 if all failed.

    Raises `UserError`s.
    """
    sweep = parse_sweep(argv, prog)
    if is_main_process():
        check_sweep(sweep)
    quiet_libraries()
    stop_on_sigterm()
    trials = run_sweep(sweep)
    if is_main_process():
        _print_results(sweep, trials)
    return 0 if trials[0].metrics else 1


def _print_results(sweep: Sweep, trials: Sequence[Trial]) -> None:
    for text in filter(None, (group_table(trials, sweep.metric), as_table(trials, sweep.metric))):
        print(text, end="\n\n")
    for group in groups_of(trials, sweep.metric)[:1]:
        values = ", ".join(f"{key} {value}" for key, value in group.values.items())
        print(f"best by the mean over seeds: {values}" if values else f"{group.count} seeds")
    chosen = chosen_trial(trials, sweep.metric)
    if chosen is not None:
        _print_scores(RunDirectory(chosen.directory))
    print(f"table:  {sweep.output_dir}/sweep.md")


def _print_scores(run: RunDirectory) -> None:
    """The test scores of the chosen trial, as train.py prints them; from its file, for it may be of an earlier call."""
    from mt.report.score_table import as_text
    from mt.report.scores_json import read_scores

    print(f"best on the dev split: {run.root.name}; on the test sets:\n")
    try:
        print(as_text(read_scores(run.scores)))
    except RunError as error:
        print(error)
    print(f"best:   {run.root}\nmodel:  {run.model}\nreport: {run.report}")


def sweep_parser(prog: str) -> QuietParser:
    """The parser behind `mt sweep --help`."""
    usage = (
        "%(prog)s CONFIG (--grid KEY=V1,V2 ... | --search KEY=LOW:HIGH[:log] ... --trials N) [--section.key VALUE ...]"
    )
    description = "Train a config with several values of its options, compare the dev scores and test the best one."
    parser = config_parser(prog, usage, description)
    parser.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="KEY=V1,V2",
        type=str,
        help="try every combination of these values",
    )
    parser.add_argument(
        "--search",
        action="append",
        default=[],
        metavar="KEY=LOW:HIGH[:log]",
        type=str,
        help="let Optuna choose values between these; `log`: on a logarithmic scale; needs the extra `sweep`",
    )
    parser.add_argument("--trials", type=int, default=20, help="number of runs of a search")
    parser.add_argument("--resume", action="store_true", help="go on with a sweep that was stopped; the default")
    return parser


def parse_sweep(argv: Sequence[str], prog: str) -> Sweep:
    """The command in `argv`, every value of a grid tried on the parser. Raises `UsageError` or `ConfigError`."""
    parser = sweep_parser(prog)
    options = parse_with_config(parser, argv, prog)
    if bool(options.grid) == bool(options.search):
        raise UsageError("say either --grid or --search, as in --grid training.learning_rate=1e-5,3e-5")
    if options.trials < 1:
        raise UsageError(f"--trials must be at least 1, got {options.trials}")
    grid = {key: text.split(",") for key, text in map(_key_and_values, options.grid)}
    search = {key: SearchRange.parse(text) for key, text in map(_key_and_values, options.search)}

    @cache
    def parsed(values: tuple[tuple[str, str], ...]) -> Config:
        given = [part for key, value in values for part in (f"--{key}", value)]
        return instantiate_config(parser, parse_with_config(parser, [*argv, *given], prog))

    def config(values: Mapping[str, str]) -> Config:
        return parsed(tuple(values.items()))

    base = instantiate_config(parser, options)
    for key in ("output_dir", "name"):
        if key in grid or key in search:
            raise UsageError(f"{key} names the trials' directories and cannot be swept; give --{key} once")
    for key, choices in (grid | {key: [_written(r, r.low), _written(r, r.high)] for key, r in search.items()}).items():
        for value in choices:
            config({key: value})
    return Sweep(base, config, grid, search, options.trials, base.output_dir or f"runs/{base.name}-sweep")


def _written(limits: SearchRange, value: float) -> str:
    return str(int(value)) if limits.is_whole else repr(value)


def _key_and_values(argument: str) -> tuple[str, str]:
    key, _, values = argument.partition("=")
    if not key or not values:
        raise UsageError(f"expected KEY=VALUES, as in training.learning_rate=1e-5,3e-5, got {argument}")
    return key.removeprefix("--"), values


def check_sweep(sweep: Sweep) -> None:
    """`mt sweep`: the config's files and the directory of the trials."""
    check_config(sweep.base)
    check_output(Path(sweep.output_dir), SWEEP, paths_of(sweep.base))
