"""The run directory: where everything of one experiment lies, under names that others' scripts read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from mt.errors import RunError
from mt.files import unfinished_name, write_json, write_lines, write_text, writing
from mt.manifest import read_manifest
from mt.outputs import MARK, Kind, Output, claim, is_marked, refuse_inputs_inside, refuse_taken

TRAINING_RUN = Kind(
    "training run",
    files=(
        *("config.yaml", "manifest.json", "data_card.md", "data_report.json", "rejected.tsv", "failed_update.tsv"),
        *("metrics.jsonl", "scores.json", "report.html", "report.md"),
        # Their files are named by the libraries that write them.
        *("checkpoints/checkpoint-[0-9]*/*", "checkpoints/unfinished/*", "tensorboard/*"),
    ),
    directories=("data", "base", "model", "translations"),
    precious=("base", "checkpoints", "metrics.jsonl", "model", "translations"),
)
EVALUATION = Kind(
    "evaluation", ("scores.json", "report.html", "report.md"), directories=("translations",), precious=("scores.json",)
)
DATA_BUILD = Kind("data build", ("data_card.md", "data_card.html", "data_report.json", "rejected.tsv"), ("data",))
SWEEP = Kind("sweep", ("sweep.json", "sweep.md"))


class RunDirectory:
    """Paths of one run or evaluation; as a context, ours to write to for as long as it lasts."""

    def __init__(self, root: Path, output: Output | None = None) -> None:
        self.root = root
        self.output = output
        """What writes are recorded with; None for a directory that is only read, and in all but the main process."""
        self.config = root / "config.yaml"
        self.manifest = root / "manifest.json"
        self.data = root / "data"
        self.data_card = root / "data_card.md"
        self.data_report = root / "data_report.json"
        self.rejected = root / "rejected.tsv"
        """Every pair that is in no split, with rule and origin."""
        self.base = root / "base"
        """The untrained model of a run that starts from scratch."""
        self.checkpoints = root / "checkpoints"
        self.metrics = root / "metrics.jsonl"
        self.failed_update = root / "failed_update.tsv"
        """The pairs of the update that was stopped because its loss was not finite."""
        self.tensorboard = root / "tensorboard"
        self.model = root / "model"
        self.scores = root / "scores.json"
        self.report = root / "report.html"
        self.summary = root / "report.md"

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.output is not None:
            self.output.__exit__(kind, error, traceback)

    def translations(self, test_set: str, system: str) -> Path:
        """Where one system's hypotheses on one test set lie."""
        return self.root / "translations" / test_set / f"{system}.txt"

    def write_translations(self, test_set: str, system: str, lines: Sequence[str]) -> Path:
        """Write one system's hypotheses on one test set; returns the file. Raises `RunError`."""
        file = self.translations(test_set, system)
        self.check_there(file)
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_lines(file, lines)
        return file

    def put(self, finished: Path, place: Path) -> None:
        """Rename a directory that is complete to `place`. Raises `RunError`."""
        assert self.output is not None
        self.output.put(finished, place)

    def unfinished(self, place: Path) -> Path:
        """An empty directory to write what `put` will rename to `place`. Raises `RunError`."""
        self.check_there()
        directory = unfinished_name(place)
        with writing(directory):
            directory.mkdir()
        return directory

    def check_there(self, *files: Path) -> None:
        """Raise `RunError` if the directory was deleted or replaced since it was claimed; `files` become ours."""
        if self.output is not None:
            self.output.record(*files)

    def clear(self) -> None:
        """Remove what an earlier command has written here. Raises `RunError`."""
        assert self.output is not None
        self.output.clear()

    def begin(self, config_yaml: str) -> None:
        """Start the run anew. Raises `RunError`."""
        self.clear()
        write_text(self.config, config_yaml)

    def go_on(self, config_yaml: str) -> None:
        """From now on, the run has this config. Raises `RunError`."""
        self.check_there()
        write_text(self.config, config_yaml)

    def is_run(self) -> bool:
        """Whether a run was started here."""
        return is_marked(self.root, TRAINING_RUN.name) or _is_of_earlier_version(self)

    def has_work(self) -> bool:
        """Whether the run came as far as what takes time; one that failed on its input before is nothing to lose."""
        return Output(self.root, TRAINING_RUN).has_precious()


