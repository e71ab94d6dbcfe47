"""Every option, once: frozen dataclasses with a docstring under each field.

`mt.cli` turns a YAML file and `--section.key value` overrides into a `Config`. The docstrings are the
help texts. Values that cannot work are refused here, with the key's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from mt.errors import ConfigError


def _require(claim: bool, key: str, must: str, value: object) -> None:
    if not claim:
        raise ConfigError(f"{key} must {must}, got {value!r}")


def _require_positive(section: str, options: object, names: Iterable[str]) -> None:
    for name in names:
        value = getattr(options, name)
        if value is not None:
            _require(value > 0, f"{section}.{name}", "be greater than 0", value)


def _require_share(key: str, value: float) -> None:
    _require(0 <= value < 1, key, "be at least 0 and below 1", value)


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """One corpus of sentence pairs."""

    path: str
    """The file; plain or .gz."""

    format: Literal["auto", "pairs", "tsv"] = "auto"
    """`pairs`: both sentences on one line, no separator. `tsv`: tab-separated columns, with or without
    a header. `auto`: by the file's name."""

    source_column: str | None = None
    """tsv: the English column, by header name or by number from 1. Default: a column named english, en,
    source or src, else the first."""

    target_column: str | None = None
    """tsv: the Arabic column, likewise. Default: arabic, ar, target or tgt, else the second."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is read, and how it is split."""

    corpora: dict[str, CorpusConfig] = field(default_factory=dict)
    """The corpora by name. A path alone will do where the format shows in the file's name:
    --data.corpora.news news.tsv"""

    dev_share: float = 0.1
    """Share of the sentence groups held out to choose the best checkpoint."""

    test_share: float = 0.1
    """Share of the sentence groups held out for the final scores. 0: bring your own test sets."""

    split_key: str = "conflict-news"
    """Keys the hash that assigns a group to a split. Another key gives another split."""

    max_source_tokens: int = 256
    """Training pairs with a longer source are left out and counted: half a sentence is a wrong lesson."""

    max_target_tokens: int = 256
    """Likewise for the target."""

    remove_diacritics: bool = False
    """Remove Arabic vowel signs (harakat) from both sides."""

    western_digits: bool = False
    """Write Arabic-Indic and Persian digits as 0-9."""

    def __post_init__(self) -> None:
        _require_share("data.dev_share", self.dev_share)
        _require_share("data.test_share", self.test_share)
        held_out = self.dev_share + self.test_share
        _require(held_out < 1, "data.dev_share + data.test_share", "leave something to train on", held_out)
        _require_positive("data", self, ["max_source_tokens", "max_target_tokens"])


