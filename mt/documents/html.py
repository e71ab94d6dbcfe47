"""`html`: pages. Their text, titles and alternative texts are translated; scripts, styles and code are not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import lxml.html
from lxml import etree

from mt.documents.marked import Builder, Marked, Unit
from mt.documents.nodes import Node, Role, nodes_of, read_nodes, set_nodes, written_nodes
from mt.documents.reading import bom_of, unix_text
from mt.errors import DataError
from mt.languages import LanguagePair

_INLINE = frozenset(
    str.split(
        "a abbr acronym b bdi bdo big cite data del dfn em font i img input ins label mark q rp rt ruby s small span "
        "strike strong sub sup time u wbr code kbd samp tt var"
    )
)
_VERBATIM = frozenset(("code", "kbd", "samp", "tt", "var"))
_LEFT_ALONE = frozenset(
    str.split("script style pre textarea svg math template iframe object embed canvas audio video select")
)
_WHITE_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACES = " \t\r\n\f"
_ATTRIBUTES = ("alt", "title", "aria-label", "placeholder")
_DESCRIPTIONS = frozenset(
    ("description", "og:title", "og:description", "og:image:alt", "twitter:title", "twitter:description")
)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>\s*", re.IGNORECASE)
_WHOLE_PAGE = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)


class HtmlDocument:
    """A page, or a part of one, as a tree."""

    line_end = "\n"
    """That of the file; lxml would take the first half of `\\r\\n` for a character of the text."""

    def __init__(self, root: Any, bom: bytes, prologue: str, *, is_whole: bool, has_type: bool) -> None:
        """is_whole: whether the file has more than what is in the body. has_type: whether it has a document type."""
        self.units: list[Unit] = []
        self._root, self._bom, self._prologue, self._is_whole = root, bom, prologue, is_whole
        self._has_type = has_type
        self._parents: list[tuple[Any, list[Node | int]]] = []
        self._attributes: list[tuple[int, Any, str]] = []
        self._read(root)

    def _read(self, root: Any) -> None:
        for element in _blocks(root):
            self._read_attributes(element)
            parts: list[Node | int] = []
            run: list[Node] = []
            for node in [*nodes_of(element), None]:
                if node is not None and _is_in_run(node):
                    run.append(node)
                    continue
                parts += self._parts(run, element.sourceline)
                run = []
                if node is not None:
                    parts.append(node)
            if any(isinstance(part, int) for part in parts):
                self._parents.append((element, parts))

    def _parts(self, run: list[Node], line: int) -> Iterator[Node | int]:
        """A run of text and inline elements as a unit, with the white space around it left aside."""
        for node in run:
            if not isinstance(node, str):
                for element in node.iter(etree.Element):
                    self._read_attributes(element)
        run, after = _without_edge(run, -1)
        run, before = _without_edge(run, 0)
        builder = Builder()
        read_nodes(builder, run, _role_of, _collapsed)
        marked = builder.marked()
        if not marked.text.strip():
            yield from [*before, *run, *after]
            return
        self.units.append(Unit(marked, f"line {_line_of(run) or line}"))
        yield from [*before, len(self.units) - 1, *after]

    def _read_attributes(self, element: Any) -> None:
        if _is_untranslated(element):
            return
        names = [name for name in _ATTRIBUTES if (element.get(name) or "").strip()]
        is_description = element.tag == "meta" and (element.get("name") or element.get("property")) in _DESCRIPTIONS
        for name in [*names, *(["content"] if is_description and element.get("content") else [])]:
            self._attributes.append((len(self.units), element, name))
            text = _collapsed(element.get(name))
            self.units.append(Unit(Marked(text), f"line {element.sourceline}, attribute {name}"))

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The page, which says that it is in the target language, and in which direction that is written."""
        for index, element, name in self._attributes:
            element.set(name, translations[index].text)
        for element, parts in self._parents:
            nodes: list[Node] = []
            for part in parts:
                nodes += written_nodes(translations[part]) if isinstance(part, int) else [part]
            set_nodes(element, nodes)
        _declare(self._root, languages, is_whole=self._is_whole)
        method = "xml" if self._prologue else "html"
        if self._is_whole:
            # lxml would add a document type to a page that has none.
            whole = self._root.getroottree() if self._has_type else self._root
            text = etree.tostring(whole, encoding="unicode", method=method, with_tail=False)
        else:
            inside = etree.tostring(self._root, encoding="unicode", method=method)
            text = inside[inside.index(">") + 1 : inside.rindex("<")] if len(nodes_of(self._root)) else ""
        return self._bom + f"{self._prologue}{text}".replace("\n", self.line_end).encode("utf-8", "replace")


