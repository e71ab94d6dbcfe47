"""From config, model and encoded pairs to a trainer that is ready; what this machine cannot do is refused first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import INTEGRATION_TO_CALLBACK, get_available_reporting_integrations

from mt.config import Config
from mt.errors import ConfigError
from mt.models.families import family_of_model
from mt.models.transformers_model import TransformersTranslator
from mt.processes import is_sharded, prepare_for_sharding, process_state, wait_for_everyone
from mt.training.adaptation import prepare_model
from mt.training.arguments import training_arguments, uses_bf16
from mt.training.autotune import TunedSettings, tune
from mt.training.batching import TokenBatchSampler
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.four_bit import check_four_bit
from mt.training.loss import frozen_copy
from mt.training.schedule import FollowSchedule
from mt.training.stopping import Patience
from mt.training.trainer import TranslationTrainer
from mt.training.warm_up import WarmUp

logger = logging.getLogger(__name__)

_NAMES = {True: "bf16 autocast over float32 weights", False: "float32"}


def check_training(config: Config) -> None:
    """Raise `ConfigError` for what this machine and its packages cannot do; cheap."""
    training = config.training
    has_cuda = torch.cuda.is_available()
    if training.precision == "fp16" and not has_cuda:
        raise ConfigError("training.precision fp16 needs a GPU, and this machine has none: set it to auto")
    if training.precision == "bf16" and has_cuda and not torch.cuda.is_bf16_supported():
        raise ConfigError("training.precision bf16 is not supported by this GPU: set it to auto")
    if training.loss == "chunked" and training.precision == "fp16":
        raise ConfigError(
            "training.loss chunked does not work with fp16, where its gradients underflow: set it to auto"
        )
    if config.adaptation.lora is not None:
        if find_spec("peft") is None:
            raise ConfigError("adaptation.lora needs the extra `lora`: pip install 'mt-conflict-news[lora]'")
        if config.adaptation.lora.base_precision == "4bit":
            check_four_bit()
    available = get_available_reporting_integrations()
    for name in training.report_to:
        if name not in INTEGRATION_TO_CALLBACK:
            raise ConfigError(
                f"training.report_to: no tracker `{name}`; known: {', '.join(sorted(INTEGRATION_TO_CALLBACK))}"
            )
        if name not in available:
            raise ConfigError(f"training.report_to: `{name}` is not installed: pip install {name}, or leave it out")


def refuse_fp16(translator: TransformersTranslator, config: Config) -> None:
    """Raise `ConfigError` if `config` asks for fp16 and the model's family overflows in it."""
    fault = family_of_model(translator.model).fp16_fault
    if config.training.precision == "fp16" and fault is not None:
        raise ConfigError(
            f"training.precision fp16 does not work with {translator.name}: {fault}; set it to bf16, or to auto, which "
            "takes bf16 where the GPU has it"
        )


class UpdateCheck(TrainerCallback):
    """Stops a run before an update that would ruin the weights."""

    def __init__(self, trainer: TranslationTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.trainer.check_update()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.trainer.finite.verify()


def build_trainer(
    config: Config,
    translator: TransformersTranslator,
    train: EncodedPairs,
    dev: DevSet,
    general: DevSet | None,
    checkpoints: Path,
    settings: TunedSettings | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> TranslationTrainer:
    """A trainer for one run; `train()` starts it.

    From now on `translator.model` is the model in training: on its device, with LoRA where the config asks for it.
    settings: those of the run that is resumed; None: they are measured. callbacks: called besides the trainer's own.
    """
    kl_base = frozen_copy(translator.model) if config.adaptation.kl_weight else None
    _place_model(config, translator)
    # Processes agree on what they measure in collectives, which time out, and one may have loaded its model slowly.
    wait_for_everyone()
    in_bf16 = uses_bf16(config.training.precision)
    logger.info("precision: %s", "fp16" if config.training.precision == "fp16" else _NAMES[in_bf16])
    if settings is None:
        settings = tune(translator.model, config.training, uses_bf16=in_bf16)
    is_joined = family_of_model(translator.model).is_prompted
    sampler = _batch_sampler(config, train, settings, is_joined=is_joined)
    arguments = training_arguments(config, sampler.plan, checkpoints)
    trainer = TranslationTrainer(translator, train, sampler, dev, general, config, settings, kl_base, args=arguments)
    _set_callbacks(trainer, callbacks)
    return trainer


def _place_model(config: Config, translator: TransformersTranslator) -> None:
    """Freeze, wrap and move the model as `config` asks."""
    if config.training.precision == "fp16":
        logger.warning("fp16 overflows in many Marian and M2M-100 models; bf16 and fp32 do not")
    if config.training.gradient_checkpointing:
        # Now, not when training starts, so that the memory is measured with it.
        model: Any = translator.model
        # Older versions of transformers only know the second name.
        enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
        enable({"use_reentrant": False})
        translator.model.enable_input_require_grads()
    if is_sharded():
        prepare_for_sharding(translator.model)
    translator.model = prepare_model(translator.model, config.adaptation)
    translator.model.to(process_state().device)
    count = sum(parameter.numel() for parameter in translator.model.parameters() if parameter.requires_grad)
    logger.info("trained weights: %.1f M", count / 1e6)


def _batch_sampler(
    config: Config, train: EncodedPairs, settings: TunedSettings, *, is_joined: bool
) -> TokenBatchSampler:
    """This process's batches of the whole run."""
    return TokenBatchSampler(
        train.lengths,
        train.mix,
        tokens_per_update=config.training.tokens_per_update,
        micro_batch_tokens=settings.micro_batch_tokens,
        epochs=config.training.epochs,
        max_updates=config.training.max_updates,
        seed=config.seed,
        rank=process_state().process_index,
        world_size=process_state().num_processes,
        fixed_shapes=settings.fixed_shapes,
        is_joined=is_joined,
    )


def _set_callbacks(trainer: TranslationTrainer, further: Sequence[TrainerCallback]) -> None:
    """Everything that is called while the trainer trains, besides the library's own callbacks and trackers."""
    callbacks: list[TrainerCallback] = [WarmUp(trainer), UpdateCheck(trainer), FollowSchedule(), *further]
    if trainer.config.training.patience is not None:
        callbacks.append(Patience(trainer.dev_scores_by_update, trainer.config.training.patience))
    for callback in callbacks:
        trainer.add_callback(callback)
    # The library's own printing; `MetricsLog` says the same more briefly.
    trainer.pop_callback(PrinterCallback)
