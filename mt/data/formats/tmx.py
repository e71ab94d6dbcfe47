"""`tmx`: translation memories in the format of LISA."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mt.config import CorpusConfig
from mt.data.formats.inline import text_of
from mt.data.formats.xliff import INVALID_CHARACTER, NOT_APPROVED
from mt.data.formats.xml import elements, has_invalid_character, language_of, without_marks
from mt.data.pair import Pair, Rejection
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.wording import shorten

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_MAX_LANGUAGES = 100
# How OmegaT, memoQ, Trados, Bitextor and the DGT's memory name the document of a unit, without x-, case and marks.
_DOCUMENT_PROPS = {"file", "filename", "sourcefile", "document", "documentname", "documentid", "docid", "docname"}
_DOCUMENT_PROPS |= {"doc", "docno", "docnumber", "sourcedocument", "sourceurl", "url", "article", "txtdocno"}
_Props = list[tuple[str, str]]
_UNFINISHED = {"draft", "unspecified", "rejectedtranslation", "rejectedsignoff"}


def read_tmx(path: Path, options: CorpusConfig, pair: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """TMX 1.4; a missing side of a unit is empty. Raises `DataError`, also if no unit has both languages."""
    ours, theirs = pair.source, pair.target
    languages: set[str] = set()
    is_usable = has_segments = False
    number, default = 0, ""
    for unit in elements(path, "tu", "header"):
        if unit.tag.rpartition("}")[2] == "header":
            default = language_of(unit.get("srclang") or "", pair)
            continue
        number += 1
        sides = _sides(unit, language_of(unit.get("srclang") or "", pair) or default, pair)
        languages |= set(sides) if len(languages) < _MAX_LANGUAGES else set()
        is_usable |= {ours.code, theirs.code} <= set(sides)
        has_segments |= any(text is not None for text in sides.values())
        props = _props(unit)
        source, target = sides.get(ours.code) or "", sides.get(theirs.code) or ""
        both = [sides[language.code] for language in (ours, theirs) if language.code in sides]
        fault = _fault(props, both, options)
        if fault is not None:
            source, target = without_marks(source), without_marks(target)
        yield Pair(source, target, f"{path}:unit {number}", _document(props), fault)
    if languages and not is_usable:
        found = shorten(", ".join(sorted(languages)))
        raise DataError(f"{path}: no unit has both {ours.name} and {theirs.name}; its languages are {found}")
    if number and not has_segments:
        raise DataError(
            f"{path}: no `<tuv>` has a `<seg>`, which contains the text in TMX; export the memory again as TMX "
            "1.4, or put the text of each `<tuv>` into a `<seg>`"
        )


def _sides(unit: Any, default: str, pair: LanguagePair) -> dict[str, str | None]:
    """The first non-empty text of each language; None for a language without a segment."""
    sides: dict[str, str | None] = {}
    for variant in unit.iterchildren("{*}tuv"):
        code = variant.get(_LANGUAGE) or variant.get("lang") or ""
        segment = variant.find("{*}seg")
        language = language_of(code, pair) or (default if default not in sides else "")
        if not sides.get(language):
            sides[language] = None if segment is None else text_of(segment)
    return sides


def _fault(props: _Props, both: list[str | None], options: CorpusConfig) -> Rejection | None:
    if None in both:
        return Rejection("empty side", "no <seg> in the <tuv>")
    if any(has_invalid_character(text or "") for text in both):
        return INVALID_CHARACTER
    level = next((value for kind, value in props if kind == "confirmationlevel"), "")
    if level.casefold() in _UNFINISHED and not options.keep_unapproved:
        return Rejection(NOT_APPROVED, level)
    return None


def _document(props: _Props) -> str:
    return next((value for kind, value in props if kind in _DOCUMENT_PROPS and value), "")


def _props(unit: Any) -> _Props:
    """(type, value) of the properties of a unit and its variants; types are stripped of `x-`, case and marks."""
    return [
        (re.sub(r"[\W_]", "", (prop.get("type") or "").casefold().removeprefix("x-")), (prop.text or "").strip())
        for one in (unit, *unit.iterchildren("{*}tuv"))
        for prop in one.iterchildren("{*}prop")
    ]