def read_html(content: bytes, name: str) -> HtmlDocument:
    """A page, or a part of one. Raises `DataError`."""
    text, line_end = unix_text(content, name)
    declaration = _XML_DECLARATION.match(text)
    prologue = declaration.group() if declaration else ""
    text = text[len(prologue) :]
    is_whole = _WHOLE_PAGE.search(text) is not None
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    # libxml2 is given bytes: of text it would believe what the page says about its encoding.
    whole = text if is_whole else f"<html><body><div>{text}</div></body></html>"
    try:
        root = lxml.html.document_fromstring(whole.encode("utf-8", "replace") or b"<html></html>", parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise DataError(f"{name}: not HTML that can be read ({error}); save the page again") from error
    if not is_whole:
        root = root.find("body/div")
    has_type = re.search("<!doctype", text, re.IGNORECASE) is not None
    document = HtmlDocument(root, bom_of(content), prologue, is_whole=is_whole, has_type=has_type)
    document.line_end = line_end
    return document


def _blocks(element: Any) -> Iterator[Any]:
    """The element and all in it that contain text of their own, in the order of the page."""
    yield element
    for child in element:
        if not _is_in_run(child) and isinstance(child.tag, str) and not _is_untranslated(child) and child.tag != "br":
            yield from _blocks(child)


def _is_in_run(node: Node) -> bool:
    """Whether a node is part of a line of text: text, a comment, or an inline element with nothing else in it."""
    if isinstance(node, str) or not isinstance(node.tag, str):
        return True
    return node.tag in _INLINE and all(_is_in_run(each) for each in node)


def _is_untranslated(element: Any) -> bool:
    is_told = element.get("translate") == "no" or "notranslate" in (element.get("class") or "").split()
    return is_told or element.tag in _LEFT_ALONE


def _role_of(element: Any) -> Role:
    if not isinstance(element.tag, str):
        return "point"
    if element.tag in _VERBATIM or _is_untranslated(element):
        return "verbatim"
    return "link" if element.tag == "a" and element.get("href") else "format"


def _without_edge(run: list[Node], edge: int) -> tuple[list[Node], list[str]]:
    """(the run without the white space at its first (0) or last (-1) node, that white space), which is an indent."""
    if not run or not isinstance(run[edge], str):
        return run, []
    text = run[edge]
    bare = text.rstrip(_SPACES) if edge else text.lstrip(_SPACES)
    space = text[len(bare) :] if edge else text[: len(text) - len(bare)]
    return ([*run[:-1], bare] if edge else [bare, *run[1:]]), [space]


def _collapsed(text: str) -> str:
    return _WHITE_SPACE.sub(" ", text)


def _line_of(run: list[Node]) -> int:
    return next((node.sourceline or 0 for node in run if not isinstance(node, str)), 0)


def _declare(root: Any, languages: LanguagePair, *, is_whole: bool) -> None:
    """Language and direction, and an encoding if the page declares one."""
    source, target = languages.source, languages.target
    for element in root.iter(etree.Element):
        code = element.get("lang") or ""
        if element is not root and code.split("-")[0].casefold() in source.names and not _is_untranslated(element):
            element.set("lang", target.code)
            if element.get("dir"):
                element.set("dir", target.direction)
        if element.tag == "meta" and element.get("charset"):
            element.set("charset", "utf-8")
        if element.tag == "meta" and (element.get("http-equiv") or "").casefold() == "content-type":
            element.set("content", "text/html; charset=utf-8")
    for element in [root] if is_whole else [each for each in root if isinstance(each.tag, str)]:
        if is_whole or element.tag not in _INLINE | _LEFT_ALONE | {"br"}:
            element.set("lang", target.code)
            element.set("dir", target.direction)
