"""What numbers may mean besides their written value, so that two texts agree that write them differently.

10 and 15 thousand    10 may also be 10,000
مليون و300 ألف        1,300,000 as a whole, and its parts
7/10/2023             7 and 10 may be months
0600 GMT              600 may be 06:00
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from mt.text.numbers.dates import Span, decades, months, times_of_day
from mt.text.numbers.digits import NUMBER, numbers_in_digits
from mt.text.numbers.words import SCALES, Mention, arabic_numbers, english_numbers, fold

Reading = Decimal | tuple[str, int] | tuple[str, int, int]
_MAX_NUMBERS = 200  # in a longer list, any number would be the sum of some others
_MIN_DIGITS_OF_PHONE = 7
_END = 2**62
_LARGEST = 10**18  # nothing larger is counted in millions, and a Decimal has no remainder
_AND = re.compile(r"[ ]*(?:and|و)?[ ]*")
_RANGE = re.compile(r"[ ]*(?:and|or|to|و|او|الى|حتى|[-–—])?[ ]*(?:نحو |about )?")
_PERCENT_WORD = re.compile(r"(?:في ?ال|بال)(?:مئة|مائة|مية)")
_HALF = re.compile(
    r"\bhalf (?:an? |of an? )?(?P<scale>thousand|million|billion|trillion)\b|"
    r"(?<!\w)[بل]?نصف (?:ال)?(?P<arabic>الف|مليون|مليار|بليون|تريليون)(?!\w)"
)
_PERCENT = re.compile(
    r"(?<!\d)(\d{1,9}(?:[.,]\d{1,9})?) ?(?:%|٪|per ?cent|(?:في ?|ب)ال(?:مئة|مائة|مية))|[%٪] ?(\d{1,9}(?:[.,]\d{1,9})?)"
)
_FRACTION = re.compile(r"(?<![\d/])(\d)/(\d)(?![\d/])|\b(one|two|three|1|2|3) (?:in|out of)(?: every)? (\w+)\b")
_DATE = re.compile(r"(?<![\d/.-])(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})(?![\d/.-]\d|\d)")
_MONTH_IN_DIGITS = re.compile(r"(?<!\w)[وفبل]?شهر (1[0-2]|[1-9])(?!\d|[.,:/-]\d| ?[%٪])")
_YEAR_WITHOUT_CENTURY = re.compile(r"(?<![\w'’‘])['’‘](\d\d)(?![\w'’‘])")
_SHORT_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)[/–-](\d\d)(?!\d)")
_WORDS_TO_TEN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGIT_WORDS = {word: str(value) for value, word in enumerate(_WORDS_TO_TEN, start=1)}
_FOLD = re.compile(r"\b([a-z]+)-?fold\b")
_ROMAN = re.compile(r"\b(?=[IVX]{2,5}\b|[VX]\b)(X{0,3})(IX|IV|V?I{0,3})\b")
_MIDDAYS = {12: r"\bnoon\b|\bmidday\b|(?<!\w)\w{0,3}ظهرا?(?!\w)|منتصف النهار", 0: r"\bmidnight\b|منتصف الليل"}
_COUNTED = re.compile(r"\b(?:Chapter|Part|Annex|Article|Title|Section|Phase|Volume|Appendix|War) $")
_ROMAN_UNITS = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_SHARES = {
    r"\bhal(?:f|ves)\b|(?<!\w)\w{0,3}نصف": "0.5", r"\bquarters?\b|(?<!\w)\w{0,3}ربع(?!\w)|ارباع": "0.25",
    r"\bthirds?\b|(?<!\w)\w{0,3}ثلث": "0.333", r"two[ -]thirds|(?<!\w)\w{0,3}ثلث[ياه]": "0.667",
    r"three[ -]quarters|ثلاثة ارباع": "0.75", r"\b(?:a|one)[ -]fifth\b|(?<!\w)\w{0,2}خمس(?!\w)": "0.2",
    r"\b(?:a|one)[ -]tenth\b|(?<!\w)\w{0,2}عشر(?!\w)": "0.1",
}  # fmt: skip
_SCALE_WORDS = {
    1000: r"thousand|(?<!\w)\w{0,3}(?:الف|الاف)",
    10**6: "million|مليون|ملايين",
    10**9: r"billion|\bbn|مليار|بليون",
}
_UNITS = {
    r"\bdozens?\b|دزين": 12, r"\bdecades?\b|(?<!\w)\w{0,3}عقد(?!\w)": 10, r"\bcentur|(?<!\w)\w{0,3}قرن(?!\w)": 100,
    r"\bfortnight": 14, r"\bscore\b": 20, r"(?<!\w)\w{0,2}عقد(?:ين|ان)": 20, r"(?<!\w)\w{0,2}قرن(?:ين|ان)": 200,
}  # fmt: skip


class Numbers(NamedTuple):
    """The numbers of a text, and what they may mean."""

    digits: Counter[Decimal]
    """Numbers in digits, with their frequencies."""
    words: Counter[Decimal]
    """Numbers in words, ordinals included."""
    also: dict[Decimal, frozenset[Reading]]
    """What a number may mean besides its value."""
    more: frozenset[Reading]
    """What else the text says: halves, dozens, months, times, decades."""
    meant: frozenset[Reading]
    """All readings of all numbers."""
    said: frozenset[Reading]
    """The values as written, and `more`."""


@lru_cache(maxsize=50_000)
def numbers_of(text: str) -> Numbers:
    """All numbers of the text and what they may mean."""
    folded = fold(text)
    digits = list(numbers_in_digits(folded))
    words = list(numbers_in_words(folded, ordinals=True))
    also: dict[Decimal, set[Reading]] = {}
    special = _special(folded)
    for value, reading in (
        *_own([*digits, *words], special),
        *_percentages(folded),
        *_ranges([*digits, *words], folded),
        *_sums([*digits, *words], folded),
        *_dates(folded),
    ):
        also.setdefault(value, set()).add(reading)
    more = {*_named(text, folded), *_parts([*digits, *words], folded)}
    more.update(*special.values())
    return Numbers(
        Counter(mention.value for mention in digits),
        Counter(mention.value for mention in words),
        {value: frozenset(readings) for value, readings in also.items()},
        frozenset(more),
        frozenset().union(*also.values()),
        frozenset({*more, *(mention.value for mention in (*digits, *words))}),
    )


def numbers_in_words(folded: str, *, ordinals: bool = False) -> Iterator[Mention]:
    """Numbers in words, except those that scale digits (`20 thousand`) or belong to "per cent"."""
    plain = NUMBER.sub(lambda match: "0" * len(match.group()), folded)
    plain = _PERCENT_WORD.sub(lambda match: "0" * len(match.group()), plain)
    for match in _HALF.finditer(plain):
        yield Mention(*match.span(), Decimal(SCALES[match["scale"] or match["arabic"]]) / 2)
    plain = _HALF.sub(lambda match: "0" * len(match.group()), plain)
    yield from english_numbers(plain, ordinals=ordinals)
    yield from arabic_numbers(plain, ordinals=ordinals)


def unmatched(source: str, target: str) -> tuple[Counter[Decimal], Counter[Decimal]]:
    """(numbers in digits of the source that the target lacks, the reverse), each with its frequency.

    `killed 12 in 2014` and `مقتل 13 عام 2014` give ({12: 1}, {13: 1}).
    """
    ours, theirs = numbers_of(source), numbers_of(target)
    lost = ours.digits - theirs.digits - theirs.words
    new = theirs.digits - ours.digits - ours.words
    lost = Counter({value: n for value, n in lost.items() if not may_be_in(value, ours, theirs)})
    new = Counter({value: n for value, n in new.items() if not may_be_in(value, theirs, ours)})
    return (Counter(), Counter()) if lost and new and is_phone(source, target, lost, new) else (lost, new)


def may_be_in(value: Decimal, ours: Numbers, theirs: Numbers) -> bool:
    """Whether another reading of a number in our text is in theirs."""
    return value in theirs.more or value in theirs.meant or not theirs.said.isdisjoint(ours.also.get(value, ()))


def is_phone(source: str, target: str, lost: Iterable[Decimal], new: Iterable[Decimal]) -> bool:
    """Whether the numbers left over are the same digits in other groups: `+963 11 555` and `0096311555`."""
    ours, theirs = ("".join(_digits_of(text, left)).lstrip("0") for text, left in ((source, lost), (target, new)))
    return ours == theirs and len(ours) >= _MIN_DIGITS_OF_PHONE


def _digits_of(text: str, left: Iterable[Decimal]) -> list[str]:
    """The digits of the numbers left over, in the order of the text."""
    folded, values = fold(text), set(left)
    return [re.sub(r"\D", "", folded[m.start : m.end]) for m in numbers_in_digits(folded) if m.value in values]


def _own(mentions: Iterable[Mention], special: dict[Span, set[Reading]]) -> Iterator[tuple[Decimal, Reading]]:
    """What a number may mean by itself, or as part of a time, decade or fraction."""
    spans = sorted(special)
    for mention in mentions:
        yield from ((mention.value, reading) for reading in mention.also)
        index = bisect(spans, (mention.start, _END)) - 1
        if index >= 0 and mention.start < spans[index][1]:
            yield from ((mention.value, reading) for reading in special[spans[index]])


def _percentages(folded: str) -> Iterator[tuple[Decimal, Reading]]:
    """66 in `66 %` may be two thirds. Two percentages that round to the same number are still different."""
    for match in _PERCENT.finditer(folded):
        value = Decimal((match[1] or match[2]).replace(",", ".")).normalize() + 0
        yield from ((value, ("percent", round(value) + off)) for off in (-1, 0, 1))


def _special(folded: str) -> dict[Span, set[Reading]]:
    """Times of day, decades and fractions, by where they are written."""
    found: dict[Span, set[Reading]] = {}
    for span, times in times_of_day(folded).items():
        found[span] = {("time", *time) for time in times}
    for span, decade in decades(folded).items():
        found[span] = {("decade", decade)}
    for match in _FRACTION.finditer(folded):
        part, whole = (_DIGIT_WORDS.get(text, text) for text in (match[1] or match[3], match[2] or match[4]))
        if whole.isdecimal() and 0 < int(part) < int(whole) <= 100:
            found[match.span()] = {("percent", round(100 * int(part) / int(whole)))}
    return found


def _neighbours(mentions: list[Mention], folded: str, gap: re.Pattern[str]) -> Iterator[tuple[Mention, Mention]]:
    ordered = sorted(mentions)[:_MAX_NUMBERS]
    for first, second in pairwise(ordered):
        if first.end <= second.start and gap.fullmatch(folded, first.end, second.start):
            yield first, second


def _ranges(mentions: list[Mention], folded: str) -> Iterator[tuple[Decimal, Reading]]:
    """The first number in `10 to 15 thousand` may be ten thousand."""
    for first, second in _neighbours(mentions, folded, _RANGE):
        scale = _scale(second.value)
        if 0 < first.value < 1000 <= scale and first.value < second.value / scale * 10:
            yield first.value, first.value * scale


def _scale(value: Decimal) -> Decimal:
    """The largest of 1, a thousand, a million and a billion that is not greater than the number."""
    return max((Decimal(10) ** power for power in (0, 3, 6, 9) if value >= 10**power), default=Decimal(1))


def _is_round(value: Decimal) -> bool:
    """Whether a number ends in a scale, as 3 million and 400 thousand do and the year 2014 does not."""
    return value < _LARGEST and value % 1000 == 0


def _sums(mentions: list[Mention], folded: str) -> Iterator[tuple[Decimal, Reading]]:
    """Either number of `a million and 300 thousand` may mean 1,300,000."""
    parts: list[Mention] = []
    for first, second in _neighbours(mentions, folded, _AND):
        if not parts or parts[-1] is not first:
            parts = [first]
        scale = _scale(first.value)
        if second.value < scale and scale >= 1000 and _is_round(first.value):
            parts.append(second)
            total = sum((part.value for part in parts), Decimal(0))
            yield from ((part.value, total) for part in parts)
        else:
            parts = []


def _dates(folded: str) -> Iterator[tuple[Decimal, Reading]]:
    """7 and 10 in `7/10/2023` may be months, 7 in `شهر 7`; 23 in `7/10/23` and `'23` is 2023, 12 of `2011/12` 2012."""
    for match in _MONTH_IN_DIGITS.finditer(folded):
        yield Decimal(match[1]), ("month", int(match[1]))
    for match in _DATE.finditer(folded):
        for part in (match[1], match[3], match[4]):
            if len(part) <= 2 and 1 <= int(part) <= 12:
                yield Decimal(part), ("month", int(part))
        if len(match[4]) == 2:
            yield Decimal(match[4]), Decimal(f"20{match[4]}")
            yield Decimal(match[4]), Decimal(f"19{match[4]}")
    for match in _YEAR_WITHOUT_CENTURY.finditer(folded):
        yield from ((Decimal(match[1]), Decimal(century + match[1])) for century in ("19", "20"))
    for match in _SHORT_YEAR.finditer(folded):
        yield Decimal(match[2]), Decimal(match[1][:2] + match[2])


def _named(text: str, folded: str) -> Iterator[Reading]:
    """Months, noon, midnight, Roman numerals and multiples (`fivefold`)."""
    yield from (("time", hour, 0) for hour, pattern in _MIDDAYS.items() if re.search(pattern, folded))
    yield from (("month", month) for month in months(text) if month <= 12)
    yield from roman_numbers(text)
    yield from (Decimal(_DIGIT_WORDS[word]) for word in _FOLD.findall(folded) if word in _DIGIT_WORDS)


def roman_numbers(text: str) -> Iterator[Decimal]:
    """7 of `Chapter VII`: numerals after a word for something that is numbered."""
    return (
        _roman(match)
        for match in _ROMAN.finditer(text)
        if _COUNTED.search(text[max(match.start() - 12, 0) : match.start()])
    )


def _roman(match: re.Match[str]) -> Decimal:
    return Decimal(10 * len(match[1]) + _ROMAN_UNITS.index(match[2]))


def _parts(mentions: list[Mention], folded: str) -> Iterator[Reading]:
    """Halves and dozens: half a million, two and a half, two dozen, 2/3, two out of three."""
    values = {Decimal(0), *(mention.value for mention in mentions[:_MAX_NUMBERS])}
    for pattern, unit in _UNITS.items():
        if re.search(pattern, folded):
            yield from (value * unit for value in (*values, Decimal(1), Decimal("0.5")))
    scales = [Decimal(scale) for scale, pattern in _SCALE_WORDS.items() if re.search(pattern, folded)]
    for pattern, text in _SHARES.items():
        if re.search(pattern, folded):
            share = Decimal(text)
            yield ("percent", round(100 * share))
            yield from (value + share * _scale(value) for value in values)
            yield from ((value + share) * scale for scale in scales for value in values)
