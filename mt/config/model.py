"""Which model training starts from."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mt.config.checks import require, require_positive, require_share


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


_WANTED = {
    "source": "be English, as `en` or `eng_Latn`; other languages do not work yet",
    "target": "be Arabic, as `ar`, or one of its dialects, as `apc_Arab`; other languages do not work yet",
}
_ENGLISH = re.compile(r"en|eng")
# ISO 639-3: the macrolanguage, and all that it consists of or consisted of.
_ARABIC = re.compile(
    "ar|ara|arb|aao|abh|abv|acm|acq|acw|acx|acy|adf|aeb|aec|afb|ajp|apc|apd|arq|ars|ary|arz|auz|avl|ayh|ayl|ayn|ayp|bbz|"
    "pga|shu|ssh"
)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Model: which one, and the languages that it translates between."""

    name: str = "tiny-en-ar"
    """A name on the hub, a directory, or `tiny-en-ar`, the small model that comes with this project."""

    revision: str = "main"
    """Commit, tag or branch of a model on the hub. The run's manifest records the commit."""

    source_language: str = "en"
    """Language of the source: a two-letter code, or the model's own code (`eng_Latn`)."""

    target_language: str = "ar"
    """Language of the target: `ar`, or the model's own code (`ara`, `arb_Arab`, `apc_Arab`, `ar_AR`)."""

    dropout: float | None = None
    """Dropout during training. Default: that of the model's own training."""

    scratch: ScratchConfig | None = None
    """Train a new model instead of `name`."""

    skip_doctor: bool = False
    """Train even if the model fails the checks of `mt doctor`."""

    def __post_init__(self) -> None:
        if self.dropout is not None:
            require_share("model.dropout", self.dropout)

    def require_english_to_arabic(self) -> None:
        """Raise `ConfigError` for other languages, which reading, cleaning, splitting and scoring do not know."""
        languages = {
            "source": (_ENGLISH, "Latn"),
            "target": (_ARABIC, "Arab"),
        }
        for side, (codes, script) in languages.items():
            language = getattr(self, f"{side}_language")
            code, *subtags = re.split("[_-]", language)
            scripts = [subtag.title() for subtag in subtags if len(subtag) == 4]
            is_right = codes.fullmatch(code.lower()) is not None and all(each == script for each in scripts)
            require(is_right, f"model.{side}_language", _WANTED[side], language)

    def with_name(self, name: str) -> ModelConfig:
        """The same options for another model."""
        return replace(self, name=name, scratch=None)
