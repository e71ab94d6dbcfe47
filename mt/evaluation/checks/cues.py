"""Arabic words that may render an English one, counted where nothing else in the English accounts for them.

    The army did not enter the town where aid was banned.
    دخل الجيش البلدة حيث حُظرت المساعدات.          حظر is there for "banned": the "not" is lost

A table has a line for each family of words: Arabic forms, folded as by `fold_for_terms`, `*` for any ending, and behind
a colon and a space the beginnings of English words that ask for them, too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# And, so, by, for, like; and the article.
_BEFORE = r"(?<!\w)[وفبلك]*(?:ال)?"


class Cue(NamedTuple):
    """One family of words."""

    arabic: re.Pattern[str]
    english: re.Pattern[str] | None
    """What it renders besides; None: nothing."""


def read_cues(table: str) -> tuple[Cue, ...]:
    """The cues of a table, one a line."""
    return tuple(_cue(*line.partition(": ")[::2]) for line in table.strip().splitlines())


def _cue(arabic: str, english: str) -> Cue:
    forms = "|".join(form.replace("*", r"\w*").replace("_", " ") for form in arabic.split())
    words = "|".join(word.replace("_", " ") for word in english.split())
    return Cue(
        re.compile(rf"{_BEFORE}(?:{forms})(?!\w)"),
        re.compile(rf"\b(?:{words})") if words else None,
    )


def count_unexplained(cues: tuple[Cue, ...], source: str, folded: str) -> int:
    """How many of the cues in the Arabic, folded, are not there for another word of the source.

    A word of the source accounts for one cue, of the first family in the table that takes it.
    """
    total = 0
    used: set[int] = set()
    lowered = source[:1].lower() + source[1:]
    for cue in cues:
        found = sum(1 for _ in cue.arabic.finditer(folded))
        if found and cue.english:
            words = [match.start() for match in cue.english.finditer(lowered) if match.start() not in used][:found]
            used.update(words)
            found -= len(words)
        total += found
    return total
