"""What is translated, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mt.config import DecodingConfig
from mt.text import comparison_words, normalise


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

    @cached_property
    def clusters(self) -> npt.NDArray[np.int64]:
        """int (sentences,): equal for pairs that differ at most in case, digits and punctuation, from 0 upwards.

        Such a pair says little that its like has not said: it counts once where sentences are drawn or counted.
        """
        numbers: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
        pairs = zip(map(_key, self.sources), map(_key, self.references), strict=True)
        return np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs], np.int64)

    @property
    def distinct(self) -> int:
        """How many different pairs there are."""
        return int(self.clusters.max(initial=-1)) + 1

    def search(self, decoding: DecodingConfig) -> DecodingConfig:
        """`decoding`, on general text without the tag and the terms of a domain that it is not of."""
        return decoding.without_domain() if self.is_general else decoding


def _key(text: str) -> tuple[str, ...]:
    text = normalise(text)
    words = comparison_words(text)
    # Of a text without letters the digits are all there is.
    return tuple(words) if any(word != "0" for word in words) else (text,)
