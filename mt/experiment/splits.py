"""The splits of a run: built once, checked when it is resumed, and described on the data card."""

from __future__ import annotations

import logging

from datasets import DatasetDict

from mt.config import Config
from mt.data.cache import cached_build
from mt.data.report import DataReport
from mt.data.saved import damage_of_splits, describe_splits, load_splits, refuse_other_splits, take_build
from mt.data.vocabulary import measure_vocabulary
from mt.errors import RunError
from mt.files import CHECKSUMS
from mt.manifest import Manifest
from mt.models.transformers_model import TransformersTranslator
from mt.processes import process_state, wait_for_everyone
from mt.report.data_card import summary, write_report
from mt.runs import RunDirectory

logger = logging.getLogger(__name__)


def prepare_data(config: Config, run: RunDirectory, manifest: Manifest | None = None) -> DatasetDict:
    """The splits `train`, `dev` and `test`: those of the run that is resumed, if they are undamaged, or newly built.

    Raises `RunError` if they are not the splits that the manifest of a resumed run describes.
    """
    if process_state().is_main_process and not _has_splits(run):
        build = cached_build(config.data, config.held_out_sets)
        report = DataReport.read(build / "data_report.json")
        write_report(run, report)
        take_build(build, run)
        logger.info("pairs: %s", summary(report))
    wait_for_everyone()
    data = load_splits(run)
    if manifest is not None:
        splits = describe_splits(data)
        refuse_other_splits(run, splits, manifest.facts)
        manifest.update(splits=splits)
    return data


def _has_splits(run: RunDirectory) -> bool:
    """Whether the splits and their report are there and undamaged; a warning names the damage."""
    if not run.data.is_dir():
        return False
    # Early versions wrote no checksums; their splits are compared with the manifest instead.
    damage = damage_of_splits(run) if (run.data / CHECKSUMS).is_file() else None
    try:
        DataReport.read(run.data_report)
    except RunError as error:
        damage = damage or str(error)
    if damage is not None:
        logger.warning("%s: %s; building the data again", run.data, damage)
    return damage is None


def describe_vocabulary(run: RunDirectory, base: TransformersTranslator, data: DatasetDict) -> None:
    """Add to the data card how well the model's tokenizer covers the corpora."""
    if process_state().is_main_process:
        logger.info("measuring how well the model's tokenizer covers the corpora")
        report = DataReport.read(run.data_report)
        report.tokenizer, report.vocabulary = base.name, measure_vocabulary(base.tokenizer, data)
        write_report(run, report)
