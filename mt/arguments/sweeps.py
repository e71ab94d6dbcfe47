"""The command line of `mt sweep`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mt.arguments.parsing import UsageError, config_parser, instantiate_config, parse_with_config
from mt.config import Config


@dataclass(frozen=True)
class SearchRange:
    """Between which values an option is searched, both included."""

    low: float
    high: float
    is_log: bool
    is_whole: bool

    @classmethod
    def parse(cls, text: str) -> SearchRange:
        """From `LOW:HIGH` or `LOW:HIGH:log`. Raises `UsageError`."""
        low, _, rest = text.partition(":")
        high, _, scale = rest.partition(":")
        try:
            limits = cls(float(low), float(high), scale == "log", all(re.fullmatch(r"\d+", x) for x in (low, high)))
        except ValueError as error:
            raise UsageError(f"--search takes KEY=LOW:HIGH or KEY=LOW:HIGH:log, got {text}") from error
        if scale not in ("", "log") or not limits.low < limits.high or (limits.is_log and limits.low <= 0):
            raise UsageError(f"--search takes KEY=LOW:HIGH, LOW below HIGH (with :log, above 0), got {text}")
        return limits


@dataclass(frozen=True)
class SweepCommand:
    """What `mt sweep` was asked to do."""

    base: Config
    config: Callable[[Mapping[str, str]], Config]
    """The base with some options set to other values, as they would be typed."""
    grid: dict[str, list[str]]
    search: dict[str, SearchRange]
    trials: int
    output_dir: str


def parse_sweep(argv: Sequence[str], prog: str) -> SweepCommand:
    """The command in `argv`, every value of a grid tried on the parser. Raises `UsageError` or `ConfigError`."""
    usage = (
        "%(prog)s CONFIG (--grid KEY=V1,V2 ... | --search KEY=LOW:HIGH[:log] ... --trials N) [--section.key VALUE ...]"
    )
    parser = config_parser(prog, usage, "Train a config with several values of its options and compare the dev scores.")
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
    options = parse_with_config(parser, argv, prog)
    if bool(options.grid) == bool(options.search):
        raise UsageError("say either --grid or --search, as in --grid training.learning_rate=1e-5,3e-5")
    if options.trials < 1:
        raise UsageError(f"--trials must be at least 1, got {options.trials}")
    grid = {key: text.split(",") for key, text in map(_key_and_values, options.grid)}
    search = {key: SearchRange.parse(text) for key, text in map(_key_and_values, options.search)}

    def config(values: Mapping[str, str]) -> Config:
        given = [part for key, value in values.items() for part in (f"--{key}", value)]
        return instantiate_config(parser, parse_with_config(parser, [*argv, *given], prog))

    base = config({})
    for key in ("output_dir", "name"):
        if key in grid or key in search:
            raise UsageError(f"{key} names the trials' directories and cannot be swept; say --{key} once")
    for key, choices in (grid | {key: [_written(r, r.low), _written(r, r.high)] for key, r in search.items()}).items():
        for value in choices:
            config({key: value})
    return SweepCommand(base, config, grid, search, options.trials, base.output_dir or f"runs/{base.name}-sweep")


def _written(limits: SearchRange, value: float) -> str:
    return str(int(value)) if limits.is_whole else repr(value)


def _key_and_values(argument: str) -> tuple[str, str]:
    key, _, values = argument.partition("=")
    if not key or not values:
        raise UsageError(f"expected KEY=VALUES, as in training.learning_rate=1e-5,3e-5, got {argument}")
    return key.removeprefix("--"), values