def claim_run(root: Path, inputs: Mapping[str, str], *, resume: bool = False, overwrite: bool = False) -> RunDirectory:
    """Claim `root` for a run, until the end of the context that is returned.

    A new run begins with `begin`; until then, what an earlier one has left there stays. inputs: paths that must not
    lie in it, by what they are. Raises `RunError`, before a byte is written, if the directory is not ours to take, if
    it holds another run and neither `resume` nor `overwrite` is given, and if there is nothing to resume.
    """
    refuse_inputs_inside(root, inputs)
    run = RunDirectory(root)
    if resume:
        _check_resumable(run)
        if _is_of_earlier_version(run):
            _mark_earlier_version(run)
    else:
        _refuse_earlier_version(run, overwrite)
    run.output = claim(root, TRAINING_RUN, overwrite=overwrite, keep=resume)
    return run


def check_run_directory(
    root: Path, inputs: Mapping[str, str], *, resume: bool = False, overwrite: bool = False
) -> None:
    """Raise what `claim_run` would raise, as far as it can be told at once; nothing is written or locked."""
    run = RunDirectory(root)
    if resume:
        refuse_inputs_inside(root, inputs)
        _check_resumable(run)
    else:
        _refuse_earlier_version(run, overwrite)
        refuse_taken(root, TRAINING_RUN, inputs, overwrite=overwrite)


def _refuse_earlier_version(run: RunDirectory, overwrite: bool) -> None:
    if _is_of_earlier_version(run):
        remedy = "remove it yourself" if overwrite else "go on with it by --resume"
        raise RunError(f"{run.root}: holds a run of an earlier version; {remedy}, or choose another --output_dir")


def same_run(config_yaml: str, other_yaml: str) -> bool:
    """Whether two resolved configs are one run's; it may have been moved."""
    return _without_place(config_yaml) == _without_place(other_yaml)


def _without_place(config_yaml: str) -> list[str]:
    return [line for line in config_yaml.splitlines() if not line.startswith("output_dir:")]


def _check_resumable(run: RunDirectory) -> None:
    if not run.is_run() or not run.config.exists():
        raise RunError(f"{run.root}: no run to resume here; leave out --resume to start one")


def _is_of_earlier_version(run: RunDirectory) -> bool:
    """Whether a run was started here before there were marks: its manifest names the versions that it ran with."""
    try:
        if (run.root / MARK).exists() or not run.config.is_file():
            return False
        versions = read_manifest(run.manifest).get("versions")
    except (OSError, RunError):
        return False
    return isinstance(versions, dict) and "mt" in versions


def _mark_earlier_version(run: RunDirectory) -> None:
    """Give a run of an earlier version a mark that lists all that lies at a run's names."""
    below = [path for place in TRAINING_RUN.directories for path in (run.root / place).rglob("*")]
    files = [path.relative_to(run.root).as_posix() for path in below if path.is_file()]
    write_json(run.root / MARK, {"made_by": "an earlier mt", "kind": TRAINING_RUN.name, "files": files})


def sha256_of_rows(rows: Iterable[dict[str, str]]) -> str:
    """Hex SHA-256 of a split's rows in order, for the manifest."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
    return digest.hexdigest()


def cache_directory(name: str) -> Path:
    """Where what can be made again is kept under `name`; it may be deleted at any time.

    A relative XDG_CACHE_HOME is ignored, as its specification asks: it would mean another place in every directory.
    """
    said = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (said if said.is_absolute() else Path("~/.cache").expanduser()) / "mt" / name


def read_metrics(run: RunDirectory) -> list[dict[str, Any]]:
    """The lines of a run's `metrics.jsonl`; a torn or damaged line is left out."""
    try:
        lines = run.metrics.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [entry for line in lines if (entry := _metrics_of(line)) is not None]


def _metrics_of(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    is_whole = isinstance(entry, dict) and all(isinstance(value, int | float) for value in entry.values())
    return entry if is_whole and "update" in entry else None


def read_curve(run: RunDirectory) -> list[dict[str, float]]:
    """The evaluations on the dev split that a run has logged."""
    return [entry for entry in read_metrics(run) if "eval_loss" in entry]


def remarks_on(runs: Mapping[str, RunDirectory]) -> list[str]:
    """A sentence on each run whose model is its base as it was, as far as the runs say so; `runs` by system."""
    found = []
    for label, run in runs.items():
        with suppress(RunError):
            if read_manifest(run.manifest).get("model_is_base"):
                found.append(f"The model of {label} is its base as it was, for nothing that was trained was as good.")
    return found
