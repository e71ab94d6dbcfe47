"""The start of a run: its directory is claimed, and its manifest says what it is made from."""

from __future__ import annotations

import logging
from pathlib import Path

from mt.config import Config
from mt.config.config_files import config_as_yaml
from mt.config.input_paths import paths_of
from mt.data.cache import cached_build
from mt.experiment.extension import dropped_inputs, find_changes
from mt.experiment.inputs import identify
from mt.manifest import Manifest, read_manifest
from mt.models.pair_scoring import scorer_of
from mt.processes import process_state, wait_for_everyone
from mt.runs import RunDirectory, claim_run

logger = logging.getLogger(__name__)


def claim_directory(config: Config, *, resume: bool, overwrite: bool) -> RunDirectory:
    """The run directory, which nobody else may write to while it is open as a context; only the main process writes."""
    root = Path(config.output_dir or f"runs/{config.name}")
    run = RunDirectory(root)
    if process_state().is_main_process:
        run = claim_run(root, paths_of(config), resume=resume, overwrite=overwrite)
    wait_for_everyone()
    return run


def start_manifest(config: Config, run: RunDirectory, *, resume: bool) -> Manifest | None:
    """Write down what the run is made from, before anything slow; None in all but the main process.

    Raises `RunError` if the run that is resumed was made from something else. Before a run is replaced, the data of the
    new one is built, so that a mistake in it leaves the old run as it was.
    """
    manifest = None
    if process_state().is_main_process:
        logger.info("hashing the inputs and the base model")
        made_from = identify(config)
        if resume and (run.has_work() or run.manifest.is_file()):
            changes = find_changes(run, config)
            before = read_manifest(run.manifest).get("inputs") or {}
            manifest = Manifest.go_on(run.manifest, made_from, dropped_inputs(before, changes))
        else:
            if run.has_work():
                cached_build(config.data, config.held_out_sets, config.model.languages, scorer_of(config))
            run.begin(config_as_yaml(config))
            manifest = Manifest.begin(run.manifest, config.name, config.seed, made_from)
    wait_for_everyone()
    return manifest
