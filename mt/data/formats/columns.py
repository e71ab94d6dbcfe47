"""Which column is the source and which the target: by the names people give them, or by their content."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from mt.config import CorpusConfig
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair, Side
from mt.text.normalise import script_share
from mt.wording import shorten

logger = logging.getLogger(__name__)

SAMPLE_ROWS = 100
"""Rows that are examined to recognise the columns."""

_LANGUAGE_OF: dict[Side, str] = {"source": "source language", "target": "target language"}
_SOURCE = {"source", "src", "original", "msgid", "المصدر", "الأصل", "الأصلي"}
_TARGET = {"target", "tgt", "trg", "translation", "translated", "msgstr", "الهدف", "الترجمة", "ترجمة", "المترجم"}
# Words that only say that a column has text, or which kind of its language.
_NEUTRAL = {"text", "txt", "sentence", "sentences", "segment", "string", "content", "line", "column", "side", "msg"}
_NEUTRAL |= {"us", "gb", "uk", "au", "ca", "sa", "sy", "eg", "ae", "iq", "jo", "lb", "ma", "qa", "ye", "kw", "001"}
_NEUTRAL |= {"latn", "arab", "modern", "standard", "msa", "the", "in", "of", "reference", "ref", "to", "النص", "نص"}
_NEUTRAL |= {"الجملة", "جملة", "اللغة", "باللغة", "united", "states", "kingdom", "syria", "saudi", "arabia"}
_DOCUMENTS = ("document", "doc_id", "docid", "doc", "url", "file", "filename", "article")

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_MAX_WORDS_OF_HEADER = 6
_MIN_SHARE_OF_ROWS = 0.7
_MIN_LETTERS_OF_SENTENCE = 15
_SHOWN = 60


class Columns(NamedTuple):
    """The columns of a table that are read, counted from 0."""

    source: int
    target: int
    document: int | None
    has_header: bool


class _Content(NamedTuple):
    """What one column contains in the first rows."""

    source: float
    """Share of the cells that are mostly in the letters of the source language, 0 to 1."""
    target: float
    letters: float
    """Average number of letters per cell."""


def find_columns(
    rows: Sequence[Sequence[str]], options: CorpusConfig, origin: str, languages: LanguagePair = ENGLISH_TO_ARABIC
) -> Columns:
    """The columns of a table.

    rows: the first rows, with or without a header. origin: where the table begins, for messages. Raises `DataError` for
    a requested column that is missing, and if the columns cannot be recognised.
    """
    first = _names(rows)
    source = None if options.source_column is None else _index(rows[0], options.source_column, origin)
    target = None if options.target_column is None else _index(rows[0], options.target_column, origin)
    is_told = source is not None and target is not None
    contents = _contents(rows, languages)
    source = _named("source", first, contents, languages) if source is None else source
    target = _named("target", first, contents, languages) if target is None else target
    is_named = source is not None and target is not None
    if source is None or target is None:
        by_content = _by_content(contents, source, target, languages)
        source, target = by_content or _usual(rows[0], source, target, origin, languages)
        is_told = is_told or by_content is None
    if source == target:
        raise DataError(f"{origin}: source and target are both column {source + 1}; set source_column, target_column")
    is_seen = not is_told and not is_named
    has_header = _has_header([first, *rows[1:]], options, source, target, languages, is_certain=is_seen)
    document = _document_column(rows[0], options.document_column, has_header=has_header, origin=origin)
    if (source, target) != (0, 1) and is_seen:
        _say_what_was_seen(source, target, origin, languages)
    return Columns(source, target, document, has_header)


def _names(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first row, without cells that the second row repeats: `eng` in every row is not a column name."""
    second = rows[1] if len(rows) > 1 else ()
    return ["" if cell in second[index : index + 1] else cell for index, cell in enumerate(rows[0])]


def _say_what_was_seen(source: int, target: int, origin: str, languages: LanguagePair) -> None:
    logger.info(
        "%s: column %d is %s and column %d %s by their letters, so source_column is %d and target_column %d; "
        "set them if that is wrong",
        *(origin, source + 1, languages.source.name, target + 1, languages.target.name, source + 1, target + 1),
    )


