"""Many runs of one config with other values, compared on the dev split: a grid, or a search by Optuna."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from mt.arguments import SearchRange, SweepCommand, TrainCommand, config_as_yaml
from mt.errors import ConfigError, RunError, Stopped, UserError
from mt.experiment import run_experiment
from mt.files import write_json, write_text
from mt.input_paths import paths_of
from mt.manifest import read_manifest
from mt.markdown import table, text_of
from mt.outputs import claim, refuse_inputs_inside
from mt.processes import process_state
from mt.runs import SWEEP, RunDirectory, same_run

logger = logging.getLogger(__name__)

SEED = "seed"
"""The option over whose values a table of means is made."""

_METRICS = ("eval_chrF", "eval_BLEU", "eval_loss", "eval_general_chrF")


@dataclass(frozen=True)
class Trial:
    """One run of a sweep."""

    directory: Path
    values: Mapping[str, str]
    """By option, as it would be typed."""
    metrics: Mapping[str, float]
    """Dev metrics of the best checkpoint, as in `metrics.jsonl`; empty if the run failed."""
    failure: str = ""


def run_sweep(command: SweepCommand) -> list[Trial]:
    """Run every trial, each in a directory of its own; returns them, the best first.

    A trial that is done already is read, one that was stopped goes on, and one that fails on its values (a learning
    rate that diverges) is noted and passed over. Writes `sweep.json` and `sweep.md` after every trial. Raises
    `ConfigError` if Optuna is needed and missing, and `Stopped`, which says how many trials are done, on SIGTERM.
    """
    trials: list[Trial] = []
    propose = _grid(command) if command.grid else _optuna(command)
    with _claim(command):
        try:
            for number, (values, tell) in enumerate(propose):
                directory = Path(command.output_dir) / f"trial-{number:03d}"
                trial = _run(command, directory, values)
                tell(trial)
                trials.append(trial)
                if process_state().is_main_process:
                    _write(command, trials)
        except Stopped as stop:
            raise _stopped(command, trials) from stop
    return sorted(trials, key=lambda trial: -value_of(trial, command))


def _stopped(command: SweepCommand, trials: Sequence[Trial]) -> Stopped:
    total = math.prod(map(len, command.grid.values())) if command.grid else command.trials
    table = f", their table is {command.output_dir}/sweep.md" if trials else ""
    return Stopped(
        f"stopped by SIGTERM; {len(trials)} of {total} trials are done{table}; what the next one has done is kept: "
        "go on with --resume"
    )


def _claim(command: SweepCommand) -> AbstractContextManager[object]:
    """The sweep's directory, ours as long as the context lasts; what an earlier call has done there stays."""
    root = Path(command.output_dir)
    if not process_state().is_main_process:
        return nullcontext()
    refuse_inputs_inside(root, paths_of(command.base))
    return claim(root, SWEEP, keep=True)


def value_of(trial: Trial, command: SweepCommand) -> float:
    """What a trial is worth, more being better: its dev metric; of one that failed, -inf."""
    metric = command.base.training.best_metric
    if not trial.metrics:
        return -math.inf
    return trial.metrics[f"eval_{metric}"] * (-1 if metric == "loss" else 1)


def as_table(trials: Sequence[Trial], command: SweepCommand) -> str:
    """The trials as a Markdown table, the best first."""
    names = list(trials[0].values)
    has_general = any(_METRICS[-1] in trial.metrics for trial in trials)
    metrics = _METRICS if has_general else _METRICS[:-1]
    header = ["trial", *names, *(name.removeprefix("eval_").replace("_", " ") for name in metrics)]
    rows = []
    for trial in sorted(trials, key=lambda trial: -value_of(trial, command)):
        values = [text_of(trial.values[name]) for name in names]
        rows.append([trial.directory.name, *values, *(_figure(trial, name) for name in metrics)])
    return "\n".join(table([_shown(name) for name in header], rows))


def _figure(trial: Trial, metric: str) -> str:
    return f"{trial.metrics[metric]:.2f}" if metric in trial.metrics else "failed"


def group_table(trials: Sequence[Trial], command: SweepCommand) -> str:
    """Mean and standard deviation over seeds as a Markdown table, the best first; empty if no seeds were swept."""
    groups = groups_of(trials, command)
    if not groups:
        return ""
    metrics = sorted({name for group in groups for name in group.metrics}, key=_METRICS.index)
    names = list(groups[0].values)
    header = [*map(_shown, names), "seeds", *(_shown(name.removeprefix("eval_").replace("_", " ")) for name in metrics)]
    rows = [[*map(text_of, group.values.values()), group.count, *map(group.shown, metrics)] for group in groups]
    return "\n".join(table(header, rows))


def _shown(name: str) -> str:
    # Read in a terminal, too; inside a word an underscore is no markup.
    return text_of(name).replace("\\_", "_")


