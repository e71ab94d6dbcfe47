"""What `mt data` does: build the data of a config, and show it to a person, without training."""

from __future__ import annotations

import json
import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mt.config import Config
from mt.data.cache import cached_build, code_files
from mt.data.card import card_view, summary, write_report
from mt.data.report import DataReport
from mt.data.saved import load_splits, take_build
from mt.early_checks import check_data_files, data_directory
from mt.errors import ModelError
from mt.evaluation.data_card import render_data_card
from mt.files import sha256_of, sha256_of_json, write_json, write_text
from mt.input_paths import paths_of
from mt.model_files import check_model_name
from mt.outputs import claim, refuse_inputs_inside
from mt.runs import DATA_BUILD, RunDirectory

logger = logging.getLogger(__name__)

_MEASURING = ("mt.data.vocabulary", "mt.model_tokenizer")
_WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".h5", ".msgpack"})


def inspect_data(config: Config, *, as_tsv: bool = False) -> tuple[Path, str]:
    """Build the data and write `data/`, `data_card.md`, `data_card.html`, `data_report.json` and `rejected.tsv`.

    Returns the directory, `runs/<name>-data` unless the config says otherwise, and one line of numbers.
    """
    check_data_files(config)
    held_out = config.evaluation.named_sets
    root = data_directory(config)
    refuse_inputs_inside(root, paths_of(config))
    with RunDirectory(root, claim(root, DATA_BUILD)) as run:
        build = cached_build(config.data, held_out)
        report = DataReport.read(build / "data_report.json")
        run.clear()
        take_build(build, run, as_tsv=as_tsv)
        _describe_vocabulary(config, build, report, run)
        write_report(run, report)
        write_text(run.root / "data_card.html", render_data_card(f"Data of {config.name}", card_view(report)))
    return root, summary(report)


def _describe_vocabulary(config: Config, build: Path, report: DataReport, run: RunDirectory) -> None:
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
        from mt.model import load_tokenizer

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
