"""The main job, stage by stage: data, base model, fine-tuning, scores, report."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datasets import DatasetDict, load_from_disk
from transformers import PrinterCallback, set_seed

from mt.arguments import TrainCommand, config_as_yaml
from mt.comparison import own_test_set, read_named_test_set, write_evaluation
from mt.config import Config
from mt.data.builder import check_data
from mt.data.cache import cached_build, input_hashes, read_report
from mt.data.card import card_view, read_run_report, summary, take_build, write_report
from mt.data.formats.lines import read_lines
from mt.data.readers import check_corpus
from mt.data.splitting import SPLITS
from mt.data.vocabulary import measure_vocabulary
from mt.decoding import translate
from mt.doctor import refuse_unhealthy
from mt.errors import ConfigError, DataError, ModelError
from mt.evaluation.model_card import render_model_card
from mt.evaluation.scoring import Evaluation, TestSet, evaluate_hypotheses
from mt.model import Translator, check_model_name, load_translator
from mt.processes import process_state
from mt.runs import (
    RunDirectory,
    open_run,
    sha256_of_rows,
    start_manifest,
    write_json,
    write_lines,
    write_text,
)
from mt.scratch import create_marian
from mt.training.progress import Progress
from mt.training.trainer import TranslationTrainer, build_trainer, encode_splits, uniform_loss

logger = logging.getLogger(__name__)

BASE, FINETUNED = "base", "finetuned"


def run_experiment(command: TrainCommand) -> tuple[RunDirectory, Evaluation | None]:
    """Do what `train.py` was asked to do.

    Returns the run directory and, in the main process, the evaluation. What is already there when a run is
    resumed (data, base translations, checkpoints) is used, not made again.
    """
    config, started = command.config, time.monotonic()
    check_inputs(config)
    run = claim_directory(command)
    data = prepare_data(config, run)
    test_sets = prepare_test_sets(config, data)
    base = load_base(config, run, data)
    describe_vocabulary(run, base, data)
    trainer = prepare_training(config, run, base, data)
    facts = describe_run(config, run, base, data)
    untagged = replace(config, decoding=replace(config.decoding, tag=""))
    hypotheses = {} if config.model.scratch else {BASE: translate_all(untagged, run, base, test_sets, BASE)}
    fine_tune(run, trainer, command.resume)
    if not process_state().is_main_process:
        return run, None
    hypotheses[FINETUNED] = translate_all(config, run, base, test_sets, FINETUNED)
    evaluation = score_run(config, run, facts, test_sets, hypotheses)
    facts |= training_facts(trainer) | {"wall_seconds": round(time.monotonic() - started, 1)}
    write_json(run.manifest, facts)
    return run, evaluation


def check_inputs(config: Config) -> None:
    """Everything about the input that can be refused without reading it."""
    check_data(config.data)
    for name, corpus in config.evaluation.test_sets.items():
        check_corpus(name, corpus)
    if config.data.test_share == 0 and not config.evaluation.test_sets:
        raise ConfigError("nothing to test on: raise data.test_share above 0 or name a file in evaluation.test_sets")
    if config.data.dev_share == 0:
        raise ConfigError("data.dev_share is 0, so no checkpoint could be chosen; raise it")
    if config.model.scratch is None:
        check_model_name(config.model.name)


def claim_directory(command: TrainCommand) -> RunDirectory:
    """The run directory, ours from now on; only the main process writes."""
    root = Path(command.config.output_dir or f"runs/{command.config.name}")
    if process_state().is_main_process:
        open_run(root, config_as_yaml(command.config), resume=command.resume, overwrite=command.overwrite)
    process_state().wait_for_everyone()
    return RunDirectory(root)


def prepare_data(config: Config, run: RunDirectory) -> DatasetDict:
    """Build the splits, or take those of the run that is resumed."""
    state = process_state()
    if state.is_main_process and not (run.data / "dataset_dict.json").is_file():
        build = cached_build(config.data, config.evaluation.test_sets)
        take_build(build, run)
        report = read_report(build)
        write_report(run, report)
        logger.info("pairs: %s", summary(report))
    state.wait_for_everyone()
    loaded = load_from_disk(run.data)
    assert isinstance(loaded, DatasetDict)
    return loaded


def prepare_test_sets(config: Config, data: DatasetDict) -> list[TestSet]:
    """The run's own test split, unless it is empty, then the named test sets."""
    named = [read_named_test_set(name, corpus, config.data) for name, corpus in config.evaluation.test_sets.items()]
    return [own_test_set(data["test"]), *named] if len(data["test"]) else named


def load_base(config: Config, run: RunDirectory, data: DatasetDict) -> Translator:
    """The model that training starts from; a new one is made first where the config asks for it."""
    options = config.model
    if options.scratch is not None:
        if process_state().is_main_process and not (run.base / "config.json").is_file():
            sentences = [text for column in ("source", "target") for text in data["train"][column]]
            create_marian(options.scratch, sentences, run.base, config.seed)
        process_state().wait_for_everyone()
        options = replace(options, name=str(run.base))
    translator = load_translator(options, config.decoding)
    if options.scratch is None and not options.skip_doctor:
        refuse_unhealthy(translator)
    return translator


