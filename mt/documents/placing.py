"""Where the marks of a sentence go in its translation.

Marked words are found in the translation by their own translation: "the **Syrian army** entered" is asked for together
with "Syrian army", whose translation is looked for in that of the sentence. What is not found goes to the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from mt.documents.marked import ROOT
from mt.documents.plan import Clip, Core
from mt.documents.splitting import Span
from mt.text.normalise import fold_spelling, normalise

_ALIKE = 0.75
"""How similar (0 to 1) words must be to the translation of a mark to be taken for it: endings and articles differ."""
_SHORTEST_PART = 3
"""Characters that are looked for in part of a word, too."""
_WORD = re.compile(r"\S+")
_ENDING = re.compile(r"[\s.!?…؟،؛,;:»\"”')\]]*$")


class Placed:
    """The translation of a core with the ranges of its marks in it."""

    def __init__(self, core: Core, answers: Mapping[str, str]) -> None:
        """answers: translations of at least `core.texts()`."""
        self._core, self._answers = core, answers
        self.text, self.asked = answers[core.text], core.text
        self.is_empty = False
        """Whether the model gave nothing, so that the source is left in its place."""
        self.ranges: dict[int, Span] = {}
        """Start and end of each mark of the core in `text`, by the index of the mark in the unit."""
        self.moved = 0
        """Marks that went to the end because their words were not found."""
        self.put_back = 0
        """Addresses that the model had lost or changed."""
        if any(_exact(self.text, _as_answer(core.text_of(each))) is None for each in core.addresses):
            self.asked = core.without_addresses
            self.text = answers.get(self.asked, "")
        if not self.text.strip():
            self.is_empty = True
            self.text = core.text
            self.ranges = {clip.index: (clip.start, clip.end) for clip in core.clips}
            return
        self.ranges[ROOT] = (0, len(self.text))
        self._place_inside(ROOT, (0, len(core.text)))
        del self.ranges[ROOT]

    def _place_inside(self, parent: int, source: Span) -> None:
        """Place the marks directly in `parent`, and then those in them. source: where the parent is in the core."""
        children = [clip for clip in self._core.clips if clip.parent == parent and clip.index != parent]
        with_text = [clip for clip in children if self._core.text_of(clip)]
        # Addresses first, for they are found for sure; then the longest, which are confused with others the least.
        for clip in sorted(with_text, key=lambda clip: (clip.kind != "verbatim", clip.start - clip.end)):
            taken = [self.ranges[other.index] for other in with_text if other.index in self.ranges]
            found = self._find(clip, source, self.ranges[parent], taken)
            if found is not None:
                self.ranges[clip.index] = found
        for clip in with_text:
            if clip.index not in self.ranges:
                self._put_at_end(clip)
        for clip in children:
            if not self._core.text_of(clip):
                self.ranges[clip.index] = self._point(clip, with_text)
        for clip in children:
            self._place_inside(clip.index, (clip.start, clip.end))

    def _find(self, clip: Clip, source: Span, window: Span, taken: list[Span]) -> Span | None:
        """The words of the translation that belong to the mark, in a window and apart from what is taken."""
        words = _as_answer(self._core.text_of(clip))
        answer = self._answers.get(self._core.text_of(clip), "")
        center = (clip.start + clip.end) / 2 / len(self._core.text)
        found = _exact(self.text, words, window, taken, center)
        if found is not None:
            return found
        before, after = self._core.text[source[0] : clip.start], self._core.text[clip.end : source[1]]
        is_all = not any(map(str.isalnum, before + after)) and not taken
        if is_all and clip.kind != "verbatim":
            return _trimmed(self.text, window, is_start=bool(before.strip()), is_end=bool(after.strip()))
        if clip.kind == "verbatim":
            return None
        answer = answer.rstrip(" .؟!،")
        found = _exact(self.text, answer, window, taken, center)
        if found is None and answer:
            found = _similar(self.text, answer, window, taken, center)
        # In part of a word, as behind an Arabic preposition.
        for needle in (answer, words) if found is None else ():
            if len(needle) >= _SHORTEST_PART:
                found = found or _exact(self.text, needle, window, taken, center, is_part=True)
        return found

    def _put_at_end(self, clip: Clip) -> None:
        """At the end of what the mark is in: an address and a link with its words, any other mark without."""
        start, end = self.ranges[clip.parent]
        ending = _ENDING.search(self.text, start, end)
        position = self._behind_others(ending.start() if ending else end, clip.parent)
        if clip.kind == "format":
            self.moved += 1
            self.ranges[clip.index] = (position, position)
            return
        words = self._core.text_of(clip)
        if clip.kind == "link":
            self.moved += 1
            words = self._answers.get(words) or words
        else:
            self.put_back += 1
        before, behind = (" (", ")") if clip.kind == "link" else (" ", "")
        before = before if position > 0 else before.lstrip()
        self._insert(position, f"{before}{words}{behind}", clip.parent)
        self.ranges[clip.index] = (position + len(before), position + len(before) + len(words))

    def _behind_others(self, position: int, parent: int) -> int:
        """The position, or the first one behind it that is inside no mark but those around."""
        around = {ROOT, *self._ancestors(parent)}
        inside = [end for index, (start, end) in self.ranges.items() if index not in around and start < position < end]
        return max(inside, default=position)

    def _insert(self, position: int, text: str, parent: int) -> None:
        around = {ROOT, *self._ancestors(parent)}
        self.text = self.text[:position] + text + self.text[position:]
        for index, (start, end) in self.ranges.items():
            grows = end >= position if index in around else end > position
            # An empty mark that is here already stays ahead of what comes.
            moves = index not in around and start >= position and end > position
            self.ranges[index] = (start + len(text) * moves, end + len(text) * (grows or moves))

    def _ancestors(self, index: int) -> Iterator[int]:
        parents = {clip.index: clip.parent for clip in self._core.clips}
        while index != ROOT:
            yield index
            index = parents[index]

    def _point(self, clip: Clip, siblings: list[Clip]) -> Span:
        """The place of a mark without text: beside the mark that it was beside, or at the end."""
        parent = next((each for each in self._core.clips if each.index == clip.parent), None)
        source = (0, len(self._core.text)) if parent is None else (parent.start, parent.end)
        start, end = self.ranges[clip.parent]
        before, behind = self._core.text[source[0] : clip.start], self._core.text[clip.end : source[1]]
        # Behind or ahead of what is the same in both languages, which at the start and at the end is nothing.
        if self.text[start:end].startswith(before):
            return start + len(before), start + len(before)
        if self.text[start:end].endswith(behind):
            return end - len(behind), end - len(behind)
        for other in siblings:
            placed = self.ranges[other.index]
            if other.end <= clip.start and placed[0] < placed[1] and not self._has_words(other.end, clip.start):
                return placed[1], placed[1]
            if clip.start <= other.start and placed[0] < placed[1] and not self._has_words(clip.start, other.start):
                return placed[0], placed[0]
        if not any(map(str.isalnum, before)):
            return start, start
        self.moved += any(map(str.isalnum, behind))
        return end, end

    def _has_words(self, start: int, end: int) -> bool:
        return any(map(str.isalnum, self._core.text[start:end]))


def _as_answer(words: str) -> str:
    """Words of the source as a translation would repeat them."""
    return normalise(words)


def _trimmed(text: str, window: Span, *, is_start: bool, is_end: bool) -> Span:
    """The window without the punctuation at its start or end."""
    start, end = window
    while is_start and start < end and not text[start].isalnum():
        start += 1
    while is_end and end > start and not text[end - 1].isalnum():
        end -= 1
    return (start, end) if start < end else window


def _exact(
    text: str,
    needle: str,
    window: Span | None = None,
    taken: Sequence[Span] = (),
    center: float = 0.5,
    *,
    is_part: bool = False,
) -> Span | None:
    """The occurrence that is nearest to a relative position, 0 to 1; of whole words, unless `is_part`."""
    start, end = window or (0, len(text))
    if not needle:
        return None
    # A needle that begins or ends with punctuation may touch a word there.
    before, behind = ("(?<!\\w)", "(?!\\w)") if not is_part else ("", "")
    before, behind = before if needle[0].isalnum() else "", behind if needle[-1].isalnum() else ""
    pattern = f"{before}{re.escape(needle)}{behind}"
    found = [
        (match.start(), match.end())
        for match in re.finditer(pattern, text)
        if match.start() >= start and match.end() <= end
    ]
    # The nearest is mostly free. Comparing all with all that is taken took seconds for hundreds of equal addresses.
    found.sort(key=lambda span: abs(sum(span) / 2 - center * len(text)))
    return next((span for span in found if _is_free(span, taken)), None)


def _similar(text: str, answer: str, window: Span, taken: list[Span], center: float) -> Span | None:
    """The words that are most like an answer, if they are much like it."""
    words = [match.span() for match in _WORD.finditer(text, *window)]
    wanted, count = fold_spelling(answer), len(answer.split())
    best: tuple[float, float, Span] | None = None
    for size in {max(1, count - 1), count, count + 1}:
        for first in range(len(words) - size + 1):
            span = _trimmed(text, (words[first][0], words[first + size - 1][1]), is_start=True, is_end=True)
            ratio = SequenceMatcher(None, wanted, fold_spelling(text[slice(*span)]), autojunk=False).ratio()
            distance = abs(sum(span) / 2 / max(1, len(text)) - center)
            if ratio >= _ALIKE and _is_free(span, taken) and (best is None or (-ratio, distance) < best[:2]):
                best = (-ratio, distance, span)
    return best[2] if best else None


def _is_free(span: Span, taken: Sequence[Span]) -> bool:
    return all(span[1] <= start or span[0] >= end for start, end in taken)
