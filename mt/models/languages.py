"""The languages of a model and the words of its tokenizer; training, evaluation and export share these rules.

A multilingual model needs a token that says which language to write, and each family puts it somewhere else. Without
it training and scores go silently wrong. The tokens are looked up in the tokenizer; an unknown language is refused.
"""

from __future__ import annotations

from typing import Any

from mt.models.families import LanguageContract, family_by_name

_MARKS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def agree_on_languages(tokenizer: Any, family: str, source: str, target: str) -> LanguageContract:
    """Find both languages in the tokenizer and set the tokenizer to them.

    `source` and `target` are two-letter codes, or the tokenizer's own. Raises `ModelError` for a language that
    the model does not know.
    """
    return family_by_name(family).agree_on_languages(tokenizer, source, target)


def added_words(tokenizer: Any, family: str) -> list[str]:
    """Words that were added to a tokenizer's vocabulary; no languages, and no special tokens such as `</s>`."""
    marks = {str(getattr(tokenizer, mark, None)) for mark in _MARKS} | {"<s>", "</s>", "<pad>", "<unk>", "<mask>"}
    added = (str(token) for token in tokenizer.added_tokens_decoder.values())
    return [word for word in added if word not in marks and not family_by_name(family).is_language(word)]
