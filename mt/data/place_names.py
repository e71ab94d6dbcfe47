"""Which places of the region a corpus names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_LIST = Path(__file__).parent.parent / "assets" / "places.tsv"
# Names begin with a capital; looking up nothing else saves most of the work.
_CAPITALISED = re.compile(r"\b[A-Z][\w'’-]*")
_MAX_WORDS = 4


def count_places(sources: Sequence[str], corpora: Sequence[int]) -> Counter[tuple[int, str]]:
    """In how many English sentences each place is named, by (corpus, the place's usual English name)."""
    counts: Counter[tuple[int, str]] = Counter()
    for source, corpus in zip(sources, corpora, strict=True):
        counts.update((corpus, place) for place in places_in(source))
    return counts


def places_in(source: str) -> set[str]:
    """Usual names of the places that an English sentence names; of overlapping names the longest."""
    names = _names()
    found: set[str] = set()
    position = 0
    for match in _CAPITALISED.finditer(source):
        of_word = names.get(_first_word(match.group()))
        if match.start() < position or of_word is None:
            continue
        words = source[match.start() : match.start() + 60].split(maxsplit=_MAX_WORDS)[:_MAX_WORDS]
        for length in range(len(words), 0, -1):
            key = _key(" ".join(words[:length]))
            if key in of_word:
                found.add(of_word[key])
                position = match.start() + len(" ".join(words[:length]))
                break
    return found


@cache
def _names() -> dict[str, dict[str, str]]:
    """First word of a name -> name -> usual name; names as `_key` makes them."""
    names: dict[str, dict[str, str]] = {}
    for line in _LIST.read_text(encoding="utf-8").splitlines()[1:]:
        variants = line.partition("\t")[0].split("|")
        for variant in variants:
            names.setdefault(_first_word(variant), {})[_key(variant)] = variants[0]
    return names


def _key(name: str) -> str:
    """Without what follows a name in a sentence: punctuation and the genitive's s."""
    plain = name.casefold().replace("’", "'").rstrip(".,;:!?\"”'»)")
    return plain.removesuffix("'s")


def _first_word(name: str) -> str:
    return re.split(r"[\s-]", _key(name), maxsplit=1)[0]
