"""Where one script ends and another begins on a line with a sentence in each, and nothing between them.

    The city fell in 2014. سقطت المدينة عام 2014.

After `in`, all letters are on the side of their script, as after `2014.`: equal. But after `2014.` a sentence has just
ended, and 2014 occurs on both sides, so the border is there.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from mt.languages import ENGLISH_TO_ARABIC, LanguagePair, Script
from mt.text.normalise import script_of, western_digits

_WORD = re.compile(r"[^\W\d_]+(?:['’\u064b-\u0652][^\W\d_]+)*")
_ASIDE = re.compile(r'"[^"]{1,40}"|“[^”]{1,40}”|«[^»]{1,40}»|\([^)]{1,40}\)')
_DIGITS = re.compile(r"\d+")
_SENTENCE_ENDS = frozenset(".!?؟…")
_CLOSING = frozenset("\"”»’')]")
_PUNCTUATION = frozenset("\"“”«»'’()[].,;:!?،؛؟…-")

# A letter on the wrong side costs 1. Acronyms occur in both languages and a short quotation may be in the other one, so
# they weigh little; a finished sentence before the border outweighs either.
_ACRONYM_WEIGHT = 0.2
_ASIDE_WEIGHT = 0.3
_SENTENCE_END_BONUS = 2.5
_SHARED_NUMBER_BONUS = 0.5
# With a smaller share of letters on the side of their script, there is no recognisable border.
_MIN_AGREEMENT = 0.75


def split_at_border(line: str, languages: LanguagePair = ENGLISH_TO_ARABIC) -> tuple[str, str] | None:
    """(source, target) of a line with both, in either order; None if no border can be recognised.

    languages: two with different scripts.

    The border is the position with the most letters on the side of their own script. Between positions that differ only
    in digits, punctuation, an acronym or a short quotation, a finished sentence before the border and numbers that
    occur on both sides decide. The time is proportional to the length of the line.
    """
    line = line.strip()
    known = (languages.source.script, languages.target.script)
    scripts = [_script(character, known) for character in line]
    ours, theirs = _letter_weights(line, scripts, known)
    total = ours[-1] + theirs[-1]
    best_score, best, is_source_first = 0.0, 0, True
    numbers = _SharedNumbers(line)
    for position, is_end in _candidates(line, scripts):
        source_first = ours[position] + theirs[-1] - theirs[position]
        agreement = max(source_first, total - source_first)
        if agreement < _MIN_AGREEMENT * total:
            continue
        score = agreement + _SENTENCE_END_BONUS * is_end + _SHARED_NUMBER_BONUS * numbers.before(position)
        # The last of equals wins: punctuation and digits between two sentences end the first.
        if score >= best_score:
            best_score, best, is_source_first = score, position, source_first >= total - source_first
    sides = (line[:best].strip(), line[best:].strip())
    source, target = sides if is_source_first else sides[::-1]
    is_found = all(
        any(_script(c, known) == script for c in side) for side, script in ((source, known[0]), (target, known[1]))
    )
    return (source, target) if is_found else None


def _candidates(line: str, scripts: Sequence[str]) -> Iterator[tuple[int, bool]]:
    """(possible position of the border, whether a sentence ends just before it), from left to right.

    Possible positions are white space, and inside a word where the scripts change ("city.وقال").
    """
    # Of the text so far: the script of its last letter if only punctuation follows it, and whether it ends a sentence,
    # with or without quotes and brackets after the full stop.
    script, is_end = "other", False
    was_space = True
    for i, character in enumerate(line):
        is_space = character.isspace()
        if is_space or (not was_space and scripts[i] != "other" and script not in ("other", scripts[i])):
            yield i, is_end
        if not is_space:
            is_end = character in _SENTENCE_ENDS or (is_end and not was_space and character in _CLOSING)
        if character not in _PUNCTUATION:
            script = scripts[i]
        was_space = is_space


class _SharedNumbers:
    """Counts the numbers that occur both before and after a position that moves from left to right."""

    def __init__(self, line: str) -> None:
        self._numbers = deque((match.start(), western_digits(match.group())) for match in _DIGITS.finditer(line))
        self._before: Counter[str] = Counter()
        self._behind = Counter(number for _, number in self._numbers)
        self._shared = 0

    def before(self, position: int) -> int:
        """The count for a position that is not inside a number."""
        while self._numbers and self._numbers[0][0] < position:
            number = self._numbers.popleft()[1]
            self._shared -= min(self._before[number], self._behind[number])
            self._before[number] += 1
            self._behind[number] -= 1
            self._shared += min(self._before[number], self._behind[number])
        return self._shared


def _letter_weights(line: str, scripts: Sequence[str], known: tuple[Script, Script]) -> tuple[list[float], list[float]]:
    """Cumulative weight of the letters of the two `known` scripts before each position of `line`."""
    weights = [1.0] * len(line)
    for word in _WORD.finditer(line):
        if word.group().isupper() and len(word.group()) > 1:
            weights[word.start() : word.end()] = [_ACRONYM_WEIGHT] * len(word.group())
    for aside in _ASIDE.finditer(line):
        weights[aside.start() : aside.end()] = [_ASIDE_WEIGHT] * len(aside.group())
    ours, theirs = (
        list(accumulate((w * (s == script) for w, s in zip(weights, scripts, strict=True)), initial=0.0))
        for script in known
    )
    return ours, theirs


# Cached: a line has few different characters, and their names are slow to look up.
_script = lru_cache(maxsize=4096)(script_of)
