"""What the project may know of a language beyond its letters. A module per language declares it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CERTAIN = 0.97
"""From this score on (0 to 1), the recogniser of languages is believed on any text."""


def always_certain(text: str) -> float | None:
    """The score needed to believe the recogniser that a text is in another language: a high one, whatever the text."""
    return CERTAIN


@dataclass(frozen=True)
class Knowledge:
    """What is known of one language. The default: nothing."""

    reads_numbers: bool = False
    """Whether its numbers in words are understood (`mt.text.numbers`)."""
    checked_as_source: frozenset[str] = frozenset()
    """Fidelity checks that read sources in this language."""
    checked_as_target: frozenset[str] = frozenset()
    """Fidelity checks that read translations into this language."""
    mended: frozenset[str] = frozenset()
    """Damage that is recognised in its letters: `mojibake`, `visual order`, `keyboard letters`."""
    folds_spelling: bool = False
    """Whether `mt.text.normalise.fold_spelling` knows its spellings, for the metrics that end in `-norm`."""
    spaced_marks: str = ""
    """Punctuation before which it writes a space."""
    score_needed: Callable[[str], float | None] = always_certain
    """The score from which the recogniser is believed that a text is in another language; None: it surely is in this
    one, and the recogniser, which is slow, need not be asked."""
    sentences: tuple[str, ...] = ()
    """Five plain sentences that any model translates (`mt.models.doctor`)."""


NOTHING = Knowledge()
