"""What a rule is given and what it returns."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import NamedTuple

Names = list[tuple[str, str]]


class Case(NamedTuple):
    """A right pair, and what a rule may need beside it."""

    source: str
    target: str
    following: tuple[str, str]
    """The next pair, for rules that need two sentences."""
    names: Names
    """(English, Arabic) of the names that both sides have."""
    all_names: Names
    chance: random.Random


class Broken(NamedTuple):
    source: str
    hypothesis: str


Rule = Callable[[Case], Broken | None]


def replaced(case: Case, match: re.Match[str], by: str) -> Broken:
    """The pair with `by` in the place of `match` in the Arabic."""
    text = f"{case.target[: match.start()]}{by}{case.target[match.end() :]}"
    return Broken(case.source, re.sub(" {2,}", " ", text).strip())
