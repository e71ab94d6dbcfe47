"""Numbers in English and Arabic text: any digits, any grouping, and number words up to the billions."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal

from mt.text import remove_diacritics, western_digits


def _table(text: str) -> dict[str, int]:
    """`one 1, two 2` as a dictionary; several words may stand before a value."""
    entries = [entry.split() for entry in text.split(",")]
    return {word: int(value) for *words, value in entries for word in words}


_ENGLISH_SCALES = _table(
    "hundred 100, thousand thousands 1000, million millions 1000000, billion billions bn 1000000000, "
    "trillion 1000000000000"
)
_ARABIC_SCALES = _table(
    "مئة مائة مية 100, الف الفا الاف 1000, مليون مليونا ملايين 1000000, "
    "مليار مليارا مليارات بليون بلايين 1000000000, تريليون ترليون تريليونات 1000000000000"
)
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
_ARABIC_ORDINALS = _table(
    "اول اولى حادي حادية 1, ثاني ثانية 2, ثالث ثالثة 3, رابع رابعة 4, خامس خامسة 5, سادس سادسة 6, سابع سابعة 7, "
    "ثامن ثامنة 8, تاسع تاسعة 9, عاشر عاشرة 10"
)


def _arabic_words() -> dict[str, int]:
    """Values of Arabic number words, folded as by `_fold`; gender and case are all there."""
    stems = ("ثلاث", "اربع", "خمس", "ست", "سبع", "ثماني", "تسع")
    words = _table("صفر 0, واحد واحدة احد احدى 1, ثمان 8, عشر عشرة 10, عشرون عشرين 20, مئتا مائتا 200")
    words |= dict.fromkeys(("اثنان", "اثنين", "اثنتان", "اثنتين", "اثنا", "اثني", "اثنتا", "اثنتي"), 2)
    for value, stem in enumerate(stems, start=3):
        tens = stem.removesuffix("ي") if value == 8 else stem
        words |= dict.fromkeys((stem, stem + "ة"), value)
        words |= dict.fromkeys((tens + "ون", tens + "ين"), 10 * value)
        words |= {start + hundred: 100 * value for start in {stem, tens} for hundred in ("مئة", "مائة", "مية")}
    # The dual is a number of its own; without its last letter before a noun.
    duals = {"مئت": 200, "مائت": 200, "الف": 2000, "مليون": 2 * 10**6, "مليار": 2 * 10**9}
    return words | {stem + ending: value for stem, value in duals.items() for ending in ("ان", "ين", "ي")}


_ARABIC_WORDS = _arabic_words()
# An ordinal is read as the number word of its value.
_ORDINALS = {
    ordinal: next(word for word, value in words.items() if value == wanted)
    for ordinals, words in ((_ENGLISH_ORDINALS, _ENGLISH_WORDS), (_ARABIC_ORDINALS, _ARABIC_WORDS))
    for ordinal, wanted in ordinals.items()
}
_ORDINAL = re.compile(rf"(?<![^\W\d_])(و?(?:ال)?)({'|'.join(_ORDINALS)})(?![^\W\d_])")
_GROUP = "[,،٬.'’ ]"
_DIGITS = rf"\d{{1,3}}(?:{_GROUP}\d{{3}})+(?!\d)(?:[.٫]\d+)?|\d+(?:[.,٫]\d+)?"
_SCALES = {**_ENGLISH_SCALES, **_ARABIC_SCALES}
_NUMBER = re.compile(rf"(?<![\d])(?P<digits>{_DIGITS})(?:[ -]?(?P<scale>{'|'.join(_SCALES)})(?![^\W\d_]))?")
_ARABIC_LETTERS = re.compile("[\u0620-\u064a\u066e-\u06d3]+")
_CLOCK = re.compile(r"\d{1,2}:\d\d|\d{1,2}(?:\.\d\d)? ?[ap]\.?m\b")
_MAX_DIGITS = 60
_LARGEST = 10**18  # of numbers in words; a hundred hundred hundred is one no more
_FOLDED = str.maketrans("أإآٱ", "اااا")


def digit_numbers(text: str) -> Counter[Decimal]:
    """Values of the numbers that are written in digits, Western, Arabic-Indic or Persian, and how often.

    `20,000`, `20،000`, `20 000` and `20 ألف` are all 20000. Three digits behind a separator are a group, any
    other number of digits is a decimal fraction. Times of day are left out: 5 p.m. is 17:00.
    """
    if not re.search(r"\d", text):
        return Counter()
    plain = _CLOCK.sub(" ", _fold(western_digits(text)).casefold())
    return Counter(_value(match) for match in _NUMBER.finditer(plain))


def _value(match: re.Match[str]) -> Decimal:
    digits, scale = match["digits"], match["scale"]
    grouped = re.match(rf"\d{{1,3}}(?:{_GROUP}\d{{3}})+(?!\d)", digits)
    if grouped:
        whole, fraction = re.sub(r"\D", "", grouped.group()), digits[grouped.end() + 1 :]
    else:
        whole, _, fraction = re.sub(r"[,٫]", ".", digits).partition(".")
    # Nobody reads the digits behind these, and a million of them are more than a Decimal takes.
    excess = min(len(whole[_MAX_DIGITS:]), _MAX_DIGITS)
    plain = Decimal(f"{whole[:_MAX_DIGITS]}.{fraction[:_MAX_DIGITS] or 0}").scaleb(excess)
    value = plain * _SCALES.get(scale or "", 1)
    return value.normalize() + 0  # without the zeros behind the point, and without an exponent's sign of zero


def digit_runs(text: str) -> Counter[str]:
    """The unbroken runs of digits in `text`, in Western digits, and how often each occurs."""
    return Counter(map(western_digits, re.findall(r"\d+", text)))


def word_numbers(text: str, *, ordinals: bool = False) -> Counter[Decimal]:
    """Values of the numbers that are written in words, English or Arabic, and how often.

    Words that scale a number in digits (`20 thousand`) are not counted again. `ordinals`: the fifth counts as 5.
    """
    plain = _NUMBER.sub(" 0 ", _fold(western_digits(text)).casefold())
    if ordinals:
        plain = _ORDINAL.sub(lambda match: match[1] + _ORDINALS[match[2]], plain)
    return _english_numbers(plain) + _arabic_numbers(plain)


def _english_numbers(text: str) -> Counter[Decimal]:
    found: Counter[Decimal] = Counter()
    total = current = 0
    is_open = False
    for word in [*re.findall(r"[a-z]+|[^\sa-z-]", text), "."]:
        if word in _ENGLISH_WORDS and not (is_open and _is_closed(current, _ENGLISH_WORDS[word])):
            current, is_open = current + _ENGLISH_WORDS[word], True
        elif word in _ENGLISH_SCALES and is_open and total + current < _LARGEST:
            scale = _ENGLISH_SCALES[word]
            total, current = (total, current * 100) if scale == 100 else (total + current * scale, 0)
        elif not (word == "and" and is_open and (total or current >= 100)):
            found.update([Decimal(total + current)] if is_open else [])
            total, current, is_open = 0, _ENGLISH_WORDS.get(word, 0), word in _ENGLISH_WORDS
    return found


def _is_closed(current: int, value: int) -> bool:
    """Whether `value` cannot be added to a number that ends as `current` does: after twenty comes one to nine."""
    rest = current % 100
    return not ((rest == 0 and current > 0) or (rest >= 20 and rest % 10 == 0 and 0 < value < 10) or current == 0)


def _arabic_numbers(text: str) -> Counter[Decimal]:
    found: Counter[Decimal] = Counter()
    total, current = 0, 0
    is_open = False
    for word in [*_ARABIC_LETTERS.findall(text), ""]:
        value, scale, is_joined = _arabic_value(word)
        if is_open and scale is not None and (current or is_joined):
            total, current = _scaled(total, current, scale)
        elif is_open and value is not None and _continues(current, value, is_joined):
            total, current = (total + value, 0) if value >= 1000 else (total, current + value)
        else:
            found.update([Decimal(total + current)] if is_open else [])
            is_open = value is not None or scale is not None
            number = scale or value or 0
            total, current = (number, 0) if number >= 1000 else (0, number)
    return found


def _arabic_value(word: str) -> tuple[int | None, int | None, bool]:
    """(value, scale, whether "and" precedes it); at most one of the first two is set."""
    for prefix in ("", "و", "ب", "ل", "ف", "وب", "ال", "وال", "بال", "لل"):
        stem = word.removeprefix(prefix)
        if word.startswith(prefix) and (stem in _ARABIC_WORDS or stem in _ARABIC_SCALES):
            return _ARABIC_WORDS.get(stem), _ARABIC_SCALES.get(stem), prefix.startswith("و")
    return None, None, False


def _scaled(total: int, current: int, scale: int) -> tuple[int, int]:
    if scale == 100:
        return total, current * 100 if 3 <= current <= 9 else current + 100
    return total + (current or 1) * scale, 0


def _continues(current: int, value: int, is_joined: bool) -> bool:
    """Five-ten is fifteen; five and twenty, hundred and five, thousand and hundred go on; five and six do not."""
    if not is_joined:
        return value == 10 and 1 <= current % 100 <= 9
    if value >= 100:
        return current == 0
    unit, ten = current % 10, current % 100 // 10
    return ten == 0 and (unit == 0 or 20 <= value < 100)


def _fold(text: str) -> str:
    return remove_diacritics(text).translate(_FOLDED).replace("٬", ",").replace("،", ",")
