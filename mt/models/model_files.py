"""The files of a model, in a directory or on the hub; none is trusted: JSON is validated, and no code is run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mt.errors import ModelError, Stopped
from mt.models.missing_files import instead_of_model, refuse_stand_in

ADAPTER_CONFIG = "adapter_config.json"
"""The file that makes a directory a LoRA adapter; everything else may be in the base's directory."""
EMBEDDED_MODELS = Path(__file__).parent.parent / "assets"
_MAX_PATH_BYTES, _MAX_PART_BYTES = 4096, 256
# The largest known files, NLLB's tokenizer.json and the index of a model in many shards, have 32 MB and 1 MB.
_MAX_JSON_BYTES = 2**28
_MAX_SETTINGS_BYTES = 2**24


@dataclass(frozen=True)
class ModelFiles:
    """Access to the files of one model."""

    name: str
    """As the user gave it."""
    path: str
    """Directory or hub name."""
    revision: str | None = None
    """Branch, tag or commit of a hub model; None for a directory."""

    def find(self, file: str) -> Path | None:
        """The path of `file`; None if there is no such file. Raises `ModelError` for a directory or a network error."""
        if self.revision is None:
            return _regular_file(Path(self.path) / file)
        # Imported here, so that checking a directory does not wait seconds for it.
        from transformers.utils import cached_file

        try:
            found = cached_file(
                self.path, file, revision=self.revision, _raise_exceptions_for_missing_entries=file == "config.json"
            )
        except (OSError, ValueError) as error:
            raise ModelError(f"{not_found(self.name, self.revision)} ({first_line(error)})") from error
        return None if found is None else Path(found)

    def read_json(self, file: str, max_bytes: int = _MAX_SETTINGS_BYTES) -> dict[str, Any] | None:
        """The JSON object in `file`; None if the model has no such file. Raises `ModelError` if it is damaged."""
        found = self.find(file)
        return None if found is None else read_object(found, max_bytes)

    def read_vocabulary(self, file: str) -> dict[str, int] | None:
        """Ids by token, each id once; None if there is no such file. Raises `ModelError` if it is damaged."""
        vocabulary = self.read_json(file, _MAX_JSON_BYTES)
        if vocabulary is None:
            return None
        for token, index in vocabulary.items():
            if not is_index(index):
                raise ModelError(
                    f"{self.path}/{file}: token `{token[:40]}` has the id {index!r:.40}, which is not a number from 0"
                )
        if len(set(vocabulary.values())) < len(vocabulary):
            raise ModelError(f"{self.path}/{file}: two tokens have the same id; fetch the model again")
        return vocabulary

    @property
    def commit(self) -> str | None:
        """The commit of a hub model's revision; None for a directory."""
        config = None if self.revision is None else self.find("config.json")
        # .../snapshots/<commit>/config.json
        return None if config is None else config.parent.name


def files_of(name: str, revision: str) -> ModelFiles:
    """The files of the model that a user names. Raises `ModelError` for a path with no model."""
    path = check_model_name(name)
    # A directory has no revision, and hub models are cached by it.
    return ModelFiles(name, path, None if os.path.isdir(path) else revision)  # noqa: PTH112 - see `check_model_name`


def check_model_name(name: str) -> str:
    """The directory or hub name with the files of the model `name`; cheap, so call it before slow work.

    A name with the form of a hub name is not looked up. Raises `ModelError` for a path without a model.
    """
    if not is_path_name(name):
        raise ModelError(
            f"{shown(name)}: neither a path nor a hub name: it is too long, not UTF-8, or contains control characters"
        )
    # `os.path`, because the methods of `Path` raise if a part is too long or a directory may not be read.
    if os.path.isfile(EMBEDDED_MODELS / name / "config.json"):  # noqa: PTH113
        return str(EMBEDDED_MODELS / name)
    if os.path.isdir(name):  # noqa: PTH112
        if all(_regular_file(Path(name) / file) is None for file in ("config.json", ADAPTER_CONFIG)):
            instead = instead_of_model(Path(name))
            raise ModelError(
                f"{name}: no config.json in the directory, so it holds no model{instead and f'; {instead}'}"
            )
        return name
    # On the hub, every model of the supported kinds is owner/name.
    if name.startswith((".", "/", "~")) or name.count("/") != 1 or os.path.lexists(name):
        raise ModelError(f"{name}: no such model directory; check the path (seen from {Path.cwd()})")
    return name


