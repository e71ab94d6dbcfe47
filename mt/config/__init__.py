"""Every option, once: frozen dataclasses with a docstring under each field.

`mt.cli` turns a YAML file and `--section.key value` overrides into a `Config`. The docstrings are the
help texts. Values that cannot work are refused here, with the key's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from mt.config.adaptation import AdaptationConfig, LoraConfig
from mt.config.checks import require, require_at_most, require_names, require_positive
from mt.config.data import CleaningConfig, CorpusConfig, DataConfig
from mt.config.model import ModelConfig, ScratchConfig
from mt.config.training import TrainingConfig

__all__ = [
    "AdaptationConfig",
    "CleaningConfig",
    "Config",
    "CorpusConfig",
    "DataConfig",
    "DecodingConfig",
    "EvaluationConfig",
    "LoraConfig",
    "ModelConfig",
    "ScratchConfig",
    "TrainingConfig",
]


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How hypotheses are made."""

    num_beams: int = 4
    """Beam width; 1 is greedy."""

    length_penalty: float = 1.0
    """Above 1 favours longer hypotheses."""

    no_repeat_ngram_size: int = 0
    """No phrase of this many tokens occurs twice in a hypothesis; for small models, which loop. 0: no limit, as good
    models and sentences that do repeat themselves need it."""

    max_length_ratio: float = 2.0
    """A hypothesis stops at this many target tokens per source token, plus 10."""

    batch_tokens: int = 4096
    """Padded source tokens decoded at once."""

    tag: str = ""
    """Put before every source, for a model that was trained with the `tag` of a corpus. The base model, which was
    not, and general test sets are given none."""

    terminology: str | None = None
    """Table of terms (as `evaluation.glossary`), whose Arabic is given behind each term that a source names, for a
    model that was trained with `training.term_share` (Dinu et al., 2019). The base model, which was not, and
    general test sets are given none. Only for models that embed source and target alike."""

    def __post_init__(self) -> None:
        require_positive("decoding", self, ["num_beams", "length_penalty", "max_length_ratio", "batch_tokens"])
        require_at_most("decoding.num_beams", self.num_beams, 1000)
        size = self.no_repeat_ngram_size
        require(size == 0 or size >= 2, "decoding.no_repeat_ngram_size", "be 0 or at least 2", size)

    def without_domain(self) -> DecodingConfig:
        """The same search on sources as they are: no tag, no terms."""
        return replace(self, tag="", terminology=None)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What the models are scored on."""

    test_sets: dict[str, CorpusConfig] = field(default_factory=dict)
    """Further test sets by name, besides the corpora's own test split, which is called `test`:
    --evaluation.test_sets.flores devtest.tsv"""

    general: dict[str, CorpusConfig] = field(default_factory=dict)
    """Test sets of general text, by name: what is lost there is what the model has forgotten, and counts in the
    report's advice."""

    resamples: int = 1000
    """Bootstrap resamples, and randomization trials, behind each confidence interval and p-value."""

    resampling: Literal["auto", "sentence", "document"] = "auto"
    """What these draw. Sentences of one document are not independent, so `auto` draws documents where a test set names
    at least 20 of them."""

    glossary: str | None = None
    """Table of terms for the fidelity checks, columns `english`, `arabic`, `kind`. Default: the one that comes
    along."""

    @property
    def named_sets(self) -> dict[str, CorpusConfig]:
        """`test_sets` and `general`."""
        return self.test_sets | self.general

    def __post_init__(self) -> None:
        require(self.resamples >= 100, "evaluation.resamples", "be at least 100", self.resamples)
        require_at_most("evaluation.resamples", self.resamples, 1_000_000)
        require_names("evaluation.test_sets and evaluation.general", [*self.test_sets, *self.general])
        for key in ("test_sets", "general"):
            require("test" not in getattr(self, key), f"evaluation.{key}", "not use the name `test`", "test")
        both = self.test_sets.keys() & self.general.keys()
        require(not both, "evaluation.general", "not use a name of evaluation.test_sets", *both or [""])


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
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    @property
    def held_out_sets(self) -> dict[str, CorpusConfig]:
        """What training pairs must not be like, besides the dev and test splits."""
        general = self.training.general_dev
        return self.evaluation.named_sets | ({} if general is None else {"training.general_dev": general})

    def __post_init__(self) -> None:
        require_names("name", [self.name])
        self.model.require_english_to_arabic()
        require(0 <= self.seed < 2**32, "seed", "be at least 0 and below 4294967296", self.seed)
        has_terms = self.decoding.terminology is not None or self.training.term_share == 0
        require(has_terms, "decoding.terminology", "name a table of terms if training.term_share is above 0", None)
        for name, corpus in self.held_out_sets.items():
            require(not corpus.is_glossary, f"the test set `{name}`", "hold sentences, not terms", corpus.format)
        for name in self.adaptation.kl_corpora:
            require(name in self.data.corpora, "adaptation.kl_corpora", "name corpora of data.corpora", name)
