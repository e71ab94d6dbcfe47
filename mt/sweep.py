"""Many runs of one config with other values, compared on the dev split: a grid, or a search by Optuna."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mt.arguments import SearchRange, SweepCommand, TrainCommand, config_as_yaml
from mt.errors import ConfigError, RunError, UserError
from mt.experiment import run_experiment
from mt.files import write_json, write_text
from mt.input_paths import paths_of
from mt.manifest import read_manifest
from mt.markdown import table, text_of
from mt.outputs import claim, refuse_inputs_inside
from mt.processes import process_state
from mt.runs import SWEEP, RunDirectory, same_run

logger = logging.getLogger(__name__)


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
    `ConfigError` if Optuna is needed and missing.
    """
    trials: list[Trial] = []
    propose = _grid(command) if command.grid else _optuna(command)
    with _claim(command):
        for number, (values, tell) in enumerate(propose):
            directory = Path(command.output_dir) / f"trial-{number:03d}"
            trial = _run(command, directory, values)
            tell(trial)
            trials.append(trial)
            if process_state().is_main_process:
                _write(command, trials)
    return sorted(trials, key=lambda trial: -value_of(trial, command))


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
    metrics = ["eval_chrF", "eval_BLEU", "eval_loss"]
    metrics += ["eval_general_chrF"] if any("eval_general_chrF" in trial.metrics for trial in trials) else []
    header = ["trial", *names, *(name.removeprefix("eval_").replace("_", " ") for name in metrics)]
    rows = []
    for trial in sorted(trials, key=lambda trial: -value_of(trial, command)):
        values = [text_of(trial.values[name]) for name in names]
        rows.append([trial.directory.name, *values, *(_figure(trial, name) for name in metrics)])
    # Read in a terminal, too; inside a word an underscore is no markup.
    return "\n".join(table([text_of(name).replace("\\_", "_") for name in header], rows))


def _figure(trial: Trial, metric: str) -> str:
    return f"{trial.metrics[metric]:.2f}" if metric in trial.metrics else "failed"


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
    write_json(root / "sweep.json", {"trials": facts})
    write_text(root / "sweep.md", as_table(trials, command) + "\n")
