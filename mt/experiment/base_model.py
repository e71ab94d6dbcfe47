"""The base of a run: loaded, or made from scratch first, checked, and refused if it changes while the run lasts."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch
from datasets import DatasetDict

from mt.config import Config
from mt.errors import RunError
from mt.files import find_damage, write_checksums
from mt.manifest import Manifest
from mt.models.doctor import refuse_unhealthy
from mt.models.from_scratch import create_marian
from mt.models.identity import model_identity
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.processes import process_state, wait_for_everyone
from mt.runs import RunDirectory
from mt.training.setup import refuse_fp16

logger = logging.getLogger(__name__)

_FILES = ("config.json", "model*.safetensors", "vocab.json", "source.spm", "target.spm")
"""The files that the checksums of a base made from scratch must list."""


def load_base(config: Config, run: RunDirectory, data: DatasetDict) -> TransformersTranslator:
    """The model that training starts from; with `model.scratch` it is created first.

    Raises `ModelError` if it cannot be loaded or, unless `model.skip_doctor` is set, does not translate.
    """
    options = config.model
    if options.scratch is not None:
        if process_state().is_main_process and find_damage(run.base, _FILES) is not None:
            sources, targets = (list(data["train"][column]) for column in ("source", "target"))
            with run.new_directory(run.base) as work:
                create_marian(options.scratch, sources, targets, work, config.seed, options.languages)
                write_checksums(work)
        wait_for_everyone()
    logger.info("loading %s", options.name if options.scratch is None else run.base)
    translator = open_base(config, run)
    refuse_fp16(translator, config)
    if options.scratch is None and not options.skip_doctor:
        refuse_unhealthy(translator)
    return translator


def open_base(config: Config, run: RunDirectory) -> TransformersTranslator:
    """The base as it is on disk or on the hub, without any check."""
    name = config.model.name if config.model.scratch is None else str(run.base)
    dtype = torch.float32 if config.adaptation.keeps_float32 else torch.bfloat16
    return load_translator(replace(config.model, name=name), config.decoding, dtype)


def refuse_other_base(config: Config, run: RunDirectory, manifest: Manifest) -> None:
    """Raise `RunError` if the base has changed since the run began: it is loaded again, to merge adapters into it."""
    if config.model.scratch is not None:
        changed = find_damage(run.base, _FILES)
    else:
        known = manifest.facts["base_model"]["identity"]
        is_same = model_identity(config.model.name, config.model.revision) == known
        changed = None if is_same else "is not the model that the run began with"
    if changed is not None:
        raise RunError(
            f"{run.base if config.model.scratch else config.model.name}: {changed}; the checkpoints are kept: restore "
            "the model and go on with --resume"
        )
