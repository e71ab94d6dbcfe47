"""The trials of a sweep as tables: one line per trial, and means over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from mt.files import write_json, write_text
from mt.report.markdown import table, text_of

SEED = "seed"
"""The option whose values are averaged over in the table of means."""


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


def value_of(trial: Trial, metric: str) -> float:
    """The dev metric of a trial, its sign chosen so that higher is better; -inf if the trial failed."""
    if not trial.metrics:
        return -math.inf
    return trial.metrics[f"eval_{metric}"] * (-1 if metric == "loss" else 1)


def chosen_trial(trials: Sequence[Trial], metric: str) -> Trial | None:
    """The best trial by the dev metric, which alone is tested; None if all failed.

    Where seeds were swept, the best one of the group with the best mean: a lucky seed chooses no other values.
    """
    groups = groups_of(trials, metric)
    done = groups[0].done if groups else [trial for trial in trials if trial.metrics]
    return max(done, key=lambda trial: value_of(trial, metric), default=None)


def as_table(trials: Sequence[Trial], metric: str) -> str:
    """The trials as a Markdown table, the best first."""
    names = list(trials[0].values)
    has_general = any(_METRICS[-1] in trial.metrics for trial in trials)
    metrics = _METRICS if has_general else _METRICS[:-1]
    header = ["trial", *names, *(name.removeprefix("eval_").replace("_", " ") for name in metrics)]
    rows = []
    for trial in sorted(trials, key=lambda trial: -value_of(trial, metric)):
        values = [text_of(trial.values[name]) for name in names]
        rows.append([trial.directory.name, *values, *(_figure(trial, name) for name in metrics)])
    return "\n".join(table([_shown(name) for name in header], rows))


def _figure(trial: Trial, metric: str) -> str:
    return f"{trial.metrics[metric]:.2f}" if metric in trial.metrics else "failed"


def group_table(trials: Sequence[Trial], metric: str) -> str:
    """Mean and standard deviation over seeds as a Markdown table, the best first; empty if no seeds were swept."""
    groups = groups_of(trials, metric)
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


def groups_of(trials: Sequence[Trial], metric: str) -> list[Group]:
    """The trials by all their values but the seed, the best mean first; none if no seeds were swept."""
    if SEED not in trials[0].values:
        return []
    by_values: dict[tuple[str, ...], list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.directory):
        by_values.setdefault(tuple(v for k, v in trial.values.items() if k != SEED), []).append(trial)
    names = [name for name in trials[0].values if name != SEED]
    groups = [Group(dict(zip(names, values, strict=True)), together) for values, together in by_values.items()]
    return sorted(groups, key=lambda group: -_mean_value(group, metric))


def _mean_value(group: Group, metric: str) -> float:
    return mean(value_of(trial, metric) for trial in group.done) if group.done else -math.inf


def write_tables(root: Path, trials: Sequence[Trial], metric: str) -> None:
    """Write `sweep.json` and `sweep.md` to the directory `root`."""
    facts = [
        {"directory": t.directory.name, "values": dict(t.values), "metrics": dict(t.metrics), "failure": t.failure}
        for t in trials
    ]
    groups = [
        {"values": dict(g.values), "seeds": len(g.done), "failed": len(g.trials) - len(g.done), "metrics": _spread(g)}
        for g in groups_of(trials, metric)
    ]
    chosen = chosen_trial(trials, metric)
    best = {} if chosen is None else {"chosen": chosen.directory.name}
    write_json(root / "sweep.json", {"trials": facts} | ({"groups": groups} if groups else {}) | best)
    tables = [group_table(trials, metric), as_table(trials, metric)]
    write_text(root / "sweep.md", "\n\n".join(filter(None, tables)) + "\n")


def _spread(group: Group) -> dict[str, dict[str, float | None]]:
    return {name: {"mean": middle, "deviation": spread} for name, (middle, spread) in group.metrics.items()}
