"""Months, weekdays, parts of the day, times of day and decades, in English and Arabic text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from mt.text.normalise import remove_diacritics

# Solar months, then lunar ones, by Levantine, Egyptian and Maghrebi names. Alef forms count: آب is August, أب a father.
_ENGLISH_MONTHS = (
    "January|Jan", "February|Feb", "March|Mar", "April|Apr", "May", "June|Jun", "July|Jul", "August|Aug",
    "September|Sept|Sep", "October|Oct", "November|Nov", "December|Dec",
    "Muharram", "Safar", "Rabi['’ ]?(?:al-|ul-)?(?:Awwal|I)", "Rabi['’ ]?(?:al-|ul-)?(?:Thani|Akhir|II)",
    "Jumada (?:al-)?(?:Awwal|Ula|I)", "Jumada (?:al-)?(?:Thani|Akhira|II)", "Rajab", "Sha['’]?ban", "Rama[dz]h?an",
    "Shawwal", "Dh?ul?[ -](?:al-)?Qa['’]?i?dah?", "Dh?ul?[ -](?:al-)?Hijjah?",
)  # fmt: skip
_ARABIC_MONTHS = (
    "كانون ?(?:ال)?ثاني|يناير|جانفي", "شباط|فبراير|فيفري", "[آا]ذار|مارس", "نيسان|[أإا]بريل|[أا]فريل",
    "[أا]يار|مايو|ماي", "حزيران|يونيو|يونيه|جوان", "تموز|يوليو|يوليه|يوليوز|جويلية", "آب|[أا]غسطس|[أا]وت|غشت",
    "[أا]يلول|سبتمبر|شتنبر", "تشرين ?(?:ال)?[أا]ول|[أا]كتوبر", "تشرين ?(?:ال)?ثاني|نوفمبر|نونبر",
    "كانون ?(?:ال)?[أا]ول|ديسمبر|دجنبر",
    "محرم", "صفر", "ربيع ال[أا]ول", "ربيع (?:الثاني|ال[آا]خر)", "جماد[ىي] ال[أا]ول[ىي]?",
    "جماد[ىي] (?:الثانية|ال[آا]خرة|الثاني)", "رجب", "شعبان", "رمضان", "شوال", "ذ[وي] القعدة", "ذ[وي] الحجة",
)  # fmt: skip
_ENGLISH_DAYS = tuple(f"{day}s?" for day in (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "(?<!Mail on )Sunday"
))  # fmt: skip
_NEWSPAPERS = "(?! (?:Times|Telegraph|Mirror|Express|Herald))"
_ARABIC_DAYS = (
    "ال[اإ]ثنين",
    "(?:ال)?ثلاثاء",
    "(?:ال)?[أا]ربعاء",
    "(?:ال)?خميس",
    "(?:ال)?جمعة",
    "(?:ال)?سبت",
    "(?:ال)?[أا]حد",
)
# Also verbs and names: months only next to a number, or after a word that a date follows.
_AMBIGUOUS = re.compile("(?:May|March|Mar|Jan|Jun)$")
_BEFORE_DATE = re.compile(
    r"(?:\d(?:st|nd|rd|th)?|(?i:\b(?:in|of|since|until|till|by|last|next|this|late|early|mid|from|to|through|before|"
    r"after|during|between|and|or|for|on)))[ -,]*$"
)
_AFTER_MONTH = re.compile(r",? ?\d")


def _names(english: Sequence[str], arabic: Sequence[str]) -> re.Pattern[str]:
    """A pattern for any of the names; the matching group is `e` or `a` with the number."""
    groups = (f"(?P<e{i}>{name})" for i, name in enumerate(english, start=1))
    behind_clitic = (f"(?P<a{i}>{name})" for i, name in enumerate(arabic, start=1))
    return re.compile(rf"(?<!\w)(?:{'|'.join(groups)}|[وفبلك]?(?:{'|'.join(behind_clitic)}))(?!\w)")


_MONTHS = _names(_ENGLISH_MONTHS, _ARABIC_MONTHS)
_DAYS = _names([day + _NEWSPAPERS for day in _ENGLISH_DAYS], _ARABIC_DAYS)


@lru_cache(maxsize=50_000)
def months(text: str) -> dict[int, str]:
    """The months in a text, as written, by number: 1 to 12, and 13 to 24 for Muharram to Dhu al-Hijjah.

    آذار, مارس and March are 3; `may` and `March` as verbs do not count.
    """
    return {number: name for match, number, name in _found(_MONTHS, text) if _is_month(match, text)}


@lru_cache(maxsize=50_000)
def weekdays(text: str) -> dict[int, str]:
    """The days of the week in a text, as written, by number: Monday 1 to Sunday 7."""
    return {number: name for _, number, name in _found(_DAYS, text)}


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], int, str]]:
    for match in pattern.finditer(remove_diacritics(text)):
        group = match.lastgroup or ""
        yield match, int(group[1:]), match[group]


def _is_month(match: re.Match[str], text: str) -> bool:
    if not _AMBIGUOUS.match(match.group()):
        return True
    plain = match.string
    before = plain[max(match.start() - 12, 0) : match.start()]
    return bool(_AFTER_MONTH.match(plain, match.end()) or _BEFORE_DATE.search(before))


# The parts of the day that a word may mean; "a.m." includes the night.
_DAY_PARTS = tuple(
    (re.compile(rf"(?<![a-z])(?:{english})(?![a-z])|(?<!\w)[وفبل]*(?:ال)?(?:{arabic})(?!\w)"), frozenset(parts.split()))
    for english, arabic, parts in (
        (r"a\.?m", "(?!)", "night dawn morning"),
        ("dawn|daybreak", "فجرا?", "dawn morning"),
        ("mornings?", "صباحا?|ضحى", "dawn morning"),
        ("noon|midday", "(?<!بعد )(?<!بعد ال)(?<!قبل )(?<!قبل ال)(?:ظهرا?|ظهيرة)|نهار", "noon"),
        (r"p\.?m", "(?!)", "noon afternoon evening night"),
        ("afternoons?", "عصرا?|بعد ال?ظهرا?", "afternoon noon evening"),
        ("evenings?|dusk|sunset", "مساءا?|مسا|غروب", "afternoon evening"),
        ("nights?|overnight|midnight|tonight", "ليلا?|ليلة|ليالي?|لياليا", "evening night"),
    )
)  # fmt: skip


def day_parts(folded: str) -> list[frozenset[str]]:
    """For each word for a part of the day, the parts it may mean: `p.m.` noon to night, `صباحا` dawn and morning."""
    return [parts for pattern, parts in _DAY_PARTS if pattern.search(folded)]


CLOCK = re.compile(r"\d{1,2}:\d\d|\d{1,2}(?:\.\d\d)? ?[ap]\.?m\b")
_HOUR_WORDS = (
    "واحدة", "ثانية", "ثالثة", "رابعة", "خامسة", "سادسة", "سابعة", "ثامنة", "تاسعة", "عاشرة", "حادية عشرة", "ثانية عشرة"
)  # fmt: skip
_HOURS = {word: hour for hour, word in enumerate(_HOUR_WORDS, start=1)}
_TIME = re.compile(
    r"(?<![\d:.,/])(?:(?P<h1>\d{1,2}):(?P<m1>\d\d)(?!\d)|(?P<h2>\d{1,2})(?:\.(?P<m2>\d\d))?(?= ?[ap]\.?m\b)|"
    r"(?P<h3>[01]\d|2[0-4])(?P<m3>[0-5]\d)(?= ?(?:gmt|utc|hours|hrs|local time|z\b|بتوقيت|بالتوقيت))|"
    r"(?<=ساعة )(?P<h4>\d{1,2})(?:\.(?P<m4>\d\d))?(?![\d:])|"
    r"(?P<h5>\d{1,2}(?= (?:صباحا|مساء|فجرا|ظهرا|عصرا|ليلا|بعد الظهر)(?!\w))|12(?= (?:noon|midday|midnight)\b)))|"
    r"(?:ساعة ال|(?<!\w)[وبل]?ال(?=\w+ (?:عشرة )?(?:وال\w+ )?(?:صباحا|مساء|فجرا|ظهرا|عصرا|ليلا|بعد الظهر)(?!\w)))"
    rf"(?P<word>{'|'.join(reversed(_HOUR_WORDS))})(?!\w)"
)
_MINUTES = ((" والنصف", 30), (" والربع", 15), (" والثلث", 20))
_PERIOD = re.compile(
    r"(?P<am>\ba\.?m\b|in the morning|صباح|فجر|قبل الظهر)|(?P<pm>\bp\.?m\b|in the (?:afternoon|evening)|مساء|عصر|ظهر)|"
    r"(?P<night>\bat night\b|ليلا)"
)
_REACH = 25  # characters after a time in which its part of the day may be named


Span = tuple[int, int]
"""(start, end) of something in the folded text."""


def times_of_day(folded: str) -> dict[Span, frozenset[tuple[int, int]]]:
    """The (hour, minute) that each time of day may mean: `6 p.m.` is (18, 0), `6:00` may be (6, 0) or (18, 0).

    `A quarter to eight` in words is left out.
    """
    times = {}
    for match in _TIME.finditer(folded):
        behind = folded[match.end() : match.end() + _REACH]
        if not behind.startswith(" الا "):
            hours = _hours_of(match, re.split("[;؛,،]", behind)[0])
            minute = next((minute for word, minute in _MINUTES if behind.startswith(word)), _group(match, "m"))
            times[match.span()] = frozenset((hour, minute) for hour in hours)
    return times


def _hours_of(match: re.Match[str], behind: str) -> set[int]:
    """The hours by the part of the day named after the time; without one, 18 is 18, 06 is 6, and 6 is 6 or 18."""
    hour = _HOURS[match["word"]] if match["word"] else _group(match, "h")
    period = _PERIOD.search(behind)
    if hour > 12 or (match["h3"] and not period) or (match["h1"] or "").startswith("0"):
        return {hour % 24}
    if period is None:
        return {hour % 12, hour % 12 + 12}
    is_late = period.lastgroup == "pm" or (period.lastgroup == "night" and 6 <= hour < 12)
    return {hour % 12 + 12 * is_late}


def _group(match: re.Match[str], letter: str) -> int:
    return int(next((text for i in range(1, 6) if (text := match.groupdict().get(f"{letter}{i}"))), 0))


_DECADE = re.compile(
    r"(?<!\d)(?:1[89]|20)?(?P<digits>\d)0['’]?s\b|(?P<english>twent|thirt|fort|fift|sixt|sevent|eight|ninet)ies\b|"
    r"(?P<arabic>عشر|ثلاث|اربع|خمس|ست|سبع|ثمان|تسع)ين(?:ي)?ات"
)
_TENS = {
    "english": ("twent", "thirt", "fort", "fift", "sixt", "sevent", "eight", "ninet"),
    "arabic": ("عشر", "ثلاث", "اربع", "خمس", "ست", "سبع", "ثمان", "تسع"),
}


def decades(folded: str) -> dict[Span, int]:
    """The decades in a text by where they are written: `the 1990s`, `the nineties` and `التسعينيات` are 90."""
    return {match.span(): _decade(match) for match in _DECADE.finditer(folded)}


def _decade(match: re.Match[str]) -> int:
    kind = match.lastgroup or ""
    return 10 * (int(match[kind]) if kind == "digits" else _TENS[kind].index(match[kind]) + 2)
