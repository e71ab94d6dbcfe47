"""How each model family marks source and target language; training, evaluation and export share these rules.

A multilingual model needs a token that says which language to write, and each family puts it somewhere else. Without
it training and scores go silently wrong. The tokens are looked up in the tokenizer; an unknown language is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mt.errors import ModelError
from mt.languages import language_named

# The names that each family's tokenizer has for two-letter language codes, the most general first.
_ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "marian": {"ar": ("ara", "arb"), "en": ("eng",)},
    "nllb": {"ar": ("arb_Arab",), "en": ("eng_Latn",)},
    "m2m_100": {"ar": ("ar",), "en": ("en",)},
    "mbart": {"ar": ("ar_AR",), "en": ("en_XX",)},
    "mbart50": {"ar": ("ar_AR",), "en": ("en_XX",)},
}

_CODE = re.compile(r"[a-z]{2,3}_[A-Z][A-Za-z]{1,3}")
"""A language as NLLB (`arb_Arab`) and mBART (`ar_AR`) write it."""
_M2M_CODE = re.compile(r"__([a-z_]+)__")
_MARKS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True)
class LanguageContract:
    """The source and target language of one model, and the tokens that mark them."""

    family: str
    """marian, nllb, m2m_100, mbart or mbart50."""

    source_code: str
    """The tokenizer's code of the source language."""

    target_code: str
    """The tokenizer's code of the target language."""

    source_prefix: str
    """Text put before every source sentence: `>>ara<< ` for opus-mt-en-ar."""

    forced_bos_token_id: int | None
    """The id that every hypothesis must begin with: `arb_Arab` for NLLB; None for Marian and the first mBART."""

    decoder_start_token_id: int | None = None
    """The id that decoding starts from, if it is the language token (the first mBART); None: the model's usual one."""


def family_of(config: Any, tokenizer: Any) -> str:
    """The family of a model, from its config's type and its tokenizer's class.

    NLLB has the architecture of M2M-100, and mBART-50 that of the first mBART; only the tokenizer distinguishes them.
    Raises `ModelError` for any other type.
    """
    kind, tokenizer_class = str(config.model_type), type(tokenizer).__name__.lower()
    if kind == "m2m_100" and "nllb" in tokenizer_class:
        return "nllb"
    if kind == "mbart" and "mbart50" in tokenizer_class:
        return "mbart50"
    if kind in _ALIASES:
        return kind
    raise ModelError(f"models of type `{kind}` are not supported; use a Marian, M2M-100, NLLB or mBART model")


def family_by_tokenizer(tokenizer: Any) -> str:
    """The family of a model without a transformers config, from its tokenizer's class. Raises `ModelError`."""
    tokenizer_class = type(tokenizer).__name__.lower()
    for family in ("mbart50", "mbart", "nllb", "marian", "m2m_100"):
        if family.replace("_", "") in tokenizer_class:
            return family
    raise ModelError(
        f"models with a {type(tokenizer).__name__} are not supported; use a Marian, M2M-100, NLLB or mBART"
    )


def agree_on_languages(tokenizer: Any, family: str, source: str, target: str) -> LanguageContract:
    """Find both languages in the tokenizer and set the tokenizer to them.

    `source` and `target` are two-letter codes, or the tokenizer's own. Raises `ModelError` for a language that
    the model does not know.
    """
    if family == "marian":
        return _marian_contract(tokenizer, source, target)
    known = _token_codes(tokenizer, family)
    source_code = _resolve(source, known, family)
    target_code = _resolve(target, known, family)
    tokenizer.src_lang, tokenizer.tgt_lang = source_code, target_code
    if family == "mbart":
        return LanguageContract(family, source_code, target_code, "", None, known[target_code])
    return LanguageContract(family, source_code, target_code, "", known[target_code])


def _marian_contract(tokenizer: Any, source: str, target: str) -> LanguageContract:
    # Not from the config: opus-mt-en-ar declares no languages there and needs its token all the same.
    known = {
        token[2:-2]: index
        for token, index in tokenizer.get_vocab().items()
        if token.startswith(">>") and token.endswith("<<")
    }
    if not known:
        # One target language, so no token. The tokenizer would take `>>x<<` at the start of a sentence for a language
        # token; a space before it prevents that, and SentencePiece drops the space.
        return LanguageContract("marian", source, target, " ", None)
    code = _resolve(target, known, "marian")
    return LanguageContract("marian", source, code, f">>{code}<< ", None)


def _token_codes(tokenizer: Any, family: str) -> dict[str, int]:
    """Ids of the language tokens by code, including languages that were added to the vocabulary later.

    NLLB's are the added tokens that look like its codes. Its list of extra special tokens is not used: adding a
    language there removes all others from that list.
    """
    added = {token: int(index) for token, index in tokenizer.get_added_vocab().items()}
    if family == "m2m_100":
        _register_with_m2m(tokenizer, added)
    known = {} if family == "nllb" else {code: int(index) for code, index in tokenizer.lang_code_to_id.items()}
    return {token: index for token, index in added.items() if _CODE.fullmatch(token)} | known


def _register_with_m2m(tokenizer: Any, added: dict[str, int]) -> None:
    """Enter languages that were added to the vocabulary into the separate list of M2M-100's tokenizer.

    Some versions of the tokenizer give an added token the id of an existing language; such a token is skipped.
    """
    for token, index in added.items():
        code = _M2M_CODE.fullmatch(token)
        if code and code[1] not in tokenizer.lang_code_to_id and index not in tokenizer.id_to_lang_token:
            tokenizer.lang_code_to_id[code[1]] = tokenizer.lang_token_to_id[token] = index
            tokenizer.lang_code_to_token[code[1]] = tokenizer.id_to_lang_token[index] = token


def added_words(tokenizer: Any) -> list[str]:
    """Words that were added to a tokenizer's vocabulary; no languages, and no special tokens such as `</s>`."""
    marks = {str(getattr(tokenizer, mark, None)) for mark in _MARKS} | {"<s>", "</s>", "<pad>", "<unk>", "<mask>"}
    added = (str(token) for token in tokenizer.added_tokens_decoder.values())
    return [word for word in added if word not in marks and not _is_language(word)]


def _is_language(token: str) -> bool:
    return bool(_CODE.fullmatch(token) or _M2M_CODE.fullmatch(token) or (token[:2], token[-2:]) == (">>", "<<"))


def _names_by_table(language: str, family: str) -> tuple[str, ...]:
    """How a family may name a language that has no entry in `_ALIASES`: `fra`, or `fra_Latn` for NLLB."""
    known = language_named(language)
    if known is None or known.code in _ALIASES[family]:
        return ()
    return tuple(f"{iso3}_{known.script_code}" if family == "nllb" else iso3 for iso3 in known.iso3[::-1])


def _resolve(language: str, known: dict[str, int], family: str) -> str:
    for code in (language, *_ALIASES[family].get(language, ()), *_names_by_table(language, family)):
        if code in known:
            return code
    regional = [code for code in known if family.startswith("mbart") and code.startswith(f"{language}_")]
    if len(regional) == 1:
        return regional[0]
    if not known:
        raise ModelError(
            f"the model has no token for language `{language}`, for its tokenizer's files name no languages; copy "
            "tokenizer.json and tokenizer_config.json there from the model that this one was made from"
        )
    near = sorted(code for code in known if code[:2] == language[:2])
    shown = ", ".join(near or sorted(known))[:200]
    raise ModelError(f"the model has no token for language `{language}`; it knows {shown}")
