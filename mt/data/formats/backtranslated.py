"""`backtranslated`: the table of `mt backtranslate`, and the file beside it that says how the table was made.

A target is a line that a person wrote, and its source is what a model made of it. A table is one row per line of the
file, so that one that was cut off anywhere can be mended.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mt.config import CorpusConfig
from mt.data.formats.formulas import shielded, unshielded
from mt.data.formats.tables import read_tsv
from mt.data.pair import Pair
from mt.errors import DataError
from mt.input_files import read_small
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.lines import open_stream, uncompressed_name

COLUMNS = ("source", "target", "document", "line")
"""The model's translation, the line itself, the name of the text it is from, and its number there, from 1."""
ENDING = ".backtranslated.tsv"
"""Of the name of a table, by which it is known for one."""
_MAX_BYTES = 16 << 20
_CHUNK = 1 << 20


def read_backtranslated(
    path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC
) -> Iterator[Pair]:
    """The rows of the table as pairs. Raises `DataError` for a table without the columns `source` and `target`."""
    source, target = options.source_column or COLUMNS[0], options.target_column or COLUMNS[1]
    for pair in read_tsv(path, replace(options, source_column=source, target_column=target), languages):
        source_text, target_text, document = map(unshielded, (pair.source, pair.target, pair.document))
        yield pair._replace(source=source_text, target=target_text, document=document)


def rows_as_bytes(rows: Iterable[Iterable[str]]) -> bytes:
    """Rows of the table, one per line. White space inside cells becomes single spaces, so no cell breaks a line.

    What a spreadsheet would run as a formula gets an apostrophe before it, which reading takes away again.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, "excel-tab", lineterminator="\n")
    writer.writerows([shielded(" ".join(cell.split())) for cell in row] for row in rows)
    return stream.getvalue().encode("utf-8", "replace")


def provenance_file(table: Path) -> Path:
    """Where the provenance of a table is: `news.backtranslated.tsv.json`, also of a table that was compressed since."""
    return table.with_name(f"{uncompressed_name(table)}.json")


def read_provenance(table: Path) -> dict[str, Any]:
    """What `mt backtranslate` wrote beside a table; with its name as `table`, and `is_unchanged`: it is as it was.

    Only `table` if there is no such file. Raises `DataError` for a file that is something else.
    """
    file, named = provenance_file(table), {"table": table.name}
    if not file.is_file():
        return named
    try:
        facts = json.loads(read_small(file, "provenance", _MAX_BYTES))
        is_ours = _is_provenance(facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise DataError(f"{file}: is no provenance of back-translations; restore it, or remove it")
    return {**facts, **named, "is_unchanged": _sha256(table) == facts["sha256"]}


def _is_provenance(facts: Any) -> bool:
    """Whether what reports say of it is there. Raises `KeyError` and the like if it is not."""
    model, languages, engine = facts["model"], facts["languages"], facts["engine"]
    texts = [model["name"], model["revision"], *(languages[side] for side in ("source", "target")), facts["sha256"]]
    texts += [engine["name"], engine["precision"], *(each["document"] for each in facts["inputs"])]
    numbers = [facts["counts"]["pairs"], facts["decoding"]["num_beams"], facts["decoding"].get("mbr", 0)]
    is_identified = all(isinstance(key, str) for key in model["identity"])
    return is_identified and all(isinstance(text, str) for text in texts) and {*map(type, numbers)} == {int}


def _sha256(table: Path) -> str:
    digest = hashlib.sha256()
    with open_stream(table) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
