"""From the translations of sentences back to a unit: gaps as they were, marks in their places, and what to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from mt.documents.marked import ROOT, Mark, Marked
from mt.documents.placing import Placed
from mt.documents.plan import Piece, Plan
from mt.documents.splitting import Span


class Sentence(NamedTuple):
    """A sentence of a document and its translation, as both are in the files."""

    source: str
    target: str
    moved: int = 0
    """Marks that are at its end because their words were not found."""
    put_back: int = 0
    """Addresses that are at its end because the model had lost or changed them."""
    is_empty: bool = False
    """Whether the model gave nothing for it, so that it is left as it was."""
    asked: str = ""
    """What the model translated for it; empty if all of it is copied."""


def assemble(plan: Plan, answers: Mapping[str, str]) -> tuple[Marked, list[Sentence]]:
    """The translation of a unit, and its sentences. answers: translations of at least `plan.texts()`."""
    text = ""
    placed: list[tuple[Piece, int, Placed | None]] = []
    for piece in plan.pieces:
        part = None if piece.core is None else Placed(piece.core, answers)
        placed.append((piece, len(text), part))
        text += plan.marked.text[piece.start : piece.end] if part is None else part.text
    return Marked(text, _marks(plan, placed)), _sentences(plan, placed)


def _marks(plan: Plan, placed: list[tuple[Piece, int, Placed | None]]) -> tuple[Mark, ...]:
    """The marks of the file, without those of addresses, in their new places."""
    spans: list[Span | None] = [None] * len(plan.marked.marks)
    for piece, offset, part in placed:
        found = _in_gap(plan, piece) if part is None else part.ranges
        for index, (start, end) in found.items():
            before = spans[index] or (start + offset, end + offset)
            spans[index] = (min(before[0], start + offset), max(before[1], end + offset))
    kept = [index for index, mark in enumerate(plan.marked.marks) if mark.tag is not None]
    number = {index: position for position, index in enumerate(kept)} | {ROOT: ROOT}
    marks = []
    for index in kept:
        mark, span = plan.marked.marks[index], spans[index]
        assert span is not None, "the pieces cover the text, so every mark is in one"
        marks.append(replace(mark, start=span[0], end=span[1], parent=number[mark.parent]))
    return tuple(_apart(marks))


def _in_gap(plan: Plan, piece: Piece) -> dict[int, Span]:
    """The parts of the marks in a piece that is copied, counted from its beginning."""
    found = {}
    for index, mark in enumerate(plan.marked.marks):
        start, end = max(mark.start, piece.start), min(mark.end, piece.end)
        if start < end or start == end == mark.start == mark.end:
            found[index] = (start - piece.start, end - piece.start)
    return found


def _apart(marks: list[Mark]) -> list[Mark]:
    """The marks, none beyond the one that it is in, and none over one beside it, so that tags never cross."""
    placed = dict(enumerate(marks))
    for parent in (ROOT, *range(len(marks))):
        inner = [index for index, mark in enumerate(marks) if mark.parent == parent]
        position = 0 if parent == ROOT else placed[parent].start
        limit = None if parent == ROOT else placed[parent].end
        for index in sorted(inner, key=lambda index: (placed[index].start, placed[index].end, index)):
            mark = placed[index]
            start, end = max(mark.start, position), max(mark.end, position)
            start, end = (start, end) if limit is None else (min(start, limit), min(end, limit))
            placed[index] = replace(mark, start=start, end=max(start, end))
            position = placed[index].end
    return [placed[index] for index in range(len(marks))]


def _sentences(plan: Plan, placed: list[tuple[Piece, int, Placed | None]]) -> list[Sentence]:
    """Each sentence: what is copied of it before and behind its core, and the translation of that."""
    sentences = []
    first = 0
    for start, end in plan.sentences:
        while placed[first][0].end <= start:
            first += 1
        target, moved, put_back, is_empty, asked = "", 0, 0, False, ""
        for piece, _, part in islice(placed, first, None):
            if piece.start >= end:
                break
            target += plan.marked.text[max(piece.start, start) : min(piece.end, end)] if part is None else part.text
            if part is not None:
                moved, put_back, is_empty, asked = part.moved, part.put_back, part.is_empty, part.asked
        sentences.append(Sentence(plan.marked.text[start:end], target, moved, put_back, is_empty, asked))
    return sentences
