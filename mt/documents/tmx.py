"""`tmx`: translation memories. Units without a translation get one, and say that a machine made it."""

from __future__ import annotations

from typing import Any

from lxml import etree

from mt.documents.marked import Marked, Unit
from mt.documents.nodes import parse_xml, set_nodes, written_nodes
from mt.documents.segments import (
    XML_LANG,
    add_behind,
    as_bytes,
    check_language,
    is_empty,
    is_language,
    local_name,
    read_segment,
)
from mt.errors import DataError
from mt.languages import LanguagePair

CREATED_BY = "machine translation"
"""The `creationid` of the variants that are added."""


class TmxDocument:
    """The units without a translation into the target language."""

    def __init__(self, tree: Any, name: str) -> None:
        """Raises `DataError` for a file that is no TMX. `check_languages` must be called before anything else."""
        self.units: list[Unit] = []
        self._sources: list[tuple[Any, Any]] = []
        self._tree, self._name = tree, name
        root = tree.getroot()
        if local_name(root) != "tmx":
            raise DataError(f"{name}:1: its root is `{local_name(root)[:40]}`, not `tmx`; is it another format?")

    def check_languages(self, languages: LanguagePair) -> None:
        """Find the units that have a text in the source language and none in the target language.

        Raises `DataError` if the memory is of another language.
        """
        root = self._tree.getroot()
        header = root.find("{*}header")
        default = "" if header is None else header.get("srclang") or ""
        found = [unit for unit in root.iter("{*}tu") if self._add(unit, default, languages)]
        if not found and default != "*all*" and root.find(".//{*}tu") is not None:
            check_language(default, languages.source, "source", f"{self._name}:{header.sourceline}")

    def _add(self, unit: Any, default: str, languages: LanguagePair) -> bool:
        """Whether a unit has the source language."""
        variants = unit.findall("{*}tuv")
        source = next((each for each in variants if is_language(_code(each) or default, languages.source)), None)
        segment = None if source is None else source.find("{*}seg")
        if segment is None:
            return False
        targets = [each.find("{*}seg") for each in variants if is_language(_code(each), languages.target)]
        marked = read_segment(segment)
        if all(map(is_empty, targets)) and marked.text.strip():
            self.units.append(Unit(marked, f"line {unit.sourceline}"))
            self._sources.append((unit, source))
        return True

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The memory with a variant in the target language for each of the units."""
        for (unit, source), translation in zip(self._sources, translations, strict=True):
            segment = _target_segment(unit, source, languages)
            set_nodes(segment, written_nodes(translation, copies=True))
        return as_bytes(self._tree)


def read_tmx(content: bytes, name: str) -> TmxDocument:
    """A translation memory. Raises `DataError`."""
    return TmxDocument(parse_xml(content, name, "translation memory"), name)


def _code(variant: Any) -> str:
    return variant.get(XML_LANG) or variant.get("lang") or ""


def _target_segment(unit: Any, source: Any, languages: LanguagePair) -> Any:
    """The empty segment of the target language; a new variant has it if the unit has none."""
    variants = [each for each in unit.iterfind("{*}tuv") if is_language(_code(each), languages.target)]
    if variants:
        variant = variants[0]
    else:
        variant = etree.Element(source.tag, {XML_LANG: languages.target.code})
        add_behind(variant, unit.findall("{*}tuv")[-1])
    variant.set("creationid", CREATED_BY)
    segment = variant.find("{*}seg")
    return etree.SubElement(variant, source.find("{*}seg").tag) if segment is None else segment
