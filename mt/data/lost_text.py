"""Pairs in which one side has something instead of its text: question marks, boxes, a spreadsheet error, a dash."""

from __future__ import annotations

import re
from collections import Counter

from mt.text.numbers import word_numbers

_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")
# Words that a bare number may stand for along with itself, because a sign replaces its unit.
_UNITS = frozenset(
    [
        *("percent", "per", "cent", "am", "pm", "gmt", "utc", "no", "km", "m", "cm", "mm", "kg", "us", "usd", "eur"),
        *("and", "to", "st", "nd", "rd", "th", "dollars", "euros", "degrees"),
        *(
            "بالمئة",
            "بالمائة",
            "في",
            "المئة",
            "المائة",
            "إلى",
            "كم",
            "كغ",
            "دولار",
            "دولارا",
            "دولارات",
            "يورو",
            "درجة",
        ),
    ]
)
_ROMAN = re.compile(r"[ivxlcdm]+", re.IGNORECASE)
_RARE = re.compile("\u061f{3}|[?\u00bf\u25a1\u25af\u25a2\u25fb\u2b1c\u2610\ufffc\ue000-\uf8ff\U000f0000-\U0010ffff]")
_GLYPHS = re.compile("[\ufffc\ue000-\uf8ff\U000f0000-\U0010ffff]")
_LOST = (
    re.compile(r"(?<!\S)[?\u00bf]{2,}(?=[.,;:!\u060c\u061b]?(?:\s|$))"),  # a word of question marks
    re.compile(r"(?<!\S)\u061f{3,}(?=\s+\w)"),
    re.compile(r"[^\W\d_][?\u00bf]+[^\W\d_]|[^\W\d_][?\u00bf]{2,}(?=\s+\w)"),  # letters of a word
    re.compile(r"(?<!\S)[?\u00bf]+[\u0621-\u064a]"),
    re.compile("[\u25a1\u25af\u25a2\u25fb\u2b1c]{2,}|\u00bf{2,}"),
    _GLYPHS,
)
_MARKS = re.compile("[?\u00bf\u061f\uff1f]")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_CELL_ERROR = re.compile(r"#(?:ref|value|name|n/a|div/0|num|null|spill|calc|getting_data)[!?]?", re.IGNORECASE)
_REMARKS = (
    *("n/?a", "null", "nil", "nan", "none", "undefined", r"t\.?b\.?[da]\.?", "todo", "missing", "empty", "blank"),
    *("untranslated", "not (?:yet )?translated", "no translation(?: available)?", "(?:to be|todo:?) translated?"),
    *(r"(?:missing )?translation(?: is)?(?: missing| needed| pending| not available| required)?(?::\s*\S*)?",),
    *("needs? translation", "lorem ipsum.*", "غير مترجمة?", "لا توجد ترجمة", "الترجمة (?:مفقودة|غير متوفرة|ناقصة)"),
    *("(?:بحاجة إلى|بانتظار) (?:ال)?ترجمة", "لم يترجم(?: بعد)?", "لم تتم الترجمة"),
)
_PLACEHOLDER = re.compile(rf"[\[(<{{*#-]*\s*(?:{'|'.join(_REMARKS)})\s*[\])>}}*.!:-]*", re.IGNORECASE)
_LONGEST_PLACEHOLDER = 60
_MIN_WORDS_OF_A_TEXT = 4


def lost_text_in(source: str, target: str, *, reads_numbers: bool = True) -> str | None:
    """What one side of a normalised pair has instead of its text; None if both have their texts.

    A side without letters is no fault if the other has none either, or if it is a number and the other side has
    nothing but that number in words, or its unit. reads_numbers: whether numbers in words are understood in both
    languages; otherwise the words beside a bare number may be that number.
    """
    for side, other in ((source, target), (target, source)):
        if not _LETTER.search(side) and _WORD.search(other) and not _says_no_more(side, other, reads_numbers):
            return side[:20]
        if (
            ("?" in side or not side.isascii())
            and _RARE.search(side)
            and (found := _lost_letters(side, other)) is not None
        ):
            return found
        if (
            len(side) <= _LONGEST_PLACEHOLDER
            and side.count(" ") < _MIN_WORDS_OF_A_TEXT + 1
            and _is_placeholder(side, other)
        ):
            return side
    return None


def _says_no_more(bare: str, other: str, reads_numbers: bool) -> bool:
    if not reads_numbers and _DIGIT.search(bare):
        return True
    words = [word for word in map(str.casefold, _WORD.findall(other)) if word not in _UNITS]
    if not _DIGIT.search(bare):
        # Bullets, and signs for single letters.
        return all(len(word) == 1 for word in words)
    return all(len(word) == 1 or _ROMAN.fullmatch(word) or word_numbers(word) for word in words)


def _lost_letters(side: str, other: str) -> str | None:
    plain = _LINK.sub(" ", side)
    for pattern in _LOST:
        found = pattern.search(plain)
        if found is not None and _has_more(pattern, plain, other):
            return found.group()
    return None


def _has_more(pattern: re.Pattern[str], side: str, other: str) -> bool:
    """Whether a side has more matches, and more such characters, than the other; what both sides have is intended."""
    if pattern is _GLYPHS:
        return Counter(pattern.findall(side)) != Counter(pattern.findall(other))
    is_more = _MARKS.search(side) is None or len(_MARKS.findall(side)) > len(_MARKS.findall(other))
    return is_more and len(pattern.findall(side)) > len(pattern.findall(other))


def _is_placeholder(side: str, other: str) -> bool:
    if side[0] == "#" and _CELL_ERROR.fullmatch(side):
        return not _CELL_ERROR.fullmatch(other)
    return _PLACEHOLDER.fullmatch(side) is not None and len(_WORD.findall(other)) >= _MIN_WORDS_OF_A_TEXT
