"""Everything before the first update: the splits as tokens, the trainer, and a last check of the base."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict

from datasets import DatasetDict
from transformers import set_seed

from mt.config import Config
from mt.errors import DataError, ModelError
from mt.evaluation.reading_test_sets import read_named_test_set
from mt.manifest import Manifest, read_manifest
from mt.models.transformers_model import TransformersTranslator
from mt.runs import RunDirectory
from mt.training.arguments import warmup_updates
from mt.training.autotune import MANIFEST_KEY, tuned_settings_in
from mt.training.dev_evaluation import uniform_loss
from mt.training.encoding import DevSet, encode_dev, encode_general, encode_training
from mt.training.metrics_log import MetricsLog
from mt.training.setup import build_trainer
from mt.training.stopping import StopOnSignal
from mt.training.trainer import TranslationTrainer
from mt.wording import counted

logger = logging.getLogger(__name__)


def prepare_training(
    config: Config, run: RunDirectory, base: TransformersTranslator, data: DatasetDict, manifest: Manifest | None = None
) -> TranslationTrainer:
    """Encode the splits and set up the trainer; refuse a base that predicts no better than a uniform guess."""
    set_seed(config.seed)
    # Read from the file: every process needs them, and only the main one has the manifest.
    settings = tuned_settings_in(read_manifest(run.manifest))
    if not len(data["dev"]):
        raise DataError("the dev split is empty, so no checkpoint can be chosen; raise data.dev_share")
    logger.info("tokenizing %s", counted(len(data["train"]), "training pair"))
    train, left_out = encode_training(base, data["train"], config)
    logger.info("training pairs: %d, and %d left out because a side is too long", len(train), left_out)
    # transformers reads it when the trainer is made.
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(run.tensorboard)
    trainer = build_trainer(
        config,
        base,
        train,
        encode_dev(base, data["dev"], config),
        _general_dev(config, base),
        run.checkpoints,
        settings,
        [MetricsLog(run, manifest), StopOnSignal()],
    )
    _log_plan(config, trainer)
    if config.model.scratch is None and not config.model.skip_doctor and settings is None:
        refuse_worse_than_uniform(base, trainer.dev_loss(trainer.dev))
    return trainer


def _general_dev(config: Config, base: TransformersTranslator) -> DevSet | None:
    corpus = config.training.general_dev
    if corpus is None:
        return None
    test_set = read_named_test_set("training.general_dev", corpus, config.data, config.model.languages)
    return encode_general(base, test_set, config)


def _log_plan(config: Config, trainer: TranslationTrainer) -> None:
    plan, shapes = trainer.sampler.plan, trainer.sampler.shapes
    logger.info(
        "%s of %d micro-batch%s, about %d target tokens per update; %.0f %% padding%s",
        *(counted(plan.updates, "update"), plan.accumulation, "" if plan.accumulation == 1 else "es"),
        *(
            trainer.sampler.tokens_per_update(),
            100 * trainer.sampler.padding(),
            f" in {len(shapes)} batch shapes" if shapes else "",
        ),
    )
    wanted, used = config.training.warmup_updates, warmup_updates(config.training, plan)
    if used < wanted:
        logger.warning(
            "training.warmup_updates is %d, but at most a third of %s is warm-up: %d is used",
            *(wanted, counted(plan.updates, "update"), used),
        )


def refuse_worse_than_uniform(base: TransformersTranslator, dev_loss: float) -> None:
    """Raise `ModelError` if the base predicts no better than a uniform guess: it was not loaded as it was saved."""
    uniform = uniform_loss(base)
    logger.info("dev loss of the base: %.2f nats per token; a uniform guess has %.2f", dev_loss, uniform)
    if not dev_loss < uniform:
        raise ModelError(
            f"{base.name}: its dev loss of {dev_loss:.2f} is no better than a uniform guess ({uniform:.2f}), so its "
            "weights or its tokenizer are not those that it was trained with; fetch it again or pin another "
            "model.revision"
        )


def record_start(manifest: Manifest | None, base: TransformersTranslator, trainer: TranslationTrainer) -> None:
    """Add to the manifest what is known now: the base's revision and languages, and the settings that were measured."""
    if manifest is not None:
        known = manifest.facts["base_model"]
        trainer.base_identity = known["identity"]
        facts = {"base_model": known | {"revision": base.revision, **asdict(base.languages)}}
        manifest.update(**facts, **{MANIFEST_KEY: asdict(trainer.settings)})
