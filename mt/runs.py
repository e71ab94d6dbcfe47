"""The run directory: where everything of one experiment lies, under names that others' scripts read."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import mt
from mt.errors import RunError

# Everything a run writes; `--overwrite` removes these and nothing else.
_CONTENTS = (
    *(
        "config.yaml",
        "manifest.json",
        "data",
        "data_card.md",
        "data_report.json",
        "rejected.tsv",
        "failed_update.tsv",
        "base",
        "checkpoints",
    ),
    *("metrics.jsonl", "tensorboard", "model", "translations", "scores.json", "report.html", "report.md"),
)
_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "sacrebleu", "sentencepiece", "tokenizers", "numpy")


class RunDirectory:
    """Paths of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config.yaml"
        self.manifest = root / "manifest.json"
        self.data = root / "data"
        self.data_card = root / "data_card.md"
        self.data_report = root / "data_report.json"
        self.rejected = root / "rejected.tsv"
        """Every pair that is in no split, with rule and place."""
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

    def translations(self, test_set: str, system: str) -> Path:
        """Where one system's hypotheses on one test set lie."""
        return self.root / "translations" / test_set / f"{system}.txt"

    def is_run(self) -> bool:
        """Whether a run was started here."""
        return self.config.is_file()

    def has_work(self) -> bool:
        """Whether the run came as far as training; one that failed on its input before is nothing to lose."""
        return self.manifest.is_file()


def open_run(root: Path, config_yaml: str, *, resume: bool = False, overwrite: bool = False) -> RunDirectory:
    """Claim `root` for the run that `config_yaml` describes.

    Raises `RunError` if it holds another run and neither `resume` nor `overwrite` is given, if there is nothing
    to resume or the run there had another config, or if it holds files that are no run's.
    """
    run = RunDirectory(root)
    if resume:
        _check_resumable(run, config_yaml)
        return run
    strangers = sorted(path.name for path in root.iterdir() if path.name not in _CONTENTS) if root.is_dir() else []
    if root.exists() and not root.is_dir():
        raise RunError(f"{root}: the output directory is a file; choose another --output_dir")
    if strangers and not run.is_run():
        raise RunError(f"{root}: holds files that are no run's, such as {strangers[0]}; choose another --output_dir")
    if run.has_work() and not overwrite:
        raise RunError(
            f"{root}: the output directory holds another run; "
            "go on with it by --resume, replace it by --overwrite, or choose another --output_dir"
        )
    try:
        for name in _CONTENTS:
            _remove(root / name)
        root.mkdir(parents=True, exist_ok=True)
        write_text(run.config, config_yaml)
    except OSError as error:
        raise RunError(f"{root}: the output directory cannot be written ({error.strerror or error})") from error
    return run


def cache_directory(name: str) -> Path:
    """Where what can be made again is kept under `name`; it may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "mt" / name


def same_run(config_yaml: str, other_yaml: str) -> bool:
    """Whether two resolved configs are one run's; it may have been moved."""
    return _without_place(config_yaml) == _without_place(other_yaml)


def _without_place(config_yaml: str) -> list[str]:
    return [line for line in config_yaml.splitlines() if not line.startswith("output_dir:")]


def _check_resumable(run: RunDirectory, config_yaml: str) -> None:
    if not run.is_run():
        raise RunError(f"{run.root}: no run to resume here; leave out --resume to start one")
    before, now = _without_place(run.config.read_text(encoding="utf-8")), _without_place(config_yaml)
    changed = [line.strip() for line in now if line not in before] or [
        line.strip() for line in before if line not in now
    ]
    if before != now:
        raise RunError(
            f"{run.root}: the run there had another config (now `{changed[0] if changed else '?'}`); "
            "resume with the same options, or start anew by --overwrite or another --output_dir"
        )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def read_manifest(run: RunDirectory) -> dict[str, Any]:
    """What a run has written of itself; empty if it did not come that far."""
    try:
        facts: dict[str, Any] = json.loads(run.manifest.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return facts


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one line an item. Line ends inside an item become spaces: line n belongs to sentence n."""
    write_text(path, "".join(" ".join(line.splitlines()) + "\n" for line in lines))


def start_manifest(config_name: str, seed: int, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What is known of a run before it starts: versions, commit, hardware, seed, inputs."""
    return {
        "name": config_name,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "versions": {"mt": mt.__version__, "python": platform.python_version(), **_versions()},
        "git_commit": _git_commit(),
        "hardware": _hardware(),
        "seed": seed,
        "inputs": dict(inputs),
    }


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_rows(rows: Iterable[dict[str, str]]) -> str:
    """Hex SHA-256 of a split's rows in order, for the manifest."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """The commit of the code that runs, `+changes` if it was edited since; None outside a repository."""
    command = ["git", "-C", str(Path(mt.__file__).parent)]
    try:
        commit = subprocess.run([*command, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        status = subprocess.run([*command, "status", "--porcelain", "."], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+changes" if status.stdout.strip() else "")


def _hardware() -> dict[str, Any]:
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": gpus,
    }
