"""How hypotheses are generated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from mt.config.checks import require, require_at_most, require_positive
from mt.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """Decoding: how hypotheses are generated."""

    engine: Literal["auto", "torch", "ctranslate2"] = "auto"
    """What computes. `ctranslate2` converts the model in float32, keeps the conversion, and refuses what it would
    translate differently. `auto` does the same on a CPU where there are at least 200 sentences to translate, and takes
    `torch` for everything else."""

    precision: Literal["auto", "float32", "int8"] = "auto"
    """`auto`: float32 on a CPU, float16 on a GPU (T5: bf16). `float32`: everywhere. `int8`: by CTranslate2 on
    a CPU; with a model of the size of OPUS-MT several times as fast, but many sentences come out a little differently.
    Refused with `no_repeat_ngram_size`."""

    num_beams: int = 4
    """Beam width; 1 is greedy search."""

    length_penalty: float = 1.0
    """Values above 1 favour longer hypotheses."""

    no_repeat_ngram_size: int = 0
    """No sequence of this many tokens may occur twice in a hypothesis; helps small models, which tend to loop. 0: no
    limit, best for good models, because some sentences do repeat themselves."""

    mbr: int = 0
    """Instead of a search, this many samples are drawn, and the one that is most like all of them by chrF is taken:
    minimum Bayes risk decoding (Freitag et al., 2022). 16 samples take some ten times as long as four beams on a
    CPU, and longer on a GPU, because they are drawn sentence by sentence, so that batches change nothing. 0: off."""

    max_length_ratio: float = 2.0
    """Maximum target tokens per source token; every hypothesis may have 10 tokens more than that."""

    batch_tokens: int | None = None
    """Padded source tokens per batch, divided by the beams. Default: 4096 on a CPU; on a GPU as many as fit into half
    of its free memory, up to 262,144."""

    tag: str = ""
    """Text put before every source, for a model trained with the `tag` of a corpus. The base model, which was trained
    without it, and general test sets get no tag."""

    terminology: str | None = None
    """Table of terms, in the format of `evaluation.glossary`. Each term found in a source is followed by its Arabic
    translation, for a model trained with `training.term_share` (Dinu et al., 2019). The base model, which was trained
    without it, and general test sets get no terms. Only for models whose source and target share their embeddings."""

    def __post_init__(self) -> None:
        require_positive("decoding", self, ["num_beams", "length_penalty", "max_length_ratio", "batch_tokens"])
        require_at_most("decoding.num_beams", self.num_beams, 1000)
        is_possible = self.precision != "int8" or self.engine != "torch"
        require(is_possible, "decoding.precision", "be auto or float32 with decoding.engine torch", self.precision)
        require(self.mbr == 0 or self.mbr >= 2, "decoding.mbr", "be 0 or at least 2", self.mbr)
        require_at_most("decoding.mbr", self.mbr, 1000)
        size = self.no_repeat_ngram_size
        require(size == 0 or size >= 2, "decoding.no_repeat_ngram_size", "be 0 or at least 2", size)
        if self.asks_for_ctranslate2 and self.only_by_torch:
            option, why = self.only_by_torch
            raise ConfigError(
                f"{self.asks_for_ctranslate2}: {why}; add --{option} 0, or set {self.asks_for_ctranslate2.split()[0]} "
                "to auto"
            )

    @property
    def asks_for_ctranslate2(self) -> str:
        """The option with its value that asks for CTranslate2, whatever there is to translate; empty if none does."""
        if self.precision == "int8":
            return "decoding.precision int8"
        return "decoding.engine ctranslate2" if self.engine == "ctranslate2" else ""

    @property
    def only_by_torch(self) -> tuple[str, str] | None:
        """(an option that keeps CTranslate2 from searching as transformers does, why, as a clause); None if none does.

        Where a token is forbidden because it would repeat a phrase, CTranslate2 shares its probability out among the
        other tokens, and transformers does not, so a search with beams takes another way.
        """
        if self.no_repeat_ngram_size:
            option = "decoding.no_repeat_ngram_size"
            return option, f"CTranslate2 searches differently with {option} {self.no_repeat_ngram_size}"
        return ("decoding.mbr", "the samples of decoding.mbr are drawn by torch") if self.mbr else None

    def without_domain(self) -> DecodingConfig:
        """The same search on sources as they are: no tag, no terms."""
        return replace(self, tag="", terminology=None)