def _named(side: Side, first: Sequence[str], contents: Sequence[_Content], languages: LanguagePair) -> int | None:
    """The column named for this side, unless the name is only a role (`source`) and its letters contradict it."""
    found = named_for(side, first, languages)
    sure = ((_LANGUAGE_OF["source"], True), (_LANGUAGE_OF["source"], False), (_LANGUAGE_OF["target"], True))
    if found is None or _kind(first[found], languages) in sure:
        return found
    other = "target" if side == "source" else "source"
    is_denied = getattr(contents[found], other) >= _MIN_SHARE_OF_ROWS > getattr(contents[found], side)
    # A column of news agencies is also called `source`.
    is_label = contents[found].letters * 4 < max(getattr(content, side) * content.letters for content in contents)
    return None if is_denied or is_label else found


def named_for(side: Side, names: Sequence[str], languages: LanguagePair = ENGLISH_TO_ARABIC) -> int | None:
    """The index of the name that says, by language or else by role, that a column has this side; None if none does."""
    kinds = [_kind(name, languages) for name in names]
    for kind in (_LANGUAGE_OF[side], side):
        plain = [index for index, found in enumerate(kinds) if found == (kind, True)]
        longer = [index for index, found in enumerate(kinds) if found == (kind, False)]
        if plain or longer:
            return (plain or longer)[0]
    return None


def _kind(name: str, languages: LanguagePair) -> tuple[str, bool] | None:
    """(what a name says about its column, whether that is all it says); None if it says something else, or nothing."""
    if len(name) > _SHOWN:
        return None
    words = re.findall(r"[^\W_]+", key_of(_CAMEL.sub(" ", name)))
    kinds = [(_LANGUAGE_OF[side], languages.of(side).names) for side in _LANGUAGE_OF]
    for kind, known in (*kinds, ("source", _SOURCE), ("target", _TARGET)):
        if not known.isdisjoint(words) and all(word in known | _NEUTRAL | _SOURCE | _TARGET for word in words):
            return kind, len(words) == 1
    return None


def key_of(name: str) -> str:
    """A name for comparison: without case, BOM and surrounding space."""
    return unicodedata.normalize("NFKC", name).replace("\ufeff", "").strip(" \t\"'").casefold()


def _index(first: Sequence[str], wanted: str, origin: str) -> int:
    keys = [key_of(name) for name in first]
    if _is_number(wanted) and 1 <= int(wanted) <= len(first):
        return int(wanted) - 1
    if key_of(wanted) in keys:
        return keys.index(key_of(wanted))
    raise DataError(f"{origin}: no column `{shorten(wanted)}`; the first line has {len(first)}: {listed(first)}")


def listed(names: Sequence[str]) -> str:
    """Names for a message, as many as fit."""
    return shorten(", ".join(shorten(name.strip(), _SHOWN) for name in names[:20]), 200)


def _is_number(column: str) -> bool:
    """Whether a column is given by number; Python takes ² for a digit, this does not."""
    return re.fullmatch("[0-9]{1,9}", column) is not None


def _contents(rows: Sequence[Sequence[str]], languages: LanguagePair) -> list[_Content]:
    """The content of each column, without the first row, which may be a header, unless it is the only one."""
    width = len(rows[0])
    columns = ([row[index] for row in rows[len(rows) > 1 :] if len(row) == width] for index in range(width))
    return [_content(cells, languages) for cells in columns]


def _by_content(
    contents: list[_Content], source: int | None, target: int | None, languages: LanguagePair
) -> tuple[int, int] | None:
    """(source, target) by the letters in the columns, for sides without a named column; None if they do not tell.

    The first two columns if they fit, because further columns in either language are usually other translations.
    """
    if not languages.has_two_scripts:
        return None
    if source is None and target is None and _are_sentences(contents):
        return 0, 1
    if source is None:
        source = _best([0 if i == target else c.source * c.letters for i, c in enumerate(contents)], contents, "source")
    if target is None:
        target = _best([0 if i == source else c.target * c.letters for i, c in enumerate(contents)], contents, "target")
    return None if source is None or target is None else (source, target)