def describe_vocabulary(run: RunDirectory, base: Translator, data: DatasetDict) -> None:
    """Add to the data card how the model's tokenizer copes with the corpora."""
    if process_state().is_main_process:
        report = read_run_report(run)
        report.tokenizer, report.vocabulary = base.name, measure_vocabulary(base.tokenizer, data)
        write_report(run, report)


def prepare_training(config: Config, run: RunDirectory, base: Translator, data: DatasetDict) -> TranslationTrainer:
    """Encode the splits and set up the trainer; refuse a base that knows less than nothing about the dev split."""
    set_seed(config.seed)
    train, dev, left_out = encode_splits(base, data, config)
    if not dev.sources:
        raise DataError("the dev split is empty, so no checkpoint can be chosen; raise data.dev_share")
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(run.tensorboard)
    trainer = build_trainer(config, base, train, dev, run.checkpoints)
    trainer.pop_callback(PrinterCallback)
    trainer.add_callback(Progress(run.metrics))
    plan = trainer.sampler.plan
    logger.info("training pairs: %d, and %d left out because a side is too long", len(train), left_out)
    logger.info(
        "%d updates of %d micro-batch%s, about %d target tokens each",
        *(plan.updates, plan.accumulation, "" if plan.accumulation == 1 else "es", trainer.sampler.tokens_per_update()),
    )
    if config.model.scratch is None and not config.model.skip_doctor:
        refuse_clueless(base, trainer.dev_loss())
    return trainer


def refuse_clueless(base: Translator, dev_loss: float) -> None:
    """A pretrained model that predicts worse than a uniform guess was not loaded as it was saved."""
    guess = uniform_loss(base)
    logger.info("dev loss of the base: %.2f nats a token; a uniform guess has %.2f", dev_loss, guess)
    if not dev_loss < guess:
        raise ModelError(
            f"{base.name}: its dev loss of {dev_loss:.2f} is no better than a uniform guess ({guess:.2f}), so its "
            "weights or its tokenizer are not what it was trained with; fetch it again or pin another model.revision"
        )


def translate_all(
    config: Config, run: RunDirectory, translator: Translator, test_sets: Sequence[TestSet], system: str
) -> dict[str, list[str]]:
    """Translations by test set. Those that a resumed run finds on disk are read, the base's at least."""
    translations = {}
    for test_set in test_sets:
        file = run.translations(test_set.name, system)
        lines = [line for _, line in read_lines(file)] if system == BASE and file.is_file() else []
        if len(lines) != len(test_set.sources) and process_state().is_main_process:
            lines = translate(translator, test_set.sources, config.decoding, f"{system} on {test_set.name}")
            write_lines(file, lines)
        translations[test_set.name] = lines
    return translations


def fine_tune(run: RunDirectory, trainer: TranslationTrainer, resume: bool) -> None:
    """Train from the last checkpoint if resuming, else from the start; save the best model."""
    checkpoint = run.last_checkpoint() if resume else None
    if checkpoint:
        logger.info("going on from %s", checkpoint)
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    if process_state().is_main_process:
        trainer.translator.save(run.model)
    process_state().wait_for_everyone()


def score_run(
    config: Config,
    run: RunDirectory,
    facts: dict[str, Any],
    test_sets: Sequence[TestSet],
    hypotheses: dict[str, dict[str, list[str]]],
) -> Evaluation:
    """Score the systems of `hypotheses` (by system, then by test set); write scores, report and model card."""
    by_set = {t.name: {system: lines[t.name] for system, lines in hypotheses.items()} for t in test_sets}
    evaluation = evaluate_hypotheses(test_sets, by_set, config.evaluation.resamples)
    shown = {
        "base model": config.model.name if config.model.scratch is None else "none, trained from scratch",
        "pairs": ", ".join(f"{facts['splits'][split]['pairs']} {split}" for split in SPLITS),
        "corpora": ", ".join(f"{name} ({corpus.path})" for name, corpus in config.data.corpora.items()),
        "versions": ", ".join(f"{package} {version}" for package, version in facts["versions"].items()),
        "seed": str(config.seed),
    }
    write_evaluation(run, evaluation, f"Run {config.name}", shown, config.decoding, card_view(read_run_report(run)))
    write_text(run.model / "README.md", render_model_card(config.name, evaluation, FINETUNED, shown))
    return evaluation


def describe_run(config: Config, run: RunDirectory, base: Translator, data: DatasetDict) -> dict[str, Any]:
    """The manifest as far as it is known before training; written at once, so that a crash leaves a trace."""
    corpora = (*config.data.corpora.values(), *config.evaluation.test_sets.values())
    inputs = {path: digest for corpus in corpora for path, digest in input_hashes(corpus).items()}
    splits = {split: {"pairs": len(data[split]), "sha256": sha256_of_rows(data[split])} for split in SPLITS}
    name = config.model.name if config.model.scratch is None else None
    facts = start_manifest(config.name, config.seed, inputs)
    facts |= {"splits": splits, "base_model": {"name": name, "revision": base.revision, **asdict(base.languages)}}
    if process_state().is_main_process:
        write_json(run.manifest, facts)
    return facts


def training_facts(trainer: TranslationTrainer) -> dict[str, Any]:
    """How the training went."""
    state = trainer.state
    return {
        "processes": trainer.args.world_size,
        "updates": state.global_step,
        "tokens_seen": trainer.sampler.tokens_seen(state.global_step),
        "best_update": state.best_global_step,
        "best_dev_chrF": state.best_metric,
    }
