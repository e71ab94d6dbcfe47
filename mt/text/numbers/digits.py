"""Numbers in digits: any digits, any grouping, scales in words or as a letter (`20k`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from mt.text.numbers.dates import CLOCK
from mt.text.numbers.words import SCALES, Mention

_GROUP = "[,.'’ ]"
_DIGITS = rf"\d{{1,3}}(?:{_GROUP}\d{{3}})+(?!\d)(?:[.٫]\d+)?|\d+(?:[.,٫]\d+)?"
_LETTERS = {"k": 10**3, "m": 10**6, "b": 10**9}
NUMBER = re.compile(
    rf"(?<!\d)(?P<digits>{_DIGITS})(?:[ -]?(?P<scale>{'|'.join(SCALES)})(?![^\W\d_])|(?P<letter>[kmb])(?![^\W_]))?"
)
# Dates with dots, which would be read as decimal points; other separators need no rule.
_DOTTED_DATE = re.compile(r"(?<![\d.,])(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)(?![\d.]\d|\d)")
_PLURALS = frozenset({"thousands", "millions", "billions", "الاف", "ملايين", "مليارات", "بلايين"})
_MAX_DIGITS = 60


def numbers_in_digits(folded: str) -> Iterator[Mention]:
    """All numbers except times of day. `20,000`, `20 000`, `20k` and `20 ألف` are 20000.

    Three digits after a separator are a group, any other number of digits is a decimal fraction. `m` and `b` may be
    metres and bytes: `1.5m` is 1.5 and may be 1500000, `$1.5m` is 1500000.
    """
    plain = CLOCK.sub(lambda match: " " * len(match.group()), folded)
    plain = _DOTTED_DATE.sub(r"\1/\2/\3", plain)
    for match in NUMBER.finditer(plain):
        value = _value(match)
        letter = _LETTERS.get(match["letter"] or "", 1)
        is_money = plain[max(match.start() - 2, 0) : match.start()].strip()[-1:] in {"$", "£", "€"}
        if letter > 1 and (is_money or match["letter"] == "k"):
            yield Mention(*match.span(), _normal(value * letter))
        else:
            also = frozenset({_normal(value * letter)}) if letter > 1 else frozenset()
            yield Mention(*match.span(), value, also)


def _value(match: re.Match[str]) -> Decimal:
    digits = match["digits"]
    grouped = re.match(rf"\d{{1,3}}(?:{_GROUP}\d{{3}})+(?!\d)", digits)
    if grouped:
        whole, fraction = re.sub(r"\D", "", grouped.group()), digits[grouped.end() + 1 :]
    else:
        whole, _, fraction = re.sub(r"[,٫]", ".", digits).partition(".")
    # Further digits mean nothing to a reader, and a million of them are too many for a Decimal.
    excess = min(len(whole[_MAX_DIGITS:]), _MAX_DIGITS)
    plain = Decimal(f"{whole[:_MAX_DIGITS]}.{fraction[:_MAX_DIGITS] or 0}").scaleb(excess)
    # A plural follows numbers from three to ten only: "in 2022 thousands fled".
    scale = 1 if match["scale"] in _PLURALS and plain > 1000 else SCALES.get(match["scale"] or "", 1)
    return _normal(plain * scale)


def _normal(value: Decimal) -> Decimal:
    """`value` without trailing zeros after the point, and never minus zero."""
    return value.normalize() + 0