def _are_sentences(contents: list[_Content]) -> bool:
    fits = len(contents) > 1 and min(contents[0].source, contents[1].target) >= _MIN_SHARE_OF_ROWS
    return fits and min(content.letters for content in contents[:2]) >= _MIN_LETTERS_OF_SENTENCE


def named_and_fitting(
    side: Side, rows: Sequence[Sequence[str]], languages: LanguagePair = ENGLISH_TO_ARABIC
) -> int | None:
    """Like `named_for` on the first row, unless a name is only a role and the other rows' letters contradict it."""
    return _named(side, rows[0], _contents(rows, languages), languages)


def sides_by_content(
    rows: Sequence[Sequence[str]], languages: LanguagePair = ENGLISH_TO_ARABIC
) -> tuple[int, int] | None:
    """(source column, target column) of a table by its letters only; None if they do not tell."""
    return _by_content(_contents(rows, languages), None, None, languages)


def _content(cells: Sequence[str], languages: LanguagePair) -> _Content:
    shares = [
        tuple(script_share(cell, languages.of(side).script) for side in _LANGUAGE_OF) for cell in cells if cell.strip()
    ]
    letters = sum(sum(map(str.isalpha, cell)) for cell in cells)
    if not shares:
        return _Content(0, 0, 0)
    source, target = (sum(share[which] >= 0.5 for share in shares) / len(shares) for which in (0, 1))
    return _Content(source, target, letters / len(cells))


def _best(weights: list[float], contents: list[_Content], side: Side) -> int | None:
    """The column with by far the most letters of a script; None if there is none."""
    best = max(range(len(weights)), key=weights.__getitem__)
    others = [weight for index, weight in enumerate(weights) if index != best]
    is_clear = weights[best] > 2 * max(others, default=0)
    return best if is_clear and getattr(contents[best], side) >= _MIN_SHARE_OF_ROWS else None


def _usual(
    first: Sequence[str], source: int | None, target: int | None, origin: str, languages: LanguagePair
) -> tuple[int, int]:
    """The first two columns, if there are only two. Raises `DataError`."""
    if len(first) == 2:
        source = source if source is not None else 0 if target is None else 1 - target
        return source, target if target is not None else 1 - source
    raise DataError(
        f"{origin}: neither names nor letters tell which of its {len(first)} columns is {languages.source.name} "
        f"and which {languages.target.name}: {listed(first)}; set source_column and target_column, by name or by number"
    )


def _has_header(
    rows: Sequence[Sequence[str]],
    options: CorpusConfig,
    source: int,
    target: int,
    languages: LanguagePair,
    *,
    is_certain: bool,
) -> bool:
    """Whether the first row names the columns. is_certain: the columns were recognised by their letters."""
    first, wanted = rows[0], (options.source_column, options.target_column, options.document_column)
    if any(name and not _is_number(name) for name in wanted):
        return True
    if names_both_sides(first, languages):
        return True
    if not is_certain or len(rows) == 1:
        return False
    cells = [cell.strip() for cell in first]
    is_short = all(len(cell.split()) <= _MAX_WORDS_OF_HEADER for cell in cells) and len(set(cells)) == len(cells)
    ours, theirs = languages.source.script, languages.target.script
    is_other = script_share(cells[source], ours) < 0.5 or script_share(cells[target], theirs) < 0.5
    return is_short and all(cells) and is_other


def names_both_sides(names: Sequence[str], languages: LanguagePair = ENGLISH_TO_ARABIC) -> bool:
    """Whether one of the names is for the source and one for the target, as in a header."""
    return all(named_for(side, names, languages) is not None for side in _LANGUAGE_OF)


def _document_column(first: Sequence[str], wanted: str | None, *, has_header: bool, origin: str) -> int | None:
    if wanted is not None:
        return _index(first, wanted, origin)
    return document_name([key_of(name) for name in first]) if has_header else None


def document_name(keys: Sequence[str]) -> int | None:
    """The index of the key (see `key_of`) that is a usual name for a document; None if there is none."""
    plain = [key.replace(" ", "_").replace("-", "_") for key in keys]
    return next((plain.index(name) for name in _DOCUMENTS if name in plain), None)
