"""Files of translations that were made elsewhere: one line per sentence."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mt.data.formats.columns import named_for
from mt.data.formats.quoting import broken_quoting, unquoted_column
from mt.errors import DataError
from mt.evaluation.metrics import check_lengths
from mt.evaluation.test_set import TestSet
from mt.languages import LanguagePair
from mt.systems.system import System
from mt.text.lines import read_lines, uncompressed_name

logger = logging.getLogger(__name__)


def check_texts(systems: Sequence[System], test_sets: Sequence[TestSet]) -> None:
    """Refuse files of translations that cannot be those of a test set, before anything is decoded.

    Raises `DataError` for one file and several test sets, and what `read_text` raises.
    """
    for system in systems:
        if system.is_text and len(test_sets) > 1 and Path(system.path).is_file():
            names = " and ".join(f"{test_set.name}.txt" for test_set in test_sets)
            raise DataError(
                f"{system.path}: a file holds the translations of one test set, and there are {len(test_sets)}; "
                f"give a directory with {names}"
            )
        for test_set in test_sets if system.is_text else ():
            read_text(system, test_set)


def read_text(system: System, test_set: TestSet) -> list[str]:
    """A system's translations of a test set, from its file.

    Raises `DataError` for a missing file, for a table, and for more or fewer lines than the test set has sentences.
    """
    file = system.text_file(test_set.name)
    if not file.is_file():
        raise DataError(f"{file}: no such file; {system.label} needs one translation per line of `{test_set.name}`")
    lines = _translations_in(file, len(test_set.references), test_set.languages)
    check_lengths(system.label, test_set.name, lines, test_set.references)
    if sum("\t" in line for line in lines) * 2 > len(lines):
        raise DataError(f"{file}: most lines hold tabs, as a table's do; keep the translations alone, one per line")
    return lines


def _translations_in(file: Path, count: int, languages: LanguagePair) -> list[str]:
    """The lines of a file of `count` translations; the cells, if it is a CSV file of one column.

    Raises `DataError` for one that is quoted in part.
    """
    lines = [line for _, line in read_lines(file)]
    if len(lines) == count + 1 and named_for("target", [lines[0]], languages) is not None:
        logger.info("%s: its first line, `%s`, is read as the name of a column", file, lines[0])
        lines = lines[1:]
    is_csv = Path(uncompressed_name(file)).suffix.lower() in (".csv", ".tsv")
    cells = unquoted_column(lines, count, is_csv=is_csv)
    if cells is not None:
        logger.info("%s: its lines are quoted as in `format csv`, and read without these quotation marks", file)
        return cells
    broken = broken_quoting(lines)
    if broken is not None:
        raise DataError(
            f"{file}:{broken + 1}: most lines are quoted as in `format csv`, with their quotation marks doubled, but "
            "this one is not; save the translations as plain text, one per line"
        )
    return lines
