"""Rules that break months, days of the week and parts of the day."""

from __future__ import annotations

import re

from breaking.case import Broken, Case, replaced

_MONTHS = (
    ("January", "كانون الثاني/يناير"), ("February", "شباط/فبراير"), ("March", "آذار/مارس"), ("April", "نيسان/أبريل"),
    ("May", "أيار/مايو"), ("June", "حزيران/يونيو"), ("July", "تموز/يوليو"), ("August", "آب/أغسطس"),
    ("September", "أيلول/سبتمبر"), ("October", "تشرين الأول/أكتوبر"), ("November", "تشرين الثاني/نوفمبر"),
    ("December", "كانون الأول/ديسمبر"),
)  # fmt: skip
_DAYS = (
    ("Monday", "الاثنين"), ("Tuesday", "الثلاثاء"), ("Wednesday", "الأربعاء"), ("Thursday", "الخميس"),
    ("Friday", "الجمعة"), ("Saturday", "السبت"), ("Sunday", "الأحد"),
)  # fmt: skip
DATES = frozenset(english for english, _ in (*_MONTHS, *_DAYS))
_DAY_PARTS = (
    (r"morning|a\.m\.|dawn", r"صباحا?|فجرا?", "مساء"),
    (r"evening|p\.m\.|night|midnight", r"مساء|ليلا?|عصرا?", "صباح"),
    (r"noon|midday", r"ظهرا?", "ليل"),
)


def wrong_month(case: Case) -> Broken | None:
    """March becomes May, by its Levantine, its Western or both names."""
    for english, arabic in _MONTHS:
        names = re.compile(
            "|".join([arabic, "/".join(reversed(arabic.split("/"))), *arabic.split("/")])
            .replace("يونيو", "يوني[وه]")
            .replace("يوليو", "يولي[وه]")
        )
        match = names.search(case.target)
        if match and re.search(rf"\b{english}\b", case.source):
            other = case.chance.choice([each for _, each in _MONTHS if each != arabic])
            wanted = other if "/" in match.group() else other.split("/")[match.group() != arabic.split("/")[0]]
            return Broken(case.source, case.target.replace(match.group(), wanted))
    return None


def wrong_weekday(case: Case) -> Broken | None:
    """Monday becomes Friday."""
    for english, arabic in _DAYS:
        match = re.search(rf"(?<!\w){arabic}(?!\w)", case.target)
        if match and re.search(rf"\b{english}\b", case.source):
            return replaced(case, match, case.chance.choice([each for _, each in _DAYS if each != arabic]))
    return None


def wrong_day_part(case: Case) -> Broken | None:
    """Morning becomes evening."""
    for english, arabic, other in _DAY_PARTS:
        match = re.search(rf"(?<!\w)((?:ال)?)(?:{arabic})(?!\w)", case.target)
        if match and re.search(rf"\b(?:{english})(?!\w)", case.source):
            return replaced(case, match, match[1] + other)
    return None
