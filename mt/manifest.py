"""`manifest.json`: what a run was made from, with which code, on which machine, and how long it took."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mt
from mt.errors import RunError
from mt.files import printable, write_json

_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "sacrebleu", "sentencepiece", "tokenizers", "numpy")
_MAX_NAMED = 3


class Manifest:
    """The content of `manifest.json`, written again whenever something is added."""

    def __init__(self, file: Path, facts: Mapping[str, Any]) -> None:
        self.file, self.facts = file, dict(facts)
        self._begun = time.monotonic()

    @classmethod
    def begin(cls, file: Path, name: str, seed: int, made_from: Mapping[str, Any]) -> Manifest:
        """The manifest of a new run. Raises `RunError` if it cannot be written.

        made_from: see `mt.experiment.inputs.identify`.
        """
        start = _start()
        facts = {"name": name, **start, "seed": seed, **made_from, "wall_seconds": 0.0, "starts": [start]}
        manifest = cls(file, facts)
        manifest.update()
        return manifest

    @classmethod
    def go_on(cls, file: Path, made_from: Mapping[str, Any], dropped: Collection[str] = ()) -> Manifest:
        """The manifest of a run that is resumed; what it says of earlier starts is kept.

        dropped: inputs that the run no longer uses.

        Raises `RunError` if the file is missing or damaged, or if the run was made from anything other than
        `made_from`, naming what has changed.
        """
        facts = read_manifest(file)
        if not facts:
            raise RunError(
                f"{file}: is missing, so it cannot be told whether the run began with these inputs; "
                "start again with --overwrite"
            )
        _refuse_changes(facts, made_from, dropped)
        # The manifest of an earlier version knows only one start, at its top.
        past = facts.get("starts") or [{key: facts.get(key) for key in _start()}]
        past[-1].setdefault("seconds", facts.get("wall_seconds", 0.0))
        manifest = cls(file, {**facts, **made_from, "starts": [*past, _start()]})
        manifest.update()
        return manifest

    def update(self, **facts: Any) -> None:
        """Add facts, update the time that all starts took together, and write the file. Raises `RunError`."""
        self.facts |= facts
        starts = self.facts["starts"]
        starts[-1]["seconds"] = round(time.monotonic() - self._begun, 1)
        self.facts["wall_seconds"] = round(sum(start.get("seconds") or 0.0 for start in starts), 1)
        write_json(self.file, self.facts)


def read_manifest(file: Path) -> dict[str, Any]:
    """The content of a `manifest.json`; empty if the file is missing. Raises `RunError` for a damaged one."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: is damaged ({error}); restore it, or start again with --overwrite") from error
    if not isinstance(facts, dict):
        raise RunError(f"{file}: is damaged (not a JSON object); restore it, or start again with --overwrite")
    return facts


def _refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any], dropped: Collection[str]) -> None:
    """Raise `RunError` if an input has changed since the run began; what an old manifest omits counts as unchanged."""
    inputs = {path: digest for path, digest in (before.get("inputs") or {}).items() if path not in dropped}
    changes = _changed_files(inputs, now["inputs"])
    known = (before.get("base_model") or {}).get("identity")
    if known is not None and known != now["base_model"]["identity"]:
        changes.append(f"the base model {now['base_model']['name']} has changed")
    if changes:
        more = f" (and {len(changes) - _MAX_NAMED} more)" if len(changes) > _MAX_NAMED else ""
        raise RunError(
            f"{'; '.join(changes[:_MAX_NAMED])}{more} since the run began on {before.get('started')}: "
            "put the former files back, or start again with --overwrite or another --output_dir"
        )


def _changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [f"{printable(path)} has changed" for path in before if path in now and now[path] != before[path]]
    gone = [f"{printable(path)} is gone" for path in before if path not in now]
    return changed + gone


def _start() -> dict[str, Any]:
    """Time, command, versions and hardware of one start: an entry of `starts`; the first is also at the top level."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [printable(argument) for argument in sys.argv],
        "versions": {"mt": mt.__version__, "python": platform.python_version(), **_versions()},
        "git_commit": git_commit(),
        "hardware": _hardware(),
    }


def _versions() -> dict[str, str]:
    return {package: found for package in _PACKAGES if (found := installed_version(package)) is not None}


def installed_version(package: str) -> str | None:
    """The version of an installed package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """The commit of the running code, with `+changes` if it was edited since; None outside its repository.

    An installed package may lie in an environment inside of somebody else's repository, which does not track it.
    """
    command = ["git", "-C", str(Path(mt.__file__).parent)]
    try:
        subprocess.run([*command, "ls-files", "--error-unmatch", "__init__.py"], capture_output=True, check=True)
        commit = subprocess.run([*command, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        status = subprocess.run([*command, "status", "--porcelain", "."], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+changes" if status.stdout.strip() else "")


def _hardware() -> dict[str, Any]:
    # Not at the top: it takes a second, which reading a manifest need not wait for.
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": gpus,
    }
