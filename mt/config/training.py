"""How the model is fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mt.config.checks import require, require_positive, require_share
from mt.config.data import CorpusConfig


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Training: optimizer, evaluations and checkpoints."""

    epochs: float = 10.0
    """Passes over the training split."""

    max_updates: int | None = None
    """Stop after this many optimizer updates, whatever `epochs` is."""

    tokens_per_update: int = 4096
    """Batch size: target tokens per optimizer update, over all processes together (approximately)."""

    micro_batch_tokens: int | None = None
    """Padded tokens per device and forward pass, counted on the longer side; several passes make up an update. Default:
    as many as fit into free memory."""

    loss: Literal["auto", "plain", "chunked"] = "auto"
    """`chunked` never holds all logits at once: less memory, so larger micro-batches. `auto`: `chunked`, but `plain` in
    fp16 and on GPUs without Triton, where that is faster."""

    learning_rate: float = 2e-5
    """Peak learning rate."""

    schedule: Literal["linear", "cosine", "inverse_sqrt", "constant_with_warmup"] = "linear"
    """How the learning rate changes after the warm-up."""

    warmup_updates: int = 0
    """Updates in which the learning rate rises from 0 to its peak; at most a third of all updates."""

    label_smoothing: float = 0.1
    """Share of the probability spread over the whole vocabulary (Szegedy et al., 2016)."""

    term_share: float = 0.0
    """Share of the terms of `decoding.terminology`, found in both source and target, that are given inline in training.
    0: none. Below 1, the model also learns to do without."""

    weight_decay: float = 0.01
    """AdamW's weight decay; biases and layer norms are exempt."""

    adam_beta2: float = 0.98
    """AdamW's second-moment decay; 0.98 is customary for translation (Vaswani et al., 2017)."""

    max_grad_norm: float = 1.0
    """Gradients with a larger norm are scaled down to it. 0: no limit."""

    eval_every_updates: int = 100
    """Updates between two evaluations on the dev split; each evaluation also saves a checkpoint."""

    best_metric: Literal["chrF", "BLEU", "loss"] = "chrF"
    """Metric on the dev split by which the best checkpoint is chosen."""

    patience: int | None = None
    """Stop after this many evaluations without an improvement. Default: train to the end."""

    general_dev: CorpusConfig | None = None
    """Held-out pairs of general text, to see what the model forgets: each evaluation also translates a sample of them
    and plots the score. Training pairs that are like them are dropped."""

    log_every_updates: int = 10
    """Updates between two lines of metrics.jsonl."""

    dev_sentences: int = 200
    """Sentences of the dev split, and of `general_dev`, translated at each evaluation; the loss is computed on the
    whole split."""

    keep_checkpoints: int = 2
    """Number of newest checkpoints to keep, besides those that the final model may be made from."""

    precision: Literal["auto", "bf16", "fp32", "fp16"] = "auto"
    """`auto`: bf16 autocast over float32 weights if the GPU supports it, otherwise float32. fp16 overflows in many
    Marian and M2M-100 models; use it only on GPUs without bf16."""

    gradient_checkpointing: bool = False
    """Recompute activations instead of storing them: less memory, about a third slower."""

    compile: bool | Literal["auto"] = "auto"
    """Compile the layers with `torch.compile`: half a minute at the start, faster updates afterwards. `auto`: on a GPU,
    if the training is long enough to gain by it, measured before the first update."""

    cuda_graphs: bool = True
    """On a single GPU, record the kernels of each batch shape before the first update and replay them: launching them
    one by one takes longer than running them if the model is small."""

    report_to: list[str] = field(default_factory=lambda: ["tensorboard"])
    """Trackers, by their names in `transformers`: tensorboard, wandb, mlflow, trackio."""

    def __post_init__(self) -> None:
        positive = ["epochs", "max_updates", "tokens_per_update", "micro_batch_tokens", "learning_rate", "patience"]
        require_positive("training", self, positive)
        require_positive("training", self, ["eval_every_updates", "log_every_updates", "dev_sentences"])
        require_share("training.label_smoothing", self.label_smoothing)
        require(0 <= self.term_share <= 1, "training.term_share", "be between 0 and 1", self.term_share)
        require(0 < self.adam_beta2 < 1, "training.adam_beta2", "be between 0 and 1", self.adam_beta2)
        require(self.keep_checkpoints >= 2, "training.keep_checkpoints", "be at least 2", self.keep_checkpoints)
        for name in ("warmup_updates", "weight_decay", "max_grad_norm"):
            value = getattr(self, name)
            require(value >= 0, f"training.{name}", "be at least 0", value)
