"""The run directory: everything of one experiment, under fixed names that other scripts rely on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from mt.errors import RunError
from mt.files import write_json, write_lines, write_text
from mt.manifest import read_manifest
from mt.outputs import MARK, Kind, Output, check_output, claim, is_marked, refuse_inputs_inside

TRAINING_RUN = Kind(
    "training run",
    files=(
        *("config.yaml", "manifest.json", "data_card.md", "data_report.json", "rejected.tsv", "failed_update.tsv"),
        *("metrics.jsonl", "scores.json", "report.html", "report.md", "confidence.json"),
        # The libraries that write these choose the names.
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
    """The paths of one run or evaluation; one that was claimed is ours to write to until the end of its context."""

    def __init__(self, root: Path, output: Output | None = None) -> None:
        self.root = root
        self.output = output
        """Records what is written; None for a directory that is only read, and outside the main process."""
        self.config = root / "config.yaml"
        self.manifest = root / "manifest.json"
        self.data = root / "data"
        self.data_card = root / "data_card.md"
        self.data_report = root / "data_report.json"
        self.rejected = root / "rejected.tsv"
        """Every pair that is in no split, with the rule that dropped it and its origin."""
        self.base = root / "base"
        """The untrained model of a run that starts from scratch."""
        self.checkpoints = root / "checkpoints"
        self.metrics = root / "metrics.jsonl"
        self.failed_update = root / "failed_update.tsv"
        """The pairs of the update at which training stopped because the loss was not finite."""
        self.tensorboard = root / "tensorboard"
        self.model = root / "model"
        self.scores = root / "scores.json"
        self.confidence = root / "confidence.json"
        """How the model's log-probabilities are turned into expected chrF; see `mt.evaluation.confidence`."""
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
        """The file of one system's hypotheses on one test set."""
        return self.root / "translations" / test_set / f"{system}.txt"

    def write_translations(self, test_set: str, system: str, lines: Sequence[str]) -> Path:
        """Write one system's hypotheses on one test set; returns the file. Raises `RunError`."""
        file = self.translations(test_set, system)
        self.check_there(file)
        write_lines(file, lines, make_parents=True)
        return file

    def new_directory(self, directory: Path) -> AbstractContextManager[Path]:
        """An empty directory to fill, which replaces `directory` when the context ends; see `Output.new_directory`."""
        assert self.output is not None
        return self.output.new_directory(directory)

    def check_there(self, *files: Path) -> None:
        """Raise `RunError` if the directory was deleted or replaced since it was claimed; list `files` as ours."""
        if self.output is not None:
            self.output.record(*files)

    def clear(self) -> None:
        """Remove what an earlier command has written here. Raises `RunError`."""
        assert self.output is not None
        self.output.clear()

    def begin(self, config_yaml: str) -> None:
        """Start the run afresh: remove what is there and write its config. Raises `RunError`."""
        self.clear()
        write_text(self.config, config_yaml)

    def go_on(self, config_yaml: str) -> None:
        """Replace the run's config, which a resumed run may do. Raises `RunError`."""
        self.check_there()
        write_text(self.config, config_yaml)

    def is_run(self) -> bool:
        """Whether a run was ever started here."""
        return is_marked(self.root, TRAINING_RUN.name) or _is_of_earlier_version(self)

    def has_work(self) -> bool:
        """Whether the run holds anything that took time to make; one that failed on its input does not."""
        return Output(self.root, TRAINING_RUN).has_precious()


def claim_run(root: Path, inputs: Mapping[str, str], *, resume: bool = False, overwrite: bool = False) -> RunDirectory:
    """Claim `root` for a run, until the end of the context that is returned.

    Until `begin` is called, what an earlier run has left there stays. inputs: see `claim`.

    Raises `RunError`, before a byte is written, if the directory is not ours to take, if it holds a run and neither
    `resume` nor `overwrite` is given, and if there is nothing to resume.
    """
    refuse_inputs_inside(root, inputs)
    run = RunDirectory(root)
    if resume:
        _check_resumable(run)
        if _is_of_earlier_version(run):
            _mark_earlier_version(run)
    else:
        _refuse_earlier_version(run, overwrite)
    run.output = claim(root, TRAINING_RUN, inputs, overwrite=overwrite, keep=resume)
    return run


def check_run_directory(
    root: Path, inputs: Mapping[str, str], *, resume: bool = False, overwrite: bool = False
) -> None:
    """Raise the `RunError` that `claim_run` would raise, as far as a glance can tell; nothing is written or locked."""
    run = RunDirectory(root)
    if resume:
        refuse_inputs_inside(root, inputs)
        _check_resumable(run)
    else:
        _refuse_earlier_version(run, overwrite)
        check_output(root, TRAINING_RUN, inputs, overwrite=overwrite)


def _refuse_earlier_version(run: RunDirectory, overwrite: bool) -> None:
    if _is_of_earlier_version(run):
        remedy = "remove it yourself" if overwrite else "continue it with --resume"
        raise RunError(f"{run.root}: holds a run of an earlier version; {remedy}, or choose another --output_dir")


def same_run(config_yaml: str, other_yaml: str) -> bool:
    """Whether two resolved configs differ at most in `output_dir`: the run may have been moved."""
    return _without_output_dir(config_yaml) == _without_output_dir(other_yaml)


def _without_output_dir(config_yaml: str) -> list[str]:
    return [line for line in config_yaml.splitlines() if not line.startswith("output_dir:")]


def _check_resumable(run: RunDirectory) -> None:
    if not run.is_run() or not run.config.exists():
        raise RunError(f"{run.root}: there is no run to resume here; leave out --resume to start one")


def _is_of_earlier_version(run: RunDirectory) -> bool:
    """Whether a version without marks started a run here: its manifest names the versions that it ran with."""
    try:
        if (run.root / MARK).exists() or not run.config.is_file():
            return False
        versions = read_manifest(run.manifest).get("versions")
    except (OSError, RunError):
        return False
    return isinstance(versions, dict) and "mt" in versions


def _mark_earlier_version(run: RunDirectory) -> None:
    """Give a run of an earlier version a mark that lists every file in a run's directories."""
    below = [path for name in TRAINING_RUN.directories for path in (run.root / name).rglob("*")]
    files = [path.relative_to(run.root).as_posix() for path in below if path.is_file()]
    write_json(run.root / MARK, {"made_by": "an earlier mt", "kind": TRAINING_RUN.name, "files": files})


def sha256_of_rows(rows: Iterable[dict[str, str]]) -> str:
    """Hex SHA-256 of a split's rows in order, for the manifest."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
    return digest.hexdigest()


def read_metrics(run: RunDirectory) -> list[dict[str, Any]]:
    """The lines of a run's `metrics.jsonl`, without torn or damaged ones."""
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
    is_intact = isinstance(entry, dict) and all(isinstance(value, int | float) for value in entry.values())
    return entry if is_intact and "update" in entry else None


def read_curve(run: RunDirectory) -> list[dict[str, float]]:
    """The evaluations on the dev split in a run's `metrics.jsonl`."""
    return [entry for entry in read_metrics(run) if "eval_loss" in entry]


def remarks_on(runs: Mapping[str, RunDirectory]) -> list[str]:
    """A sentence for each run whose final model is its unchanged base, as far as manifests tell. runs: by system."""
    found = []
    for label, run in runs.items():
        with suppress(RunError):
            if read_manifest(run.manifest).get("model_is_base"):
                found.append(f"The model of {label} is its unchanged base: nothing that was trained was as good.")
    return found
