"""The main job, stage by stage: data, base model, fine-tuning, scores, report."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from transformers import PrinterCallback, set_seed

from mt.arguments import TrainCommand
from mt.comparison import (
    check_resampling,
    own_test_set,
    read_named_test_set,
)
from mt.config import Config
from mt.data.card import write_report
from mt.data.rejects import quoted_cell
from mt.data.report import DataReport
from mt.data.vocabulary import measure_vocabulary
from mt.early_checks import check_config
from mt.errors import DataError, ModelError, Stopped
from mt.evaluation.results import Evaluation
from mt.evaluation.test_set import TestSet
from mt.files import (
    write_lines,
    writing,
)
from mt.manifest import Manifest, read_manifest
from mt.model import Translator
from mt.processes import one_run, process_state, wait_for_everyone
from mt.run_report import score_run
from mt.run_start import (
    claim_directory,
    load_base,
    open_base,
    prepare_data,
    record_extension,
    refuse_other_base,
    start_manifest,
)
from mt.run_translations import BASE, FINETUNED, translate_base, translate_tuned
from mt.runs import RunDirectory, read_metrics
from mt.training.adaptation import Choice, choose_weights
from mt.training.checkpoints import latest_intact, update_of
from mt.training.encoding import encode_dev, encode_general, encode_training
from mt.training.progress import Progress, forget_after
from mt.training.schedule import FollowSchedule
from mt.training.setup import build_trainer, check_training
from mt.training.stopping import StopOnSignal, best_update, looks_since_best, state_of_end
from mt.training.trainer import MAX_NAMED, TranslationTrainer, uniform_loss, warmup

logger = logging.getLogger(__name__)


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
        test_sets = prepare_test_sets(config, run, data)
        base = load_base(config, run, data)
        describe_vocabulary(run, base, data)
        trainer = prepare_training(config, run, base, data, manifest)
        record_start(manifest, base, trainer)
        record_extension(config, run, trainer.sampler.plan.updates, manifest)
        use_cache = not command.no_cache
        hypotheses = translate_base(config, run, base, test_sets, manifest, use_cache=use_cache)
        fine_tune(run, trainer, command.resume)
        if manifest is None:
            return run, None
        stopped = early_stop(trainer)
        manifest.update(**training_facts(trainer), stopped_early=stopped or None)
        refuse_other_base(config, run, manifest)
        choice = take_model(config, run, trainer)
        manifest.update(**choice.as_json())
        hypotheses[FINETUNED] = translate_tuned(config, run, test_sets, use_cache=use_cache)
        remarks = list(filter(None, [explain_base(config, choice), stopped]))
        return run, score_run(config, run, data, manifest.facts, test_sets, hypotheses, remarks)


def check_inputs(config: Config) -> None:
    """Everything about the input that can be refused without reading it."""
    check_config(config)
    check_training(config)


def prepare_test_sets(config: Config, run: RunDirectory, data: DatasetDict) -> list[TestSet]:
    """The run's own test split, unless it is empty, then the named test sets."""
    named = [
        read_named_test_set(
            name,
            corpus,
            config.data,
            is_general=name in config.evaluation.general,
            resampling=config.evaluation.resampling,
        )
        for name, corpus in config.evaluation.named_sets.items()
    ]
    own = [own_test_set(data["test"], run, config.evaluation.resampling)] if len(data["test"]) else []
    for test_set in (*own, *named):
        check_resampling(test_set)
    return [*own, *named]


def describe_vocabulary(run: RunDirectory, base: Translator, data: DatasetDict) -> None:
    """Add to the data card how the model's tokenizer copes with the corpora."""
    if process_state().is_main_process:
        logger.info("looking at how the model's tokenizer copes with the corpora")
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
    logger.info("turning %d training pairs into tokens", len(data["train"]))
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
    trainer.add_callback(FollowSchedule())
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
    ended = None if checkpoint is None else state_of_end(checkpoint, trainer.config.training)
    if ended is not None:
        logger.info("training ended at %s, as nothing had become better: raise training.patience to go on", checkpoint)
        trainer.state = ended
        return
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


def take_model(config: Config, run: RunDirectory, trainer: TranslationTrainer) -> Choice:
    """Make the model of the checkpoints, as the config has it, or of the base, and save it; main process only."""
    # Loaded anew: the trainer's own may be wrapped, compiled or spread over devices.
    translator = open_base(config, run)
    translator.model.to(trainer.args.device)
    before = metrics_before_training(run)
    if before is None and config.model.scratch is None:
        logger.warning("%s: does not say how good the base was, so no checkpoint is compared with it", run.metrics)
    choice = choose_weights(translator, run.checkpoints, trainer.looks(), config, trainer.dev, trainer.general, before)
    logger.info("saving the model")
    unfinished = run.unfinished(run.model)
    with writing(run.model):
        translator.save(unfinished)
    run.put(unfinished, run.model)
    return choice


def metrics_before_training(run: RunDirectory) -> dict[str, float] | None:
    """How good the base was on the dev split, from `metrics.jsonl`; None of a model from scratch, and if it is gone."""
    return next((entry for entry in read_metrics(run) if entry["update"] == 0 and "eval_loss" in entry), None)


def explain_base(config: Config, choice: Choice) -> str:
    """Why the model is the base, and whence its translations may differ all the same; empty if it is not."""
    if not choice.why_base or config.decoding == config.decoding.without_domain():
        return choice.why_base
    return (
        f"{choice.why_base} Where the two differ all the same, it is by the tag or the terms that {BASE} is not given."
    )


def early_stop(trainer: TranslationTrainer) -> str:
    """A sentence on why training ended before its last update; empty if it did not."""
    state, training, looks = trainer.state, trainer.config.training, trainer.looks()
    if state.global_step >= state.max_steps or training.patience is None:
        return ""
    sentence = (
        f"Training stopped early, after update {state.global_step} of {state.max_steps}: the last "
        f"{looks_since_best(looks)} evaluations were no better than that of update {best_update(looks)}, by "
        f"{training.best_metric} on the dev split (training.patience {training.patience})."
    )
    logger.info(sentence)
    return sentence


def training_facts(trainer: TranslationTrainer) -> dict[str, Any]:
    """How the training went."""
    state, looks = trainer.state, trainer.looks()
    best = best_update(looks)
    log = {entry["step"]: entry for entry in state.log_history if "eval_chrF" in entry}
    return {
        "processes": trainer.args.world_size,
        "updates": state.global_step,
        "updates_planned": state.max_steps,
        "tokens_seen": trainer.sampler.tokens_seen(state.global_step),
        "best_update": best,
        "dev_metrics": {name: value for name, value in log[best].items() if name.startswith("eval_")},
        f"best_dev_{trainer.config.training.best_metric}": abs(looks[best]),
    }