@dataclass(frozen=True, kw_only=True)
class ScratchConfig:
    """A new Marian model with a vocabulary learnt from the training split."""

    vocabulary_size: int = 8000
    """SentencePiece unigram pieces, shared by source and target."""

    d_model: int = 256
    """Width of the layers."""

    encoder_layers: int = 6
    """Layers that read the source."""

    decoder_layers: int = 3
    """Layers that write the target; fewer than in the encoder cost little quality and decode faster."""

    attention_heads: int = 4
    """Heads per attention layer."""

    ffn_dim: int = 1024
    """Inner width of the feed-forward layers."""

    def __post_init__(self) -> None:
        _require_positive("model.scratch", self, self.__dataclass_fields__)
        fits = self.d_model % self.attention_heads == 0
        _require(fits, "model.scratch.d_model", "be a multiple of attention_heads", self.d_model)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The model that training starts from."""

    name: str = "tiny-en-ar"
    """A hub name, a directory, or `tiny-en-ar`, the small model that comes with this project."""

    revision: str = "main"
    """Commit, tag or branch of a hub model. The commit it resolved to stands in the run's manifest and
    in its saved config."""

    source_language: str = "en"
    """Language of the source; a two-letter code, or the model's own code (`eng_Latn`)."""

    target_language: str = "ar"
    """Language of the target; `ar`, or the model's own code (`ara`, `arb_Arab`, `apc_Arab`, `ar_AR`)."""

    dropout: float | None = None
    """Dropout while training. Default: what the model was trained with."""

    scratch: ScratchConfig | None = None
    """Start from random weights instead of `name`."""

    skip_doctor: bool = False
    """Train even if the model fails the check of `mt doctor`."""

    def __post_init__(self) -> None:
        if self.dropout is not None:
            _require_share("model.dropout", self.dropout)

    def with_name(self, name: str) -> ModelConfig:
        """The same options for another model."""
        return replace(self, name=name, scratch=None)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the model is fine-tuned."""

    epochs: float = 10.0
    """Passes over the training split."""

    max_updates: int | None = None
    """Stop after this many optimizer updates, whatever `epochs` says."""

    tokens_per_update: int = 4096
    """Target tokens per optimizer update, over all processes (approximately): the batch size."""

    micro_batch_tokens: int = 4096
    """Padded tokens that one device takes at once, on the longer side: the memory it needs. Updates
    larger than this are accumulated."""

    learning_rate: float = 2e-5
    """Peak learning rate."""

    schedule: Literal["linear", "cosine", "inverse_sqrt", "constant_with_warmup"] = "linear"
    """What the learning rate does after the warm-up."""

    warmup_updates: int = 0
    """Updates over which the learning rate rises from 0 to its peak."""

    label_smoothing: float = 0.1
    """Share of the probability spread over the whole vocabulary (Szegedy et al., 2016)."""

    weight_decay: float = 0.01
    """AdamW's decay of weights; biases and layer norms are spared."""

    adam_beta2: float = 0.98
    """Decay of AdamW's second moment; 0.98 is customary for translation (Vaswani et al., 2017)."""

    max_grad_norm: float = 1.0
    """Gradients of a larger norm are scaled down to it. 0: never."""

    eval_every_updates: int = 100
    """Updates between two looks at the dev split; each also saves a checkpoint."""

    log_every_updates: int = 10
    """Updates between two lines of metrics.jsonl."""

    dev_sentences: int = 200
    """Sentences of the dev split that are decoded at each look; the dev loss always takes all."""

    keep_checkpoints: int = 2
    """Checkpoints kept on disk; the best one is always among them."""

    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto`: bf16 autocast over float32 weights where the GPU has it, else float32."""

    report_to: list[str] = field(default_factory=lambda: ["tensorboard"])
    """Trackers, by the names of `transformers`: tensorboard, wandb, mlflow, trackio."""

    def __post_init__(self) -> None:
        positive = ["epochs", "max_updates", "tokens_per_update", "micro_batch_tokens", "learning_rate"]
        _require_positive("training", self, positive)
        _require_positive("training", self, ["eval_every_updates", "log_every_updates", "dev_sentences"])
        _require_share("training.label_smoothing", self.label_smoothing)
        _require(0 < self.adam_beta2 < 1, "training.adam_beta2", "be between 0 and 1", self.adam_beta2)
        _require(self.keep_checkpoints >= 2, "training.keep_checkpoints", "be at least 2", self.keep_checkpoints)
        for name in ("warmup_updates", "weight_decay", "max_grad_norm"):
            value = getattr(self, name)
            _require(value >= 0, f"training.{name}", "be at least 0", value)


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How hypotheses are made for the final scores."""

    num_beams: int = 4
    """Beam width; 1 is greedy."""

    length_penalty: float = 1.0
    """Above 1 favours longer hypotheses."""

    max_length_ratio: float = 2.0
    """A hypothesis stops at this many target tokens per source token, plus 10."""

    batch_tokens: int = 4096
    """Padded source tokens decoded at once."""

    def __post_init__(self) -> None:
        _require_positive("decoding", self, self.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What the models are scored on."""

    test_sets: dict[str, CorpusConfig] = field(default_factory=dict)
    """Further test sets by name, beside the corpora's own test split, which is called `test`:
    --evaluation.test_sets.flores devtest.tsv"""

    resamples: int = 1000
    """Bootstrap resamples behind each confidence interval and p-value."""

    def __post_init__(self) -> None:
        _require(self.resamples >= 100, "evaluation.resamples", "be at least 100", self.resamples)
        _require("test" not in self.test_sets, "evaluation.test_sets", "not use the name `test`", "test")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment."""

    name: str = "run"
    """Names the run and, unless `output_dir` is given, its directory runs/<name>."""

    output_dir: str | None = None
    """The run directory. Default: runs/<name>."""

    seed: int = 1
    """Seeds weights, shuffling, dropout and resampling."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        plain = self.name not in ("", ".", "..") and "/" not in self.name
        _require(plain, "name", "be usable as a directory's name", self.name)
        _require(self.seed >= 0, "seed", "be at least 0", self.seed)
