"""Every option, once: frozen dataclasses with a docstring under each field.

`mt.config.parsing` turns a YAML file and `--section.key value` overrides into a `Config`. The docstrings are the
help texts. Values that cannot work are refused here, with the key's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mt.config.adaptation import AdaptationConfig, LoraConfig
from mt.config.checks import require, require_names
from mt.config.data import CleaningConfig, CorpusConfig, DataConfig
from mt.config.decoding import DecodingConfig
from mt.config.evaluation import EvaluationConfig
from mt.config.model import ModelConfig, ScratchConfig
from mt.config.select import SelectConfig
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
    "SelectConfig",
    "TrainingConfig",
]


@dataclass(frozen=True, kw_only=True)
class Config:
    """The run."""

    name: str = "run"
    """Name of the run."""

    output_dir: str | None = None
    """Directory of the results. Default: runs/<name>; of `mt data` runs/<name>-data, of `mt sweep`
    runs/<name>-sweep."""

    seed: int = 1
    """Seed for new weights, shuffling, dropout and resampling."""

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
        _ = self.model.languages  # raises for languages that cannot be worked with
        require(0 <= self.seed < 2**32, "seed", "be at least 0 and below 4294967296", self.seed)
        has_terms = self.decoding.terminology is not None or self.training.term_share == 0
        require(has_terms, "decoding.terminology", "name a table of terms if training.term_share is above 0", None)
        for name, corpus in self.held_out_sets.items():
            require(not corpus.is_glossary, f"the test set `{name}`", "hold sentences, not terms", corpus.format)
            is_real = not corpus.is_backtranslated
            require(is_real, f"the test set `{name}`", "hold sources that people wrote", "back-translations")
        has_model = self.data.cleaning.unrelated != "model" or self.model.scratch is None
        judges = "be alignment or none with model.scratch, because a new model cannot judge pairs yet"
        require(has_model, "data.cleaning.unrelated", judges, "model")
        for name in self.adaptation.kl_corpora:
            require(name in self.data.corpora, "adaptation.kl_corpora", "name corpora of data.corpora", name)
