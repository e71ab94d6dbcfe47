"""`xliff`: XLIFF 1.2, as Trados, memoQ and Weblate write it too, and XLIFF 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mt.config import CorpusConfig
from mt.data.formats.inline import text_of
from mt.data.formats.xml import elements, has_invalid_character, language_of, local_name, without_marks
from mt.data.pair import Pair, Rejection
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair

NOT_APPROVED = "not approved"
"""The rule for translations that the file itself marks as unfinished."""

INVALID_CHARACTER = Rejection("invalid character", "a character or reference that XML forbids")
"""The fault of units with characters that no XML parser accepts."""

READER_RULES = (NOT_APPROVED, INVALID_CHARACTER.rule)
"""Rules by which readers leave pairs out."""

_FINAL_STATES = {"translated", "signed-off", "final", "reviewed"}
_STATES_LEFT_OUT = ("needs-", "new", "initial", "rejected", "x-needs", "x-fuzzy", "fuzzy")
_QUALIFIERS_LEFT_OUT = ("fuzzy", "mt-", "leveraged-mt", "tm-suggestion", "rejected")
_WORDS_LEFT_OUT = ("fuzzy", "needs", "draft", "reject", "unapproved", "untranslated", "unfinished")
# Of Trados, memoQ and Memsource.
_CONFIRMATIONS_LEFT_OUT = {"", "unspecified", "draft", "rejectedtranslation", "rejectedsignoff"}
_STATUSES_LEFT_OUT = {"notstarted", "rejected", "pretranslated", "partiallyedited", "assembledfromfragments"}
_STATUSES_LEFT_OUT |= {"machinetranslated"}


def read_xliff(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """Segments in either direction; a missing target is empty. Raises `DataError`."""
    number = 0
    for unit in elements(path, "trans-unit", "unit"):
        is_old = local_name(unit) == "trans-unit"
        if not is_old and unit.find("{*}segment") is None:
            continue
        is_forwards = None
        document = _document(unit)
        codes = _codes(unit)
        for element in [unit] if is_old else unit.iterchildren("{*}segment"):
            if element.find("{*}source") is None:
                continue
            number += 1
            is_forwards = _is_forwards(element, path, languages) if is_forwards is None else is_forwards
            for source, target, segment in _segments(element, codes):
                fault = _fault(element, source, target, segment, options)
                source, target = without_marks(source), without_marks(target)
                sides = (source, target) if is_forwards else (target, source)
                origin = f"{path}:unit {number}" + (f", segment {segment}" if segment else "")
                yield Pair(*sides, origin, document, fault)


def _is_forwards(element: Any, path: Path, languages: LanguagePair) -> bool:
    """Whether the file translates in the direction of the pair, and not in the other one. Raises `DataError`."""
    ours, theirs = languages.source, languages.target
    for ancestor in element.iterancestors():
        codes = [ancestor.get(name) for name in ("source-language", "srcLang", "target-language", "trgLang")]
        if any(codes):
            source, target = (language_of(codes[i] or codes[i + 1] or "", languages) for i in (0, 2))
            if {source, target} <= {ours.code, theirs.code, ""} and source != target:
                return source == ours.code or target == theirs.code
            raise DataError(f"{path}: is {source or '?'} to {target or '?'}; expected {ours.name} and {theirs.name}")
    raise DataError(f"{path}: its languages are not declared; write them into source-language and target-language")


def _segments(unit: Any, codes: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """(source, target, id) of each marked segment of a unit; without marks, the whole unit with an empty id."""
    source, target = unit.find("{*}source"), unit.find("{*}target")
    segmented = unit.find("{*}seg-source")
    sources = _marked(source if segmented is None else segmented, codes)
    targets = {} if target is None else _marked(target, codes)
    has_text = target is not None and bool(text_of(target, codes).strip())
    if not sources or (not targets and has_text):
        yield text_of(source, codes), "" if target is None else text_of(target, codes), ""
        return
    for segment in dict.fromkeys([*sources, *targets]):
        yield sources.get(segment, ""), targets.get(segment, ""), segment


def _marked(element: Any, codes: dict[str, str]) -> dict[str, str]:
    """The texts of the segments marked in an element, by id; two with the same id are joined."""
    marked: dict[str, str] = {}
    for mark in element.iter("{*}mrk"):
        if mark.get("mtype") == "seg":
            name = mark.get("mid") or str(len(marked) + 1)
            marked[name] = f"{marked.get(name, '')} {text_of(mark, codes)}".strip()
    return marked


def _codes(unit: Any) -> dict[str, str]:
    """The original codes of an XLIFF 2 unit, by id."""
    return {data.get("id") or "": data.text or "" for data in unit.iterfind("{*}originalData/{*}data")}


def _document(unit: Any) -> str:
    """The path, or else the id, of the file that the unit belongs to."""
    file = next(unit.iterancestors("{*}file"), None)
    return "" if file is None else (file.get("original") or file.get("id") or "").strip()


def _fault(element: Any, source: str, target: str, segment: str, options: CorpusConfig) -> Rejection | None:
    if has_invalid_character(source) or has_invalid_character(target):
        return INVALID_CHARACTER
    if options.keep_unapproved or not target.strip():
        return None
    reason = _unfinished(element) or _unconfirmed(element, segment)
    return None if reason is None else Rejection(NOT_APPROVED, reason)


def _unfinished(element: Any) -> str | None:
    """The attribute of XLIFF 1.2 or 2 by which a translation is unfinished, as written; None if it is finished."""
    target = element.find("{*}target")
    approved = (element.get("approved") or "").casefold()
    state = (element.get("state") or target.get("state") or "").casefold()
    qualifier = (target.get("state-qualifier") or "").casefold()
    detail = (element.get("subState") or "").casefold()
    if approved == "no":
        return 'approved="no"'
    if any((one.get("translate") or "").casefold() == "no" for one in (element, element.getparent())):
        return 'translate="no"'
    if state.startswith(_STATES_LEFT_OUT):
        return f'state="{state[:40]}"'
    if any(word in detail for word in _WORDS_LEFT_OUT):
        return f'subState="{detail[:40]}"'
    is_done = approved == "yes" or state in _FINAL_STATES
    return f'state-qualifier="{qualifier[:40]}"' if qualifier.startswith(_QUALIFIERS_LEFT_OUT) and not is_done else None


def _unconfirmed(element: Any, segment: str) -> str | None:
    """The same for the attributes of Trados (`conf`), memoQ (`status`) and Memsource (`confirmed`)."""
    for name, value in element.attrib.items():
        kind = name.rpartition("}")[2]
        if "}" in name and kind == "status" and value.casefold() in _STATUSES_LEFT_OUT:
            return f'status="{value}"'
        if "}" in name and kind == "confirmed" and value == "0":
            return 'confirmed="0"'
    definitions = element.find("{*}seg-defs")
    for definition in () if definitions is None else definitions.iterchildren("{*}seg"):
        confirmation = definition.get("conf") or ""
        if segment in ("", definition.get("id")) and confirmation.casefold() in _CONFIRMATIONS_LEFT_OUT:
            return f'conf="{confirmation}"'
    return None
