"""A sweep: many runs of one config with other values, compared on the dev split; the best one is tested."""

from __future__ import annotations

import itertools
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mt.config import Config
from mt.config.config_files import config_as_yaml
from mt.config.input_paths import paths_of
from mt.errors import ConfigError, RunError, Stopped, UsageError, UserError
from mt.manifest import read_manifest
from mt.outputs import claim
from mt.report.sweep_table import Trial, chosen_trial, value_of, write_tables
from mt.runs import SWEEP, RunDirectory, same_run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchRange:
    """The lowest and the highest value that is searched for an option."""

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
class Sweep:
    """What is varied, how, and where the trials go."""

    base: Config
    config: Callable[[Mapping[str, str]], Config]
    """The base with some options set to other values, as they would be typed."""
    grid: dict[str, list[str]]
    search: dict[str, SearchRange]
    trials: int
    output_dir: str

    @property
    def metric(self) -> str:
        """The dev metric that trials are compared by."""
        return self.base.training.best_metric

    @property
    def planned(self) -> int:
        """How many trials there will be."""
        return math.prod(map(len, self.grid.values())) if self.grid else self.trials


def run_sweep(sweep: Sweep) -> list[Trial]:
    """Run every trial, each in a directory of its own, then test the chosen one; returns them, the best first.

    A trial that is trained already is read, one that was stopped goes on, and one that fails on its values (a learning
    rate that diverges) is noted and passed over. No trial translates the test sets; when all are trained, the chosen
    one (`chosen_trial`) is resumed to be scored. Writes `sweep.json` and `sweep.md` after every trial. Raises
    `ConfigError` if Optuna is needed and missing, and `Stopped`, which says how far the sweep has come, on SIGTERM.
    """
    from mt.processes import process_state

    trials: list[Trial] = []
    propose = _grid(sweep) if sweep.grid else _optuna(sweep)
    with _claim(sweep):
        try:
            for number, (values, tell) in enumerate(propose):
                directory = Path(sweep.output_dir) / f"trial-{number:03d}"
                trial = _run(sweep, directory, values)
                tell(trial)
                trials.append(trial)
                if process_state().is_main_process:
                    write_tables(Path(sweep.output_dir), trials, sweep.metric)
            _score_chosen(sweep, trials)
        except Stopped as stop:
            raise _stopped(sweep, trials) from stop
    return sorted(trials, key=lambda trial: -value_of(trial, sweep.metric))


def _stopped(sweep: Sweep, trials: Sequence[Trial]) -> Stopped:
    table = f", their table is {sweep.output_dir}/sweep.md" if trials else ""
    left = "what the next one has done is kept" if len(trials) < sweep.planned else "the best one is not tested yet"
    done = f"{len(trials)} of {sweep.planned} trials are done{table}"
    return Stopped(f"stopped by SIGTERM; {done}; {left}: go on with --resume")


def _claim(sweep: Sweep) -> AbstractContextManager[object]:
    """The sweep's directory, ours as long as the context lasts; what an earlier call has done there stays."""
    from mt.processes import process_state

    root = Path(sweep.output_dir)
    if not process_state().is_main_process:
        return nullcontext()
    return claim(root, SWEEP, paths_of(sweep.base), keep=True)


Proposal = tuple[dict[str, str], Callable[[Trial], None]]


def _grid(sweep: Sweep) -> Iterator[Proposal]:
    for values in itertools.product(*sweep.grid.values()):
        yield dict(zip(sweep.grid, values, strict=True)), lambda _: None


def _optuna(sweep: Sweep) -> Iterator[Proposal]:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("--search needs the extra `sweep`: pip install 'mt-conflict-news[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Seeded, so that a sweep that is started again proposes the same values.
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=sweep.base.seed))
    for _ in range(sweep.trials):
        asked = study.ask()
        values = {name: _draw(asked, name, limits) for name, limits in sweep.search.items()}

        def tell(trial: Trial, asked: Any = asked) -> None:
            value = value_of(trial, sweep.metric)
            failed = optuna.trial.TrialState.FAIL
            study.tell(asked, state=failed) if math.isinf(value) else study.tell(asked, value)

        yield values, tell


def _draw(asked: Any, name: str, limits: SearchRange) -> str:
    if limits.is_whole:
        return str(asked.suggest_int(name, int(limits.low), int(limits.high), log=limits.is_log))
    return repr(float(f"{asked.suggest_float(name, limits.low, limits.high, log=limits.is_log):.4g}"))


def _run(sweep: Sweep, directory: Path, values: dict[str, str]) -> Trial:
    # Here and above: what imports torch is imported late, so that a mistake on the command line is answered at once.
    from mt.experiment.run import run_experiment

    run, config = RunDirectory(directory), _config_of(sweep, directory, values)
    written = ", ".join(f"{name} {value}" for name, value in values.items())
    if run.is_run() and not same_run(run.config.read_text(encoding="utf-8"), config_as_yaml(config)):
        raise RunError(f"{directory}: holds the trial of another sweep; choose another --output_dir or remove it")
    try:
        if not _is_trained(run):
            logger.info("%s: %s", directory.name, written)
            run_experiment(config, resume=run.has_work(), score=False)
        return Trial(directory, values, read_manifest(run.manifest)["dev_metrics"])
    except UserError as error:
        logger.warning("%s (%s) failed: %s", directory.name, written, error)
        return Trial(directory, values, {}, str(error))


def _is_trained(run: RunDirectory) -> bool:
    """Whether a trial has made its model. If it is scored, it counts although its model was deleted."""
    facts = read_manifest(run.manifest)
    return "dev_metrics" in facts and ("model_is_base" in facts or run.scores.is_file())


def _config_of(sweep: Sweep, directory: Path, values: Mapping[str, str]) -> Config:
    return replace(sweep.config(values), output_dir=str(directory))


def _score_chosen(sweep: Sweep, trials: Sequence[Trial]) -> None:
    """Translate the test sets with the chosen trial's model and its base, and score them, unless that is done."""
    from mt.experiment.run import run_experiment

    chosen = chosen_trial(trials, sweep.metric)
    if chosen is None or RunDirectory(chosen.directory).scores.is_file():
        return
    logger.info("%s: chosen by %s on the dev split, and now tested", chosen.directory.name, sweep.metric)
    run_experiment(_config_of(sweep, chosen.directory, chosen.values), resume=True)
