"""How the tokenizer copes with a build, measured once and kept beside it."""

from __future__ import annotations

import json
import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mt.config import Config
from mt.data.cache import code_files
from mt.data.report import DataReport
from mt.data.saved import load_splits
from mt.errors import ModelError
from mt.files import sha256_of, sha256_of_json, write_json
from mt.models.model_files import check_model_name
from mt.runs import RunDirectory

logger = logging.getLogger(__name__)


_MEASURING = ("mt.data.vocabulary", "mt.models.tokenizer")


_WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".h5", ".msgpack"})


def describe_vocabulary(config: Config, build: Path, report: DataReport, run: RunDirectory) -> None:
    """Put into the report how the base model's tokenizer copes with the corpora, or why that is not known."""
    if config.model.scratch is not None:
        report.tokenizer = "not measured: the model gets a vocabulary of its own when it is trained"
        return
    try:
        report.tokenizer, report.vocabulary = config.model.name, _vocabulary(config, build, run)
    except ModelError as error:
        logger.warning("vocabulary not measured: %s", error)
        report.tokenizer = f"not measured: {error}"


def _vocabulary(config: Config, build: Path, run: RunDirectory) -> dict[str, Any]:
    """See `measure_vocabulary`; kept beside the build. Raises `ModelError`."""
    kept = _kept_vocabulary(config, build)
    vocabulary = _read_vocabulary(kept)
    if not vocabulary:
        # Not at the top: transformers takes seconds to import.
        from mt.data.vocabulary import measure_vocabulary
        from mt.models.transformers_model import load_tokenizer

        vocabulary = measure_vocabulary(load_tokenizer(config.model), load_splits(run))
        if kept is not None:
            write_json(kept, vocabulary)
    return vocabulary


def _kept_vocabulary(config: Config, build: Path) -> Path | None:
    """Where what was measured of this build with the tokenizer of a directory is kept; None for a name on the hub."""
    model = Path(check_model_name(config.model.name))
    if not model.is_dir():
        return None
    tokenizer = [file for file in sorted(model.iterdir()) if file.is_file() and file.suffix not in _WEIGHTS]
    facts = {
        "tokenizer": {file.name: sha256_of(file) for file in tokenizer},
        "languages": [config.model.source_language, config.model.target_language],
        "code": [sha256_of(file) for module in _MEASURING for file in code_files(module)],
        "libraries": {name: version(name) for name in ("transformers", "tokenizers", "sentencepiece")},
    }
    return build.with_name(f"{build.name}-vocabulary-{sha256_of_json(facts)[:20]}.json")


def _read_vocabulary(kept: Path | None) -> dict[str, Any]:
    """What was measured before; empty if it was not, or cannot be read any more."""
    try:
        vocabulary = json.loads(kept.read_text(encoding="utf-8")) if kept is not None else {}
    except (OSError, ValueError):
        return {}
    return vocabulary if isinstance(vocabulary, dict) else {}
