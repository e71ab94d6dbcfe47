"""What is translated, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TestSet:
    """Sentences with their reference translations, as they were written."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    name: str
    sources: Sequence[str]
    references: Sequence[str]
    corpora: Sequence[str] = ()
    """The corpus of each sentence, where it is known."""
    is_general: bool = False
    """General text: what is lost here is what was forgotten."""
