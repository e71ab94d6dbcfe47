"""The main job, stage by stage: data, base model, fine-tuning, scores, report."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from transformers import PrinterCallback, set_seed

from mt.arguments import TrainCommand
from mt.comparison import (
    evaluate_all,
    own_test_set,
    read_curve,
    read_glossary,
    read_named_test_set,
    write_evaluation,
)
from mt.config import Config, DecodingConfig
from mt.data.builder import check_data
from mt.data.card import card_view, write_report
from mt.data.formats.lines import read_lines
from mt.data.readers import check_corpus
from mt.data.rejects import quoted_cell
from mt.data.report import DataReport
from mt.data.splitting import SPLITS
from mt.data.vocabulary import measure_vocabulary
from mt.decoding import translate
from mt.errors import ConfigError, DataError, ModelError, Stopped
from mt.evaluation.model_card import render_model_card
from mt.evaluation.overlap import find_overlaps
from mt.evaluation.results import Evaluation
from mt.evaluation.searches import describe_searches
from mt.evaluation.test_set import TestSet
from mt.files import (
    sha256_of,
    sha256_of_json,
    write_lines,
    write_text,
    writing,
)
from mt.manifest import Manifest, read_manifest
from mt.model import Translator, check_model_name
from mt.processes import one_run, process_state, wait_for_everyone
from mt.run_start import (
    claim_directory,
    load_base,
    open_base,
    prepare_data,
    refuse_other_base,
    start_manifest,
)
from mt.runs import RunDirectory
from mt.terminology import check_terminology
from mt.training.adaptation import Choice, choose_weights
from mt.training.checkpoints import latest_intact, update_of
from mt.training.encoding import encode_dev, encode_general, encode_training
from mt.training.progress import Progress, forget_after
from mt.training.setup import build_trainer, check_training
from mt.training.stopping import StopOnSignal
from mt.training.trainer import MAX_NAMED, TranslationTrainer, uniform_loss, warmup

logger = logging.getLogger(__name__)

BASE, FINETUNED = "base", "finetuned"


@one_run()
def run_experiment(command: TrainCommand) -> tuple[RunDirectory, Evaluation | None]:
    """Do what `train.py` was asked to do.

    Returns the run directory and, in the main process, the evaluation. What is already there when a run is
    resumed (data, base translations, checkpoints) is used, not made again, if it is as it was written.
    """
    config = command.config
    check_inputs(config)
    with claim_directory(command) as run:
        manifest = start_manifest(command, run)
        data = prepare_data(config, run, manifest)
        test_sets = prepare_test_sets(config, data)
        base = load_base(config, run, data)
        describe_vocabulary(run, base, data)
        trainer = prepare_training(config, run, base, data, manifest)
        record_start(manifest, base, trainer)
        hypotheses = translate_base(config, run, base, test_sets, manifest)
        fine_tune(run, trainer, command.resume)
        if manifest is None:
            return run, None
        manifest.update(**training_facts(trainer))
        refuse_other_base(config, run, manifest)
        tuned, choice = take_model(config, run, trainer)
        hypotheses[FINETUNED] = translate_all(config.decoding, tuned, test_sets, FINETUNED, run)
        evaluation = score_run(config, run, data, manifest.facts, test_sets, hypotheses)
        manifest.update(**choice.as_json())
        return run, evaluation


def check_inputs(config: Config) -> None:
    """Everything about the input that can be refused without reading it."""
    check_data(config.data)
    check_training(config)
    read_glossary(config.evaluation.glossary)
    check_terminology(config.decoding)
    for name, corpus in config.held_out_sets.items():
        check_corpus(name, corpus)
    if config.data.test_share == 0 and not config.evaluation.named_sets:
        raise ConfigError("nothing to test on: raise data.test_share above 0 or name a file in evaluation.test_sets")
    if config.data.dev_share == 0:
        raise ConfigError("data.dev_share is 0, so no checkpoint could be chosen; raise it")
    if config.model.scratch is None:
        check_model_name(config.model.name)


def prepare_test_sets(config: Config, data: DatasetDict) -> list[TestSet]:
    """The run's own test split, unless it is empty, then the named test sets."""
    named = [
        read_named_test_set(name, corpus, config.data, is_general=name in config.evaluation.general)
        for name, corpus in config.evaluation.named_sets.items()
    ]
    return [own_test_set(data["test"]), *named] if len(data["test"]) else named


def describe_vocabulary(run: RunDirectory, base: Translator, data: DatasetDict) -> None:
    """Add to the data card how the model's tokenizer copes with the corpora."""
    if process_state().is_main_process:
        report = DataReport.read(run.data_report)
        report.tokenizer, report.vocabulary = base.name, measure_vocabulary(base.tokenizer, data)
        write_report(run, report)


