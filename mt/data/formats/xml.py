"""`tmx` and `xliff`: translation memories in XML. No entity is resolved, no DTD loaded, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from mt.config import CorpusConfig
from mt.data.formats.lines import open_stream, shorten
from mt.errors import DataError

_ENGLISH, _ARABIC = ("en", "eng"), ("ar", "ara", "arb")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# Elements whose content is code of the original document, not text.
_CODES = {"bpt", "ept", "ph", "it", "ut", "x", "bx", "ex", "sc", "ec", "cp"}


def read_tmx(path: Path, _: CorpusConfig) -> Iterator[tuple[str, str, str]]:
    """TMX 1.4; a unit that lacks a side has it empty. Raises `DataError`, also if no unit has both languages."""
    languages: set[str] = set()
    is_usable = False
    for number, unit in enumerate(_elements(path, "tu"), start=1):
        sides: dict[str, str] = {}
        for variant in unit.iterchildren("{*}tuv"):
            language = _language(variant.get(_LANGUAGE) or variant.get("lang") or "")
            segment = variant.find("{*}seg")
            sides.setdefault(language, "" if segment is None else _text(segment))
        languages |= set(sides)
        is_usable |= {"en", "ar"} <= set(sides)
        yield f"{path}:unit {number}", sides.get("en", ""), sides.get("ar", "")
    if languages and not is_usable:
        found = shorten(", ".join(sorted(languages)))
        raise DataError(f"{path}: no unit holds both English and Arabic; its languages are {found}")


def read_xliff(path: Path, _: CorpusConfig) -> Iterator[tuple[str, str, str]]:
    """XLIFF 1.2 and 2.0, in either direction; a segment without a target has it empty. Raises `DataError`."""
    number = 0
    for element in _elements(path, "trans-unit", "segment"):
        source, target = element.find("{*}source"), element.find("{*}target")
        if source is None:
            continue
        number += 1
        english, arabic = _text(source), "" if target is None else _text(target)
        if not _is_from_english(element, path):
            english, arabic = arabic, english
        yield f"{path}:unit {number}", english, arabic


def _is_from_english(element: Any, path: Path) -> bool:
    for ancestor in element.iterancestors():
        codes = [ancestor.get(name) for name in ("source-language", "srcLang", "target-language", "trgLang")]
        if any(codes):
            source, target = (_language(codes[i] or codes[i + 1] or "") for i in (0, 2))
            if {source, target} <= {"en", "ar", ""} and source != target:
                return source == "en" or target == "ar"
            raise DataError(f"{path}: is {source or '?'} to {target or '?'}; expected English and Arabic")
    raise DataError(f"{path}: its languages are not declared; write them into source-language and target-language")


def _language(code: str) -> str:
    primary = code.replace("_", "-").partition("-")[0].casefold()
    return "en" if primary in _ENGLISH else "ar" if primary in _ARABIC else primary


def _elements(path: Path, *names: str) -> Iterator[Any]:
    """The elements of these names as they are completed; they are freed behind the caller's back."""
    with open_stream(path) as stream:
        try:
            events = etree.iterparse(
                stream,
                events=("end",),
                tag=[f"{{*}}{name}" for name in names],
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
                huge_tree=False,
                remove_comments=True,
                remove_pis=True,
            )
            for _, element in events:
                _refuse_entities(element, path)
                yield element
                _free(element)
        except etree.XMLSyntaxError as error:
            line = error.lineno or 1
            raise DataError(f"{path}:{line}: not valid XML ({error.msg}); export or fetch it again") from error


def _refuse_entities(element: Any, path: Path) -> None:
    entity = next(element.iter(etree.Entity), None)
    if entity is not None:
        raise DataError(
            f"{path}:{element.sourceline}: the entity `{entity.text}` is not one of XML's own five and is not "
            "resolved, for safety; write its text out"
        )


def _free(element: Any) -> None:
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def _text(element: Any) -> str:
    """The text of a segment without the codes inside it."""
    parts = [element.text or ""]
    for child in element:
        is_code = etree.QName(child).localname in _CODES
        parts += ["" if is_code else _text(child), child.tail or ""]
    return "".join(parts)
