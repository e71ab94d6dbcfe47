"""The options of `TrainingConfig` as arguments of the transformers library."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Seq2SeqTrainingArguments

from mt.config import Config, TrainingConfig
from mt.processes import uses_cpu
from mt.training.batching import BatchPlan


def training_arguments(config: Config, plan: BatchPlan, checkpoints: Path) -> Seq2SeqTrainingArguments:
    """The library's arguments for a run that saves to `checkpoints` and is cut into updates as `plan` says."""
    training = config.training
    every = min(training.eval_every_updates, plan.updates)
    return Seq2SeqTrainingArguments(
        output_dir=str(checkpoints),
        seed=config.seed,
        max_steps=plan.updates,
        gradient_accumulation_steps=plan.accumulation,
        # Batches are ours; the library only computes its epoch counter from this.
        per_device_train_batch_size=1,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=warmup_updates(training, plan),
        weight_decay=training.weight_decay,
        adam_beta2=training.adam_beta2,
        max_grad_norm=training.max_grad_norm,
        optim="adamw_torch_fused",
        use_cpu=uses_cpu(),
        bf16=uses_bf16(training.precision),
        fp16=training.precision == "fp16",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        # Removing checkpoints and finding the best one is our own work, in `checkpoints` and `weight_choice`.
        save_total_limit=None,
        load_best_model_at_end=False,
        metric_for_best_model=f"eval_{training.best_metric}",
        greater_is_better=training.best_metric != "loss",
        logging_steps=training.log_every_updates,
        logging_nan_inf_filter=False,  # a NaN must be seen, not replaced by the running average
        dataloader_num_workers=0,  # collation takes microseconds, less than talking to another process
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=training.report_to,
        run_name=config.name,
        ddp_find_unused_parameters=False,
    )


def uses_bf16(precision: str) -> bool:
    """Whether training runs in bf16 autocast on this machine; `auto` means: if the GPU supports it.

    Not on a CPU, even if it multiplies matrices in bf16 (AMX): its library makes new code for every new shape of a
    batch, which takes a small model as long as is gained.
    """
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return has_bf16 if precision == "auto" else precision == "bf16"


def warmup_updates(training: TrainingConfig, plan: BatchPlan) -> int:
    """Updates of warm-up: as many as the config asks for, but at most a third of the training."""
    return min(training.warmup_updates, plan.updates // 3)
