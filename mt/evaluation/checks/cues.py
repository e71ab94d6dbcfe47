"""Counts Arabic words that may translate a negation or an attribution, leaving out those with another reason.

    source      The army did not enter the town where aid was banned.
    hypothesis  دخل الجيش البلدة حيث حُظرت المساعدات.
    table       حظر* يحظر* محظور*: ban\\b bann embargo

حظرت is a cue of negation, but "banned" in the source explains it. No unexplained cue is left, so the "not" is lost.

Each line of a table is a family of words: Arabic forms as `fold_for_terms` writes them, with `*` for any ending and `_`
for a space; behind a colon and a space, beginnings of English words that the same forms may translate.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# The prefixes for and, so, by, for and like, and the article.
_BEFORE = r"(?<!\w)[وفبلك]*(?:ال)?"


class Cue(NamedTuple):
    """One family of words."""

    arabic: re.Pattern[str]
    english: re.Pattern[str] | None
    """Other English words that it may translate; None if there are none."""


def read_cues(table: str) -> tuple[Cue, ...]:
    """The cues of a table, one per line."""
    return tuple(_cue(*line.partition(": ")[::2]) for line in table.strip().splitlines())


def _cue(arabic: str, english: str) -> Cue:
    forms = "|".join(form.replace("*", r"\w*").replace("_", " ") for form in arabic.split())
    words = "|".join(word.replace("_", " ") for word in english.split())
    return Cue(
        re.compile(rf"{_BEFORE}(?:{forms})(?!\w)"),
        re.compile(rf"\b(?:{words})") if words else None,
    )


def count_unexplained(cues: tuple[Cue, ...], source: str, folded: str) -> int:
    """The number of cues in the hypothesis that no other word of the source explains.

    folded: the hypothesis after `fold_for_terms`. A word of the source explains one cue, of the first family that
    lists it.
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
