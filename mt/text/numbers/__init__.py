"""Numbers in English and Arabic text: in any digits and in words, dates, times of day, and what may mean the same."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal

from mt.text.normalise import western_digits
from mt.text.numbers.digits import numbers_in_digits
from mt.text.numbers.readings import numbers_in_words, unmatched
from mt.text.numbers.words import fold

__all__ = ["digit_numbers", "digit_runs", "unmatched", "word_numbers"]


def digit_numbers(text: str) -> Counter[Decimal]:
    """Values of the numbers that are written in digits, Western, Arabic-Indic or Persian, and how often.

    `20,000`, `20،000`, `20 000`, `20k` and `20 ألف` are all 20000. Three digits behind a separator are a group, any
    other number of digits is a decimal fraction. Times of day are left out: 5 p.m. is 17:00.
    """
    if not re.search(r"\d", text):
        return Counter()
    return Counter(mention.value for mention in numbers_in_digits(fold(text)))


def digit_runs(text: str) -> Counter[str]:
    """The unbroken runs of digits in `text`, in Western digits, and how often each occurs."""
    return Counter(map(western_digits, re.findall(r"\d+", text)))


def word_numbers(text: str, *, ordinals: bool = False) -> Counter[Decimal]:
    """Values of the numbers that are written in words, English or Arabic, and how often.

    Words that scale a number in digits (`20 thousand`) are not counted again. `ordinals`: the fifth counts as 5.
    """
    return Counter(mention.value for mention in numbers_in_words(fold(text), ordinals=ordinals))
