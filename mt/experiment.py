"""The main job, stage by stage: data, base model, fine-tuning, scores, report."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from accelerate import PartialState
from datasets import DatasetDict, load_from_disk
from transformers import set_seed

from mt.arguments import TrainCommand, config_as_yaml
from mt.config import Config
from mt.data.builder import SPLITS, build_data, check_data
from mt.data.readers import check_corpus
from mt.errors import DataError
from mt.model import Translator, load_translator
from mt.runs import RunDirectory, open_run, sha256_of_rows, start_manifest, write_json, write_text
from mt.scratch import create_marian
from mt.training.progress import Progress
from mt.training.trainer import TranslationTrainer, build_trainer, encode_splits

logger = logging.getLogger(__name__)


def run_experiment(command: TrainCommand) -> RunDirectory:
    """Do what `train.py` was asked to do and return the run directory."""
    config = command.config
    check_inputs(config)
    run = claim_directory(command)
    started = time.monotonic()
    data = prepare_data(config, run)
    base = load_base(config, run, data)
    trainer, train_facts = fine_tune(config, run, base, data, command.resume)
    if PartialState().is_main_process:
        write_manifest(config, run, base, data, train_facts | {"wall_seconds": round(time.monotonic() - started, 1)})
    return run


def check_inputs(config: Config) -> None:
    """Everything about the input that can be refused without reading it."""
    check_data(config.data)
    for name, corpus in config.evaluation.test_sets.items():
        check_corpus(name, corpus)


def claim_directory(command: TrainCommand) -> RunDirectory:
    """The run directory, ours from now on; only the main process writes."""
    root = Path(command.config.output_dir or f"runs/{command.config.name}")
    if PartialState().is_main_process:
        open_run(root, config_as_yaml(command.config), resume=command.resume, overwrite=command.overwrite)
    PartialState().wait_for_everyone()
    return RunDirectory(root)


def prepare_data(config: Config, run: RunDirectory) -> DatasetDict:
    """Build the splits, or take those of the run that is resumed."""
    state = PartialState()
    if state.is_main_process and not (run.data / "dataset_dict.json").is_file():
        data, report = build_data(config.data)
        write_json(run.data_report, report.as_json())
        write_text(run.data_card, report.as_markdown())
        data.save_to_disk(run.data)
        logger.info("pairs: %s", ", ".join(f"{len(data[split])} {split}" for split in SPLITS))
    state.wait_for_everyone()
    loaded = load_from_disk(run.data)
    assert isinstance(loaded, DatasetDict)
    return loaded


def load_base(config: Config, run: RunDirectory, data: DatasetDict) -> Translator:
    """The model that training starts from; a new one is made first where the config asks for it."""
    options = config.model
    if options.scratch is not None:
        if PartialState().is_main_process and not (run.base / "config.json").is_file():
            sentences = [text for column in ("source", "target") for text in data["train"][column]]
            create_marian(options.scratch, sentences, run.base, config.seed)
        PartialState().wait_for_everyone()
        options = replace(options, name=str(run.base))
    return load_translator(options, config.decoding)


def fine_tune(
    config: Config, run: RunDirectory, base: Translator, data: DatasetDict, resume: bool
) -> tuple[TranslationTrainer, dict[str, Any]]:
    """Train from the last checkpoint if resuming, else from the start; save the best model. Returns facts too."""
    set_seed(config.seed)
    train, dev, left_out = encode_splits(base, data, config)
    if not dev.sources:
        raise DataError("the dev split is empty, so no checkpoint can be chosen; raise data.dev_share")
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(run.tensorboard)
    trainer = build_trainer(config, base, train, dev, run.checkpoints)
    trainer.add_callback(Progress(run.metrics))
    plan = trainer.sampler.plan
    logger.info(
        "%d training pairs (%d too long), %d updates of about %d target tokens in %d micro-batches",
        *(len(train), left_out, plan.updates, train.lengths[:, 1].sum() / max(1, len(trainer.sampler.epoch(0))))
        , plan.accumulation,
    )
    checkpoint = run.last_checkpoint() if resume else None
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    if PartialState().is_main_process:
        base.save(run.model)
    PartialState().wait_for_everyone()
    facts = {"pairs_left_out_too_long": left_out, "updates": trainer.state.global_step,
             "best_update": trainer.state.best_global_step, "best_dev_chrF": trainer.state.best_metric}
    return trainer, facts


def write_manifest(config: Config, run: RunDirectory, base: Translator, data: DatasetDict, facts: dict[str, Any]) -> None:
    """Everything needed to say what this run was."""
    inputs = [corpus.path for corpus in (*config.data.corpora.values(), *config.evaluation.test_sets.values())]
    splits = {split: {"pairs": len(data[split]), "sha256": sha256_of_rows(data[split])} for split in SPLITS}
    model = {"name": config.model.name, "revision": base.revision, "languages": asdict(base.languages)}
    write_json(run.manifest, start_manifest(config.name, config.seed, inputs) | {"splits": splits, "model": model} | facts)
