"""A Seq2SeqTrainer that batches by tokens, owns its loss, judges by chrF and writes whole checkpoints."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Seq2SeqTrainer, Seq2SeqTrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from mt.config import Config, TrainingConfig
from mt.errors import ModelError
from mt.files import writing
from mt.models.identity import record_base
from mt.models.transformers_model import TransformersTranslator
from mt.processes import uses_cpu, wait_for_everyone
from mt.training.adaptation import better_is_more, ranked
from mt.training.autotune import TunedSettings
from mt.training.batching import BatchPlan, Collator, EncodedPairs, TokenBatchSampler
from mt.training.checkpoints import UNFINISHED, name_of, put_checkpoint, rotate
from mt.training.dev_evaluation import dev_loss, model_inputs, score_sample
from mt.training.encoding import DevSet
from mt.training.loss import IGNORED_LABEL, logits_of
from mt.wording import counted

logger = logging.getLogger(__name__)

MAX_NAMED = 3
"""Pairs that an error message names; a file holds all of them."""


class TranslationTrainer(Seq2SeqTrainer):
    """A few things are ours; resume, processes and trackers are the library's.

    Batches come from a `TokenBatchSampler`. The loss is summed over target tokens and divided by those of the
    whole update, over all micro-batches and processes: transformers 5.23 multiplies Marian's and M2M-100's loss
    by the accumulation steps. `evaluate` returns the dev loss and the chrF and BLEU of a greedily decoded sample.
    A checkpoint appears whole or not at all, with checksums.
    """

    # For transformers >= 5.20; older ones are told by `compute_loss_func`.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        translator: TransformersTranslator,
        train: EncodedPairs,
        dev: DevSet,
        general: DevSet | None,
        config: Config,
        footing: TunedSettings,
        kl_base: PreTrainedModel | None = None,
        report_pairs: Callable[[Sequence[int]], str] = str,
        **kwargs: Any,
    ) -> None:
        settings = translator.model.generation_config
        collator = Collator(translator.model.config.pad_token_id, settings.decoder_start_token_id)
        super().__init__(
            model=translator.model,
            data_collator=collator,
            train_dataset=train,
            eval_dataset=dev.encoded,
            # Never called, `compute_loss` is overridden; its presence says that the loss is normalised by us.
            compute_loss_func=lambda *_: None,
            **kwargs,
        )
        self.translator, self.dev, self.general, self.config = translator, dev, general, config
        self.footing, self.report_pairs = footing, report_pairs
        self.loss = footing.loss(config.training.label_smoothing)
        self.kl_base = None if kl_base is None else kl_base.to(self.args.device)
        self.sampler = batch_sampler(
            train,
            config.training,
            footing.micro_batch_tokens,
            config.seed,
            self.args.process_index,
            self.args.world_size,
        )
        self.checkpoints = Path(str(self.args.output_dir))
        self.base_identity: dict[str, Any] | None = None
        """What the base is made of; written beside a LoRA adapter, which is worth nothing on another one."""
        self._saves_beside = False
        self._losses: list[tuple[Tensor, Tensor]] = []

    def get_train_dataloader(self) -> DataLoader[Any]:
        # Not prepared by accelerate: the sampler already yields this process's share.
        pin = self.args.dataloader_pin_memory and torch.cuda.is_available()
        return DataLoader(self.train_dataset, batch_sampler=self.sampler, collate_fn=self.data_collator, pin_memory=pin)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        labels, is_general = inputs["labels"], inputs["is_general"]
        extra: dict[str, Any] = {}
        if self.kl_base is not None and bool(is_general.any()):
            general = {name: value[is_general] for name, value in model_inputs(inputs).items()}
            extra = {"base_logits": logits_of(self.kl_base, general), "is_general": is_general}
            extra["kl_weight"] = self.config.adaptation.kl_weight
        loss = model(**model_inputs(inputs), labels=labels, loss=self.loss, **extra)
        tokens = (labels != IGNORED_LABEL).sum() if num_items_in_batch is None else num_items_in_batch
        self._losses.append((loss.detach(), inputs["rows"]))
        # DDP averages gradients over the processes, but `tokens` already counts all of theirs.
        return loss / tokens * self.accelerator.num_processes

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """The norm of all gradients, kept for `check_update`: it is finite if they are."""
        norm = super()._get_grad_norm(model, grad_norm)
        # FSDP's is in parts.
        self._gradient_norm: Tensor = norm.full_tensor() if isinstance(norm, DTensor) else norm
        return self._gradient_norm

    def check_update(self) -> None:
        """Raise `ModelError` if a loss or a gradient of the coming update is not finite, naming the pairs."""
        losses, self._losses = self._losses, []
        is_finite = torch.isfinite(torch.stack([loss for loss, _ in losses])).all()
        # A scaler for fp16 skips such an update by itself.
        if not self.args.fp16:
            is_finite &= torch.isfinite(self._gradient_norm)
        is_bad = (~is_finite).float()
        if self.args.world_size > 1:
            torch.distributed.all_reduce(is_bad, torch.distributed.ReduceOp.MAX)
        if not bool(is_bad):
            return
        guilty = [(loss, rows) for loss, rows in losses if not torch.isfinite(loss)]
        rows = sorted({row for _, batch in guilty or losses for row in batch.tolist()})
        what = f"the loss became {guilty[0][0].item()}" if guilty else "a gradient became infinite"
        raise ModelError(
            f"{what} at update {self.state.global_step + 1}, in a batch of {counted(len(rows), 'pair')}: "
            f"{self.report_pairs(rows)}; "
            "checkpoints until here are kept: look at the pairs, lower training.learning_rate, raise "
            "training.warmup_updates or set training.precision fp32"
        )

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Judge the model on the dev split and on the general dev set; every process takes its share.

        Returns `eval_loss` (nats per target token, no smoothing), `eval_chrF` and `eval_BLEU` (0-100); with a general
        set also `eval_general_loss`, `eval_general_chrF` and `eval_general_BLEU`.
        """
        # For the main process, which alone writes what trackers and logs are told.
        wait_for_everyone()
        metrics = {}
        for prefix, dev in (("eval", self.dev), ("eval_general", self.general)):
            if dev is not None:
                metrics[f"{prefix}_loss"] = self.dev_loss(dev)
                metrics |= {f"{prefix}_{name}": value for name, value in score_sample(self.translator, dev).items()}
        self.log(metrics)
        control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)  # type: ignore[has-type]
        self.control = control
        return metrics

    def dev_loss(self, dev: DevSet) -> float:
        """Loss on a whole dev set, nats per target token, without label smoothing."""
        with self.accelerator.autocast():
            return dev_loss(self.model, self.data_collator, dev.encoded, self.sampler.max_tokens, dev.name)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        # With its tokenizer, so that any checkpoint can be translated with and compared. The tokenizer is not given
        # to the library: it would change the model's special tokens to match.
        super().save_model(output_dir, _internal_call)
        wait_for_everyone()
        if self.args.should_save:
            directory = output_dir or str(self.args.output_dir)
            self.translator.tokenizer.save_pretrained(directory)
            if self.config.adaptation.lora is not None:
                # Beside the adapter, so that the directory is a model's.
                self.translator.model.config.save_pretrained(directory)
                self.translator.model.generation_config.save_pretrained(directory)
                if self.base_identity is not None:
                    record_base(Path(directory), self.base_identity)

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.checkpoints / UNFINISHED) if self._saves_beside else str(self.checkpoints)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        beside = self.checkpoints / UNFINISHED
        if self.args.should_save:
            shutil.rmtree(beside, ignore_errors=True)
        wait_for_everyone()
        self._saves_beside = True
        try:
            with writing(self.checkpoints):
                super()._save_checkpoint(model, trial)
        finally:
            self._saves_beside = False
        wait_for_everyone()
        if self.args.should_save:
            with writing(self.checkpoints):
                self._put_checkpoint(beside, name_of(self.state.global_step))
            self._rotate()
        wait_for_everyone()

    def _put_checkpoint(self, beside: Path, name: str) -> None:
        # The library has noted this place as that of the best checkpoint; we find the best by its update.
        self.state.best_model_checkpoint = None
        self.state.save_to_json(str(beside / name / TRAINER_STATE_NAME))
        put_checkpoint(beside / name, self.checkpoints)
        beside.rmdir()

    def _rotate(self) -> None:
        adaptation, keep = self.config.adaptation, self.config.training.keep_checkpoints
        wanted = ranked(self.dev_scores_by_update(), adaptation)[: adaptation.average]
        rotate(self.checkpoints, keep, wanted)

    def dev_scores_by_update(self) -> dict[int, float]:
        """By update, how good the model was on the dev split, more being better."""
        return better_is_more(self.state.log_history, self.config.training.best_metric)


