"""`corrections`: translations that a person has corrected.

They are in the table of `mt translate --bilingual`, or in the ratings of an `mt review` page (`.json`), where reviewers
may write a better translation. Only rows whose `target` is no longer what the model wrote, which is in the column
`machine`, are pairs to learn from. The others are counted as `not corrected`: nobody may have read them, and a model
learns nothing from its own output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mt.config import CorpusConfig
from mt.data.formats.formulas import unshielded
from mt.data.formats.sheets import ENDINGS, read_workbook
from mt.data.formats.tables import MACHINE, read_csv, read_tsv
from mt.data.pair import Pair, Rejection
from mt.errors import DataError
from mt.input_files import read_small
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.lines import uncompressed_name

NOT_CORRECTED = "not corrected"
RATINGS_FORMAT = "mt-ratings-2"
"""The `format` of a ratings file; change the number whenever an older version would misread the file."""
FIRST_RATINGS_FORMAT = "mt-ratings-1"
"""The same without reviewers' own translations; still read."""
_MAX_BYTES = 64 << 20
_FEWEST_MOVED = 3


def read_corrections(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """The rows of a table, in whichever format a spreadsheet has saved it, or the translations in a file of ratings.

    White space alone is no correction. Raises `DataError` for a table without the columns `source`, `target` and
    `machine`, for JSON that is no ratings of `mt review`, for a file with no correction in it, and for a table whose
    letters are lost or whose targets have left their rows.
    """
    rows = _rated(path) if is_of_ratings(path) else _rows(path, options, languages)
    count = with_text = lost = 0
    machines, changed = set[str](), list[str]()
    for pair, machine in rows:
        written, target = (" ".join(text.split()) for text in (machine, pair.target))
        count, with_text, lost = count + 1, with_text + bool(written), lost + _is_lost(written)
        machines.add(written)
        changed += [] if target == written else [target]
        yield pair._replace(fault=Rejection(NOT_CORRECTED)) if target == written else pair
    if lost * 2 > with_text:
        raise DataError(
            f"{path}: {lost} of its {with_text} translations are question marks: the program that saved it has lost "
            "the letters; save it again as CSV UTF-8 or as a workbook"
        )
    if count and not changed:
        raise DataError(
            f"{path}: none of its {count} translations is corrected: target is the same as {MACHINE} in each row; "
            "correct some, or leave the corpus out"
        )
    _check_places(path, machines, changed)


def is_of_ratings(path: Path) -> bool:
    """Whether a file of corrections has the ratings of `mt review`, and is no table."""
    return Path(uncompressed_name(path)).suffix.lower() == ".json"


def _is_lost(text: str) -> bool:
    marks = text.count("?")
    return marks > 1 and marks > sum(map(str.isalpha, text))


def _check_places(path: Path, machines: set[str], changed: list[str]) -> None:
    """Raise `DataError` if most changes are translations of other rows: the column was sorted or moved by itself."""
    moved = sum(target in machines for target in changed if target)
    if moved >= _FEWEST_MOVED and moved * 2 > len(changed):
        raise DataError(
            f"{path}: {moved} of its {len(changed)} changed targets are machine translations of other rows: was the "
            "column `target` sorted or moved by itself? Undo that, or export the table again"
        )


def _rows(path: Path, options: CorpusConfig, languages: LanguagePair) -> Iterator[tuple[Pair, str]]:
    """(pair, what the model wrote) for each row of a table."""
    read = _reader(path)
    named = replace(options, source_column=options.source_column or "source")
    corrected = read(path, replace(named, target_column=options.target_column or "target"), languages)
    written = read(path, replace(named, target_column=MACHINE), languages)
    for pair, before in zip(corrected, written, strict=True):
        source, target, document = map(unshielded, (pair.source, pair.target, pair.document))
        yield pair._replace(source=source, target=target, document=document), unshielded(before.target)


def _rated(path: Path) -> Iterator[tuple[Pair, str]]:
    """(pair, the translation that the reviewer started from) for each translation that one has written.

    The document of a pair is the test set of the page.
    """
    try:
        content = json.loads(read_small(path, "ratings file", _MAX_BYTES))
        # Lone surrogates can be read, but not written.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error!s:.100}); export it again from the review page") from error
    is_ratings = isinstance(content, dict) and content.get("format") in (RATINGS_FORMAT, FIRST_RATINGS_FORMAT)
    if not is_ratings or not isinstance(content.get("items"), list):
        raise DataError(f"{path}: no ratings exported from a page of `mt review`, the only JSON with corrections")
    items = [item for item in content["items"] if isinstance(item, dict) and item.get("correction") is not None]
    if not items:
        raise DataError(f"{path}: holds ratings, but no translation that a reviewer has written; leave the corpus out")
    for item in items:
        yield _pair_of(path, item, str(content.get("test_set", "")))


def _pair_of(path: Path, item: dict[str, Any], test_set: str) -> tuple[Pair, str]:
    correction, sentence = item["correction"], item.get("sentence")
    texts = [correction.get(key) if isinstance(correction, dict) else None for key in ("source", "target", MACHINE)]
    if not all(isinstance(text, str) for text in texts) or type(sentence) is not int:
        raise DataError(
            f"{path}: a correction lacks sentence, source, target or {MACHINE}; export it again from the review page"
        )
    source, target, machine = map(str, texts)
    return Pair(source, target, f"{path}:sentence {sentence + 1}", test_set), machine


def _reader(path: Path) -> Callable[[Path, CorpusConfig, LanguagePair], Iterator[Pair]]:
    ending = Path(uncompressed_name(path)).suffix.lower()
    return read_workbook if ending in ENDINGS else read_csv if ending == ".csv" else read_tsv
