"""Which model training starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import Formatter

from mt.config.checks import require, require_positive, require_share
from mt.languages import LanguagePair, pair_named


@dataclass(frozen=True, kw_only=True)
class ScratchConfig:
    """A new Marian model with a vocabulary learnt from the training split."""

    vocabulary_size: int = 8000
    """Number of SentencePiece unigram pieces, shared by source and target."""

    d_model: int = 256
    """Width of the layers."""

    encoder_layers: int = 6
    """Layers that read the source."""

    decoder_layers: int = 3
    """Layers that write the target; fewer than in the encoder costs little quality and decodes faster."""

    attention_heads: int = 4
    """Heads per attention layer."""

    ffn_dim: int = 1024
    """Inner width of the feed-forward layers."""

    lexical_start: bool = True
    """Start pieces that translate each other in the training split with similar embeddings, and let the decoder pass on
    what it attends to. With tens of thousands of pairs, one epoch then teaches what takes ten from random weights."""

    def __post_init__(self) -> None:
        sizes = [name for name in self.__dataclass_fields__ if name != "lexical_start"]
        require_positive("model.scratch", self, sizes)
        fits = self.d_model % self.attention_heads == 0
        require(fits, "model.scratch.d_model", "be a multiple of attention_heads", self.d_model)


_PLACES = {"source", "source_language", "target_language"}


def is_instruction(value: object) -> bool:
    """Whether a value can be a `prompt`: text with {source} once, and no other places than the languages' names."""
    if not isinstance(value, str):
        return False
    try:
        parts = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(value) if name is not None]
    except ValueError:
        return False
    names = [name for name, _, _ in parts]
    is_plain = not any(spec or conversion for _, spec, conversion in parts)
    return is_plain and set(names) <= _PLACES and names.count("source") == 1


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Model: which one, and the languages that it translates between."""

    name: str = "tiny-en-ar"
    """A name on the hub, a directory, or `tiny-en-ar`, the small model that comes with this project."""

    revision: str = "main"
    """Commit, tag or branch of a model on the hub. The run's manifest records the commit."""

    source_language: str = "en"
    """Language of the source: a two-letter code, or the model's own code (`eng_Latn`). Data are read and cleaned by it,
    too."""

    target_language: str = "ar"
    """Language of the target, in the same way: `ar`, `arb_Arab`, `apc_Arab`, `ar_AR`, `fr`."""

    prompt: str | None = None
    """Instruction for a decoder-only model, with the places {source}, {source_language} and {target_language}. Default:
    that of the model's chat template if it asks for a translation by itself, or else "Translate the following text from
    English into Arabic, without additional explanation." and the source."""

    dropout: float | None = None
    """Dropout during training. Default: that of the model's own training."""

    scratch: ScratchConfig | None = None
    """Train a new model instead of `name`."""

    skip_doctor: bool = False
    """Train even if the model fails the checks of `mt doctor`."""

    def __post_init__(self) -> None:
        if self.dropout is not None:
            require_share("model.dropout", self.dropout)
        holds = self.prompt is None or is_instruction(self.prompt)
        places = "contain {source} once and no other places than {source_language} and {target_language}"
        require(holds, "model.prompt", places, self.prompt)

    @property
    def languages(self) -> LanguagePair:
        """The pair, for reading, cleaning, splitting and scoring. Raises `ConfigError` for languages they cannot do."""
        return pair_named(self.source_language, self.target_language)

    def with_name(self, name: str) -> ModelConfig:
        """The same options for another model."""
        return replace(self, name=name, scratch=None)
