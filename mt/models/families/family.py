"""What one family of models asks of the rest of the code; the defaults are those of BART's descendants.

A new family is a subclass of `Family` in a file of its own, with one line in `mt.models.families`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.activations import ACT2FN

from mt.errors import ModelError
from mt.languages import language_named

MAX_VOCABULARY = 10**7
CODE = re.compile(r"[a-z]{2,3}_[A-Z][A-Za-z]{1,3}")
"""A language as NLLB (`arb_Arab`) and mBART (`ar_AR`) write it."""
M2M_CODE = re.compile(r"__([a-z_]+)__")

Weights = dict[str, Tensor]
Aliases = Mapping[str, tuple[str, ...]]
Sizes = Mapping[str, int]


@dataclass(frozen=True)
class LanguageContract:
    """The source and target language of one model, and the tokens that mark them."""

    family: str
    """The `name` of its `Family`."""

    source_code: str
    """The tokenizer's code of the source language."""

    target_code: str
    """The tokenizer's code of the target language."""

    source_prefix: str
    """Text put before every source sentence: `>>ara<< ` for opus-mt-en-ar, `<2ar> ` for MADLAD-400."""

    forced_bos_token_id: int | None
    """The id that every hypothesis must begin with: `arb_Arab` for NLLB; None where it begins with text."""

    decoder_start_token_id: int | None = None
    """The id that decoding starts from, if it is the language token (the first mBART); None: the model's usual one."""


class LanguageMark(NamedTuple):
    """A token that marks a language in a text, and what is found in its place."""

    token: str
    side: str
    """source or target"""
    found: int
    """The id at the position where the model was trained to see the token."""


