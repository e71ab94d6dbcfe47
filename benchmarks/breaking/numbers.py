"""Rules that break numbers in digits and in words."""

from __future__ import annotations

import re

from breaking.case import Broken, Case, replaced

_DIGITS = re.compile(r"(?<![\d.,٬])(?:\d+|[٠-٩]+)(?![\d.,٬]\d)(?!\d)")
_SPELT = (
    ("three", "ثلاث"), ("four", "أربع"), ("five", "خمس"), ("six", "ست"), ("seven", "سبع"), ("eight", "ثماني"),
    ("nine", "تسع"),
)  # fmt: skip
_SCALES = (("million", "مليون"), ("billion", "مليار"), ("thousand", "ألف"))


def drop_number(case: Case) -> Broken | None:
    """A number in digits goes."""
    found = _shared_digits(case)
    return replaced(case, case.chance.choice(found), "") if found else None


def swap_digits(case: Case) -> Broken | None:
    """45 becomes 54."""
    found = [
        match for match in _shared_digits(case) if len(match.group()) > 1 and match.group()[-1] != match.group()[-2]
    ]
    if not found:
        return None
    match = case.chance.choice(found)
    return replaced(case, match, match.group()[:-2] + match.group()[-1] + match.group()[-2])


def wrong_digit(case: Case) -> Broken | None:
    """45 becomes 46 or 75."""
    found = _shared_digits(case)
    if not found:
        return None
    match = case.chance.choice(found)
    place = case.chance.randrange(len(match.group()))
    first = ord(match.group()[place]) - int(match.group()[place])
    digit = (int(match.group()[place]) + case.chance.randint(1, 8)) % 9 + 1
    if digit == int(match.group()[place]):
        digit = digit % 9 + 1
    return replaced(case, match, match.group()[:place] + chr(first + digit) + match.group()[place + 1 :])


def exchange_numbers(case: Case) -> Broken | None:
    """Two numbers change places: `12 killed, 40 wounded` becomes `40 killed, 12 wounded`."""
    found = _shared_digits(case)
    pairs = [(a, b) for a in found for b in found if a.start() < b.start() and a.group() != b.group()]
    if not pairs:
        return None
    a, b = case.chance.choice(pairs)
    text = case.target
    middle = text[a.end() : b.start()]
    return Broken(case.source, f"{text[: a.start()]}{b.group()}{middle}{a.group()}{text[b.end() :]}")


def wrong_number_word(case: Case) -> Broken | None:
    """`three villages` becomes four villages: words from three to nine."""
    found = []
    for english, arabic in _SPELT:
        matches = list(re.finditer(rf"(?<!\w)([وبل]?){arabic}(?=ة?(?!\w))", case.target))
        if len(matches) == 1 and len(re.findall(rf"\b{english}\b", case.source, re.I)) == 1:
            found.append((arabic, matches[0]))
    if not found:
        return None
    arabic, match = case.chance.choice(found)
    other = case.chance.choice([word for _, word in _SPELT if word != arabic and word not in case.target])
    return replaced(case, match, match[1] + other)


def wrong_scale(case: Case) -> Broken | None:
    """A million becomes a billion."""
    for english, arabic in _SCALES:
        matches = list(re.finditer(rf"(?<!\w)(و?){arabic}(?!\w)", case.target))
        if matches and re.search(rf"\b{english}\b|,000\b", case.source):
            other = case.chance.choice([word for _, word in _SCALES if word != arabic])
            return replaced(case, matches[0], matches[0][1] + other)
    return None


def _shared_digits(case: Case) -> list[re.Match[str]]:
    """Numbers of two and more digits, or from 3 on, that the English has once."""
    english = re.findall(r"(?<![\d.,])\d+(?![\d.,]\d)(?!\d)", case.source)
    found = _DIGITS.finditer(case.target)
    return [m for m in found if english.count(str(int(m.group()))) == 1 and int(m.group()) > 2]
