"""A paragraph of a DOCX as a marked text, and a translation as its runs again.

Most runs of a paragraph look alike; how those look is the paragraph's own format, and only runs that look different are
marks. What is no text, such as a picture or the anchor of a footnote, is a point. The result of a field is text in a
mark.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lxml import etree

from mt.documents.marked import ROOT, Builder, Kind, Marked

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_CONTAINERS: dict[str, Kind] = {
    f"{W}{name}": "format" for name in ("ins", "moveTo", "smartTag", "fldSimple", "customXml", "sdt")
}
_CONTAINERS |= {f"{W}hyperlink": "link", f"{W}dir": "format", f"{W}bdo": "format"}
_DROPPED = frozenset(f"{W}{name}" for name in ("rPr", "proofErr", "lastRenderedPageBreak", "softHyphen"))
_PROPERTIES = frozenset(f"{W}{name}" for name in ("pPr", "sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr", "fldData"))
_CHARACTERS = {f"{W}tab": "\t", f"{W}cr": "\n", f"{W}noBreakHyphen": "\u2011"}
# Properties of a run that do not change how it looks, and often differ from run to run for no reason.
_INVISIBLE = frozenset(f"{W}{name}" for name in ("lang", "noProof", "rtl", "cs", "spacing", "kern", "w"))


@dataclass(frozen=True)
class Text:
    """Text in one format."""

    text: str
    format: Any
    """`w:rPr`, or None."""
    look: bytes
    """Equal for formats that look alike."""


@dataclass(frozen=True)
class Item:
    """What is no text: an element of a run, with the run's format, or one beside the runs."""

    element: Any
    format: Any = None
    is_in_run: bool = False


@dataclass(frozen=True)
class Container:
    """An element around runs, such as a link."""

    element: Any
    inner: list[Any]
    kind: Kind


@dataclass(frozen=True)
class Field:
    """A field with a result: what says how to compute it, the result, and its end."""

    head: list[Any]
    inner: list[Any]
    tail: Item
    kind: Kind


Atom = Text | Item | Container | Field


class Paragraph:
    """A `w:p`, which `write` fills with a translation."""

    def __init__(self, element: Any) -> None:
        self._element = element
        atoms = _grouped(list(_atoms(element)))
        looks = Counter[bytes]()
        # The text outside links and fields, which usually have a look of their own, if there is any.
        own = [atom for atom in atoms if isinstance(atom, Text) and atom.text.strip()]
        for text in own or _texts(atoms):
            looks[text.look] += len(text.text)
        self._look = looks.most_common(1)[0][0] if looks else b""
        self._format = next((text.format for text in _texts(atoms) if text.look == self._look), None)
        builder = Builder()
        self._read(builder, atoms)
        self.marked = builder.marked()
        """The text of the paragraph."""

    def _read(self, builder: Builder, atoms: Sequence[Atom]) -> None:
        for look, group in groupby(atoms, lambda atom: atom.look if isinstance(atom, Text) else None):
            if look is not None:
                texts = [atom for atom in group if isinstance(atom, Text)]
                whole = "".join(each.text for each in texts)
                if look == self._look:
                    builder.add(whole)
                else:
                    with builder.mark(texts[0]):
                        builder.add(whole)
                continue
            for atom in group:
                if isinstance(atom, Container | Field):
                    with builder.mark(atom, atom.kind):
                        self._read(builder, atom.inner)
                else:
                    builder.point(atom)

    def write(self, translation: Marked, *, is_rtl: bool) -> None:
        """Replace the runs by those of a translation."""
        _fill(self._element, self._written(translation, ROOT, self._format, is_rtl=is_rtl))

    def _written(self, marked: Marked, parent: int, look: Any, *, is_rtl: bool) -> list[Any]:
        elements: list[Any] = []
        for piece in marked.pieces(parent):
            if isinstance(piece, str):
                elements.append(_run(piece, look, is_rtl=is_rtl and not _is_latin(piece)))
                continue
            tag = marked.marks[piece].tag
            inner = self._written(marked, piece, tag.format if isinstance(tag, Text) else look, is_rtl=is_rtl)
            if isinstance(tag, Item):
                elements.append(_element_of(tag))
            elif isinstance(tag, Field):
                elements += [*map(_element_of, tag.head), *inner, _element_of(tag.tail)]
            elif isinstance(tag, Container):
                content = tag.element.find(f"{W}sdtContent")
                _fill(tag.element if content is None else content, inner)
                elements.append(tag.element)
            else:
                elements += inner
        return elements


def _atoms(parent: Any) -> Iterator[Atom]:
    for child in parent:
        if child.tag == f"{W}r":
            yield from _atoms_of_run(child)
        elif child.tag in _CONTAINERS:
            content = child.find(f"{W}sdtContent")
            inner = _grouped(list(_atoms(child if content is None else content)))
            yield Container(child, inner, _CONTAINERS[child.tag])
        elif child.tag not in _DROPPED and child.tag not in _PROPERTIES:
            yield Item(child)


