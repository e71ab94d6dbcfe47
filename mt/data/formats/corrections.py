"""`corrections`: the table of `mt translate --bilingual`, in which a person has corrected translations.

Only rows whose `target` is no longer what the model wrote, which is in the column `machine`, are pairs to learn from.
The others are counted as `not corrected`: nobody may have read them, and a model learns nothing from its own output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.formats.sheets import ENDINGS, read_workbook
from mt.data.formats.tables import read_csv, read_tsv
from mt.data.pair import Pair, Rejection
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.lines import uncompressed_name

NOT_CORRECTED = "not corrected"
MACHINE = "machine"
"""The column with the translation as the model wrote it."""


def read_corrections(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """The rows of the table, in whichever format a spreadsheet has saved it; white space alone is no correction.

    Raises `DataError` for a table without the columns `source`, `target` and `machine`, or with no correction in it.
    """
    read = _reader(path)
    named = replace(options, source_column=options.source_column or "source")
    corrected = read(path, replace(named, target_column=options.target_column or "target"), languages)
    written = read(path, replace(named, target_column=MACHINE), languages)
    rows = changed = 0
    for pair, before in zip(corrected, written, strict=True):
        is_same = pair.target.split() == before.target.split()
        rows, changed = rows + 1, changed + (not is_same)
        yield pair._replace(fault=Rejection(NOT_CORRECTED)) if is_same else pair
    if rows and not changed:
        raise DataError(
            f"{path}: none of its {rows} translations is corrected: target is the same as {MACHINE} in each row; "
            "correct some, or leave the corpus out"
        )


def _reader(path: Path) -> Callable[[Path, CorpusConfig, LanguagePair], Iterator[Pair]]:
    ending = Path(uncompressed_name(path)).suffix.lower()
    return read_workbook if ending in ENDINGS else read_csv if ending == ".csv" else read_tsv
