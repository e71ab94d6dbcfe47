"""What a run says of itself: what it was made from, by which code and machine, and how long it took."""

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
    """The content of `manifest.json`, written whenever something is added."""

    def __init__(self, file: Path, facts: Mapping[str, Any]) -> None:
        self.file, self.facts = file, dict(facts)
        self._begun = time.monotonic()

    @classmethod
    def begin(cls, file: Path, name: str, seed: int, made_from: Mapping[str, Any]) -> Manifest:
        """Of a new run. made_from: see `mt.experiment.inputs.identify`. Raises `RunError` if it cannot be written."""
        start = _start()
        facts = {"name": name, **start, "seed": seed, **made_from, "wall_seconds": 0.0, "starts": [start]}
        manifest = cls(file, facts)
        manifest.update()
        return manifest

    @classmethod
    def go_on(cls, file: Path, made_from: Mapping[str, Any], dropped: Collection[str] = ()) -> Manifest:
        """Of a run that is resumed; when it was begun, by what and how long it has taken stay.

        dropped: inputs that the run is to do without from now on.

        Raises `RunError` if it was made from anything else than `made_from`, naming what has changed, and if the
        file is gone or damaged.
        """
        facts = read_manifest(file)
        if not facts:
            raise RunError(
                f"{file}: is missing, so nobody can tell whether the inputs are those the run began with; "
                "start anew by --overwrite"
            )
        _refuse_changes(facts, made_from, dropped)
        # A manifest of an earlier version knows one.
        past = facts.get("starts") or [{key: facts.get(key) for key in _start()}]
        past[-1].setdefault("seconds", facts.get("wall_seconds", 0.0))
        manifest = cls(file, {**facts, **made_from, "starts": [*past, _start()]})
        manifest.update()
        return manifest

    def update(self, **facts: Any) -> None:
        """Add facts, and the time since the last start to that of the starts before. Raises `RunError`."""
        self.facts |= facts
        starts = self.facts["starts"]
        starts[-1]["seconds"] = round(time.monotonic() - self._begun, 1)
        self.facts["wall_seconds"] = round(sum(start.get("seconds") or 0.0 for start in starts), 1)
        write_json(self.file, self.facts)


def read_manifest(file: Path) -> dict[str, Any]:
    """What a run has written of itself; empty if there is no such file. Raises `RunError` for a damaged one."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: is damaged ({error}); restore it, or start anew by --overwrite") from error
    if not isinstance(facts, dict):
        raise RunError(f"{file}: is damaged (no JSON object); restore it, or start anew by --overwrite")
    return facts


def _refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any], dropped: Collection[str]) -> None:
    """Raise `RunError` if an input has changed since the run began; what an old manifest does not say is believed."""
    inputs = {path: digest for path, digest in (before.get("inputs") or {}).items() if path not in dropped}
    changes = _changed_files(inputs, now["inputs"])
    known = (before.get("base_model") or {}).get("identity")
    if known is not None and known != now["base_model"]["identity"]:
        changes.append(f"the base model {now['base_model']['name']} has changed")
    if changes:
        more = f" (and {len(changes) - _MAX_NAMED} more)" if len(changes) > _MAX_NAMED else ""
        raise RunError(
            f"{'; '.join(changes[:_MAX_NAMED])}{more} since the run began on {before.get('started')}: "
            "put back what was there, or start anew by --overwrite or another --output_dir"
        )


def _changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [f"{printable(path)} has changed" for path in before if path in now and now[path] != before[path]]
    gone = [f"{printable(path)} is gone" for path in before if path not in now]
    return changed + gone


def _start() -> dict[str, Any]:
    """Who runs, and when: one entry of `starts`, and of the first one also at the manifest's top."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [printable(argument) for argument in sys.argv],
        "versions": {"mt": mt.__version__, "python": platform.python_version(), **_versions()},
        "git_commit": git_commit(),
        "hardware": _hardware(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The commit of the code that runs, `+changes` if it was edited since; None outside its repository.

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
    # Here, so that a manifest can be read without the second that this takes.
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": gpus,
    }
