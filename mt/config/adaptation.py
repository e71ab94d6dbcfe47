"""How much of the model is trained, and how the final model is made from the checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mt.config.checks import require, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """LoRA: small trainable matrices beside the frozen weights, merged into them after training.

    Hu et al., 2022, "LoRA: Low-Rank Adaptation of Large Language Models".
    """

    rank: int = 16
    """Rank of the matrices: the higher, the more they can learn."""

    alpha: int = 32
    """What the matrices add is scaled by alpha / rank."""

    dropout: float = 0.05
    """Dropout on the input of the matrices."""

    layers: list[str] | None = None
    """Names of the linear layers that get matrices. Default: all of attention and feed-forward."""

    base_precision: Literal["float32", "bf16", "4bit"] = "float32"
    """How the frozen weights are kept in training: 4, 2 or about half a byte each. With `bf16` the model is saved in
    bf16, too. `4bit` is QLoRA (Dettmers et al., 2023, "QLoRA: Efficient Finetuning of Quantized LLMs"): NF4, on a GPU
    only; what is saved is bf16. Needs the extra `qlora`."""

    def __post_init__(self) -> None:
        require_positive("adaptation.lora", self, ["rank", "alpha"])
        require_share("adaptation.lora.dropout", self.dropout)
        require(self.layers != [], "adaptation.lora.layers", "name at least one layer", self.layers)


@dataclass(frozen=True, kw_only=True)
class AdaptationConfig:
    """Adaptation: how much of the model is trained, and how the final model is made from the checkpoints.

    The default is full fine-tuning and the best checkpoint. To mix in general text, give corpora weights.
    """

    lora: LoraConfig | None = None
    """Train LoRA matrices instead of all weights: less memory and less forgetting, but a smaller gain. `lora: {}` takes
    the defaults. Needs the extra `lora`."""

    freeze: list[Literal["embeddings", "encoder", "decoder"]] = field(default_factory=list)
    """Parts whose weights are not trained (Thompson et al., 2018, "Freezing Subnetworks to Analyze Domain Adaptation in
    Neural Machine Translation")."""

    average: int = 1
    """Number of checkpoints whose weights are averaged (Izmailov et al., 2018, "Averaging Weights Leads to Wider Optima
    and Better Generalization"). 1: no averaging, the best checkpoint is taken."""

    average_of: Literal["best", "last"] = "best"
    """Which checkpoints are averaged: the best on the dev split, or the last."""

    interpolate: list[float] = field(default_factory=list)
    """Shares of the tuned weights, mixed with the base's, to try in addition to the tuned model itself: [0.25, 0.5,
    0.75] (WiSE-FT; Wortsman et al., 2022, "Robust Fine-Tuning of Zero-Shot Models"). The share with the best dev score
    is taken, after the price of what it forgets is deducted."""

    forgetting_price: float = 1.0
    """Points of the dev metric deducted per point lost on `training.general_dev` when the share is chosen."""

    kl_weight: float = 0.0
    """Weight of a penalty for predictions on `kl_corpora` that diverge from the base's: nats of loss per nat of
    divergence (Khayrallah et al., 2018, "Regularized Training Objective for Continued Training for Domain Adaptation in
    Neural Machine Translation"). 0: no penalty; 1: a strong one. Keeps a second model in memory."""

    kl_corpora: list[str] = field(default_factory=list)
    """Which of `data.corpora` hold general text for `kl_weight`."""

    @property
    def keeps_float32(self) -> bool:
        """Whether the weights in training, frozen ones included, are kept in float32."""
        return self.lora is None or self.lora.base_precision == "float32"

    def __post_init__(self) -> None:
        require(self.average >= 1, "adaptation.average", "be at least 1", self.average)
        require_positive("adaptation", self, ["forgetting_price"])
        for share in self.interpolate:
            require(0 <= share <= 1, "adaptation.interpolate", "hold shares between 0 and 1", share)
        require(self.kl_weight >= 0, "adaptation.kl_weight", "be at least 0", self.kl_weight)
        holds = bool(self.kl_corpora) == (self.kl_weight > 0)
        require(holds, "adaptation.kl_corpora", "name corpora if and only if kl_weight is above 0", self.kl_corpora)
        everything = {"encoder", "decoder"} <= set(self.freeze)
        require(not everything, "adaptation.freeze", "leave something to train", self.freeze)
