"""Sentences that are too long for a model, in parts that it can read."""

from __future__ import annotations

import re
from collections.abc import Callable

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
