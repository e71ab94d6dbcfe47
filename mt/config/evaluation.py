"""What the models are scored on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mt.config.checks import require, require_at_most, require_names
from mt.config.data import CorpusConfig


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Evaluation: what the models are scored on."""

    test_sets: dict[str, CorpusConfig] = field(default_factory=dict)
    """Additional test sets by name; the corpora's own test split is called `test`: --evaluation.test_sets.flores
    devtest.tsv"""

    general: dict[str, CorpusConfig] = field(default_factory=dict)
    """Test sets of general text by name. Points lost there show what the model has forgotten, and the report's advice
    takes them into account."""

    resamples: int = 1000
    """Number of bootstrap resamples for each confidence interval, and of randomization trials for each p-value."""

    resampling: Literal["auto", "sentence", "document"] = "auto"
    """What is resampled: sentences or documents. Sentences of one document are not independent, so `auto` resamples
    documents if a test set names at least 20 of them."""

    glossary: str | None = None
    """Table of terms for the fidelity checks, with columns `english`, `arabic` and `kind`. Default: the glossary that
    comes with this project."""

    confidence: bool = True
    """Whether the final model's confidence is calibrated on the dev split, so that the report can say which
    translations to check first. Takes a translation of up to 500 dev sentences."""

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
