"""A Seq2SeqTrainer that batches by tokens, owns its loss and chooses the best checkpoint by chrF."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from accelerate.utils import gather_object
from datasets import DatasetDict
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments

from mt.config import Config, DecodingConfig, TrainingConfig
from mt.data.mixing import EpochMix, mixing_weights
from mt.decoding import tagged, translate
from mt.errors import DataError, ModelError
from mt.evaluation.metrics import bleu, chrf
from mt.model import Translator
from mt.processes import process_state, uses_cpu
from mt.training.batching import BatchPlan, Collator, EncodedPairs, TokenBatchSampler, token_batches
from mt.training.loss import IGNORED_LABEL, summed_loss

Row = TypeVar("Row")


@dataclass(frozen=True)
class DevSplit:
    """What the model is judged on while it trains."""

    encoded: EncodedPairs
    """All of the split, for the loss."""
    sources: Sequence[str]
    """The sample that is decoded."""
    references: Sequence[str]


class TranslationTrainer(Seq2SeqTrainer):
    """Three things are ours; checkpoints, resume, processes and trackers are the library's.

    Batches come from a `TokenBatchSampler`. The loss is summed over target tokens and divided by those of the
    whole update, over all micro-batches and processes: transformers 5.23 multiplies Marian's and M2M-100's loss
    by the accumulation steps. `evaluate` returns the dev loss and the chrF and BLEU of a greedily decoded sample.
    """

    # For transformers >= 5.20; older ones are told by `compute_loss_func`.
    loss_is_scaled_for_ga = True

    def __init__(
        self, translator: Translator, train: EncodedPairs, dev: DevSplit, config: TrainingConfig, **kwargs: Any
    ) -> None:
        collator = Collator(
            translator.model.config.pad_token_id, translator.model.generation_config.decoder_start_token_id
        )
        super().__init__(
            model=translator.model,
            data_collator=collator,
            train_dataset=train,
            eval_dataset=dev.encoded,
            # Never called, `compute_loss` is overridden; its presence says that the loss is normalised by us.
            compute_loss_func=lambda *_: None,
            **kwargs,
        )
        self.translator, self.dev, self.config = translator, dev, config
        self.sampler = batch_sampler(train, config, self.args.seed, self.args.process_index, self.args.world_size)

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
        labels = inputs["labels"]
        # Without labels the model computes no loss of its own.
        outputs = model(**{name: value for name, value in inputs.items() if name != "labels"}, use_cache=False)
        loss = summed_loss(outputs.logits, labels, self.config.label_smoothing)
        tokens = (labels != IGNORED_LABEL).sum() if num_items_in_batch is None else num_items_in_batch
        # DDP averages gradients over the processes, but `tokens` already counts all of theirs.
        loss = loss / tokens * self.accelerator.num_processes
        if not torch.isfinite(loss):
            raise ModelError(
                f"the loss became {loss.item()} at update {self.state.global_step + 1}; checkpoints until here are "
                "kept: lower training.learning_rate, raise training.warmup_updates or set training.precision fp32"
            )
        return (loss, outputs) if return_outputs else loss

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Judge the model on the dev split; every process takes its share.

        Returns `eval_loss` (nats per target token, no smoothing), `eval_chrF` and `eval_BLEU` (0-100).
        """
        greedy = DecodingConfig(num_beams=1)
        share = slice(self.args.process_index, None, self.args.world_size)
        hypotheses = gather_object(translate(self.translator, self.dev.sources[share], greedy))
        # Gathered process by process: sentence i of process p is number i * world_size + p.
        references = [r for p in range(self.args.world_size) for r in self.dev.references[p :: self.args.world_size]]
        metrics = {
            f"{metric_key_prefix}_loss": self.dev_loss(),
            f"{metric_key_prefix}_chrF": chrf(hypotheses, references),
            f"{metric_key_prefix}_BLEU": bleu(hypotheses, references),
        }
        self.log(metrics)
        control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)  # type: ignore[has-type]
        self.control = control
        return metrics

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        # With its tokenizer, so that any checkpoint can be translated with and compared. The tokenizer is not given
        # to the library: it would change the model's special tokens to match.
        super().save_model(output_dir, _internal_call)
        if self.args.should_save:
            self.translator.tokenizer.save_pretrained(output_dir or str(self.args.output_dir))

    def dev_loss(self) -> float:
        """Loss on the whole dev split, nats per target token, without label smoothing."""
        lengths = self.dev.encoded.lengths
        batches = token_batches(lengths, self.config.micro_batch_tokens)
        total = torch.zeros((), device=self.args.device, dtype=torch.float64)
        was_training = self.model.training
        self.model.eval()
        with torch.inference_mode(), self.accelerator.autocast():
            for batch in batches[self.args.process_index :: self.args.world_size]:
                inputs = self._prepare_inputs(self.data_collator([self.dev.encoded[i] for i in batch]))
                labels = inputs.pop("labels")
                total += summed_loss(self.model(**inputs, use_cache=False).logits, labels)
        self.model.train(was_training)
        summed: Tensor = self.accelerator.reduce(total, reduction="sum")
        return float(summed) / int(lengths[:, 1].sum())


