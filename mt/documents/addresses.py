"""What must come out of a translation exactly as it went in: web and e-mail addresses, and notes' labels."""

from __future__ import annotations

import re

from mt.documents.marked import ROOT, Mark, Marked

_PLAIN = r"[^\s<>\"'«»“”‘’،؛؟\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_ADDRESS = re.compile(
    rf"(?:https?|ftp)://{_PLAIN}+|\bwww\.{_PLAIN}+"
    r"|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w/])(?:[a-z0-9-]+\.)+(?:com|org|net|info|int|gov|edu|mil)(?:\.[a-z]{2})?\b(?:/" + _PLAIN + "*)?"
    r"|\[\^[^\]\s]+\]:?",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?…*_"
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def address_spans(text: str) -> list[tuple[int, int]]:
    """Where addresses are, without the punctuation of the sentence behind them."""
    spans = []
    for match in _ADDRESS.finditer(text):
        found = match.group()
        is_label = found.startswith("[^")
        while not is_label and found and _is_outside(found):
            found = found[:-1]
        spans.append((match.start(), match.start() + len(found)))
    return spans


def _is_outside(found: str) -> bool:
    """Whether the last character belongs to the sentence: a full stop, or a bracket that was opened before."""
    last = found[-1]
    return last in _TRAILING or (last in _BRACKETS and found.count(last) > found.count(_BRACKETS[last]))


def with_addresses(marked: Marked) -> Marked:
    """The text with a `verbatim` mark, of no tag, around each address that has none yet and is in one mark."""
    marks = list(marked.marks)
    for start, end in address_spans(marked.text):
        around = [m for m, mark in enumerate(marked.marks) if mark.start <= start and end <= mark.end]
        is_kept = any(marked.marks[m].kind == "verbatim" for m in around)
        inside = range(start + 1, end)
        is_cut = any(mark.start in inside or mark.end in inside for mark in marked.marks)
        if not is_kept and not is_cut:
            marks.append(Mark(start, end, None, around[-1] if around else ROOT, "verbatim"))
    return Marked(marked.text, tuple(marks))
