"""The content of an XML or HTML element as a list of texts and elements, and such a list as its content again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Literal

from lxml import etree

from mt.documents.marked import ROOT, Builder, Marked
from mt.errors import DataError

Node = Any
"""A text (`str`) or an element of lxml, whose tail is not looked at."""

Role = Literal["format", "link", "verbatim", "point", "opening", "closing"]
"""What an inline element is: a mark, a place without text, or one end of a mark that two elements stand for."""


def nodes_of(element: Any) -> list[Node]:
    """What is in an element."""
    nodes: list[Node] = [element.text] if element.text else []
    for child in element:
        nodes.append(child)
        if child.tail:
            nodes.append(child.tail)
    return nodes


def set_nodes(element: Any, nodes: Sequence[Node]) -> None:
    """Make the nodes the content of an element; whatever was in it before is taken out."""
    for child in list(element):
        element.remove(child)
    element.text = None
    last = None
    for node in nodes:
        if not isinstance(node, str):
            node.tail = None
            element.append(node)
            last = node
        elif last is None:
            element.text = (element.text or "") + node
        else:
            last.tail = (last.tail or "") + node


def read_nodes(
    builder: Builder, nodes: Sequence[Node], role_of: Callable[[Any], Role], text_of: Callable[[str], str] = str
) -> None:
    """Add nodes to a `Marked` text. text_of: how a text in the file is read."""
    position = 0
    while position < len(nodes):
        node = nodes[position]
        position += 1
        if isinstance(node, str):
            builder.add(text_of(node))
            continue
        role = role_of(node)
        end = _partner(nodes, position, role_of) if role == "opening" else None
        if end is not None:
            with builder.mark((node, nodes[end])):
                read_nodes(builder, nodes[position:end], role_of, text_of)
            position = end + 1
        elif role in ("format", "link", "verbatim") and len(nodes_of(node)):
            with builder.mark(node, role):
                read_nodes(builder, nodes_of(node), role_of, text_of)
        else:
            builder.point(node)


def _partner(nodes: Sequence[Node], position: int, role_of: Callable[[Any], Role]) -> int | None:
    """The index of the element that ends what the element before `position` begins; None if it is not there."""
    opening = nodes[position - 1]
    wanted = opening.get("i") or opening.get("rid") or opening.get("id")
    for index in range(position, len(nodes)):
        node = nodes[index]
        is_closing = not isinstance(node, str) and role_of(node) == "closing"
        if is_closing and wanted == (node.get("i") or node.get("rid") or node.get("startRef") or node.get("id")):
            return index
    return None


def written_nodes(marked: Marked, parent: int = ROOT, *, copies: bool = False) -> list[Node]:
    """The nodes of a translation. copies: leave the elements of the source where they are, and use copies."""
    nodes: list[Node] = []
    for piece in marked.pieces(parent):
        if isinstance(piece, str):
            nodes.append(piece)
            continue
        tag = marked.marks[piece].tag
        ends = [_copied(each) if copies else each for each in (tag if isinstance(tag, tuple) else (tag,))]
        inner = written_nodes(marked, piece, copies=copies)
        if len(ends) == 2:
            nodes += [ends[0], *inner, ends[1]]
            continue
        # What a point contains is no text; the words of any other mark may now be elsewhere.
        if marked.marks[piece].kind != "point":
            set_nodes(ends[0], inner)
        nodes.append(ends[0])
    return nodes


def _copied(element: Any) -> Any:
    twin = copy.deepcopy(element)
    twin.tail = None
    return twin


def parse_xml(content: bytes, name: str, what: str) -> Any:
    """The tree of an XML file, with nothing resolved or fetched. what: what it should be, for messages.

    Raises `DataError`, also for entities of the file's own.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        problem = " ".join((error.msg or "empty").split())
        raise DataError(f"{name}:{error.lineno or 1}: not valid XML ({problem}); export the {what} again") from error
    entity = next(root.iter(etree.Entity), None)
    if entity is not None:
        raise DataError(
            f"{name}:{entity.getparent().sourceline}: the entity `{entity.text}` is not one of XML's own five and is "
            "not resolved, for safety; write its text out"
        )
    return root.getroottree()
