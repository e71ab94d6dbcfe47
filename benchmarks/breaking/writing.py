"""Rules that break quotation marks, punctuation, characters and script."""

from __future__ import annotations

import re

from breaking.case import Broken, Case, replaced

_MARKS = re.compile(r"[«»“”\"]")


def drop_quote(case: Case) -> Broken | None:
    """One quotation mark goes."""
    found = list(_MARKS.finditer(case.target))
    return replaced(case, case.chance.choice(found), "") if found and _MARKS.search(case.source) else None


def drop_all_quotes(case: Case) -> Broken | None:
    """All quotation marks go."""
    if not (_MARKS.search(case.target) and _MARKS.search(case.source)):
        return None
    return Broken(case.source, _MARKS.sub("", case.target))


CONTROLS = "\u200e\u200f\u061c\u202a\u202b\u202e\u2066\u2069\u200b\ufeff\ufffd\u00ad\x00\x1f\x7f\x80\x85\x91\x9d"


def add_control(case: Case) -> Broken | None:
    """A character that no page shows: a mark of direction, a zero-width one, a C0 or C1 control."""
    place = case.chance.randrange(len(case.target))
    return Broken(case.source, case.target[:place] + case.chance.choice(CONTROLS) + case.target[place:])


def double_mark(case: Case) -> Broken | None:
    """A mark comes twice, or in Latin beside the Arabic one."""
    found = list(re.finditer("[،؛.؟!]", case.target))
    if not found:
        return None
    match = case.chance.choice(found)
    latin = {"،": ",", "؛": ";", "؟": "?"}.get(match.group(), match.group())
    return replaced(case, match, match.group() + case.chance.choice([match.group(), latin]))


def leave_word(case: Case) -> Broken | None:
    """An Arabic word is the English one."""
    words = case.target.split(" ")
    english = re.findall(r"(?<![\w-])[A-Z]?[a-z]{4,}(?![\w-])", case.source)
    places = [i for i, word in enumerate(words) if len(word) > 4]
    if not english or not places:
        return None
    place = case.chance.choice(places)
    return Broken(case.source, " ".join([*words[:place], case.chance.choice(english), *words[place + 1 :]]))
