"""Text with marks: a paragraph as a person reads it, and where its bold words, links and placeholders are.

Every format turns its paragraphs into `Marked` texts, and writes `Marked` translations. What a mark is in the file, an
XML element perhaps, is known to the format alone and passes through here untouched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from mt.languages import LanguagePair

ROOT = -1
"""The parent of a mark that is in no other mark."""

Kind = Literal["format", "link", "verbatim", "point"]
"""What a mark is: a `link` is of no use without words to click on, a `verbatim` text must not change, and a `point` is
a place where something is that is no text."""


@dataclass(frozen=True)
class Mark:
    """A stretch of a text that is marked, or an empty one: a place where something is that is no text."""

    start: int
    end: int
    """Positions in the text, in characters; the end is exclusive."""
    tag: Any
    """What the mark is in the file; None for an address in plain text."""
    parent: int = ROOT
    """The index of the mark that this one is in."""
    kind: Kind = "format"


@dataclass(frozen=True)
class Marked:
    """A text and its marks, each behind the mark that it is in. Newlines and tabs in the text are meant."""

    text: str
    marks: tuple[Mark, ...] = ()

    def pieces(self, parent: int = ROOT) -> Iterator[str | int]:
        """What is directly in a mark, in order: runs of text, and the indices of marks; `ROOT`: in the whole text."""
        position, end = (0, len(self.text)) if parent == ROOT else (self.marks[parent].start, self.marks[parent].end)
        inner = [index for index, mark in enumerate(self.marks) if mark.parent == parent]
        for index in sorted(inner, key=lambda index: (self.marks[index].start, self.marks[index].end, index)):
            mark = self.marks[index]
            if mark.start > position:
                yield self.text[position : mark.start]
            yield index
            position = max(position, mark.end)
        if end > position:
            yield self.text[position:end]


class Builder:
    """Puts a `Marked` text together from left to right."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._marks: list[Mark] = []
        self._parent = ROOT

    def add(self, text: str) -> None:
        """Text, inside the marks that are open."""
        self._parts.append(text)
        self._length += len(text)

    def point(self, tag: Any) -> None:
        """A mark without text."""
        self._marks.append(Mark(self._length, self._length, tag, self._parent, "point"))

    @contextmanager
    def mark(self, tag: Any, kind: Kind = "format") -> Iterator[None]:
        """A mark around the text that is added inside the context."""
        index, before = len(self._marks), self._parent
        self._marks.append(Mark(self._length, self._length, tag, before, kind))
        self._parent = index
        yield
        self._marks[index] = Mark(self._marks[index].start, self._length, tag, before, kind)
        self._parent = before

    def marked(self) -> Marked:
        """What has been added."""
        return Marked("".join(self._parts), tuple(self._marks))


class Unit(NamedTuple):
    """A paragraph, cell, cue or segment: what the format translates in one piece."""

    marked: Marked
    place: str
    """Where it is in the file, for messages, such as "line 3"."""


class Document(Protocol):
    """A file that has been read."""

    units: list[Unit]

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The file with one translation per unit in place of it."""
