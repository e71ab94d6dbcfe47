"""Checks that the numbers, dates and times of the source are in the hypothesis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from mt.text import numbers
from mt.text.glossary import Glossary
from mt.text.normalise import western_digits
from mt.text.numbers import digit_runs
from mt.text.numbers.dates import day_parts, decades, months, times_of_day, weekdays
from mt.text.numbers.digits import numbers_in_digits
from mt.text.numbers.readings import Numbers, is_phone, may_be_in, numbers_of, roman_numbers
from mt.text.numbers.words import fold

_TEXTS = 50_000
# One and two are as often pronouns, articles and duals as numbers.
_SMALLEST = 3
_DECADE = re.compile(r"\b(?:1[89]|20)?(\d)0['’]?s\b", re.IGNORECASE)
_NOT_NUMBERS = re.compile(r"\b9/11\b|\b24/7\b")
_SCALE = re.compile(
    r"\b(?:hundred|thousand|million|billion|trillion)|\d[kmb]\b|(?<!\w)\w{0,3}(?:ألف|الف|آلاف|مليون|ملايين|مليار)",
    re.IGNORECASE,
)
_FRACTIONS = {
    "quarter": (re.compile(r"\b(?:a|one|1)[ -]quarter\b", re.I), ("ربع",)),
    "third": (re.compile(r"\b(?:a|one|1)[ -]third\b", re.I), ("ثلث",)),
    "half": (re.compile(r"\bhalf (?:of|the|a)\b", re.I), ("نصف", "شطر")),
    "two thirds": (re.compile(r"\btwo[ -]thirds\b", re.I), ("ثلثي", "ثلثا")),
    "three quarters": (re.compile(r"\bthree[ -]quarters\b", re.I), ("أرباع", "ارباع")),
}


@lru_cache(maxsize=_TEXTS)
def digit_numbers(text: str) -> frozenset[Decimal]:
    """Values of the numbers in digits."""
    return frozenset(numbers.digit_numbers(text))


@lru_cache(maxsize=_TEXTS)
def word_numbers(text: str, *, ordinals: bool = False) -> frozenset[Decimal]:
    """Values of the numbers in words. ordinals: count "the fifth" as 5."""
    return frozenset(numbers.word_numbers(text, ordinals=ordinals))


def check_numbers(source: str, hypothesis: str, glossary: Glossary) -> str:
    """The hypothesis has every number of the source, in any digits or in words, and no others.

    Numbers up to two are ignored: Arabic has a dual, and "one" is often a pronoun. Months, days of the week, decades
    and times of day must be those of the source, and numbers in digits must be in its order.
    """
    plain = _NOT_NUMBERS.sub(" ", _DECADE.sub(" ", source))
    hypothesis = _groups_in_order(source, hypothesis)
    found = [*_other_values(plain, source, hypothesis), *_lost_fractions(plain, hypothesis)]
    found = found or [*_exchanged(source, hypothesis)]
    found += [*_other_times(fold(source), fold(hypothesis)), *_other_dates(source, hypothesis)]
    return "; ".join(found)


def _other_values(plain: str, source: str, hypothesis: str) -> Iterator[str]:
    spelt, theirs_spelt = word_numbers(plain), word_numbers(hypothesis)
    is_same = digit_runs(plain) == digit_runs(hypothesis)
    if is_same and not (spelt or theirs_spelt or _SCALE.search(source + hypothesis)):
        return
    ours, theirs = numbers_of(source), numbers_of(hypothesis)
    wanted = {value for value in (*digit_numbers(plain), *spelt, *roman_numbers(source)) if _counts(value, ours)}
    lost = [value for value in sorted(wanted) if not _is_said(value, ours, theirs)]
    # An additional number in words may be an idiom; in digits it is a number.
    new = [value for value in sorted(theirs.digits) if value >= _SMALLEST and not _is_said(value, theirs, ours)]
    if times_of_day(fold(source)):
        new = [value for value in new if not _is_time(value, theirs)]  # `_other_times` compares them
    if not (ours.digits or ours.words or _SPELT_OUT.search(source)):
        new += [value for value in sorted(theirs_spelt) if value >= _SMALLEST and not _is_said(value, theirs, ours)]
    if is_phone(source, hypothesis, lost, new):
        return
    if lost:
        yield f"{_shown(lost)} of the source is missing"
    if new:
        yield f"{_shown(new)} is not in the source"


# English expressions that Arabic may say with a number.
_SPELT_OUT = re.compile(
    r"\b(?:decades?|fortnight|centur\w+|dozens?|scores?|triplets?|half|quarter|third|few|several|hundreds?|thousands?|millions?|billions?)\b",
    re.I,
)


def _counts(value: Decimal, ours: Numbers) -> bool:
    """Whether a number is large enough to be looked for: the 1.5 of `1.5m` is more than two."""
    readings = (reading for reading in ours.also.get(value, ()) if isinstance(reading, Decimal))
    return max(value, *readings, Decimal(0)) >= _SMALLEST


def _is_time(value: Decimal, ours: Numbers) -> bool:
    return any(isinstance(reading, tuple) and reading[0] == "time" for reading in ours.also.get(value, ()))


def _is_said(value: Decimal, ours: Numbers, theirs: Numbers) -> bool:
    """Whether a number of ours is among theirs, in the same or another notation."""
    return value in theirs.digits or value in theirs.words or may_be_in(value, ours, theirs)


def _groups_in_order(source: str, hypothesis: str) -> str:
    """Write `182 1` as `1,182` if the source has that: older documents print the groups from right to left."""
    plain = western_digits(hypothesis)
    for number in dict.fromkeys(re.findall(r"\d{1,3}(?:,\d{3})+", source)):
        backwards = " ".join(reversed(number.split(",")))
        if backwards in plain:
            plain = re.sub(rf"(?<!\d){backwards}(?!\d)", number, plain)
    return plain


_YEARS = range(1900, 2101)
_DAYS_OF_MONTH = 31
_OUT_OF = re.compile("من أصل|من بين|من مجموع|من اصل")


def _exchanged(source: str, hypothesis: str) -> Iterator[str]:
    """Numbers in digits that both sides have once, except years and dates, in another order.

    Fractions such as `17 من أصل 90` (17 out of 90) may be in either order.
    """
    ours, theirs = _in_order(source), _in_order(hypothesis)
    both = set(ours) & set(theirs)
    ours, theirs = [v for v in ours if v in both], [v for v in theirs if v in both]
    if ours != theirs and not _OUT_OF.search(hypothesis):
        other = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
        yield f"{_shown([ours[other], theirs[other]])} are in a different order"


def _in_order(text: str) -> list[Decimal]:
    """Numbers in digits that occur once, without years, days of a month and ambiguous ones."""
    readings = numbers_of(text)
    first = _DAYS_OF_MONTH if months(text) else 0
    values = [mention.value for mention in numbers_in_digits(fold(text))]
    return [v for v in values if readings.digits[v] == 1 and v > first and v not in _YEARS and v not in readings.also]


def _lost_fractions(source: str, hypothesis: str) -> Iterator[str]:
    """Fractions that were replaced by another one. A missing one is not reported: it may be a percentage now."""
    theirs = {name for name, (_, forms) in _FRACTIONS.items() if any(form in hypothesis for form in forms)}
    for name, (pattern, _) in _FRACTIONS.items():
        if theirs and name not in theirs and pattern.search(source):
            yield f"a {name} of the source is missing"


def _other_times(source: str, hypothesis: str) -> Iterator[str]:
    """Times of day, parts of the day and decades that differ. Both texts must be folded."""
    ours, theirs = times_of_day(source).values(), times_of_day(hypothesis).values()
    hours = {hour % 12 for times in ours for hour, _ in times}
    is_said = hours & {int(value) % 12 for value in word_numbers(hypothesis, ordinals=True) if value <= 12}
    if ours and theirs and not all(any(each & other for other in theirs) for each in ours) and not is_said:
        yield "the time of day is different"
    else:
        yield from _other_day_parts(source, hypothesis)
    lost = set(decades(source).values()) - set(decades(hypothesis).values())
    if lost and decades(hypothesis):
        yield f"the {min(lost)}s of the source are missing"


def _other_day_parts(source: str, hypothesis: str) -> Iterator[str]:
    """Parts of the day that differ, such as morning on one side and evening on the other."""
    ours, theirs = day_parts(source), day_parts(hypothesis)
    lost = any(all(each.isdisjoint(other) for other in theirs) for each in ours)
    new = any(all(each.isdisjoint(other) for other in ours) for each in theirs)
    if lost and new:
        yield "the part of the day is different"


# Names that two months share: October and November, December and January.
_BARE_MONTHS = (
    (re.compile(r"(?<!\w)[وفبلك]?تشرين(?!\w)(?! ?(?:ال)?(?:[أا]ول|ثاني))"), {10, 11}),
    (re.compile(r"(?<!\w)[وفبلك]?كانون(?!\w)(?! ?(?:ال)?(?:[أا]ول|ثاني))"), {12, 1}),
)


def _other_dates(source: str, hypothesis: str) -> Iterator[str]:
    """Months and days of the week that one side lacks."""
    in_digits, ours_in_digits = numbers_of(hypothesis).meant, numbers_of(source).meant
    bare = {number for pattern, numbers in _BARE_MONTHS if pattern.search(hypothesis) for number in numbers}
    for number, name in months(source).items():
        if number not in months(hypothesis) and number not in bare and ("month", number) not in in_digits:
            yield f"{name} of the source is missing"
    for number, name in months(hypothesis).items() if months(source) else ():
        if number not in months(source) and ("month", number) not in ours_in_digits:
            yield f"{name} is not in the source"
    for number, name in weekdays(source).items():
        if number not in weekdays(hypothesis):
            yield f"{name} of the source is missing"


def _shown(values: list[Decimal]) -> str:
    return ", ".join(f"{value:f}" for value in values)
