"""The splits of a run: built once, and checked when it is resumed."""

from __future__ import annotations

import logging

from datasets import DatasetDict

from mt.config import Config
from mt.data.cache import cached_build
from mt.data.report import DataReport
from mt.data.saved import describe_splits, find_split_damage, load_splits, refuse_other_splits
from mt.errors import RunError
from mt.experiment.data import take_data
from mt.files import CHECKSUMS
from mt.manifest import Manifest
from mt.models.pair_scoring import scorer_of
from mt.processes import process_state, wait_for_everyone
from mt.report.data_card import summary
from mt.runs import RunDirectory

logger = logging.getLogger(__name__)


def prepare_data(config: Config, run: RunDirectory, manifest: Manifest | None = None) -> DatasetDict:
    """The splits `train`, `dev` and `test`: those of the run that is resumed, if they are undamaged, or newly built.

    Raises `RunError` if they are not the splits that the manifest of a resumed run describes.
    """
    if process_state().is_main_process and not _has_splits(run):
        build = cached_build(config.data, config.held_out_sets, config.model.languages, scorer_of(config))
        report = take_data(config, build, run)
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
    damage = find_split_damage(run) if (run.data / CHECKSUMS).is_file() else None
    try:
        DataReport.read(run.data_report)
    except RunError as error:
        damage = damage or str(error)
    if damage is not None:
        logger.warning("%s: %s; building the data again", run.data, damage)
    return damage is None