def batch_sampler(
    train: EncodedPairs, config: TrainingConfig, seed: int, rank: int, world_size: int
) -> TokenBatchSampler:
    """The sampler that `config` asks for."""
    return TokenBatchSampler(
        train.lengths,
        train.mix,
        tokens_per_update=config.tokens_per_update,
        micro_batch_tokens=config.micro_batch_tokens,
        epochs=config.epochs,
        max_updates=config.max_updates,
        seed=seed,
        rank=rank,
        world_size=world_size,
    )


def encode_splits(translator: Translator, data: DatasetDict, config: Config) -> tuple[EncodedPairs, DevSplit, int]:
    """(train, dev, training pairs left out because a side has too many tokens)."""
    max_source = min(config.data.max_source_tokens, translator.max_tokens)
    max_target = min(config.data.max_target_tokens, translator.max_tokens)
    corpora, weights = list(data["train"]["corpus"]), mixing_weights(config.data, Counter(data["train"]["corpus"]))
    tags = [config.data.corpora[corpus].tag for corpus in corpora]
    texts = [f"{tag} {text}" if tag else text for tag, text in zip(tags, data["train"]["source"], strict=True)]
    sources, targets = translator.encode_sources(texts), translator.encode_targets(list(data["train"]["target"]))
    fits = [len(s) <= max_source and len(t) <= max_target for s, t in zip(sources, targets, strict=True)]
    if not any(fits):
        raise DataError(f"no training pair has at most {max_source} source and {max_target} target tokens")
    mix = None if set(weights.values()) == {1.0} else EpochMix(_kept(corpora, fits), weights, config.seed)
    train = EncodedPairs(_kept(sources, fits), _kept(targets, fits), mix)
    dev = data["dev"]
    size = min(config.training.dev_sentences, len(dev))
    sample = np.sort(np.random.default_rng(0).permutation(len(dev))[:size])
    dev_sources = translator.encode_sources(tagged(list(dev["source"]), config.decoding.tag))
    dev_targets = translator.encode_targets(list(dev["target"]))
    limit = translator.max_tokens
    encoded = EncodedPairs([ids[:limit] for ids in dev_sources], [ids[:limit] for ids in dev_targets])
    chosen = dev.select(sample)
    sample_sources = tagged(list(chosen["source"]), config.decoding.tag)
    return train, DevSplit(encoded, sample_sources, list(chosen["target"])), fits.count(False)


def _kept(rows: list[Row], keep: list[bool]) -> list[Row]:
    return [row for row, is_kept in zip(rows, keep, strict=True) if is_kept]


def uses_bf16(precision: str) -> bool:
    """Whether training runs in bf16 autocast here. `auto` means: if the GPU has it."""
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return has_bf16 if precision == "auto" else precision == "bf16"


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
        warmup_steps=training.warmup_updates,
        weight_decay=training.weight_decay,
        adam_beta2=training.adam_beta2,
        max_grad_norm=training.max_grad_norm,
        optim="adamw_torch_fused",
        use_cpu=uses_cpu(),
        bf16=uses_bf16(training.precision),
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=training.keep_checkpoints,
        load_best_model_at_end=True,
        metric_for_best_model="eval_chrF",
        greater_is_better=True,
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


def build_trainer(
    config: Config, translator: Translator, train: EncodedPairs, dev: DevSplit, checkpoints: Path
) -> TranslationTrainer:
    """A trainer for one run; `train()` starts it."""
    world_size = process_state().num_processes
    plan = batch_sampler(train, config.training, config.seed, 0, world_size).plan
    arguments = training_arguments(config, plan, checkpoints)
    return TranslationTrainer(translator, train, dev, config.training, args=arguments)


def uniform_loss(translator: Translator) -> float:
    """The loss, in nats per token, of a model that knows nothing: every token equally likely."""
    return math.log(int(translator.model.config.vocab_size))
