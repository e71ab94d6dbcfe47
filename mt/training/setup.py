"""A config and a model in, a trainer that is ready to train out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import INTEGRATION_TO_CALLBACK, get_available_reporting_integrations

from mt.config import Config
from mt.errors import ConfigError
from mt.models.transformers_model import TransformersTranslator
from mt.processes import is_sharded, prepare_for_sharding, process_state, wait_for_everyone
from mt.training.adaptation import prepare_model
from mt.training.autotune import tune
from mt.training.batching import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.loss import frozen_copy, has_chunked_loss
from mt.training.stopping import Patience
from mt.training.trainer import (
    TranslationTrainer,
    batch_sampler,
    training_arguments,
    uses_bf16,
)

logger = logging.getLogger(__name__)


def check_training(config: Config) -> None:
    """Refuse what cannot be done with this machine and its packages; cheap. Raises `ConfigError`."""
    training = config.training
    has_cuda = torch.cuda.is_available()
    if training.precision == "fp16" and not has_cuda:
        raise ConfigError("training.precision fp16 needs a GPU, and there is none here: say auto")
    if training.precision == "bf16" and has_cuda and not torch.cuda.is_bf16_supported():
        raise ConfigError("training.precision bf16 is more than this GPU can do: say auto")
    if training.loss == "chunked" and not has_chunked_loss():
        raise ConfigError(f"training.loss chunked needs torch 2.13; here is {torch.__version__}: update it or say auto")
    if training.loss == "chunked" and is_sharded():
        raise ConfigError(
            "training.loss chunked cannot be had under FSDP, which calls the output layer whole: say auto"
        )
    if config.adaptation.lora is not None and find_spec("peft") is None:
        raise ConfigError("adaptation.lora needs the extra `lora`: pip install 'mt-conflict-news[lora]'")
    available = get_available_reporting_integrations()
    for name in training.report_to:
        if name not in INTEGRATION_TO_CALLBACK:
            raise ConfigError(
                f"training.report_to: no tracker `{name}`; known: {', '.join(sorted(INTEGRATION_TO_CALLBACK))}"
            )
        if name not in available:
            raise ConfigError(
                f"training.report_to: `{name}` is not installed here: pip install {name}, or leave it out"
            )


class UpdateCheck(TrainerCallback):
    """Stops a run before an update that would spoil the weights."""

    def __init__(self, trainer: TranslationTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.trainer.check_update()


def build_trainer(
    config: Config,
    translator: TransformersTranslator,
    train: EncodedPairs,
    dev: DevSet,
    general: DevSet | None,
    checkpoints: Path,
    known_settings: Mapping[str, Any] | None = None,
    report_pairs: Callable[[Sequence[int]], str] = str,
) -> TranslationTrainer:
    """A trainer for one run; `train()` starts it.

    `translator.model` is from now on the model in training: on its device, with LoRA where the config has it.
    known_settings: that of the run which is resumed. report_pairs: names rows of the training split in a message.
    """
    training = config.training
    if training.precision == "fp16":
        logger.warning("fp16 overflows in many Marian and M2M-100 models; bf16 and fp32 do not")
    kl_base = frozen_copy(translator.model) if config.adaptation.kl_weight else None
    if training.gradient_checkpointing:
        # Before memory is measured, not only when training starts.
        model: Any = translator.model
        # Older versions of transformers know the old name alone.
        enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
        enable({"use_reentrant": False})
        translator.model.enable_input_require_grads()
    if is_sharded():
        prepare_for_sharding(translator.model)
    translator.model = prepare_model(translator.model, config.adaptation)
    translator.model.to(process_state().device)
    count = sum(parameter.numel() for parameter in translator.model.parameters() if parameter.requires_grad)
    logger.info("trained weights: %.1f M", count / 1e6)
    # What is measured next is agreed on in collectives, and a process may have been slow to load its model.
    wait_for_everyone()
    footing = tune(translator.model, training, uses_bf16=uses_bf16(training.precision), known=known_settings)
    plan = batch_sampler(
        train, training, footing.micro_batch_tokens, config.seed, 0, process_state().num_processes
    ).plan
    trainer = TranslationTrainer(
        translator,
        train,
        dev,
        general,
        config,
        footing,
        kl_base,
        report_pairs,
        args=training_arguments(config, plan, checkpoints),
    )
    trainer.add_callback(UpdateCheck(trainer))
    if training.patience is not None:
        trainer.add_callback(Patience(trainer.dev_scores, training.patience))
    return trainer
