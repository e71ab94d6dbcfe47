"""Which places a corpus names: those of the glossary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache

from mt.data.pair import Pair
from mt.text.glossary import Glossary


def count_place_names(pairs: Iterable[Pair]) -> Counter[tuple[int, str]]:
    """In how many English sentences each place is named, by (corpus, the glossary's first name of the place)."""
    # Sorted, because places named equally often are listed in the order they were counted, and a set has none.
    return Counter((pair.corpus, name) for pair in pairs for name in sorted(place_names_in(pair.source)))


def place_names_in(source: str) -> set[str]:
    """Places that an English sentence names, by their first names in the glossary; of overlapping names the longest.

    `Shells hit Deir Ezzor and the Gaza Strip` -> {"Deir ez-Zor", "Gaza Strip"}
    """
    return {found.term.name for found in _places().find(source)}


@cache
def _places() -> Glossary:
    return Glossary([term for term in Glossary.read().terms if term.kind == "place"])