@dataclass(frozen=True)
class Group:
    """Trials that differ in their seed alone."""

    values: Mapping[str, str]
    """The other options, as they would be typed."""
    trials: Sequence[Trial]

    @property
    def done(self) -> list[Trial]:
        """Those that did not fail."""
        return [trial for trial in self.trials if trial.metrics]

    @property
    def count(self) -> str:
        """How many seeds there are, and how many of them failed."""
        failed = len(self.trials) - len(self.done)
        return f"{len(self.done)} ({failed} failed)" if failed else str(len(self.done))

    @property
    def metrics(self) -> dict[str, tuple[float, float | None]]:
        """(mean, standard deviation of the sample) by dev metric; no deviation of a single seed."""
        names = [name for name in _METRICS if self.done and all(name in trial.metrics for trial in self.done)]
        columns = {name: [trial.metrics[name] for trial in self.done] for name in names}
        return {name: (mean(xs), stdev(xs) if len(xs) > 1 else None) for name, xs in columns.items()}

    def shown(self, metric: str) -> str:
        """`mean ± deviation` of a metric."""
        if metric not in self.metrics:
            return "failed"
        middle, spread = self.metrics[metric]
        return f"{middle:.2f}" if spread is None else f"{middle:.2f} ± {spread:.2f}"


def groups_of(trials: Sequence[Trial], command: SweepCommand) -> list[Group]:
    """The trials by all their values but the seed, the best mean first; none if no seeds were swept."""
    if SEED not in command.grid:
        return []
    by_values: dict[tuple[str, ...], list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.directory):
        by_values.setdefault(tuple(v for k, v in trial.values.items() if k != SEED), []).append(trial)
    names = [name for name in command.grid if name != SEED]
    groups = [Group(dict(zip(names, values, strict=True)), together) for values, together in by_values.items()]
    return sorted(groups, key=lambda group: -_mean_value(group, command))


def _mean_value(group: Group, command: SweepCommand) -> float:
    return mean(value_of(trial, command) for trial in group.done) if group.done else -math.inf


Proposal = tuple[dict[str, str], Callable[[Trial], None]]


def _grid(command: SweepCommand) -> Iterator[Proposal]:
    for values in itertools.product(*command.grid.values()):
        yield dict(zip(command.grid, values, strict=True)), lambda _: None


def _optuna(command: SweepCommand) -> Iterator[Proposal]:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("--search needs the extra `sweep`: pip install 'mt-conflict-news[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Seeded, so that a sweep that is started again proposes the same values.
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=command.base.seed))
    for _ in range(command.trials):
        asked = study.ask()
        values = {name: _draw(asked, name, limits) for name, limits in command.search.items()}

        def tell(trial: Trial, asked: Any = asked) -> None:
            value = value_of(trial, command)
            failed = optuna.trial.TrialState.FAIL
            study.tell(asked, state=failed) if math.isinf(value) else study.tell(asked, value)

        yield values, tell


def _draw(asked: Any, name: str, limits: SearchRange) -> str:
    if limits.is_whole:
        return str(asked.suggest_int(name, int(limits.low), int(limits.high), log=limits.is_log))
    return repr(float(f"{asked.suggest_float(name, limits.low, limits.high, log=limits.is_log):.4g}"))


def _run(command: SweepCommand, directory: Path, values: dict[str, str]) -> Trial:
    run = RunDirectory(directory)
    config = command.config({**values, "output_dir": str(directory)})
    written = ", ".join(f"{name} {value}" for name, value in values.items())
    if run.is_run() and not same_run(run.config.read_text(encoding="utf-8"), config_as_yaml(config)):
        raise RunError(f"{directory}: holds the trial of another sweep; choose another --output_dir or remove it")
    try:
        if "dev_metrics" not in read_manifest(run.manifest):
            logger.info("%s: %s", directory.name, written)
            run_experiment(TrainCommand(config, resume=run.has_work(), overwrite=False))
        return Trial(directory, values, read_manifest(run.manifest)["dev_metrics"])
    except UserError as error:
        logger.warning("%s (%s) failed: %s", directory.name, written, error)
        return Trial(directory, values, {}, str(error))


def _write(command: SweepCommand, trials: Sequence[Trial]) -> None:
    root = Path(command.output_dir)
    facts = [
        {"directory": t.directory.name, "values": dict(t.values), "metrics": dict(t.metrics), "failure": t.failure}
        for t in trials
    ]
    groups = [
        {"values": dict(g.values), "seeds": len(g.done), "failed": len(g.trials) - len(g.done), "metrics": _spread(g)}
        for g in groups_of(trials, command)
    ]
    write_json(root / "sweep.json", {"trials": facts} | ({"groups": groups} if groups else {}))
    tables = [group_table(trials, command), as_table(trials, command)]
    write_text(root / "sweep.md", "\n\n".join(filter(None, tables)) + "\n")


def _spread(group: Group) -> dict[str, dict[str, float | None]]:
    return {name: {"mean": middle, "deviation": spread} for name, (middle, spread) in group.metrics.items()}
