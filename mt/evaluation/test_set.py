"""What is translated, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mt.config import DecodingConfig


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

    def search(self, decoding: DecodingConfig) -> DecodingConfig:
        """`decoding`, on general text without the tag and the terms of a domain that it is not of."""
        return decoding.without_domain() if self.is_general else decoding
