"""Rules that break names of a list."""

from __future__ import annotations

import re

from breaking.case import Broken, Case, Names
from breaking.dates import DATES


def drop_name(case: Case) -> Broken | None:
    """A name goes wherever the sentence has it."""
    if not case.names:
        return None
    name = case.chance.choice(case.names)[1]
    return Broken(case.source, re.sub(rf" ?{_name_pattern(name)}", "", case.target).strip())


def wrong_name(case: Case) -> Broken | None:
    """Another name of the list stands in its place."""
    if not case.names:
        return None
    name = case.chance.choice(case.names)[1]
    other = case.chance.choice([each for _, each in case.all_names if each not in case.target])
    return Broken(case.source, re.sub(_name_pattern(name), lambda match: match[1] + other, case.target))


def _name_pattern(name: str) -> str:
    return rf"(?<!\w)([وفبلك]?){re.escape(name)}(?!\w)"


def names_in(source: str, target: str, names: Names) -> Names:
    """Those of `names`, dates aside, that stand once in `source`, and as they are or behind one letter in `target`."""
    return [
        (english, arabic)
        for english, arabic in names
        if arabic in target
        and english[0].isupper()
        and english not in DATES
        and len(re.findall(rf"(?<!\w){re.escape(english)}(?!\w)", source)) == 1
        and re.search(_name_pattern(arabic), target)
    ]