class Family(ABC):
    """One family: its classes in transformers, its files, and how it is given the languages."""

    name: ClassVar[str]
    title: ClassVar[str]
    """Its name in messages."""
    is_prompted: ClassVar[bool] = False
    """Whether it is decoder-only and gets its sources in a prompt."""
    model_type: ClassVar[str]
    """`model_type` in config.json; of two families with one type, the tokenizer's class decides."""
    config_class: ClassVar[type[PreTrainedConfig]]
    model_class: ClassVar[type[PreTrainedModel]]
    tokenizer_class: ClassVar[type[PreTrainedTokenizerBase]]
    tokenizer_files: ClassVar[tuple[tuple[str, ...], ...]] = (("tokenizer.json", "sentencepiece.bpe.model"),)
    """At least one file of each group must be there."""
    needed_tokens: ClassVar[tuple[str, ...]] = ("eos_token", "pad_token", "unk_token")
    """Special tokens that the tokenizer must have."""
    aliases: ClassVar[Aliases]
    """The tokenizer's names for two-letter language codes, the most general first."""

    # Far above any known model. Without limits a damaged file could make us allocate terabytes.
    max_sizes: ClassVar[Sizes] = {
        "vocab_size": MAX_VOCABULARY,
        "decoder_vocab_size": MAX_VOCABULARY,
        "d_model": 2**16,
        "encoder_layers": 1000,
        "decoder_layers": 1000,
        "encoder_attention_heads": 2**10,
        "decoder_attention_heads": 2**10,
        "encoder_ffn_dim": 2**20,
        "decoder_ffn_dim": 2**20,
        "max_position_embeddings": 2**16,
    }
    # With fewer positions, start token, language and end token would leave no room for text.
    min_sizes: ClassVar[Sizes] = {"max_position_embeddings": 8}
    shares: ClassVar[tuple[str, ...]] = (
        *("dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop"),
    )
    """Settings from 0 to 1."""
    activation: ClassVar[str] = "activation_function"
    """The setting with the name of the activation function."""
    dropout: ClassVar[str] = "dropout"
    """The setting with the dropout of the model's own training."""
    lora_layers: ClassVar[tuple[str, ...]] = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
    """The linear layers of attention and feed-forward, by the last part of their names."""
    fp16_fault: ClassVar[str | None] = None
    """The reason why the family cannot compute in float16; None if it can."""
    takes_own_masks: ClassVar[bool] = True
    """Whether it accepts ready attention masks, bool and broadcast, as BART's descendants do."""
    ctranslate2_loader: ClassVar[str]
    """The class in `ctranslate2.converters.transformers` that converts it."""

    @abstractmethod
    def agree_on_languages(self, tokenizer: Any, source: str, target: str) -> LanguageContract:
        """Find both languages in the tokenizer and set it to them. Raises `ModelError` for one that it lacks."""

    @abstractmethod
    def language_marks(
        self, languages: LanguageContract, tokenizer: Any, source: list[int], target: list[int]
    ) -> list[LanguageMark]:
        """The tokens that mark the languages in an encoded source and target."""

    def settings_of(self, origin: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """The part of the config.json `origin` with the settings of the text model. Raises `ModelError`."""
        return found

    def settings_in(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a config.json that are no fields of the config's class, and yet taken."""
        return {}

    def check_config(self, origin: str, config: Any) -> None:
        """Raise `ModelError` for settings with which no model can be made; sizes, shares and ids are checked before."""
        for part in ("encoder", "decoder"):
            heads = getattr(config, f"{part}_attention_heads")
            if config.d_model % heads:
                raise ModelError(f"{origin}: d_model {config.d_model} is no multiple of {part}_attention_heads {heads}")
        self.check_activation(origin, config)

    def check_activation(self, origin: str, config: Any) -> None:
        """Raise `ModelError` for an activation function that transformers does not have."""
        name = getattr(config, self.activation)
        if name not in ACT2FN:
            raise ModelError(f"{origin}: no such {self.activation}: {name!r:.40}")

    def max_tokens(self, config: Any) -> int:
        """The longest source or target, in tokens, that a model with this config can read or write."""
        return int(config.max_position_embeddings)

    def repaired_tokenizer(self, tokenizer: Any, stored: Mapping[str, Any]) -> Any:
        """The tokenizer, corrected in place where the library loads it otherwise than it is stored.

        stored: the content of tokenizer.json, empty if there is none.
        """
        return tokenizer

    def is_language(self, token: str) -> bool:
        """Whether an added token marks a language, and so is no word of the vocabulary."""
        return bool(CODE.fullmatch(token) or M2M_CODE.fullmatch(token) or (token[:2], token[-2:]) == (">>", "<<"))

    def escaped(self, text: str, tokenizer: Any, words: Collection[str]) -> str:
        """`text` in which the tokenizer finds no special token; `words`, which were added to it, stay."""
        return text

    def unwritten(self, ids: Mapping[str, int]) -> list[list[int]] | None:
        """Sequences that must never be written. ids: the model's `TOKEN_IDS`."""
        return None

    def arranged(self, name: str, weights: Weights, config: Any) -> Weights:
        """A checkpoint's weights by the names that the class has for them. Raises `ModelError` if one is missing."""
        return weights

    def finished(self, model: Any) -> Any:
        """The loaded model, corrected in place where the library sets it otherwise than the checkpoint has it."""
        return model

    def has_tied_output(self, config: Any) -> bool:
        """Whether the output layer shares the weights of the decoder's embeddings."""
        return bool(getattr(config, "tie_word_embeddings", True))

    def has_tied_encoder(self, config: Any) -> bool | None:
        """Whether encoder and decoder share their embeddings; None if the config leaves it open."""
        is_shared = getattr(config, "share_encoder_decoder_embeddings", True)
        return self.has_tied_output(config) if is_shared else None

    def hidden_states(self, model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        """What the output layer of `model` gets: float (batch, target_tokens, width).

        inputs: `input_ids`, `attention_mask`, `decoder_input_ids` and perhaps `decoder_attention_mask`.
        """
        hidden: Tensor = model.model(**inputs, use_cache=False).last_hidden_state
        return hidden

    def logits(self, model: Any, hidden: Tensor) -> Tensor:
        """float (..., vocabulary), from the `hidden_states` (..., width)."""
        logits: Tensor = model.lm_head(hidden)
        bias = self.logits_bias(model)
        return logits if bias is None else logits + bias

    def logits_bias(self, model: Any) -> Tensor | None:
        """What Marian adds to the logits of each vocabulary entry: float (1, vocabulary)."""
        bias: Tensor | None = getattr(model, "final_logits_bias", None)
        return bias

    def own_masks(self, config: Any, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        """The inputs with the attention masks that the library would make from them, bool and broadcast.

        The library looks at the values of a mask to leave it out if it hides nothing. That makes the host wait for the
        device in every forward pass, and makes a recorded or compiled pass another one than the pass before it.
        attention_mask: bool (batch, 1, 1, source_tokens); decoder_attention_mask: bool (1, 1, target_tokens,
        target_tokens), True where attention is allowed.
        """
        length, device = inputs["decoder_input_ids"].shape[1], inputs["decoder_input_ids"].device
        causal = torch.ones(length, length, dtype=torch.bool, device=device).tril()
        return {
            **inputs,
            "attention_mask": inputs["attention_mask"].bool()[:, None, None],
            "decoder_attention_mask": causal[None, None],
        }

    def embeddings(self, model: Any) -> dict[str, Tensor]:
        """The weights of the `encoder`'s and the `decoder`'s embeddings and of the `output` layer."""
        return {
            "encoder": model.get_encoder().embed_tokens.weight,
            "decoder": model.get_decoder().embed_tokens.weight,
            "output": model.get_output_embeddings().weight,
        }

    def names_of(self, language: str) -> tuple[str, ...]:
        """How the tokenizer may name a language that is not in `aliases`: `fra`."""
        known = language_named(language)
        return () if known is None or known.code in self.aliases else known.iso3[::-1]

    def resolve(self, language: str, known: Mapping[str, int]) -> str:
        """The tokenizer's code of a language. Raises `ModelError` if it is not in `known`, ids by code."""
        for code in (language, *self.aliases.get(language, ()), *self.names_of(language)):
            if code in known:
                return code
        if not known:
            raise ModelError(
                f"the model has no token for language `{language}`, for its tokenizer's files name no languages; copy "
                "tokenizer.json and tokenizer_config.json there from the model that this one was made from"
            )
        near = sorted(code for code in known if code[:2] == language[:2])
        shown = ", ".join(near or sorted(known))[:200]
        raise ModelError(f"the model has no token for language `{language}`; it knows {shown}")


class MarkedOnBothSides(Family):
    """A family whose tokenizer is set to a source and a target language, and marks each text with its own."""

    mark: ClassVar[str] = "{}"
    """The token of a language, by its code."""
    position: ClassVar[int] = 0
    """Where the token is: first (0) or last (-1)."""

    def agree_on_languages(self, tokenizer: Any, source: str, target: str) -> LanguageContract:
        """See `Family`."""
        known = self.token_codes(tokenizer)
        source_code, target_code = self.resolve(source, known), self.resolve(target, known)
        tokenizer.src_lang, tokenizer.tgt_lang = source_code, target_code
        return self.contract(source_code, target_code, known[target_code])

    def contract(self, source: str, target: str, target_id: int) -> LanguageContract:
        """The contract for two codes and the id of the target's token, with which every hypothesis begins."""
        return LanguageContract(self.name, source, target, "", target_id)

    def token_codes(self, tokenizer: Any) -> dict[str, int]:
        """Ids of the language tokens by code, including languages that were added to the vocabulary later."""
        added = {token: int(index) for token, index in tokenizer.get_added_vocab().items() if CODE.fullmatch(token)}
        return added | {code: int(index) for code, index in tokenizer.lang_code_to_id.items()}

    def language_marks(
        self, languages: LanguageContract, tokenizer: Any, source: list[int], target: list[int]
    ) -> list[LanguageMark]:
        """See `Family`."""
        sides = (("source", languages.source_code, source), ("target", languages.target_code, target))
        return [LanguageMark(self.mark.format(code), side, ids[self.position]) for side, code, ids in sides]
