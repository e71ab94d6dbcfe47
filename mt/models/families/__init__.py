"""The model families: one file each, and this list of them."""

from __future__ import annotations

from typing import Any

from mt.errors import ModelError
from mt.models.families.family import Family, LanguageContract, LanguageMark
from mt.models.families.llm import Gemma, Gemma3, Gemma3Text, HunYuan, Llama, Mistral, Qwen2, Qwen3
from mt.models.families.m2m_100 import M2M100, Nllb
from mt.models.families.marian import Marian
from mt.models.families.mbart import MBart, MBart50
from mt.models.families.t5 import T5

__all__ = [
    "FAMILIES",
    "Family",
    "LanguageContract",
    "LanguageMark",
    "families_of_type",
    "family_by_name",
    "family_by_tokenizer",
    "family_of",
    "family_of_model",
    "tokenizer_families",
    "usable",
]

FAMILIES: tuple[Family, ...] = (
    *(Marian(), M2M100(), Nllb(), MBart(), MBart50(), T5()),
    *(Llama(), Mistral(), Qwen2(), Qwen3(), HunYuan(), Gemma(), Gemma3Text(), Gemma3()),
)
"""Of families with one model type, the first is taken where the tokenizer does not decide."""


def usable() -> str:
    """The families in words, for messages: `use a Marian, ... model`."""
    titles = list(dict.fromkeys(family.title for family in FAMILIES))
    return f"use a {', '.join(titles[:-1])} or {titles[-1]} model"


def families_of_type(kind: object) -> list[Family]:
    """The families with this `model_type` in config.json; none if it is not supported."""
    return [family for family in FAMILIES if family.model_type == kind]


def tokenizer_families() -> dict[str, Family]:
    """The encoder-decoder families by the names of their tokenizers' classes; decoder-only ones have any tokenizer."""
    return {family.tokenizer_class.__name__: family for family in FAMILIES if not family.is_prompted}


def family_by_name(name: str) -> Family:
    """The family of a `LanguageContract`."""
    return next(family for family in FAMILIES if family.name == name)


def family_of_model(model: Any) -> Family:
    """The family of a model's architecture, by its config."""
    return families_of_type(model.config.model_type)[0]


def family_of(config: Any, tokenizer: Any) -> Family:
    """The family of a model, from its config's type and its tokenizer's class.

    NLLB has the architecture of M2M-100, and mBART-50 that of the first mBART; only the tokenizer distinguishes them.
    Raises `ModelError` for any other type.
    """
    families = families_of_type(config.model_type)
    if not families:
        raise ModelError(f"models of type `{config.model_type}` are not supported; {usable()}")
    return next((family for family in families if _has(family, tokenizer)), families[0])


def family_by_tokenizer(tokenizer: Any) -> Family:
    """The family of a model without a transformers config, from its tokenizer's class. Raises `ModelError`."""
    for family in FAMILIES:
        if _has(family, tokenizer):
            return family
    raise ModelError(f"models with a {type(tokenizer).__name__} are not supported; {usable()}")


def _has(family: Family, tokenizer: Any) -> bool:
    return type(tokenizer).__name__.removesuffix("Fast") == family.tokenizer_class.__name__
