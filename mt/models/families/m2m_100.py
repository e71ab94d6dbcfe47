"""M2M-100 and NLLB-200, one architecture with two tokenizers: the language is the first token of each side."""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer, NllbTokenizer

from mt.languages import language_named
from mt.models.families.family import CODE, M2M_CODE, Aliases, MarkedOnBothSides


class M2M100(MarkedOnBothSides):
    """See the module."""

    name = "m2m_100"
    title = "M2M-100"
    model_type = "m2m_100"
    config_class = M2M100Config
    model_class = M2M100ForConditionalGeneration
    tokenizer_class = M2M100Tokenizer
    tokenizer_files: ClassVar[tuple[tuple[str, ...], ...]] = (("sentencepiece.bpe.model",), ("vocab.json",))
    aliases: ClassVar[Aliases] = {"ar": ("ar",), "en": ("en",)}
    mark = "__{}__"
    ctranslate2_loader = "M2M100Loader"

    def token_codes(self, tokenizer: Any) -> dict[str, int]:
        """See `MarkedOnBothSides`. Languages that were added are entered into the tokenizer's separate list of them.

        Some versions of the tokenizer give an added token the id of an existing language; such a token is skipped.
        """
        for token, index in tokenizer.get_added_vocab().items():
            code = M2M_CODE.fullmatch(token)
            if code and code[1] not in tokenizer.lang_code_to_id and int(index) not in tokenizer.id_to_lang_token:
                tokenizer.lang_code_to_id[code[1]] = tokenizer.lang_token_to_id[token] = int(index)
                tokenizer.lang_code_to_token[code[1]] = tokenizer.id_to_lang_token[int(index)] = token
        return super().token_codes(tokenizer)


class Nllb(M2M100):
    """See the module."""

    name = "nllb"
    title = "NLLB"
    tokenizer_class = NllbTokenizer
    tokenizer_files = MarkedOnBothSides.tokenizer_files
    aliases: ClassVar[Aliases] = {"ar": ("arb_Arab",), "en": ("eng_Latn",)}
    mark = "{}"

    def names_of(self, language: str) -> tuple[str, ...]:
        """See `Family`; with the script: `fra_Latn`."""
        known = language_named(language)
        return () if known is None else tuple(f"{iso3}_{known.script_code}" for iso3 in super().names_of(language))

    def token_codes(self, tokenizer: Any) -> dict[str, int]:
        """The added tokens that look like its codes.

        Not the tokenizer's list of extra special tokens: adding a language there removes all others from that list.
        """
        return {token: int(index) for token, index in tokenizer.get_added_vocab().items() if CODE.fullmatch(token)}
