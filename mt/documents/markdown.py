"""`markdown`: CommonMark with tables and strikethrough. markdown-it-py says where the text is; the rest is copied.

A paragraph of several lines becomes one line, except at hard line breaks. Links by reference become inline links.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

from mt.documents.markdown_inline import read_inline, written_inline
from mt.documents.marked import Marked, Unit
from mt.documents.reading import bom_of, require, unix_text
from mt.documents.template import TextDocument
from mt.languages import LanguagePair

logger = logging.getLogger(__name__)

_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n.*?\n(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
# What would begin a heading, a list, a quotation, a rule or a code block.
_AT_START = re.compile(
    r"^( *)(?:(\d{1,9})(?=[.)](?:\s|$))"
    r"|(?=#{1,6}(?:\s|$)|[-+*](?:\s|$)|>|=+\s*$|-+\s*$|~~~|```|(?P<rule>[*_-])[ \t]*(?:(?P=rule)[ \t]*){2,}$))",
    re.MULTILINE,
)


@dataclass(frozen=True)
class _Place:
    """Where the text of a block is in the file, in characters, and how it is written there."""

    start: int
    end: int
    line_break: str
    """A hard line break, with what begins the next line, such as the mark of a quotation."""
    is_line: bool
    """Whether the text begins its line, so that its first characters might be taken for the mark of a list."""
    is_cell: bool


class MarkdownDocument(TextDocument):
    """A page, copied but for the text of its blocks and of its pictures."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(bom_of(content))
        text, self._line_end = unix_text(content, name)
        matter = _FRONT_MATTER.match(text)
        self._places: dict[str, _Place] = {}
        self._pictures: dict[str, int] = {}
        self._translations: list[Marked] = []
        head = matter.group() if matter else ""
        self.copy(head)
        self._read(text[len(head) :], head.count("\n"), name)

    def _read(self, text: str, line_offset: int, name: str) -> None:
        position = 0
        for token, place in _blocks(text):
            where = f"line {token.map[0] + 1 + line_offset}"
            if place is None:
                logger.warning("%s: %s is left as it is, for its text is not found again", name, where)
                continue
            self.copy(text[position : place.start])
            position = place.end
            marked, pictures = read_inline(token.children or [])
            unit = Unit(marked, f"{where}, block {len(self.units) + 1}")
            self._places[unit.place] = place
            self.translate(unit)
            for source, alternative in pictures:
                self._pictures[source] = len(self.units)
                self.units.append(Unit(Marked(alternative), f"{where}, picture"))
        self.copy(text[position:])

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The page, with the line ends that it had."""
        self._translations = translations
        return super().render(translations, languages).replace(b"\n", self._line_end.encode())

    def as_text(self, unit: Unit, translation: Marked) -> str:
        """The translation with its markup, escaped where it would be taken for markup."""
        place = self._places.get(unit.place)
        if place is None:
            return translation.text
        names = {source: self._translations[index].text for source, index in self._pictures.items()}
        written = written_inline(translation, parser(), names)
        if place.is_cell:
            written = written.replace("|", "\\|")
        if place.is_line:
            written = _AT_START.sub(lambda match: f"{match[1]}{match[2] or ''}\\", written)
        return written.replace("\n", place.line_break)


def read_markdown(content: bytes, name: str) -> MarkdownDocument:
    """A page. Raises `DataError`."""
    require("markdown-it-py", "markdown_it", name)
    return MarkdownDocument(content, name)


@cache
def parser() -> Any:
    """markdown-it-py with tables, which leaves escapes, entities and addresses as they are."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    markdown.normalizeLink = lambda url: url
    return markdown


def _blocks(text: str) -> Iterator[tuple[Any, _Place | None]]:
    """Every block with text, and its place; None if it is not found."""
    offsets = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    position, previous = 0, None
    for token in parser().parse(text):
        if token.type == "inline" and token.content and token.map:
            begin = max(position, offsets[token.map[0]])
            place = _place(text, token.content, begin, offsets[token.map[1]], previous)
            position = place.end if place else position
            yield token, place
        previous = token


def _place(text: str, content: str, begin: int, limit: int, opened: Any) -> _Place | None:
    is_cell = opened.type in ("th_open", "td_open")
    starts: list[int] = []
    position = begin
    for line in content.split("\n"):
        line = line.replace("|", "\\|") if is_cell and text.find(line, position, limit) < 0 else line
        start = text.find(line, position, limit)
        if start < 0:
            return None
        starts.append(start)
        position = start + len(line)
    line_break = "\\\n" if "\\\n" in content else "  \n"
    if len(starts) > 1:
        line_break += text[text.rindex("\n", 0, starts[1]) + 1 : starts[1]]
    return _Place(starts[0], position, line_break, not is_cell and not opened.markup.startswith("#"), is_cell)
