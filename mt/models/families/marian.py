"""Marian, the family of OPUS-MT: a model of several target languages is given `>>ara<<` before the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from transformers import MarianConfig, MarianMTModel, MarianTokenizer

from mt.models.families.family import Aliases, Family, LanguageContract, LanguageMark


class Marian(Family):
    """See the module."""

    name = "marian"
    title = "Marian"
    model_type = "marian"
    config_class = MarianConfig
    model_class = MarianMTModel
    tokenizer_class = MarianTokenizer
    tokenizer_files = (("source.spm",), ("target.spm",), ("vocab.json",))
    aliases: ClassVar[Aliases] = {"ar": ("ara", "arb"), "en": ("eng",)}
    ctranslate2_loader = "MarianMTLoader"

    def agree_on_languages(self, tokenizer: Any, source: str, target: str) -> LanguageContract:
        """See `Family`. Not from the config: opus-mt-en-ar declares no languages there and needs its token all the
        same."""
        known = {
            token[2:-2]: index
            for token, index in tokenizer.get_vocab().items()
            if token.startswith(">>") and token.endswith("<<")
        }
        if not known:
            # One target language, so no token. The tokenizer would take `>>x<<` at the start of a sentence for a
            # language token; a space before it prevents that, and SentencePiece drops the space.
            return LanguageContract(self.name, source, target, " ", None)
        code = self.resolve(target, known)
        return LanguageContract(self.name, source, code, f">>{code}<< ", None)

    def language_marks(
        self, languages: LanguageContract, tokenizer: Any, source: list[int], target: list[int]
    ) -> list[LanguageMark]:
        """See `Family`."""
        token = languages.source_prefix.strip()
        return [LanguageMark(token, "source", source[0])] if token else []

    def unwritten(self, ids: Mapping[str, int]) -> list[list[int]]:
        """<pad>, from which it starts."""
        return [[ids["pad_token_id"]]]
