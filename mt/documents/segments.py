"""What XLIFF and TMX have in common: segments with inline codes, in a tree of XML."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from mt.documents.marked import Builder, Marked
from mt.documents.nodes import Role, nodes_of, read_nodes
from mt.errors import DataError
from mt.languages import Language

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_OPENING = frozenset(("bx", "bpt", "sc", "sm"))
_CLOSING = frozenset(("ex", "ept", "ec", "em"))
_AROUND_TEXT = frozenset(("g", "pc", "mrk", "hi"))
_WHITE_SPACE = re.compile(r"\s+")


def local_name(element: Any) -> str:
    """The tag without its namespace; empty for comments and the like."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def role_of(element: Any) -> Role:
    """What an inline code is. Codes that hold markup of the original document (`ph`, `bpt`) hold no text."""
    name = local_name(element)
    if name in _OPENING:
        return "opening"
    if name in _CLOSING:
        return "closing"
    if name in _AROUND_TEXT:
        return "verbatim" if element.get("translate") == "no" or element.get("mtype") == "protected" else "format"
    return "point"


def read_segment(element: Any) -> Marked:
    """The text of a segment and its codes. White space is as in the file only where the file says that it counts."""
    builder = Builder()
    keeps = keeps_space(element)
    read_nodes(builder, nodes_of(element), role_of, str if keeps else lambda text: _WHITE_SPACE.sub(" ", text))
    return builder.marked()


def keeps_space(element: Any) -> bool:
    """Whether the element, or the nearest around it that says anything, has `xml:space="preserve"`."""
    told = (each.get(_XML_SPACE) for each in (element, *element.iterancestors()))
    return next((value == "preserve" for value in told if value), False)


def is_empty(target: Any) -> bool:
    """Whether a target is missing or has neither text nor codes."""
    return target is None or not ("".join(target.itertext()).strip() or len(target))


def is_language(code: str, language: Language) -> bool:
    """Whether a code such as `en-GB` is that of a language."""
    return re.split("[-_]", code.strip(), maxsplit=1)[0].casefold() in language.names


def check_language(code: str, language: Language, side: str, place: str) -> None:
    """Raise `DataError` if a file declares another language than the model's."""
    if code and not is_language(code, language):
        raise DataError(
            f"{place}: its {side} language is `{code[:20]}`, and the model's is {language.name}; use a model for it, "
            "or set --model.source_language and --model.target_language"
        )


def add_behind(element: Any, before: Any) -> None:
    """Insert `element` behind `before`, on a line of its own if that one is on one."""
    tail, indent = before.tail, before.getparent().text or ""
    before.addnext(element)
    element.tail = tail
    before.tail = indent if not indent.strip() else None


def as_bytes(tree: Any) -> bytes:
    """The file in UTF-8, with its XML declaration and what is ahead of its root."""
    content: bytes = etree.tostring(tree, encoding="UTF-8", xml_declaration=True)
    return content + b"\n"
