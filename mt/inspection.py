"""What `mt data` does: build the data of a config, and show it to a person, without training."""

from __future__ import annotations

import logging
from pathlib import Path

from datasets import DatasetDict, load_from_disk

from mt.config import Config
from mt.data.builder import check_data
from mt.data.cache import cached_build, read_report
from mt.data.card import card_view, summary, take_build, write_report
from mt.data.readers import check_corpus
from mt.data.report import DataReport
from mt.data.vocabulary import measure_vocabulary
from mt.errors import ModelError, RunError
from mt.evaluation.report import render_data_card
from mt.model import load_tokenizer
from mt.runs import RunDirectory, write_text

logger = logging.getLogger(__name__)


def inspect_data(config: Config) -> tuple[Path, str]:
    """Build the data and write `data/`, `data_card.md`, `data_card.html`, `data_report.json` and `rejected.tsv`.

    Returns the directory, `runs/<name>-data` unless the config says otherwise, and one line of numbers.
    """
    check_data(config.data)
    held_out = config.evaluation.named_sets
    for name, corpus in held_out.items():
        check_corpus(name, corpus)
    run = RunDirectory(Path(config.output_dir or f"runs/{config.name}-data"))
    if run.is_run():
        raise RunError(f"{run.root}: the output directory holds a training run; choose another --output_dir")
    build = cached_build(config.data, held_out)
    try:
        run.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{run.root}: the output directory cannot be written ({error.strerror})") from error
    take_build(build, run)
    report = read_report(build)
    _describe_vocabulary(config, report, run)
    write_report(run, report)
    write_text(run.root / "data_card.html", render_data_card(f"Data of {config.name}", card_view(report)))
    return run.root, summary(report)


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
    data = load_from_disk(run.data)
    assert isinstance(data, DatasetDict)
    report.tokenizer, report.vocabulary = config.model.name, measure_vocabulary(tokenizer, data)
