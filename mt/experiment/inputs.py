"""Hashes of everything a run is made from, so that a resumed run cannot mix two versions of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mt.config import Config, ModelConfig
from mt.config.input_paths import corpora_of, tables_of
from mt.data.cache import encoder_identities, input_hashes
from mt.errors import DataError, ModelError
from mt.experiment.data import back_translations
from mt.files import printable, sha256_of
from mt.models.identity import model_identity
from mt.models.model_files import not_found


def identify(config: Config) -> dict[str, Any]:
    """`inputs`, the SHA-256 of every file by its path, and `base_model`, its name and the hashes of its files.

    Where there are some, by corpus: `encoders`, what its selection encodes sentences with, and `back_translations`, how
    they were made.

    Raises `DataError` for a file that cannot be read, `ModelError` if there is no such model or no network.
    """
    languages = config.model.languages
    hashes = [input_hashes(corpus, languages) for corpus in corpora_of(config).values()]
    files = {path: digest for each in hashes for path, digest in each.items()}
    files |= {path: _hash(path) for path in tables_of(config).values()}
    scratch = config.model.scratch is not None
    identity = None if scratch else _identity_of_base(config.model)
    name = None if scratch else config.model.name
    facts: dict[str, Any] = {
        "inputs": {printable(path): digest for path, digest in files.items()},
        "base_model": {"name": name, "identity": identity},
    }
    by_corpus = {"encoders": encoder_identities(config.data.corpora), "back_translations": back_translations(config)}
    return facts | {name: found for name, found in by_corpus.items() if found}


def _identity_of_base(model: ModelConfig) -> dict[str, Any]:
    try:
        return model_identity(model.name, model.revision)
    except OSError as error:
        raise ModelError(not_found(model.name, model.revision)) from error


def _hash(path: str) -> str:
    try:
        return sha256_of(Path(path))
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read ({error.strerror})") from error