def require_ctranslate2(name: str) -> None:
    """Raise `ModelError` if the package, which the model `name` needs, is not installed."""
    if find_spec("ctranslate2") is None:
        raise ModelError(
            f"{name}: CTranslate2 needs the package `ctranslate2`, which is not installed: pip install ctranslate2"
        )


def is_ctranslate2(path: str | Path) -> bool:
    """Whether `path` is a directory with a CTranslate2 model."""
    return os.path.isfile(os.path.join(path, "model.bin"))  # noqa: PTH113, PTH118 - see `check_model_name`


def is_path_name(name: str) -> bool:
    """Whether `name` could be a path: printable UTF-8, and no longer than paths may be."""
    try:
        parts = [part.encode() for part in name.split("/")]
    except UnicodeEncodeError:
        return False
    is_short = 0 < len(name.encode()) < _MAX_PATH_BYTES and max(map(len, parts)) < _MAX_PART_BYTES
    return is_short and name.isprintable()


def not_found(name: str, revision: str | None) -> str:
    """The sentence on a model that is neither here nor on the hub, or that the hub does not give."""
    return (
        f"{name}: neither a directory here nor a model that could be fetched from the hub at revision `{revision}`; "
        "check the name, the revision and the network"
    )


def shown(name: str) -> str:
    """`name` for a one-line message: shortened, and quoted if it could not be a path."""
    return name[:100] if is_path_name(name) else repr(name[:100])


def shown_name(name: str) -> str:
    """The name of a model for others: of a path the last parts, which say nothing of this machine."""
    parts = Path(name).parts
    is_path = name.startswith((".", "/", "~")) or len(parts) > 2 or Path(name).is_dir()
    return "/".join(parts[-2:]) if is_path and parts[-1:] == ("model",) else parts[-1] if is_path and parts else name


def is_index(value: object) -> bool:
    """Whether a value from JSON can be a token's id."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def read_object(file: Path, max_bytes: int = _MAX_SETTINGS_BYTES) -> dict[str, Any]:
    """The JSON object in a file. Raises `ModelError`, naming the file, if it contains anything else."""
    try:
        size = file.stat().st_size
        if size > max_bytes:
            raise ModelError(f"{file}: {size / 2**20:,.0f} MB, far more than such a file has; fetch it again")
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror or error})") from error
    except RecursionError as error:
        raise ModelError(f"{file}: JSON nested too deeply; fetch it again") from error
    except ValueError as error:
        raise ModelError(f"{file}: not valid JSON ({first_line(error)}); fetch it again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{file}: expected a JSON object, found {type(value).__name__}; fetch it again")
    return value


@contextmanager
def library_errors(message: str) -> Iterator[None]:
    """Turn whatever a library raises for files that it cannot read into a `ModelError`: `message`, then the reason.

    Only for calls that do nothing but read a model. The libraries do not document what they raise, and those written
    in Rust raise panics that are not even `Exception`s.
    """
    try:
        yield
    except (ModelError, Stopped, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise ModelError(f"{message} ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, at most 200 characters."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def _regular_file(file: Path) -> Path | None:
    """`file`, or None if it does not exist. Raises `ModelError` for a directory, a pipe or a broken link."""
    try:
        if file.is_file():
            refuse_stand_in(file)
            return file
        is_there = os.path.lexists(file)
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if is_there:
        raise ModelError(f"{file}: not a regular file, or a broken link; put the model's own file there")
    return None
