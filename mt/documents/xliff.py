"""`xliff`: XLIFF 1.2 and 2. Empty targets are filled and marked as machine translations; all others stay."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from lxml import etree

from mt.documents.marked import Marked, Unit
from mt.documents.nodes import parse_xml, set_nodes, written_nodes
from mt.documents.segments import add_behind, as_bytes, check_language, is_empty, local_name, read_segment
from mt.errors import DataError
from mt.languages import LanguagePair

_UNTRANSLATED_STATES = ("", "new", "needs-translation")

Fill = Callable[[Marked], None]


class XliffDocument:
    """The segments without a translation."""

    def __init__(self, tree: Any, name: str) -> None:
        """Raises `DataError` for a file that is no XLIFF."""
        self.units: list[Unit] = []
        self._fills: list[Fill] = []
        self._tree, self._name = tree, name
        root = tree.getroot()
        if local_name(root) != "xliff":
            raise DataError(f"{name}:1: its root is `{local_name(root)[:40]}`, not `xliff`; is it another format?")
        self._is_old = (root.get("version") or "1").startswith("1")
        for unit in root.iter("{*}trans-unit" if self._is_old else "{*}unit"):
            if _is_translated(unit):
                self._read_old(unit) if self._is_old else self._read_new(unit)

    def _read_old(self, unit: Any) -> None:
        source, target = unit.find("{*}source"), unit.find("{*}target")
        if source is None:
            return
        segmented = unit.find("{*}seg-source")
        marks = [] if segmented is None else _segment_marks(segmented)
        if not marks:
            if is_empty(target):
                self._add(source, lambda translation: _fill_old(unit, source, translation))
            return
        if is_empty(target):
            target = None
        filled = {} if target is None else {mark.get("mid"): mark for mark in _segment_marks(target)}
        if target is not None and not filled:
            return
        for mark in marks:
            if target is None or (mark.get("mid") in filled and is_empty(filled[mark.get("mid")])):
                self._add(mark, _filler_of_mark(unit, segmented, mark))

    def _read_new(self, unit: Any) -> None:
        for segment in unit.iterfind("{*}segment"):
            source, target = segment.find("{*}source"), segment.find("{*}target")
            if source is not None and is_empty(target):
                self._add(source, _filler_of_segment(segment, source))

    def _add(self, source: Any, fill: Fill) -> None:
        marked = read_segment(source)
        if marked.text.strip() or marked.marks:
            self.units.append(Unit(marked, f"line {source.sourceline}"))
            self._fills.append(fill)

    def check_languages(self, languages: LanguagePair) -> None:
        """Raise `DataError` if the file declares other languages than the model's."""
        root = self._tree.getroot()
        names = ("source-language", "target-language") if self._is_old else ("srcLang", "trgLang")
        for element in root.iter("{*}file") if self._is_old else [root]:
            place = f"{self._name}:{element.sourceline}"
            check_language(element.get(names[0]) or "", languages.source, "source", place)
            check_language(element.get(names[1]) or "", languages.target, "target", place)

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The file with its empty targets filled."""
        for fill, translation in zip(self._fills, translations, strict=True):
            fill(translation)
        root = self._tree.getroot()
        for element in root.iter("{*}file") if self._is_old else [root]:
            name = "target-language" if self._is_old else "trgLang"
            if not element.get(name):
                element.set(name, languages.target.code)
        return as_bytes(self._tree)


def read_xliff(content: bytes, name: str) -> XliffDocument:
    """An XLIFF file. Raises `DataError`."""
    return XliffDocument(parse_xml(content, name, "XLIFF file"), name)


def _is_translated(unit: Any) -> bool:
    told = (each.get("translate") for each in (unit, *unit.iterancestors()))
    return next((value != "no" for value in told if value), True)


def _segment_marks(element: Any) -> list[Any]:
    return [mark for mark in element.iter("{*}mrk") if mark.get("mtype") == "seg"]


def _target_of(unit: Any, after: Any) -> Any:
    """The target of a unit or segment; a new one, behind `after`, if there is none."""
    target = unit.find("{*}target")
    if target is None:
        target = etree.Element(after.tag.replace(local_name(after), "target"))
        add_behind(target, after)
    return target


def _mark_old(target: Any) -> None:
    """Say that a machine made the translation, and that a person has not seen it."""
    if (target.get("state") or "") in _UNTRANSLATED_STATES:
        target.set("state", "needs-review-translation")
    target.set("state-qualifier", "mt-suggestion")


def _fill_old(unit: Any, source: Any, translation: Marked) -> None:
    target = _target_of(unit, source)
    set_nodes(target, written_nodes(translation, copies=True))
    _mark_old(target)


def _filler_of_mark(unit: Any, segmented: Any, mark: Any) -> Fill:
    def fill(translation: Marked) -> None:
        target = _target_of(unit, segmented)
        if is_empty(target):
            set_nodes(target, [])
            twin = copy.deepcopy(segmented)
            target.text = twin.text
            target.extend(list(twin))
            for each in _segment_marks(target):
                set_nodes(each, [])
        own = next(each for each in _segment_marks(target) if each.get("mid") == mark.get("mid"))
        set_nodes(own, written_nodes(translation, copies=True))
        _mark_old(target)

    return fill


def _filler_of_segment(segment: Any, source: Any) -> Fill:
    def fill(translation: Marked) -> None:
        target = _target_of(segment, source)
        set_nodes(target, written_nodes(translation, copies=True))
        # A subState may only be given beside a state, and its prefix says whose it is.
        segment.set("state", segment.get("state") or "initial")
        segment.set("subState", "mt:machine-translated")

    return fill
