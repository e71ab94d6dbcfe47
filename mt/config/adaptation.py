"""How much of the model is trained, and what is made of the checkpoints afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mt.config.checks import require, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Small matrices that are trained next to the frozen weights and merged into them at the end.

    Hu et al., 2022, "LoRA: Low-Rank Adaptation of Large Language Models".
    """

    rank: int = 16
    """Rank of the matrices: how much they can learn."""

    alpha: int = 32
    """Scale of what they add, divided by `rank`."""

    dropout: float = 0.05
    """Dropout before them."""

    layers: list[str] = field(default_factory=lambda: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"])
    """Names of the linear layers that get them. Default: all of attention and feed-forward."""

    def __post_init__(self) -> None:
        require_positive("adaptation.lora", self, ["rank", "alpha"])
        require_share("adaptation.lora.dropout", self.dropout)
        require(bool(self.layers), "adaptation.lora.layers", "name at least one layer", self.layers)


@dataclass(frozen=True, kw_only=True)
class AdaptationConfig:
    """How much of the model is trained, and what is made of the checkpoints.

    The default is full fine-tuning and the best checkpoint. To mix in general text, give corpora weights.
    """

    lora: LoraConfig | None = None
    """Train LoRA matrices instead of the weights: a fraction of the memory, less forgetting, less gain. `lora: {}`
    takes the defaults; needs the extra `lora`."""

    freeze: list[Literal["embeddings", "encoder", "decoder"]] = field(default_factory=list)
    """Parts that keep their weights (Thompson et al., 2018, "Freezing Subnetworks to Analyze Domain Adaptation in
    Neural Machine Translation")."""

    average: int = 1
    """How many checkpoints to average the weights of (Izmailov et al., 2018, "Averaging Weights Leads to Wider Optima
    and Better Generalization"). 1: take the best one."""

    average_of: Literal["best", "last"] = "best"
    """Which checkpoints are averaged: the best on the dev split, or the last."""

    interpolate: list[float] = field(default_factory=list)
    """Shares of the tuned weights, the rest being the base's, to try besides the tuned model itself: [0.25, 0.5, 0.75]
    (WiSE-FT; Wortsman et al., 2022, "Robust Fine-Tuning of Zero-Shot Models"). Taken is the one with the best dev
    score, less what it forgets."""

    forgetting_price: float = 1.0
    """How many points of the dev metric one point lost on `training.general_dev` costs when that share is chosen."""

    kl_weight: float = 0.0
    """Nats of loss for each nat by which the model's predictions on the pairs of `kl_corpora` diverge from the base's
    (Khayrallah et al., 2018, "Regularized Training Objective for Continued Training for Domain Adaptation in Neural
    Machine Translation"). 0: none; 1 is a strong hold. Costs a second model in memory."""

    kl_corpora: list[str] = field(default_factory=list)
    """The corpora of general text among `data.corpora`, for `kl_weight`."""

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
