"""The data of a run, copied from a finished build, with its report and how well the tokenizer covers the corpora."""

from __future__ import annotations

import json
import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mt.config import Config
from mt.data.cache import code_files
from mt.data.formats.backtranslated import read_provenance
from mt.data.readers import input_files
from mt.data.report import DataReport
from mt.data.saved import take_build
from mt.errors import ModelError
from mt.files import sha256_of, sha256_of_json, write_json
from mt.models.model_files import check_model_name
from mt.report.data_card import licences_of, write_report
from mt.runs import RunDirectory

logger = logging.getLogger(__name__)

# What the measurement of a vocabulary depends on, besides the tokenizer itself.
_MEASURING = ("mt.data.vocabulary", "mt.models.tokenizer")
_WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".h5", ".msgpack"})


def take_data(config: Config, build: Path, run: RunDirectory, *, as_tsv: bool = False) -> DataReport:
    """Copy a finished build into a run and write the report of the data; returns that report.

    as_tsv: with the splits as tables, too. Raises `RunError` on a full disk.
    """
    report = DataReport.read(build / "data_report.json")
    for name, made in back_translations(config).items():
        report.corpora[name].back_translations = made
    _describe_vocabulary(config, build, report)
    write_report(run, report, config.model.languages, licences_of(config.data.corpora))
    take_build(build, run, config.model.languages, as_tsv=as_tsv)
    return report


def _describe_vocabulary(config: Config, build: Path, report: DataReport) -> None:
    """Add to the report how well the base model's tokenizer covers the corpora, or why that is unknown."""
    if config.model.scratch is not None:
        report.tokenizer = "not measured: the new model's vocabulary is learnt from these corpora when it is trained"
        return
    try:
        report.tokenizer, report.vocabulary = config.model.name, _vocabulary(config, build)
    except ModelError as error:
        logger.warning("vocabulary not measured: %s", error)
        report.tokenizer = f"not measured: {error}"


def _vocabulary(config: Config, build: Path) -> dict[str, Any]:
    """What `measure_vocabulary` finds, kept beside the build. Raises `ModelError`."""
    kept = _kept_vocabulary(config, build)
    vocabulary = _read_vocabulary(kept)
    if not vocabulary:
        # Not at the top: these take seconds to import.
        from datasets import load_from_disk

        from mt.data.vocabulary import measure_vocabulary
        from mt.models.transformers_model import load_tokenizer

        logger.info("measuring how well the model's tokenizer covers the corpora")
        vocabulary = measure_vocabulary(load_tokenizer(config.model), load_from_disk(str(build / "data")))
        if kept is not None:
            write_json(kept, vocabulary)
    return vocabulary


def _kept_vocabulary(config: Config, build: Path) -> Path | None:
    """The file beside the build that keeps the measurement for this tokenizer; None for a model on the hub."""
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
    """An earlier measurement; empty if there is none, or if it cannot be read."""
    try:
        vocabulary = json.loads(kept.read_text(encoding="utf-8")) if kept is not None else {}
    except (OSError, ValueError):
        return {}
    return vocabulary if isinstance(vocabulary, dict) else {}


def back_translations(config: Config) -> dict[str, list[dict[str, Any]]]:
    """How each table of each back-translated corpus was made, by corpus. Raises `DataError`."""
    found = {name: corpus for name, corpus in config.data.corpora.items() if corpus.is_backtranslated}
    languages = config.model.languages
    return {name: [read_provenance(file) for file in input_files(each, languages)] for name, each in found.items()}
