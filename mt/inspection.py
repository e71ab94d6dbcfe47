"""What `mt data` does: build the data of a config, and show it to a person, without training."""

from __future__ import annotations

import logging
from pathlib import Path

from mt.config import Config
from mt.data.cache import cached_build
from mt.data.card import card_view, summary, write_report
from mt.data.report import DataReport
from mt.data.saved import load_splits, take_build
from mt.data.vocabulary import measure_vocabulary
from mt.early_checks import check_data_files, data_directory
from mt.errors import ModelError
from mt.evaluation.report import render_data_card
from mt.files import write_text
from mt.input_paths import paths_of
from mt.model import load_tokenizer
from mt.outputs import claim, refuse_inputs_inside
from mt.runs import DATA_BUILD, RunDirectory

logger = logging.getLogger(__name__)


def inspect_data(config: Config) -> tuple[Path, str]:
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
        take_build(build, run)
        _describe_vocabulary(config, report, run)
        write_report(run, report)
        write_text(run.root / "data_card.html", render_data_card(f"Data of {config.name}", card_view(report)))
    return root, summary(report)


def _describe_vocabulary(config: Config, report: DataReport, run: RunDirectory) -> None:
    if config.model.scratch is not None:
        report.tokenizer = "not measured: the model gets a vocabulary of its own when it is trained"
        return
    try:
        tokenizer = load_tokenizer(config.model)
    except ModelError as error:
        logger.warning("vocabulary not measured: %s", error)
        report.tokenizer = f"not measured: {error}"
        return
    report.tokenizer, report.vocabulary = config.model.name, measure_vocabulary(tokenizer, load_splits(run))
