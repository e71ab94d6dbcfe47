"""`pairs`: a sentence and its translation on one line, nothing between them; for two scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.formats.documents import Parts
from mt.data.formats.tables import is_table, read_tsv
from mt.data.pair import Pair
from mt.data.unseparated import split_at_border
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.lines import read_lines, uncompressed_name
from mt.wording import shorten

_MAX_CHARACTERS = 1 << 18


def read_pairs(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """One pair per line; blank lines separate documents.

    Raises `DataError` for a line without a recognisable border, and for two languages in the same script.

    A table with tabs, which spreadsheets save as "Unicode text" under this ending, is read as `tsv`.
    """
    if is_table(path, languages):
        return read_tsv(path, options, languages)
    if not languages.has_two_scripts:
        raise DataError(
            f"{path}: a sentence and its translation on one line, with nothing between them, can only be told apart by "
            f"their letters, and {languages.source.name} and {languages.target.name} are both written in "
            f"{languages.source.script_name} ones; put a tab between them and set the corpus's `format` to tsv"
        )
    parts = Parts(uncompressed_name(path))
    return parts.named(_pairs(path, parts, languages))


def _pairs(path: Path, parts: Parts, languages: LanguagePair) -> Iterator[Pair]:
    for number, line in read_lines(path):
        if not line.strip():
            parts.end()
            continue
        if len(line) > _MAX_CHARACTERS:
            raise DataError(
                f"{path}:{number}: a line of {len(line)} characters, which is no sentence and its translation; "
                "is the file in another format?"
            )
        border = split_at_border(line, languages)
        if border is None:
            raise DataError(
                f"{path}:{number}: no border between {languages.source.name} and {languages.target.name} in "
                f"`{shorten(line)}`; "
                "a line of this format holds a sentence and its translation, one after the other"
            )
        yield Pair(*border, f"{path}:{number}", parts.document)