def prepare_training(
    config: Config, run: RunDirectory, base: Translator, data: DatasetDict, manifest: Manifest | None = None
) -> TranslationTrainer:
    """Encode the splits and set up the trainer; refuse a base that knows less than nothing about the dev split."""
    set_seed(config.seed)
    # Of a run that is resumed; read by every process, while only the main one has the manifest.
    known_footing = read_manifest(run.manifest).get("footing")
    if not len(data["dev"]):
        raise DataError("the dev split is empty, so no checkpoint can be chosen; raise data.dev_share")
    train, left_out = encode_training(base, data["train"], config)
    corpus = config.training.general_dev
    general = None if corpus is None else read_named_test_set("training.general_dev", corpus, config.data)
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(run.tensorboard)
    trainer = build_trainer(
        config,
        base,
        train,
        encode_dev(base, data["dev"], config),
        None if general is None else encode_general(base, general, config),
        run.checkpoints,
        known_footing,
        partial(report_pairs, run, data["train"]),
    )
    trainer.pop_callback(PrinterCallback)
    trainer.add_callback(Progress(run, manifest))
    plan = trainer.sampler.plan
    logger.info("training pairs: %d, and %d left out because a side is too long", len(train), left_out)
    logger.info(
        "%d updates of %d micro-batch%s, about %d target tokens each",
        *(plan.updates, plan.accumulation, "" if plan.accumulation == 1 else "es", trainer.sampler.tokens_per_update()),
    )
    wanted, warm = config.training.warmup_updates, warmup(config.training, plan)
    if warm < wanted:
        logger.warning(
            "training.warmup_updates is %d, and of %d updates at most a third warm up: %d", wanted, plan.updates, warm
        )
    if config.model.scratch is None and not config.model.skip_doctor and known_footing is None:
        refuse_clueless(base, trainer.dev_loss(trainer.dev))
    return trainer


def report_pairs(run: RunDirectory, train: Dataset, rows: Sequence[int]) -> str:
    """Write the rows of the training split to a file; returns the first few, and where all are, in words."""
    pairs = train.select(rows).to_list()
    lines = ["\t".join(map(quoted_cell, (pair["corpus"], pair["source"], pair["target"]))) for pair in pairs]
    run.check_there()
    write_lines(run.failed_update, lines)
    named = "; ".join(f"{pair['corpus']}: {pair['source']}" for pair in pairs[:MAX_NAMED])
    return f"{named} (all of them: {run.failed_update})"


def refuse_clueless(base: Translator, dev_loss: float) -> None:
    """A pretrained model that predicts worse than a uniform guess was not loaded as it was saved."""
    guess = uniform_loss(base)
    logger.info("dev loss of the base: %.2f nats a token; a uniform guess has %.2f", dev_loss, guess)
    if not dev_loss < guess:
        raise ModelError(
            f"{base.name}: its dev loss of {dev_loss:.2f} is no better than a uniform guess ({guess:.2f}), so its "
            "weights or its tokenizer are not what it was trained with; fetch it again or pin another model.revision"
        )


def record_start(manifest: Manifest | None, base: Translator, trainer: TranslationTrainer) -> None:
    """Add what is known once the base is loaded: its revision and languages, and how the micro-batches are cut."""
    if manifest is not None:
        known = manifest.facts["base_model"]
        trainer.base_identity = known["identity"]
        manifest.update(
            base_model=known | {"revision": base.revision, **asdict(base.languages)}, footing=asdict(trainer.footing)
        )


def translate_base(
    config: Config, run: RunDirectory, base: Translator, test_sets: Sequence[TestSet], manifest: Manifest | None
) -> dict[str, dict[str, list[str]]]:
    """The base's translations by test set, as its entry in a dict by system; empty for a model from scratch.

    Those that a resumed run finds are taken if they were made by this model, of these sources, in this way, and are
    as they were written.
    """
    if config.model.scratch is not None or manifest is None:
        return {}
    plain, known = config.decoding.without_domain(), dict(manifest.facts.get("translations") or {})
    translations = {}
    for test_set in test_sets:
        name, file = f"{test_set.name}/{BASE}", run.translations(test_set.name, BASE)
        made_from = {
            "model": manifest.facts["base_model"]["identity"],
            "decoding": asdict(plain),
            "sources": sha256_of_json(list(test_set.sources)),
        }
        lines = _read_if_intact(file, known.get(name), made_from)
        if lines is None:
            lines = translate_all(plain, base, [test_set], BASE, run)[test_set.name]
            known[name] = {"made_from": made_from, "sha256": sha256_of(file)}
            manifest.update(translations=known)
        translations[test_set.name] = lines
    return {BASE: translations}


def _read_if_intact(file: Path, known: Mapping[str, Any] | None, made_from: Mapping[str, Any]) -> list[str] | None:
    """The translations in a file, if the manifest knows them as made from the same and as they are."""
    if known is None or known.get("made_from") != made_from or not file.is_file():
        return None
    if known.get("sha256") != sha256_of(file):
        logger.warning("%s: is not as it was written; translating anew", file)
        return None
    return [line for _, line in read_lines(file)]


