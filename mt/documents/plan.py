"""What of a unit goes to the model: the core of each sentence, and the texts of its marks, by which they are found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mt.documents.addresses import with_addresses
from mt.documents.marked import ROOT, Kind, Marked
from mt.documents.splitting import Span, sentence_spans
from mt.languages import Language

_BULLET = re.compile(r"\s*(?:[-*•–—·▪◦]\s+|\(?\d{1,3}[.)]\s+)?(?:\[[ xX]\]\s+)?")
_SPACE_BEFORE_MARK = re.compile(r"\s+(?=[.,;:!?])")
_OPENING = " ([{<\"'“«‘"
_CLOSING = " )]}>,;:."


@dataclass(frozen=True)
class Clip:
    """The part of a mark that is in a core; positions are counted from the beginning of the core."""

    index: int
    """Of the mark in the unit."""
    start: int
    end: int
    kind: Kind
    parent: int
    """The index of the mark that it is in, if that one is in the core, too; else `ROOT`."""


@dataclass(frozen=True)
class Core:
    """A sentence without the bullet, number or addresses at its ends, which the model need not see."""

    text: str
    clips: tuple[Clip, ...]

    def texts(self) -> list[str]:
        """All that the model is asked: the core, the same without its addresses, and its marked words alone."""
        shorter = [self.without_addresses] if self.addresses else []
        return [self.text, *filter(has_letters, shorter), *(self.text_of(clip) for clip in self._searched())]

    def text_of(self, clip: Clip) -> str:
        """The marked words."""
        return self.text[clip.start : clip.end].strip()

    @property
    def addresses(self) -> list[Clip]:
        """What must not change."""
        return [clip for clip in self.clips if clip.kind == "verbatim" and self.text_of(clip)]

    @property
    def without_addresses(self) -> str:
        """The core as the model sees it if it garbles an address."""
        rest = " ".join(without(self.text, [(clip.start, clip.end) for clip in self.addresses]).split())
        return _SPACE_BEFORE_MARK.sub("", rest)

    def _searched(self) -> Iterator[Clip]:
        """Marks around some of the words, but not all."""
        for clip in self.clips:
            rest = self.text[: clip.start] + self.text[clip.end :]
            if clip.kind != "verbatim" and has_letters(self.text[clip.start : clip.end]) and has_letters(rest):
                yield clip


@dataclass(frozen=True)
class Piece:
    """A stretch of the unit's text: a core, or what between cores is copied."""

    start: int
    end: int
    core: Core | None = None


@dataclass(frozen=True)
class Plan:
    """A unit, ready to be translated."""

    marked: Marked
    """With marks around its addresses."""
    pieces: tuple[Piece, ...]
    """Without gaps; a core is always between two pieces that are copied, and those may be empty."""
    sentences: tuple[Span, ...]

    def texts(self) -> Iterator[str]:
        """What the model is asked, in order, with repetitions."""
        for piece in self.pieces:
            if piece.core is not None:
                yield from piece.core.texts()


def plan_unit(unit: Marked, language: Language) -> Plan:
    """The sentences of a unit, and what of each the model is to see."""
    marked = with_addresses(unit)
    kept = [(mark.start, mark.end) for mark in marked.marks if mark.kind == "verbatim"]
    sentences = sentence_spans(marked.text, language, kept)
    pieces: list[Piece] = []
    position = 0
    for start, end in sentences:
        core_start, core_end = _core_of(marked.text, (start, end), kept)
        if core_end > core_start:
            core = Core(marked.text[core_start:core_end], _clips(marked, core_start, core_end))
            pieces += [Piece(position, core_start), Piece(core_start, core_end, core)]
            position = core_end
    pieces.append(Piece(position, len(marked.text)))
    return Plan(marked, tuple(pieces), tuple(sentences))


def has_letters(text: str) -> bool:
    """Whether there is anything to translate."""
    return any(character.isalpha() for character in text)


def without(text: str, spans: Sequence[Span]) -> str:
    """The text with a space in place of each span; some may be inside others."""
    parts: list[str] = []
    position = 0
    for start, end in sorted(spans):
        if start >= position:
            parts += [text[position:start], " "]
        position = max(position, end)
    return "".join([*parts, text[position:]])


def _core_of(text: str, sentence: Span, kept: Sequence[Span]) -> Span:
    """The sentence without what is copied at its ends; empty if it has no words."""
    start, end = sentence
    bullet = _BULLET.match(text, start, end)
    start = begin = bullet.end() if bullet else start
    moved = True
    while moved:
        moved = False
        for a, b in kept:
            if a < end and b > start and not any(map(str.isalnum, text[start : max(a, start)])):
                start, moved = b, True
            elif a < end and b > start and not any(map(str.isalnum, text[min(b, end) : end])):
                end, moved = a, True
    inside = [(a - start, b - start) for a, b in kept if start <= a and b <= end]
    if start >= end or not has_letters(without(text[start:end], inside)):
        return start, start
    # What is left of a sentence may begin with the comma, and end with the bracket, that an address was behind.
    bare = text[start:end].rstrip(_OPENING if end < sentence[1] else None)
    return end - len(text[start:end].lstrip(_CLOSING if start > begin else None)), start + len(bare)


def _clips(marked: Marked, start: int, end: int) -> tuple[Clip, ...]:
    """The marks with a part in a core. Empty marks at its ends are in the pieces around it."""
    clips: list[Clip] = []
    inside: set[int] = set()
    for index, mark in enumerate(marked.marks):
        a, b = max(mark.start, start), min(mark.end, end)
        is_in = a < b if mark.start < mark.end else start < mark.start < end
        if is_in:
            inside.add(index)
            parent = mark.parent if mark.parent in inside else ROOT
            clips.append(Clip(index, a - start, b - start, mark.kind, parent))
    return tuple(clips)