def _atoms_of_run(run: Any) -> Iterator[Atom]:
    look = run.find(f"{W}rPr")
    for item in run:
        is_line_break = item.tag == f"{W}br" and item.get(f"{W}type", "textWrapping") == "textWrapping"
        if item.tag == f"{W}t":
            if item.text:
                yield Text(item.text, look, _look_of(look))
        elif item.tag in _CHARACTERS or is_line_break:
            yield Text(_CHARACTERS.get(item.tag, "\n"), look, _look_of(look))
        elif item.tag not in _DROPPED:
            yield Item(item, look, is_in_run=True)


def _grouped(atoms: list[Atom]) -> list[Atom]:
    """The atoms with fields in one piece, as far as both their ends are here."""
    grouped: list[Atom] = []
    position = 0
    while position < len(atoms):
        borders = _borders(atoms, position)
        if borders is None:
            grouped.append(atoms[position])
            position += 1
            continue
        separator, end = borders
        head, tail = atoms[position : separator + 1], atoms[end]
        assert isinstance(tail, Item)
        code = "".join(atom.element.text or "" for atom in head if isinstance(atom, Item))
        kind: Kind = "link" if code.split()[:1] == ["HYPERLINK"] else "format"
        grouped.append(Field(head, _grouped(atoms[separator + 1 : end]), tail, kind))
        position = end + 1
    return grouped


def _borders(atoms: list[Atom], begin: int) -> tuple[int, int] | None:
    """The indices of the separator and the end of the field that begins at an index; None if none begins or ends."""
    if _field_mark(atoms[begin]) != "begin":
        return None
    depth, separator = 0, None
    for index in range(begin, len(atoms)):
        mark = _field_mark(atoms[index])
        depth += (mark == "begin") - (mark == "end")
        if mark == "separate" and depth == 1:
            separator = index
        if depth == 0:
            return None if separator is None else (separator, index)
    return None


def _field_mark(atom: Atom) -> str | None:
    is_mark = isinstance(atom, Item) and atom.element.tag == f"{W}fldChar"
    return atom.element.get(f"{W}fldCharType") if is_mark and isinstance(atom, Item) else None


def _texts(atoms: Sequence[Atom]) -> Iterator[Text]:
    for atom in atoms:
        if isinstance(atom, Text):
            yield atom
        elif isinstance(atom, Container | Field):
            yield from _texts(atom.inner)


def _look_of(look: Any) -> bytes:
    if look is None:
        return b""
    twin = copy.deepcopy(look)
    for each in [child for child in twin if child.tag in _INVISIBLE]:
        twin.remove(each)
    return bytes(etree.tostring(twin, method="c14n")) if len(twin) else b""


def _fill(parent: Any, elements: Sequence[Any]) -> None:
    """Replace all that is in an element but its properties."""
    for child in list(parent):
        if child.tag not in _PROPERTIES:
            parent.remove(child)
    parent.extend(elements)


def _element_of(item: Atom) -> Any:
    """The element of an item, in a run of its own if it was in one."""
    if isinstance(item, Text):
        return _run(item.text, item.format, is_rtl=False)
    assert not isinstance(item, Field)
    if isinstance(item, Container) or not item.is_in_run:
        return item.element
    run = _new_run(item.format)
    run.append(item.element)
    return run


def _new_run(look: Any) -> Any:
    from docx.oxml import OxmlElement

    run = OxmlElement("w:r")
    if look is not None:
        run.append(copy.deepcopy(look))
    return run


def _run(text: str, look: Any, *, is_rtl: bool) -> Any:
    run = _new_run(look)
    run.text = text
    if is_rtl:
        _make_rtl(run.get_or_add_rPr())
    return run


# In the order of the schema, which Word insists on: these are behind `w:rtl`.
_BEHIND_RTL = ("cs", "em", "lang", "eastAsianLayout", "specVanish", "oMath", "rPrChange")
_COMPLEX = {"b": "bCs", "i": "iCs", "sz": "szCs"}


def _make_rtl(properties: Any) -> None:
    """Say that a run is right to left. Word then reads bold, italics and size from properties of their own."""
    for name, twin_name in _COMPLEX.items():
        own = properties.find(f"{W}{name}")
        if own is not None and properties.find(f"{W}{twin_name}") is None:
            twin = copy.deepcopy(own)
            twin.tag = f"{W}{twin_name}"
            own.addnext(twin)
    if properties.find(f"{W}rtl") is None:
        put_before(properties, "rtl", _BEHIND_RTL)


def put_before(properties: Any, name: str, behind: Sequence[str]) -> None:
    """Add an element ahead of the first of those that the schema has behind it."""
    element = etree.SubElement(properties, f"{W}{name}")
    successor = next((each for each in properties if each.tag in {f"{W}{one}" for one in behind}), None)
    if successor is not None:
        successor.addprevious(element)


def _is_latin(text: str) -> bool:
    """Whether a text is in Latin letters, such as an address, which right to left would turn upside down."""
    return any(each.isascii() and each.isalpha() for each in text) and not any(each >= "\u0590" for each in text)