def translate_all(
    decoding: DecodingConfig, translator: Translator, test_sets: Sequence[TestSet], system: str, run: RunDirectory
) -> dict[str, list[str]]:
    """Translations by test set, each written as soon as it is there."""
    translations = {}
    for test_set in test_sets:
        lines = translate(translator, test_set.sources, test_set.search(decoding), f"{system} on {test_set.name}")
        run.write_translations(test_set.name, system, lines)
        translations[test_set.name] = lines
    return translations


def fine_tune(run: RunDirectory, trainer: TranslationTrainer, resume: bool) -> None:
    """Train from the newest whole checkpoint if resuming, else from the start. Raises `Stopped` on SIGTERM."""
    # For the main process, which has translated with the base.
    wait_for_everyone()
    checkpoint = latest_intact(run.checkpoints) if resume else None
    if process_state().is_main_process:
        # What comes after the checkpoint is done, and logged, again.
        forget_after(run, -1 if checkpoint is None else update_of(checkpoint))
    stop = StopOnSignal()
    trainer.add_callback(stop)
    if checkpoint:
        logger.info("going on from %s", checkpoint)
    elif trainer.config.model.scratch is None:
        trainer.evaluate()
    try:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    except torch.OutOfMemoryError as error:
        update, tokens = trainer.state.global_step + 1, trainer.footing.micro_batch_tokens
        raise ModelError(
            f"the device ran out of memory at update {update}; checkpoints until here are kept: set "
            f"training.micro_batch_tokens below {tokens}, or training.gradient_checkpointing"
        ) from error
    if stop.has_stopped and trainer.state.global_step < trainer.state.max_steps:
        raise Stopped(
            f"stopped by SIGTERM after update {trainer.state.global_step} of {trainer.state.max_steps}, "
            f"and saved; go on with --resume"
        )


def take_model(config: Config, run: RunDirectory, trainer: TranslationTrainer) -> tuple[Translator, Choice]:
    """Make the model of the checkpoints, as the config has it, and save it; main process only."""
    looks = trainer.looks()
    # Loaded anew: the trainer's own may be wrapped, compiled or spread over devices.
    tuned = open_base(config, run)
    tuned.model.to(trainer.args.device)
    choice = choose_weights(tuned, run.checkpoints, looks, config, trainer.dev, trainer.general)
    unfinished = run.unfinished(run.model)
    with writing(run.model):
        tuned.save(unfinished)
    run.put(unfinished, run.model)
    return tuned, choice


def score_run(
    config: Config,
    run: RunDirectory,
    data: DatasetDict,
    facts: dict[str, Any],
    test_sets: Sequence[TestSet],
    hypotheses: dict[str, dict[str, list[str]]],
) -> Evaluation:
    """Score the systems of `hypotheses` (by system, then by test set); write scores, report and model card."""
    by_set = {t.name: {system: lines[t.name] for system, lines in hypotheses.items()} for t in test_sets}
    glossary = read_glossary(config.evaluation.glossary)
    overlaps, cautions = find_overlaps({FINETUNED: str(run.root), BASE: config.model.name}, test_sets)
    known = [overlap for overlap in overlaps if overlap.system in hypotheses]
    evaluation = evaluate_all(test_sets, by_set, config.evaluation.resamples, glossary, data["train"], known)
    evaluation.cautions += [caution for caution in cautions if caution.system in hypotheses]
    evaluation.curves = {FINETUNED: read_curve(run)}
    shown = {
        "base model": config.model.name if config.model.scratch is None else "none, trained from scratch",
        "pairs": ", ".join(f"{facts['splits'][split]['pairs']} {split}" for split in SPLITS),
        "corpora": ", ".join(f"{name} ({corpus.path})" for name, corpus in config.data.corpora.items()),
        "versions": ", ".join(f"{package} {version}" for package, version in facts["versions"].items()),
        "seed": str(config.seed),
    } | describe_search(config)
    card = card_view(DataReport.read(run.data_report))
    write_evaluation(run, evaluation, f"Run {config.name}", shown, card, glossary)
    run.check_there(run.model / "README.md")
    write_text(run.model / "README.md", render_model_card(config.name, evaluation, FINETUNED, shown))
    return evaluation


def describe_search(config: Config) -> dict[str, str]:
    """How the hypotheses of a run were made; a model from scratch has no base."""
    base = {} if config.model.scratch else {BASE: config.decoding.without_domain()}
    return describe_searches(base | {FINETUNED: config.decoding})


def training_facts(trainer: TranslationTrainer) -> dict[str, Any]:
    """How the training went."""
    state, looks = trainer.state, trainer.looks()
    best = max(looks, key=lambda update: (looks[update], -update))
    log = {entry["step"]: entry for entry in state.log_history if "eval_chrF" in entry}
    return {
        "processes": trainer.args.world_size,
        "updates": state.global_step,
        "tokens_seen": trainer.sampler.tokens_seen(state.global_step),
        "best_update": best,
        "dev_metrics": {name: value for name, value in log[best].items() if name.startswith("eval_")},
        f"best_dev_{trainer.config.training.best_metric}": abs(looks[best]),
    }
