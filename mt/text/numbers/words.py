"""Numbers in words, English and Arabic, up to the trillions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from mt.text.normalise import remove_diacritics, western_digits


class Mention(NamedTuple):
    """A number and where it is written in folded text."""

    start: int
    end: int
    value: Decimal
    also: frozenset[Decimal] = frozenset()
    """Other values that it may mean."""


def _table(text: str) -> dict[str, int]:
    """`one 1, two deux 2` as {"one": 1, "two": 2, "deux": 2}."""
    entries = [entry.split() for entry in text.split(",")]
    return {word: int(value) for *words, value in entries for word in words}


_ENGLISH_SCALES = _table(
    "hundred 100, thousand thousands 1000, million millions mn 1000000, billion billions bn 1000000000, "
    "trillion trillions tn 1000000000000"
)
_ARABIC_SCALES = _table(
    "مئة مائة مية 100, الف الفا الاف 1000, مليون مليونا ملايين 1000000, "
    "مليار مليارا مليارات بليون بلايين 1000000000, تريليون ترليون تريليونات 1000000000000"
)
SCALES = {**_ENGLISH_SCALES, **_ARABIC_SCALES}
_ENGLISH_WORDS = _table(
    "zero 0, one 1, two 2, three 3, four 4, five 5, six 6, seven 7, eight 8, nine 9, ten 10, eleven 11, twelve 12, "
    "thirteen 13, fourteen 14, fifteen 15, sixteen 16, seventeen 17, eighteen 18, nineteen 19, twenty 20, thirty 30, "
    "forty 40, fifty 50, sixty 60, seventy 70, eighty 80, ninety 90"
)
_ENGLISH_ORDINALS = _table(
    "first 1, second 2, third 3, fourth 4, fifth 5, sixth 6, seventh 7, eighth 8, ninth 9, tenth 10, eleventh 11, "
    "twelfth 12, thirteenth 13, fourteenth 14, fifteenth 15, sixteenth 16, seventeenth 17, eighteenth 18, "
    "nineteenth 19, twentieth 20, thirtieth 30, fortieth 40, fiftieth 50"
)
_ENGLISH_WORDS_AND_ORDINALS = _ENGLISH_WORDS | _ENGLISH_ORDINALS
_ARABIC_ORDINALS = _table(
    "اول اولى حادي حادية 1, ثاني ثانية 2, ثالث ثالثة 3, رابع رابعة 4, خامس خامسة 5, سادس سادسة 6, سابع سابعة 7, "
    "ثامن ثامنة 8, تاسع تاسعة 9, عاشر عاشرة 10"
)


def _arabic_words() -> dict[str, int]:
    """Values of Arabic number words, folded as by `fold`, in all genders and cases."""
    stems = ("ثلاث", "اربع", "خمس", "ست", "سبع", "ثماني", "تسع")
    words = _table("صفر 0, واحد واحدة احد احدى 1, ثمان 8, عشر عشرة 10, عشرون عشرين 20, مئتا مائتا 200")
    words |= dict.fromkeys(("اثنان", "اثنين", "اثنتان", "اثنتين", "اثنا", "اثني", "اثنتا", "اثنتي"), 2)
    for value, stem in enumerate(stems, start=3):
        tens = stem.removesuffix("ي") if value == 8 else stem
        words |= dict.fromkeys((stem, stem + "ة", stem + "ا"), value)
        words |= dict.fromkeys((tens + "ون", tens + "ين"), 10 * value)
        words |= {start + hundred: 100 * value for start in {stem, tens} for hundred in ("مئة", "مائة", "مية")}
    # The dual is a number of its own; before a noun it loses its last letter.
    duals = {"مئت": 200, "مائت": 200, "الف": 2000, "مليون": 2 * 10**6, "مليار": 2 * 10**9}
    return words | {stem + ending: value for stem, value in duals.items() for ending in ("ان", "ين", "ي")}


_ARABIC_WORDS = _arabic_words()
_ARABIC_TOKENS = re.compile("[\u0620-\u064a\u066e-\u06d3]+")
_ENGLISH_TOKENS = re.compile(r"[a-z]+|[^\sa-z-]")
_CLITICS = ("", "و", "ب", "ل", "ف", "وب", "ال", "وال", "بال", "لل")
_LATIN_LETTER, _ARABIC_LETTER = re.compile("[a-z]"), re.compile("[\u0620-\u06d3]")
_LARGEST = 10**18  # a hundred hundred hundred is no number
_FRACTIONS = {"½": "5", "¼": "25", "¾": "75"}
_FRACTION = re.compile(r"(\d?)([½¼¾])")
_FOLDED = str.maketrans("أإآٱ", "اااا")


def _decimal(match: re.Match[str]) -> str:
    """`2½` as 2.5."""
    return f"{match[1] or 0}.{_FRACTIONS[match[2]]}"


@lru_cache(maxsize=50_000)
def fold(text: str) -> str:
    """`text` in the spelling in which numbers are read: Western digits, no diacritics, one alef, lower case."""
    plain = _FRACTION.sub(_decimal, remove_diacritics(western_digits(text))).translate(_FOLDED)
    return plain.replace("٬", ",").replace("،", ",").casefold()


def english_numbers(folded: str, *, ordinals: bool = False) -> Iterator[Mention]:
    """`two thousand five hundred` is 2500; `five, six` are two numbers."""
    if not _LATIN_LETTER.search(folded):
        return
    values = _ENGLISH_WORDS_AND_ORDINALS if ordinals else _ENGLISH_WORDS
    total = current = start = end = 0
    is_open = False
    tokens = [(match.group(), *match.span()) for match in _ENGLISH_TOKENS.finditer(folded)]
    for word, first, last in [*tokens, (".", 0, 0)]:
        if word in values and not (is_open and _is_closed(current, values[word])):
            start = start if is_open else first
            current, end, is_open = current + values[word], last, True
        elif word in _ENGLISH_SCALES and is_open and total + current < _LARGEST:
            scale, end = _ENGLISH_SCALES[word], last
            total, current = (total, current * 100) if scale == 100 else (total + current * scale, 0)
        elif not (word == "and" and is_open and (total or current >= 100)):
            if is_open:
                yield Mention(start, end, Decimal(total + current))
            total, current, is_open = 0, values.get(word, 0), word in values
            start, end = first, last


def _is_closed(current: int, value: int) -> bool:
    """Whether `value` cannot continue a number that ends like `current`: twenty is continued by one to nine."""
    rest = current % 100
    return not ((rest == 0 and current > 0) or (rest >= 20 and rest % 10 == 0 and 0 < value < 10) or current == 0)


_FIRST = {"اول", "اولى"}


def arabic_numbers(folded: str, *, ordinals: bool = False) -> Iterator[Mention]:
    """`خمسة وعشرون` is 25, `ألف وخمسمئة` 1500; `خمسة وستة` and `أول مئة` are two numbers."""
    if not _ARABIC_LETTER.search(folded):
        return
    total = current = start = end = part = 0
    is_open = is_first = False
    tokens = [(match.group(), *match.span()) for match in _ARABIC_TOKENS.finditer(folded)]
    for word, first, last in [*tokens, ("", 0, 0)]:
        value, scale, is_joined = _arabic_value(word, ordinals)
        if is_open and scale is not None and (current or is_joined) and (is_joined or not is_first):
            if scale >= 1000 and 0 < total < 1000 * scale and current:
                # Two hundred thousand and three hundred thousand: a scale comes once in a number.
                yield Mention(start, part, Decimal(total))
                start, total = part, 0
            total, current = _scaled(total, current, scale)
        elif is_open and value is not None and _continues(current, value, is_joined):
            part = part if current else first
            total, current = (total + value, 0) if value >= 1000 else (total, current + value)
        else:
            if is_open:
                yield Mention(start, end, Decimal(total + current))
            is_open, start = value is not None or scale is not None, first
            number = scale or value or 0
            total, current = (number, 0) if number >= 1000 else (0, number)
        end, is_first = last, word in _FIRST


@lru_cache(maxsize=50_000)
def _arabic_value(word: str, ordinals: bool) -> tuple[int | None, int | None, bool]:
    """(value, scale, whether "and" precedes the word); at most one of the first two is not None."""
    for prefix in _CLITICS:
        stem = word.removeprefix(prefix)
        if not word.startswith(prefix):
            continue
        if stem in _ARABIC_WORDS or stem in _ARABIC_SCALES:
            return _ARABIC_WORDS.get(stem), _ARABIC_SCALES.get(stem), prefix.startswith("و")
        if ordinals and stem in _ARABIC_ORDINALS:
            return _ARABIC_ORDINALS[stem], None, prefix.startswith("و")
    return None, None, False


def _scaled(total: int, current: int, scale: int) -> tuple[int, int]:
    if scale == 100:
        return total, current * 100 if 3 <= current <= 9 else current + 100
    return total + (current or 1) * scale, 0


def _continues(current: int, value: int, is_joined: bool) -> bool:
    """Whether `value` continues a number: five-ten, five and twenty, hundred and five do; five and six do not."""
    if not is_joined:
        return value == 10 and 1 <= current % 100 <= 9
    if value >= 100:
        return current == 0
    unit, ten = current % 10, current % 100 // 10
    return ten == 0 and (unit == 0 or 20 <= value < 100)
