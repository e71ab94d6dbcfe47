"""Sentences that are too long for a model, in parts that it can read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mt.config import DecodingConfig
from mt.models.decoding import prepared
from mt.models.translator import Translator

_CLAUSE_END = re.compile(r"(?<=[,;:،؛–—])\s+")
_SPACE = re.compile(r"\s+")


def fitting_parts(text: str, fits: Callable[[str], bool]) -> list[str]:
    """The text, or parts of it that fit: cut at the comma, semicolon or colon nearest to the middle, else at a space.

    A word that is too long by itself stays whole.
    """
    if fits(text):
        return [text]
    for border in (_CLAUSE_END, _SPACE):
        cuts = [match for match in border.finditer(text) if match.start() > 0 and match.end() < len(text)]
        if cuts:
            cut = min(cuts, key=lambda match: abs(match.start() - len(text) / 2))
            return [*fitting_parts(text[: cut.start()], fits), *fitting_parts(text[cut.end() :], fits)]
    return [text]


def parts_for(translator: Translator, texts: Sequence[str], decoding: DecodingConfig) -> list[list[str]]:
    """Each text as the model can read it: whole, or in parts that fit together with terms and tag."""

    def lengths(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in translator.encode_sources(prepared(texts, decoding))]

    def fits(text: str) -> bool:
        return lengths([text])[0] <= translator.max_tokens

    return [
        [text] if length <= translator.max_tokens else fitting_parts(text, fits)
        for text, length in zip(texts, lengths(texts), strict=True)
    ]
