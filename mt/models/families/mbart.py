"""The two generations of mBART: the language is the first token of each side, in the first generation the last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from transformers import MBart50Tokenizer, MBartConfig, MBartForConditionalGeneration, MBartTokenizer

from mt.models.families.family import Aliases, LanguageContract, MarkedOnBothSides


class MBart(MarkedOnBothSides):
    """The first mBART, which starts decoding from the language."""

    name = "mbart"
    title = "mBART"
    model_type = "mbart"
    config_class = MBartConfig
    model_class = MBartForConditionalGeneration
    tokenizer_class = MBartTokenizer
    aliases: ClassVar[Aliases] = {"ar": ("ar_AR",), "en": ("en_XX",)}
    position = -1
    ctranslate2_loader = "MBartLoader"

    def contract(self, source: str, target: str, target_id: int) -> LanguageContract:
        """See `MarkedOnBothSides`."""
        return LanguageContract(self.name, source, target, "", None, target_id)

    def resolve(self, language: str, known: Mapping[str, int]) -> str:
        """See `Family`. A language of which there is one region needs none: `fr` is `fr_XX`."""
        regional = [code for code in known if code.startswith(f"{language}_")]
        is_named = language in known or language in self.aliases
        return regional[0] if len(regional) == 1 and not is_named else super().resolve(language, known)

    def escaped(self, text: str, tokenizer: Any, words: Collection[str]) -> str:
        """`text` with a space inside each literal special token (`< /s>`), which the tokenizer would recognise."""
        for token in tokenizer.all_special_tokens:
            if token in text and token not in words:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text


class MBart50(MBart):
    """mBART-50, where every hypothesis begins with the language."""

    name = "mbart50"
    tokenizer_class = MBart50Tokenizer
    position = 0

    def contract(self, source: str, target: str, target_id: int) -> LanguageContract:
        """See `MarkedOnBothSides`."""
        return LanguageContract(self.name, source, target, "", target_id)
