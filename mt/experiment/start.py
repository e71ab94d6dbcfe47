"""From a command to what training starts from: the run directory, its manifest, the splits and the base model."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from datasets import DatasetDict

from mt.config import Config
from mt.config.config_files import config_as_yaml
from mt.config.input_paths import paths_of
from mt.data.cache import cached_build
from mt.data.report import DataReport
from mt.data.saved import damage_of_splits, describe_splits, load_splits, refuse_other_splits, take_build
from mt.data.vocabulary import measure_vocabulary
from mt.errors import RunError
from mt.experiment.extension import announce, as_json, dropped_inputs, find_changes, refuse_fewer_updates
from mt.experiment.inputs import identify
from mt.files import (
    CHECKSUMS,
    find_damage,
    write_checksums,
)
from mt.manifest import Manifest, read_manifest
from mt.models.doctor import refuse_unhealthy
from mt.models.from_scratch import create_marian
from mt.models.identity import model_identity
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.processes import process_state, wait_for_everyone
from mt.report.data_card import summary, write_report
from mt.runs import RunDirectory, claim_run
from mt.training.checkpoints import all_of, update_of

logger = logging.getLogger(__name__)

BASE_FILES = ("config.json", "model*.safetensors", "vocab.json", "source.spm", "target.spm")
"""What the checksums of a base that was made from scratch must list."""


def claim_directory(config: Config, *, resume: bool, overwrite: bool) -> RunDirectory:
    """The run directory, ours until the end of the context that it is; only the main process writes there."""
    root = Path(config.output_dir or f"runs/{config.name}")
    run = RunDirectory(root)
    if process_state().is_main_process:
        run = claim_run(root, paths_of(config), resume=resume, overwrite=overwrite)
    wait_for_everyone()
    return run


def start_manifest(config: Config, run: RunDirectory, *, resume: bool) -> Manifest | None:
    """Write down what the run is made from, before anything slow; None in all but the main process.

    Raises `RunError` if the run that is resumed was made from something else. What a new run replaces is removed only
    once the input is known to be good.
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
                cached_build(config.data, config.held_out_sets)
            run.begin(config_as_yaml(config))
            manifest = Manifest.begin(run.manifest, config.name, config.seed, made_from)
    wait_for_everyone()
    return manifest


def record_extension(config: Config, run: RunDirectory, updates: int, manifest: Manifest | None) -> None:
    """From now on a run that is resumed has the options of `config`; `updates` is how many they make.

    Raises `RunError`, before anything is changed, if the run has done more.
    """
    done = max(map(update_of, all_of(run.checkpoints)), default=0)
    refuse_fewer_updates(run, config, updates, done)
    if manifest is None or not run.config.is_file():
        return
    changes = find_changes(run, config)
    if changes:
        announce(run, changes)
        run.go_on(config_as_yaml(config))
        manifest.facts["starts"][-1]["extended"] = as_json(changes)
        manifest.update()


def prepare_data(config: Config, run: RunDirectory, manifest: Manifest | None = None) -> DatasetDict:
    """Build the splits, or take those of the run that is resumed, if they are as they were written."""
    if process_state().is_main_process and not _has_data(run):
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


def _has_data(run: RunDirectory) -> bool:
    """Whether splits and their account are there as they were written; a warning says what is not."""
    if not run.data.is_dir():
        return False
    # What an earlier version has written has no checksums: `load_splits` compares it with the manifest.
    damage = damage_of_splits(run) if (run.data / CHECKSUMS).is_file() else None
    try:
        DataReport.read(run.data_report)
    except RunError as error:
        damage = damage or str(error)
    if damage is not None:
        logger.warning("%s: %s; taking the data anew", run.data, damage)
    return damage is None


def load_base(config: Config, run: RunDirectory, data: DatasetDict) -> TransformersTranslator:
    """The model that training starts from; a new one is made first where the config asks for it."""
    options = config.model
    if options.scratch is not None:
        if process_state().is_main_process and find_damage(run.base, BASE_FILES) is not None:
            sources, targets = (list(data["train"][column]) for column in ("source", "target"))
            unfinished = run.unfinished(run.base)
            create_marian(options.scratch, sources, targets, unfinished, config.seed)
            write_checksums(unfinished)
            run.put(unfinished, run.base)
        wait_for_everyone()
    logger.info("loading %s", options.name if options.scratch is None else run.base)
    translator = open_base(config, run)
    if options.scratch is None and not options.skip_doctor:
        refuse_unhealthy(translator)
    return translator


def open_base(config: Config, run: RunDirectory) -> TransformersTranslator:
    """The model that training starts from, as it is on disk."""
    name = config.model.name if config.model.scratch is None else str(run.base)
    return load_translator(replace(config.model, name=name), config.decoding)


def refuse_other_base(config: Config, run: RunDirectory, manifest: Manifest) -> None:
    """Raise `RunError` if the base has changed since the run began: it is loaded anew, and adapters merged into it."""
    if config.model.scratch is not None:
        changed = find_damage(run.base, BASE_FILES)
    else:
        known = manifest.facts["base_model"]["identity"]
        is_same = model_identity(config.model.name, config.model.revision) == known
        changed = None if is_same else "is not the model that the run began with"
    if changed is not None:
        raise RunError(
            f"{run.base if config.model.scratch else config.model.name}: {changed}; the checkpoints are kept: put back "
            "what was there and go on with --resume"
        )


def describe_vocabulary(run: RunDirectory, base: TransformersTranslator, data: DatasetDict) -> None:
    """Add to the data card how the model's tokenizer copes with the corpora."""
    if process_state().is_main_process:
        logger.info("looking at how the model's tokenizer copes with the corpora")
        report = DataReport.read(run.data_report)
        report.tokenizer, report.vocabulary = base.name, measure_vocabulary(base.tokenizer, data)
        write_report(run, report)