def batch_sampler(
    train: EncodedPairs, config: TrainingConfig, micro_batch_tokens: int, seed: int, rank: int, world_size: int
) -> TokenBatchSampler:
    """The sampler that `config` asks for."""
    return TokenBatchSampler(
        train.lengths,
        train.mix,
        tokens_per_update=config.tokens_per_update,
        micro_batch_tokens=micro_batch_tokens,
        epochs=config.epochs,
        max_updates=config.max_updates,
        seed=seed,
        rank=rank,
        world_size=world_size,
    )


def uses_bf16(precision: str) -> bool:
    """Whether training runs in bf16 autocast here. `auto` means: if the GPU has it."""
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return has_bf16 if precision == "auto" else precision == "bf16"


def warmup(training: TrainingConfig, plan: BatchPlan) -> int:
    """Updates of warm-up. More than a third of a short training would leave little of it at its rate."""
    return min(training.warmup_updates, plan.updates // 3)


def training_arguments(config: Config, plan: BatchPlan, checkpoints: Path) -> Seq2SeqTrainingArguments:
    """The library's arguments for our options."""
    training = config.training
    every = min(training.eval_every_updates, plan.updates)
    return Seq2SeqTrainingArguments(
        output_dir=str(checkpoints),
        seed=config.seed,
        max_steps=plan.updates,
        gradient_accumulation_steps=plan.accumulation,
        # Only the progress numbers of the library depend on it: batches are ours.
        per_device_train_batch_size=1,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=warmup(training, plan),
        weight_decay=training.weight_decay,
        adam_beta2=training.adam_beta2,
        max_grad_norm=training.max_grad_norm,
        optim="adamw_torch_fused",
        use_cpu=uses_cpu(),
        bf16=uses_bf16(training.precision),
        fp16=training.precision == "fp16",
        torch_compile=training.compile,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        # Checkpoints are removed, and the best is found, by us.
        save_total_limit=None,
        load_best_model_at_end=False,
        metric_for_best_model=f"eval_{training.best_metric}",
        greater_is_better=training.best_metric != "loss",
        logging_steps=training.log_every_updates,
        logging_nan_inf_filter=False,
        # The sampler needs no workers: collation takes microseconds.
        dataloader_num_workers=0,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=training.report_to,
        run_name=config.name,
        ddp_find_unused_parameters=False,
    )


def uniform_loss(translator: TransformersTranslator) -> float:
    """The loss, in nats per token, of a model that knows nothing: every token equally likely."""
    return math.log(int(translator.model.config.vocab_size))
