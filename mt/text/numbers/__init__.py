"""Numbers in English and Arabic text: in digits and in words, dates, times of day, and what may mean the same.

He was born on 7/10/1990    ولد في السابع من تشرين الأول 1990
`unmatched` finds nothing: السابع is the seventh, and the 10 in a date may be October, تشرين الأول.
"""

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
    """The values of numbers written in Western, Arabic-Indic or Persian digits, and how often each occurs.

    `20,000`, `20،000`, `20 000`, `20k` and `20 ألف` are all 20000. Three digits after a separator are a group, any
    other number of digits is a decimal fraction. Times of day are left out, because 5 p.m. is 17:00.
    """
    if not re.search(r"\d", text):
        return Counter()
    return Counter(mention.value for mention in numbers_in_digits(fold(text)))


def digit_runs(text: str) -> Counter[str]:
    """The unbroken runs of digits in `text`, in Western digits, and how often each occurs."""
    return Counter(map(western_digits, re.findall(r"\d+", text)))


def word_numbers(text: str, *, ordinals: bool = False) -> Counter[Decimal]:
    """The values of numbers written in English or Arabic words, and how often each occurs.

    Words that scale a number in digits (`20 thousand`) are not counted again. ordinals: `the fifth` counts as 5.
    """
    return Counter(mention.value for mention in numbers_in_words(fold(text), ordinals=ordinals))
