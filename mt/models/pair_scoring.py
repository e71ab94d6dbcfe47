"""The base model as a judge of pairs, for `data.cleaning.unrelated: model`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mt.config import Config, DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.model_files import not_found

if TYPE_CHECKING:
    from mt.models.transformers_model import TransformersTranslator

# No tag and no terms: the corpora are judged as they are.
_DECODING = DecodingConfig()


def scorer_of(config: Config) -> ModelScorer | None:
    """The judge that a config names; None if it names none."""
    return ModelScorer(config.model) if config.data.cleaning.unrelated == "model" else None


class ModelScorer:
    """Scores pairs with a model, which is in memory only inside `loaded`. See `mt.data.model_margins.PairScorer`."""

    def __init__(self, model: ModelConfig) -> None:
        self._options = model
        self._translator: TransformersTranslator | None = None

    @property
    def name(self) -> str:
        """The model's name, for messages."""
        return self._options.name

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Name, languages, prompt, and the hashes of the model's files or its commit. Raises `ModelError`."""
        # Not at the top: most builds have no such judge, and this takes seconds.
        from mt.models.identity import model_identity

        options = self._options
        try:
            found = model_identity(options.name, options.revision)
        except OSError as error:
            raise ModelError(not_found(options.name, options.revision)) from error
        languages = [options.source_language, options.target_language]
        return {"model": found, "languages": languages, "prompt": options.prompt}

    @contextmanager
    def loaded(self) -> Iterator[None]:
        """Inside the context the model is in memory, on a GPU if there is one. Raises `ModelError`."""
        # Not at the top: a build that is there needs none of these imports, which take seconds.
        import torch

        from mt.models.transformers_model import load_translator

        self._translator = load_translator(self._options, _DECODING, only_decodes=True)
        self._translator.model.to("cuda" if torch.cuda.is_available() else "cpu")
        try:
            yield
        finally:
            # The training that follows needs the memory.
            self._translator = None
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def mean_log_probabilities(self, sources: Sequence[str], targets: Sequence[str]) -> list[float]:
        """The mean natural logarithm of the probability of each target's tokens after its source."""
        from mt.models.log_probabilities import mean_log_probabilities

        assert self._translator is not None
        return mean_log_probabilities(self._translator, sources, targets, _DECODING)
