"""`glossary`: a table of terms, read as pairs to train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.pair import Pair
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.glossary import Glossary


def read_terms(path: Path, _: CorpusConfig, __: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """Every English form of a term with its preferred Arabic one. Raises `DataError` for a file that is no glossary."""
    for term in Glossary.read(path).terms:
        for form in term.english:
            yield Pair(form, term.arabic[0], f"{path.name}: {form}")
