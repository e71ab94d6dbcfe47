"""A Seq2SeqTrainer with batches by tokens, its own loss, evaluation by chrF, and checkpoints that are whole."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Seq2SeqTrainer
from transformers.trainer import TRAINER_STATE_NAME

from mt.config import Config
from mt.files import writing
from mt.models.identity import record_base
from mt.models.transformers_model import TransformersTranslator
from mt.processes import is_sharded, wait_for_everyone
from mt.training.autotune import TunedSettings
from mt.training.batching import TokenBatchSampler, collator_of
from mt.training.checkpoints import UNFINISHED, checkpoint_name, put_checkpoint, rotate
from mt.training.chunked_loss import IGNORED_LABEL
from mt.training.dev_evaluation import dev_loss, dev_scores_by_update, model_inputs, scores_of, translate_sample
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.evaluation_time import EvaluationTime
from mt.training.finite_check import FiniteCheck
from mt.training.loss import logits_of
from mt.training.recorded_steps import RecordedSteps
from mt.training.samples import Sample, pick_samples, show_samples
from mt.training.weight_choice import rank_updates

logger = logging.getLogger(__name__)


class TranslationTrainer(Seq2SeqTrainer):
    """What is ours: batches, loss, evaluation, checkpoints. Resuming, processes and trackers are the library's.

    Batches come from a `TokenBatchSampler`. The loss is summed over target tokens and divided by those of the
    whole update, over all micro-batches and processes: transformers 5.23 multiplies Marian's and M2M-100's loss
    by the accumulation steps. `evaluate` returns the dev loss and the chrF and BLEU of a greedily decoded sample.
    A checkpoint appears whole or not at all, with checksums.
    """

    # Read by transformers 5.20 and later; for older ones `compute_loss_func` has the same effect.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        translator: TransformersTranslator,
        train: EncodedPairs,
        sampler: TokenBatchSampler,
        dev: DevSet,
        general: DevSet | None,
        config: Config,
        settings: TunedSettings,
        kl_base: PreTrainedModel | None = None,
        **kwargs: Any,
    ) -> None:
        """kl_base: the base, to which the predictions on general text are held. kwargs: for the library's trainer."""
        collator = collator_of(translator).with_shapes(sampler.shapes)
        super().__init__(
            model=translator.model,
            data_collator=collator,
            train_dataset=train,
            eval_dataset=dev.encoded,
            # Never called, since `compute_loss` is overridden; its presence says that we normalise the loss.
            compute_loss_func=lambda *_: None,
            **kwargs,
        )
        self.translator, self.sampler, self.dev, self.general = translator, sampler, dev, general
        self.config, self.settings = config, settings
        self.loss = settings.loss(config.training.label_smoothing)
        self.kl_base = None if kl_base is None else kl_base.to(self.args.device)
        self.checkpoints = Path(str(self.args.output_dir))
        self.base_identity: dict[str, Any] | None = None
        """The content of the base; saved beside a LoRA adapter, which is worthless on any other base."""
        self.recorded: RecordedSteps | None = None
        """Forward and backward passes that a GPU replays; None: each is launched anew."""
        self.evaluation_time = EvaluationTime()
        self._is_saving = False
        self.finite = FiniteCheck()

    def get_train_dataloader(self) -> DataLoader[Any]:
        # Not prepared by accelerate: the sampler already yields this process's share.
        pin = self.args.dataloader_pin_memory and torch.cuda.is_available()
        return DataLoader(self.train_dataset, batch_sampler=self.sampler, collate_fn=self.data_collator, pin_memory=pin)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> tuple[list[Any], Any]:
        """The micro-batches of one update and its target tokens, over all processes.

        Counted on the host, where the batches still are. The library would leave out the first label of each row of a
        decoder-only model, as if labels were yet to be shifted.
        """
        batches = list(islice(epoch_iterator, num_batches))
        tokens = sum(int((batch["labels"] != IGNORED_LABEL).sum()) for batch in batches)
        if self.args.world_size == 1:
            return batches, tokens
        total = torch.tensor(tokens, device=device)
        torch.distributed.all_reduce(total)
        return batches, total

    def _prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Everything but `rows`, which only messages need, on the device."""
        device = self.args.device
        return {n: value if n == "rows" else value.to(device, non_blocking=True) for n, value in inputs.items()}

    def floating_point_ops(self, inputs: dict[str, Tensor]) -> int:
        """An estimate of one micro-batch; the library's own counts the weights at each call."""
        return 6 * inputs["input_ids"].numel() * self._weights

    @cached_property
    def _weights(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    def training_step(
        self, model: nn.Module, inputs: dict[str, Tensor], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Add the gradients of one micro-batch; returns its loss, divided as in `compute_loss`."""
        if self.recorded is None or not num_items_in_batch:
            step: Tensor = super().training_step(model, inputs, num_items_in_batch)
            return step
        model.train()
        tokens = float(num_items_in_batch)
        loss = self.recorded(inputs, tokens)
        self.finite.add(loss, inputs["rows"])
        return loss / tokens

    def forward_backward(self, batch: dict[str, Tensor], tokens: Tensor) -> Tensor:
        """What `RecordedSteps` records: see its `ForwardBackward`."""
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        with self.accelerator.autocast():
            loss: Tensor = self.model(**inputs, labels=batch["labels"], loss=self.loss)
        (loss / tokens).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Loss of one micro-batch, divided by `num_items_in_batch`: the target tokens of the whole update.

        Two micro-batches with 6 and 2 tokens and losses 12 and 8 give (12 + 8) / 8 = 2.5, as one batch would;
        the mean of their means would be (2 + 4) / 2 = 3.
        """
        labels, is_general = inputs["labels"], inputs["is_general"]
        extra: dict[str, Any] = {}
        if self.kl_base is not None and bool(is_general.any()):
            general = {name: value[is_general] for name, value in model_inputs(inputs).items()}
            extra = {"base_logits": logits_of(self.kl_base, general), "is_general": is_general}
            extra["kl_weight"] = self.config.adaptation.kl_weight
        loss = model(**model_inputs(inputs), labels=labels, loss=self.loss, **extra)
        tokens = (labels != IGNORED_LABEL).sum() if num_items_in_batch is None else num_items_in_batch
        self.finite.add(loss.detach(), inputs["rows"])
        # DDP averages gradients over the processes, but `tokens` already counts those of all processes.
        return loss / tokens * self.accelerator.num_processes

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """The norm of all gradients, kept for `check_update`: it is finite only if they all are."""
        norm = super()._get_grad_norm(model, grad_norm)
        # Under FSDP each process holds a part of it.
        self._gradient_norm: Tensor = norm.full_tensor() if isinstance(norm, DTensor) else norm
        return self._gradient_norm

    def check_update(self) -> None:
        """Keep the coming update from being made if a loss or a gradient is not finite; see `FiniteCheck.check`."""
        # With fp16 the gradient scaler skips such an update by itself.
        norm = None if self.args.fp16 else self._gradient_norm
        is_bad = self.finite.check(self.state.global_step + 1, norm)
        if is_sharded():
            self.finite.verify()
        elif is_bad.device.type == "cuda" and not self.args.fp16:
            # Read by the fused AdamW, which then changes nothing.
            optimizer: Any = self.optimizer
            getattr(optimizer, "optimizer", optimizer).found_inf = is_bad

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Evaluate on the dev split and on the general dev set; every process takes its share.

        Returns `eval_loss` (nats per target token, no smoothing), `eval_chrF` and `eval_BLEU` (0-100); with a general
        set also `eval_general_loss`, `eval_general_chrF` and `eval_general_BLEU`.
        """
        self.finite.verify()
        # The main process may still be writing to trackers and logs, which it alone does.
        wait_for_everyone()
        metrics: dict[str, float] = {}
        samples: list[Sample] = []
        with self.evaluation_time:
            for prefix, dev in (("eval", self.dev), ("eval_general", self.general)):
                if dev is not None:
                    metrics[f"{prefix}_loss"] = self.dev_loss(dev)
                    hypotheses = translate_sample(self.translator, dev)
                    metrics |= {f"{prefix}_{name}": value for name, value in scores_of(dev, hypotheses).items()}
                    samples = samples or pick_samples(dev, hypotheses)
        self.log(metrics)
        if self.is_world_process_zero():
            show_samples(samples, self.state.global_step, self.callback_handler.callbacks)
        control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)  # type: ignore[has-type]
        self.control = control
        return metrics

    def dev_loss(self, dev: DevSet) -> float:
        """Loss on a whole dev set, in nats per target token, without label smoothing."""
        with self.accelerator.autocast():
            loss = replace(self.loss, label_smoothing=0.0)
            return dev_loss(self.model, self.data_collator, dev.encoded, self.sampler.max_tokens, loss, dev.name)

    def dev_scores_by_update(self) -> dict[int, float]:
        """The best metric's score at each evaluation, by update; higher is better, so a loss is negative."""
        return dev_scores_by_update(self.state.log_history, self.config.training.best_metric)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        # With its tokenizer, so that any checkpoint can translate and be compared. We save the tokenizer ourselves: the
        # library, if it had it, would change the model's special tokens to match.
        super().save_model(output_dir, _internal_call)
        wait_for_everyone()
        if self.args.should_save:
            directory = output_dir or str(self.args.output_dir)
            self.translator.tokenizer.save_pretrained(directory)
            if self.config.adaptation.lora is not None:
                # The adapter alone would be no model directory.
                self.translator.model.config.save_pretrained(directory)
                self.translator.model.generation_config.save_pretrained(directory)
                if self.base_identity is not None:
                    record_base(Path(directory), self.base_identity)

    def release_memory(self) -> None:
        """Free what only updates need: gradients, and the optimizer's state. The model can still be evaluated."""
        if is_sharded():
            return
        self.model.zero_grad(set_to_none=True)
        self.accelerator.free_memory()
        self.optimizer = self.lr_scheduler = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.checkpoints / UNFINISHED) if self._is_saving else str(self.checkpoints)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Save to `checkpoints/unfinished`, then rename: a process that is killed leaves no half checkpoint."""
        self.finite.verify()
        unfinished = self.checkpoints / UNFINISHED
        if self.args.should_save:
            shutil.rmtree(unfinished, ignore_errors=True)
        wait_for_everyone()
        self._is_saving = True
        try:
            with writing(self.checkpoints):
                super()._save_checkpoint(model, trial)
        finally:
            self._is_saving = False
        wait_for_everyone()
        if self.args.should_save:
            with writing(self.checkpoints):
                self._put_checkpoint(unfinished, checkpoint_name(self.state.global_step))
            self._rotate()
        wait_for_everyone()

    def _put_checkpoint(self, unfinished: Path, name: str) -> None:
        # The library has noted the unfinished directory here, which is about to go; we find the best one by its update.
        self.state.best_model_checkpoint = None
        self.state.save_to_json(str(unfinished / name / TRAINER_STATE_NAME))
        put_checkpoint(unfinished / name, self.checkpoints)
        unfinished.rmdir()

    def _rotate(self) -> None:
        adaptation, keep = self.config.adaptation, self.config.training.keep_checkpoints
        wanted = rank_updates(self.dev_scores_by_update(), adaptation)[: adaptation.average]
        rotate(self.checkpoints, keep, wanted)
