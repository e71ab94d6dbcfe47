"""The numbers of a text, kept: every system's hypothesis is held against the same source, by several checks."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from mt import numbers

_TEXTS = 50_000


@lru_cache(maxsize=_TEXTS)
def digit_numbers(text: str) -> frozenset[Decimal]:
    """Values of the numbers in digits."""
    return frozenset(numbers.digit_numbers(text))


@lru_cache(maxsize=_TEXTS)
def word_numbers(text: str, *, ordinals: bool = False) -> frozenset[Decimal]:
    """Values of the numbers in words; `ordinals`: the fifth counts as 5."""
    return frozenset(numbers.word_numbers(text, ordinals=ordinals))
