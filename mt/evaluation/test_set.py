"""What is translated, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from mt.config import DecodingConfig
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.normalise import comparison_words, normalise

MIN_DOCUMENTS = 20
"""Resamples of fewer documents say little about other documents."""

Hypotheses = dict[str, dict[str, list[str]]]
"""Translations by test set, then by system: the same systems in the same order on every test set, the baseline first;
one line per sentence, in the order of the test set."""

Resampling = Literal["auto", "sentence", "document"]
"""What resamples are drawn from; auto: documents where at least `MIN_DOCUMENTS` are known."""


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
    """Whether it is general text: a loss here is what fine-tuning made the model forget."""
    documents: Sequence[str] = ()
    """The document of each sentence, where they are known; an empty name where a sentence has none."""
    held_out: str = ""
    """How it was kept out of training, as a sentence; empty for a set that came from elsewhere."""
    too_easy: str = ""
    """Why its scores are better than those on a new document would be, as a clause; empty if nothing says so."""
    resampling: Resampling = "auto"
    languages: LanguagePair = ENGLISH_TO_ARABIC

    @cached_property
    def clusters(self) -> npt.NDArray[np.int64]:
        """int (sentences,): equal for pairs that differ at most in case, digits and punctuation, from 0 upwards.

        Such pairs say little that one of them does not say: together they count once in resamples and sizes.
        """
        numbers: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
        pairs = zip(map(_key, self.sources), map(_key, self.references), strict=True)
        return np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs], np.int64)

    @cached_property
    def drawn_together(self) -> npt.NDArray[np.int64]:
        """int (sentences,): equal for sentences that a resample holds together, from 0 upwards.

        Sentences of one document are not independent: drawing them one by one makes intervals too narrow. So documents
        are drawn where there are enough of them, otherwise `clusters` (block bootstrap; Künsch, 1989).
        """
        if not self.is_drawn_by_document:
            return self.clusters
        single = (f"\0{number}" for number in self.clusters)
        names = [name or alone for name, alone in zip(self.documents, single, strict=True)]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    @property
    def is_drawn_by_document(self) -> bool:
        """Whether resamples are of documents."""
        if self.resampling == "auto":
            return self.known_documents >= MIN_DOCUMENTS
        return self.resampling == "document"

    @property
    def known_documents(self) -> int:
        """How many documents it has; 0 where more than a twentieth of its sentences name none."""
        named = [name for name in self.documents if name]
        return len(set(named)) if len(named) >= 0.95 * len(self.sources) else 0

    @property
    def distinct(self) -> int:
        """How many different pairs there are."""
        return int(self.clusters.max(initial=-1)) + 1

    def decoding_for(self, decoding: DecodingConfig) -> DecodingConfig:
        """`decoding` as it is for this test set: on general text without the tag and the terms of the domain."""
        return decoding.without_domain() if self.is_general else decoding


def _key(text: str) -> tuple[str, ...]:
    text = normalise(text)
    words = comparison_words(text)
    # Of a text without letters the digits are all there is.
    return tuple(words) if any(word != "0" for word in words) else (text,)
