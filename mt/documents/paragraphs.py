"""`text`: paragraphs. Every line is one, except where lines were wrapped at a width: there they end at blank lines."""

from __future__ import annotations

import re
import textwrap
from itertools import pairwise

from mt.documents.marked import Marked, Unit
from mt.documents.reading import bom_of, text_of
from mt.documents.template import TextDocument

_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|$)")
_WIDTHS = range(40, 121)
_SENTENCE_END = re.compile(r"[.!?…؟:;؛][\"”’»)\]]*\s*$")
_Line = tuple[str, str]
"""A line and its line end."""


class ParagraphDocument(TextDocument):
    """A text whose wrapped paragraphs are wrapped again."""

    def __init__(self, bom: bytes, line_end: str) -> None:
        super().__init__(bom)
        self._line_end = line_end
        self._widths: dict[str, int] = {}

    def translate_wrapped(self, unit: Unit, width: int) -> None:
        """Go on with a paragraph that is `width` characters wide."""
        self._widths[unit.place] = width
        self.translate(unit)

    def as_text(self, unit: Unit, translation: Marked) -> str:
        """The paragraph, as wide as it was."""
        width = self._widths.get(unit.place)
        if width is None:
            return translation.text
        lines = textwrap.wrap(translation.text, width, break_long_words=False, break_on_hyphens=False)
        return self._line_end.join(lines)


def read_paragraphs(content: bytes, name: str) -> ParagraphDocument:
    """A text. Raises `DataError`."""
    text = text_of(content, name)
    lines = [(match[1], match[2]) for match in _LINE.finditer(text) if match.group()]
    document = ParagraphDocument(bom_of(content), next((end for _, end in lines if end), "\n"))
    number = 0
    while number < len(lines):
        size = max(1, _block_size(lines, number))
        block = lines[number : number + size]
        place = f"line {number + 1}"
        if _is_wrapped([line for line, _ in block]):
            joined = " ".join(line.strip() for line, _ in block)
            document.translate_wrapped(Unit(Marked(joined), place), max(len(line) for line, _ in block))
            document.copy(block[-1][1])
        else:
            for offset, (line, end) in enumerate(block):
                document.translate(Unit(Marked(line), f"line {number + offset + 1}"))
                document.copy(end)
        number += size
    return document


def _block_size(lines: list[_Line], start: int) -> int:
    """How many lines there are up to the next blank one."""
    size = 0
    while start + size < len(lines) and lines[start + size][0].strip():
        size += 1
    return size


def _is_wrapped(lines: list[str]) -> bool:
    """Whether the lines are one paragraph: none but the last has room for the next one's first word, and one of them
    ends inside a sentence."""
    width = max(map(len, lines), default=0)
    if len(lines) < 2 or width not in _WIDTHS or any(line[:1].isspace() for line in lines[1:]):
        return False
    goes_on = any(not _SENTENCE_END.search(line) and not after[0].isupper() for line, after in pairwise(lines))
    return goes_on and all(len(line) + 1 + len(after.split()[0]) > width for line, after in pairwise(lines))
