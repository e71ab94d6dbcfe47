"""Small corpora of other pairs than English to Arabic, made from templates; nothing in them is from a real corpus."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

from mt.languages import pair_named

ARABIC_TO_ENGLISH, ENGLISH_TO_FRENCH = pair_named("ar", "en"), pair_named("en", "fr")

_THINGS = (
    *(("bread", "الخبز", "pain"), ("milk", "الحليب", "lait"), ("book", "الكتاب", "livre")),
    *(("garden", "البستان", "jardin"), ("road", "الطريق", "chemin"), ("village", "القرية", "village")),
    *(("boat", "القارب", "bateau"), ("field", "الحقل", "champ"), ("bridge", "الجسر", "pont")),
    ("market", "السوق", "marché"),
)
_PLACES = (
    *(("by the river", "قرب النهر", "près de la rivière"), ("in the north", "في الشمال", "dans le nord")),
    *(("behind the mountain", "خلف الجبل", "derrière la montagne"), ("on the coast", "على الساحل", "sur la côte")),
    *(
        ("at the old gate", "عند الباب القديم", "devant la vieille porte"),
        ("under the trees", "تحت الأشجار", "sous les arbres"),
    ),
)
_FRAMES = (
    ("The {0} {1} is new in year {2}", "{0} {1} جديد في سنة {2}", "Le {0} {1} est nouveau en l'an {2}"),
    ("We saw the {0} {1} with {2} friends", "رأينا {0} {1} مع {2} صديق", "Nous avons vu le {0} {1} avec {2} amis"),
    (
        "Nobody sold the {0} {1} for {2} coins",
        "لم يبع أحد {0} {1} مقابل {2} قطعة",
        "Personne n'a vendu le {0} {1} pour {2} pièces",
    ),
)


def _rows(count: int) -> list[tuple[str, str, str]]:
    """(English, Arabic, French), each with another number."""
    rows = []
    for number, (frame, thing, place) in enumerate(product(_FRAMES, _THINGS, _PLACES), start=11):
        rows.append(tuple(frame[i].format(thing[i], place[i], number) for i in range(3)))
    # Neighbours in the list differ in more than a number.
    return [rows[(index * 49) % len(rows)] for index in range(count)]  # type: ignore[misc]


def arabic_pairs(count: int) -> list[tuple[str, str]]:
    """Arabic with English; at most 180."""
    return [(arabic, english) for english, arabic, _ in _rows(count)]


def french_pairs(count: int) -> list[tuple[str, str]]:
    """English with French; at most 180."""
    return [(english, french) for english, _, french in _rows(count)]


def write_tsv(path: Path, pairs: Iterable[tuple[str, str]]) -> Path:
    """A table without header."""
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path
