"""The identity of a model: hashes of its files, whatever their names and times say."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mt.caches import cache_directory
from mt.errors import ModelError, RunError
from mt.files import sha256_of, sha256_of_json, write_text
from mt.models.adapters import CONFIG as ADAPTER_CONFIG
from mt.models.adapters import Adapter, base_of
from mt.models.model_files import ModelFiles, files_of, read_object

BASE_IDENTITY = "base_identity.json"
"""The file beside a checkpoint's adapter with the identity of the base that the adapter was trained on."""

_MODEL_FILES = (".safetensors", ".bin", ".json", ".spm", ".model", ".txt", ".jinja")
_NOT_OF_THE_MODEL = ("trainer_state.json", "training_args.bin", BASE_IDENTITY)
# Hashing a smaller file is faster than finding its remembered hash.
_REMEMBERED_BYTES = 2**20
_SAMPLES, _SAMPLE_BYTES = 64, 4096
# The time stamps of some file systems are no more precise than this.
_SETTLED_SECONDS = 2.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


def model_identity(name: str, revision: str) -> dict[str, Any]:
    """For a directory the SHA-256 of each file, for a model on the hub its commit; an adapter's includes its base's.

    Raises `OSError` if a file cannot be read, and `ModelError` if there is no model.
    """
    return _identity_of(files_of(name, revision))


def _identity_of(files: ModelFiles) -> dict[str, Any]:
    if files.revision is not None:
        return {"hub": files.path, "commit": files.commit}
    names = [file for file in sorted(Path(files.path).iterdir()) if file.suffix in _MODEL_FILES and file.is_file()]
    identity: dict[str, Any] = {
        file.name: remembered_sha256(file) for file in names if file.name not in _NOT_OF_THE_MODEL
    }
    adapter = files.read_json(ADAPTER_CONFIG)
    if adapter is not None:
        identity["base"] = _identity_of(base_of(files, adapter))
    return identity


def record_base(adapter: Path, base: dict[str, Any]) -> None:
    """Write into an adapter's directory the `model_identity` of the base that it was trained on."""
    (adapter / BASE_IDENTITY).write_text(json.dumps(base, indent=1) + "\n", encoding="utf-8")


def check_base(adapter: Adapter) -> None:
    """Raise `ModelError` if the base is not the one that the adapter was trained on; nothing if that was not noted."""
    file = adapter.files.find(BASE_IDENTITY)
    if file is None:
        return
    before, now = read_object(file), _identity_of(adapter.base)
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if changed:
        raise ModelError(
            f"{adapter.files.name}: the base {adapter.base.path} has changed since this LoRA adapter was trained on it "
            f"({changed[0]}); restore the earlier base, or use the run's model/"
        )


def remembered_sha256(file: Path) -> str:
    """SHA-256 of a file; that of a large file is remembered until there is a sign that the file has changed.

    Size and mtime are not enough, because `cp -p`, `rsync` and `touch -r` keep them. Inode and ctime change with every
    write and cannot be set, except on network file systems or after the clock was turned back; so blocks of the
    content are sampled as well. A file written within the last two seconds could be written again without a visible
    change of its time stamps, so its hash is not kept (git calls such files "racy").
    """
    before = file.stat()
    if before.st_size < _REMEMBERED_BYTES:
        return sha256_of(file)
    started = time.time()
    memo = cache_directory("translations") / "sha256" / sha256_of_json(_state(file, before))[:32]
    with suppress(OSError, ValueError):
        remembered = memo.read_text(encoding="ascii")
        if _SHA256.fullmatch(remembered):
            return remembered
    found = sha256_of(file)
    is_settled = max(before.st_mtime, before.st_ctime) < started - _SETTLED_SECONDS
    if is_settled and _times(file.stat()) == _times(before):
        with suppress(OSError, RunError):
            write_text(memo, found, make_parents=True)
    return found


def _times(status: os.stat_result) -> list[int]:
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _state(file: Path, status: os.stat_result) -> list[Any]:
    """Everything that is cheap to know about a file: its stat values and a hash of 64 blocks spread evenly over it."""
    sampled = hashlib.sha256()
    last = max(0, status.st_size - _SAMPLE_BYTES)
    with file.open("rb", buffering=0) as stream:
        for number in range(_SAMPLES):
            stream.seek(last * number // (_SAMPLES - 1))
            sampled.update(stream.read(_SAMPLE_BYTES))
    return [*_times(status), sampled.hexdigest()]
