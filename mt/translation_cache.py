"""Translations, kept by all that went into them, so that a second comparison decodes nothing."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from transformers.utils import cached_file

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.files import sha256_of
from mt.model import check_model_name, is_converted
from mt.runs import cache_directory

logger = logging.getLogger(__name__)

# To be raised by whoever changes what a model's translations come out as: encoding, search, decoding.
_FORMAT = 2
_MODEL_FILES = (".safetensors", ".bin", ".json", ".spm", ".model", ".txt")
_NOT_OF_THE_MODEL = ("trainer_state.json", "training_args.bin")
# Smaller ones are hashed faster than looked up.
_REMEMBERED_BYTES = 2**20


@dataclass(frozen=True)
class CacheKey:
    """What a list of translations depends on."""

    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its file, without the directory."""
        return f"{_digest(self.facts)[:32]}.json"


def cache_root() -> Path:
    """Where translations are kept; it may be deleted at any time."""
    return cache_directory("translations")


def cache_key(model: ModelConfig, decoding: DecodingConfig, sources: Sequence[str]) -> CacheKey | None:
    """The key for `sources` translated by `model`; None if its files or its commit cannot be had.

    Libraries count by major and minor version.
    """
    try:
        identity = model_identity(model.name, model.revision)
    except (OSError, ModelError, ValueError, KeyError) as error:
        # Whatever is wrong with it, loading it will tell.
        logger.debug("%s: no key for the cache of translations (%s)", model.name, error)
        return None
    backend = "ctranslate2" if is_converted(model.name) else "torch"
    return CacheKey(
        {
            "format": _FORMAT,
            "model": identity,
            "languages": [model.source_language, model.target_language],
            "decoding": asdict(decoding),
            "terms": None if decoding.terminology is None else sha256_of(Path(decoding.terminology)),
            "libraries": {name: ".".join(version(name).split(".")[:2]) for name in (backend, "transformers")},
            "sources": _digest(list(sources)),
        }
    )


def model_identity(name: str, revision: str) -> dict[str, Any]:
    """What makes a model the one it is: SHA-256 by file of a directory, the commit of a model on the hub.

    A LoRA adapter's includes its base's. Raises `OSError` if a file or the hub cannot be read, and whatever
    a broken `adapter_config.json` leads to.
    """
    path = Path(check_model_name(name))
    if not path.is_dir():
        return {"hub": name, "commit": _hub_commit(name, revision)}
    files = [file for file in sorted(path.iterdir()) if file.suffix in _MODEL_FILES]
    identity: dict[str, Any] = {
        file.name: _remembered_sha256(file) for file in files if file.name not in _NOT_OF_THE_MODEL
    }
    if "adapter_config.json" in identity:
        adapter = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
        base = str(adapter["base_model_name_or_path"])
        identity["base"] = model_identity(base, adapter.get("revision") or "main")
    return identity


def read_translations(key: CacheKey, expected: int) -> list[str] | None:
    """The `expected` translations kept for `key`; None if there are none, with a warning if they are damaged."""
    file = cache_root() / key.name
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        translations = kept["translations"]
        is_whole = len(translations) == expected and kept["sha256"] == _digest(translations)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: kept translations cannot be read (%s); translating anew", file, error)
        return None
    if not is_whole:
        logger.warning("%s: kept translations are damaged; translating anew", file)
        return None
    return [str(line) for line in translations]


def keep_translations(key: CacheKey, translations: Sequence[str]) -> None:
    """Keep them for `key`; a disk that cannot be written costs a warning."""
    lines = list(translations)
    content = {"facts": key.facts, "sha256": _digest(lines), "translations": lines}
    try:
        _write_whole(cache_root() / key.name, json.dumps(content, ensure_ascii=False, indent=1))
    except OSError as error:
        logger.warning("%s: translations cannot be kept there (%s)", cache_root(), error.strerror or error)


def _write_whole(file: Path, text: str) -> None:
    """Write a file whole or not at all, whoever else writes it at the same time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = mkstemp(prefix="unfinished-", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remembered_sha256(file: Path) -> str:
    """SHA-256 of a file; that of a large one is remembered until its size or time changes."""
    status = file.stat()
    if status.st_size < _REMEMBERED_BYTES:
        return sha256_of(file)
    facts = {"path": str(file.resolve()), "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    memo = cache_root() / "sha256" / _digest(facts)[:32]
    with suppress(OSError, ValueError):
        remembered = memo.read_text(encoding="ascii")
        if len(remembered) == 64:
            return remembered
    digest = sha256_of(file)
    with suppress(OSError):
        _write_whole(memo, digest)
    return digest


def _hub_commit(name: str, revision: str) -> str:
    """The commit that a hub model's revision stands at. Raises `OSError` if neither hub nor cache know it."""
    # .../snapshots/<commit>/config.json
    return Path(str(cached_file(name, "config.json", revision=revision))).parent.name


def _digest(value: Mapping[str, Any] | Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
