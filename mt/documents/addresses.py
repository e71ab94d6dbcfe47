"""What must come out of a translation exactly as it went in: web and e-mail addresses, and notes' labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mt.documents.marked import ROOT, Mark, Marked

_PLAIN = r"[^\s<>\"'«»“”‘’،؛؟\u200e\u200f\u202a-\u202e\u2066-\u2069]"
# From which character on a name could begin with the same end: where one failed, all do, so that a search continues
# behind it. Without that, a text of 10,000 characters such as `a.a.a.` takes more than a second.
_WEB = re.compile(rf"(?P<found>(?:https?|ftp)://{_PLAIN}+|\bwww\.{_PLAIN}+)", re.IGNORECASE)
_MAIL = re.compile(r"\b(?P<found>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)|\b[\w.+-]+")
_DOMAIN = re.compile(
    r"(?<![\w/])(?:(?P<found>(?:[a-z0-9-]+\.)+(?:com|org|net|info|int|gov|edu|mil)(?:\.[a-z]{2})?\b"
    rf"(?:/{_PLAIN}*)?)|(?:[a-z0-9-]+\.)*[a-z0-9-]+)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?P<found>\[\^[^\]\s]+\]:?)|\[\^[^\]\s]+")
_PATTERNS = (_WEB, _MAIL, _DOMAIN, _LABEL)
"""In order: of two that begin at the same character, the first one counts."""
_TRAILING = ".,;:!?…*_"
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def address_spans(text: str) -> list[tuple[int, int]]:
    """Where addresses are, without the punctuation of the sentence behind them."""
    spans = []
    for start, end in _found_in(text):
        found = text[start:end]
        is_label = found.startswith("[^")
        spans.append((start, end if is_label else start + _length_without_punctuation(found)))
    return spans


def _found_in(text: str) -> Iterator[tuple[int, int]]:
    """What the patterns find, from left to right, in time that grows with the length of the text."""
    nowhere = (len(text) + 1, len(text) + 1)
    upcoming = [(-1, -1)] * len(_PATTERNS)
    position = 0
    while True:
        for number, pattern in enumerate(_PATTERNS):
            if upcoming[number][0] < position:
                matches = pattern.finditer(text, position)
                upcoming[number] = next((match.span() for match in matches if match["found"] is not None), nowhere)
        start, position = min(upcoming, key=lambda span: span[0])
        if (start, position) == nowhere:
            return
        yield start, position


def _length_without_punctuation(found: str) -> int:
    """Without what belongs to the sentence at its end: a full stop, or a bracket that was opened before."""
    counts = Counter(found)
    length = len(found)
    while length:
        last = found[length - 1]
        if last not in _TRAILING and not (last in _BRACKETS and counts[last] > counts[_BRACKETS[last]]):
            break
        counts[last] -= 1
        length -= 1
    return length


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
