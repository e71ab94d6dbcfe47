"""Which test sentences a run has seen before: in its training data, or in the dev split that chose its checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mt.config import DataConfig
from mt.data.saved import load_splits
from mt.data.seen import EXACT, NEAR, NEW, NGRAM, Rules, find_seen
from mt.errors import RunError
from mt.evaluation.cautions import OVERLAP, Caution
from mt.evaluation.test_set import TestSet
from mt.manifest import read_manifest
from mt.models.run_settings import read_run_config
from mt.runs import RunDirectory

logger = logging.getLogger(__name__)

MAX_SEEN_SHARE = 0.01
"""Share of the distinct sentences of a test set: if a system has seen more, there is no verdict; else comparisons leave
out the sentences that were seen."""


@dataclass(frozen=True)
class Overlap:
    """The sentences of a test set that a system has seen; each is counted once, under the first kind that applies."""

    system: str
    test_set: str
    exact: int
    """Pairs that are in the system's training or dev data as they are."""
    near: int
    """Pairs with a side that is there but for case, digits and punctuation, or nearly (near-duplicates)."""
    ngram: int
    """Pairs with a side that shares a long run of words with a training pair."""
    sentences: int
    """All sentences of the test set."""
    rows: tuple[int, ...]
    """Numbers of the sentences that were seen, from 1."""

    @property
    def seen(self) -> int:
        """How many sentences were seen."""
        return self.exact + self.near + self.ngram


@dataclass(frozen=True)
class Overlaps:
    """What the systems of a comparison have seen of its test sets."""

    found: Sequence[Overlap] = ()
    """Of each system that comes from a run, with each test set."""
    unknown: Sequence[Caution] = ()
    """Where the data of a run is gone, so that nobody can tell what it has seen."""


def find_overlaps(models: Mapping[str, str], test_sets: Sequence[TestSet]) -> Overlaps:
    """The overlap of each system with each test set; `models`: paths or names, by system.

    Only models that lie in a run's directory are looked at, and the runs that these were trained from. Raises
    `RunError` if the data of a run cannot be read.
    """
    found: list[Overlap] = []
    unknown: list[Caution] = []
    known: dict[Path, NDArray[np.int8]] = {}
    read = cache(read_run_config)
    for system, model in models.items():
        runs = training_runs(model, read)
        for run in runs:
            if run.data.is_dir() and run.root.resolve() not in known:
                known[run.root.resolve()] = _seen_by(run, read(run.config), test_sets)
        seen = [known[run.root.resolve()] for run in runs if run.data.is_dir()]
        unknown += [_unknown(system, run, each) for run in runs if not run.data.is_dir() for each in test_sets]
        if seen:
            found += _overlaps(system, np.maximum.reduce(seen), test_sets)
    return Overlaps(found, unknown)


Read = Callable[[Path], Mapping[str, Any]]
"""Reads the config of a run."""


def training_runs(model: str, read: Read = read_run_config) -> list[RunDirectory]:
    """The run that a model was trained in, then the one that this run started from, and so on; empty for other models.

    A run that ended with its base as it was has trained nothing into its model, only into its checkpoints.
    """
    found: list[RunDirectory] = []
    visited: set[Path] = set()
    while (run := _run_of(Path(model))) is not None and run.root.resolve() not in visited:
        visited.add(run.root.resolve())
        if not _is_untrained(run, Path(model)):
            found.append(run)
        model = str(_section(read(run.config), "model").get("name") or "")
    return found


def _is_untrained(run: RunDirectory, path: Path) -> bool:
    """Whether what lies at `path`, which is the run or inside it, is the base as it was."""
    if path.resolve().is_relative_to(run.checkpoints.resolve()):
        return False
    # A manifest that cannot be read says nothing of the kind.
    with suppress(RunError):
        return read_manifest(run.manifest).get("model_is_base") is True
    return False


def _run_of(path: Path) -> RunDirectory | None:
    """The run that `path` is, or that holds it: a model, a checkpoint, an export."""
    if RunDirectory(path).is_run():
        return RunDirectory(path)
    for parent in path.resolve().parents if path.is_dir() else ():
        run = RunDirectory(parent)
        # The untrained model that a run starts from has seen nothing.
        if run.is_run() and run.data.is_dir() and not path.resolve().is_relative_to(run.base.resolve()):
            return run
    return None


def _section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _seen_by(run: RunDirectory, config: Mapping[str, Any], test_sets: Sequence[TestSet]) -> NDArray[np.int8]:
    """How a run has seen each sentence: one code of `mt.data.seen` per sentence, the test sets one after the other."""
    logger.info("%s: looking for test sentences among its training and dev pairs", run.root)
    options, usual = _section(config, "data"), DataConfig()
    rules = Rules(
        options.get("similarity", usual.similarity), options.get("decontaminate_words", usual.decontaminate_words)
    )
    sources = [source for test_set in test_sets for source in test_set.sources]
    references = [reference for test_set in test_sets for reference in test_set.references]
    splits = load_splits(run)
    return find_seen({name: splits[name] for name in ("train", "dev")}, sources, references, rules)


def _overlaps(system: str, seen: NDArray[np.int8], test_sets: Sequence[TestSet]) -> list[Overlap]:
    found, start = [], 0
    for test_set in test_sets:
        here = seen[start : start + len(test_set.sources)]
        start += len(here)
        exact, near, ngram = (int((here == kind).sum()) for kind in (EXACT, NEAR, NGRAM))
        rows = tuple((np.flatnonzero(here != NEW) + 1).tolist())
        found.append(Overlap(system, test_set.name, exact, near, ngram, len(here), rows))
    return found


def _unknown(system: str, run: RunDirectory, test_set: TestSet) -> Caution:
    text = f"what {system} has seen is not known: {run.data} is gone"
    return Caution(test_set.name, system, "unknown training data", 0, len(test_set.sources), text, forbids=False)


def overlap_caution(overlap: Overlap, test_set: TestSet) -> Caution | None:
    """The caution that an overlap deserves; None if nothing was seen."""
    if not overlap.rows:
        return None
    parts = ((overlap.exact, "the same"), (overlap.near, "almost the same"), (overlap.ngram, "with a long part of it"))
    kinds = ", ".join(f"{count} {what}" for count, what in parts if count)
    clusters = test_set.clusters
    share = len(np.unique(clusters[np.array(overlap.rows) - 1])) / test_set.distinct
    text = (
        f"{overlap.system} has seen {overlap.seen} of the {overlap.sentences} sentences in its training data ({kinds})"
    )
    forbids = share > MAX_SEEN_SHARE
    return Caution(
        test_set.name,
        overlap.system,
        OVERLAP,
        overlap.seen,
        overlap.sentences,
        text if forbids else f"{text}; comparisons leave them out",
        forbids,
    )


def fair_rows(test_set: TestSet, overlaps: Sequence[Overlap]) -> NDArray[np.int64]:
    """Indices of the sentences to compare systems on: without those that were seen, where these are few.

    Where they are many there is no verdict anyway, and the numbers are those of the whole test set.
    """
    here = [overlap for overlap in overlaps if overlap.test_set == test_set.name]
    cautions = [overlap_caution(overlap, test_set) for overlap in here]
    rows = np.arange(len(test_set.sources))
    if any(caution is not None and caution.forbids for caution in cautions):
        return rows
    return np.setdiff1d(rows, [row - 1 for overlap in here for row in overlap.rows])
