"""Where the English ends and the Arabic begins, on a line that holds both with nothing between them."""

from __future__ import annotations

import re
from collections import Counter
from itertools import accumulate

from mt.text import script_of, western_digits

_WORD = re.compile(r"[^\W\d_]+(?:['’\u064b-\u0652][^\W\d_]+)*")
_ASIDE = re.compile(r'"[^"]{1,40}"|“[^”]{1,40}”|«[^»]{1,40}»|\([^)]{1,40}\)')
_SENTENCE_END = re.compile(r"[.!?؟…][\"”»’')\]]*$")

# A letter on the wrong side costs 1. An acronym is at home in both languages and a short quotation may be
# in the other one, so they weigh little; a finished sentence before the border outweighs either.
_ACRONYM_WEIGHT = 0.2
_ASIDE_WEIGHT = 0.3
_SENTENCE_END_BONUS = 2.5
_SHARED_NUMBER_BONUS = 0.5
# Below this share of letters on their own side, there is no border to speak of.
_MIN_AGREEMENT = 0.75


def split_at_border(line: str) -> tuple[str, str] | None:
    """(English, Arabic) of a line that holds both, in either order; None if no border can be recognised.

    The border is the place that leaves the most letters on the side of their own script. Among places that
    differ only in digits, punctuation, an acronym or a short quotation, a finished sentence before the border
    and numbers that occur on both sides decide.
    """
    latin, arabic = _letter_weights(line)
    total = latin[-1] + arabic[-1]
    best_score, best = 0.0, None
    for position in _candidates(line):
        first, second = line[:position].strip(), line[position:].strip()
        english_first = latin[position] + arabic[-1] - arabic[position]
        agreement = max(english_first, total - english_first)
        if agreement < _MIN_AGREEMENT * total or not first or not second:
            continue
        score = agreement + _SENTENCE_END_BONUS * bool(_SENTENCE_END.search(first))
        score += _SHARED_NUMBER_BONUS * _shared_numbers(first, second)
        # Of equals the last one wins: punctuation and digits between two sentences close the first.
        if score >= best_score:
            is_english_first = english_first >= total - english_first
            best_score, best = score, (first, second) if is_english_first else (second, first)
    if best is None or not _has_script(best[0], "latin") or not _has_script(best[1], "arabic"):
        return None
    return best


def _candidates(line: str) -> list[int]:
    """Places where a border may lie: at white space, and inside a word where scripts meet ("city.وقال")."""
    return [
        i
        for i in range(1, len(line))
        if line[i].isspace() or (not line[i - 1].isspace() and script_of(line[i]) != "other" and _meet(line, i))
    ]


def _meet(line: str, i: int) -> bool:
    before = line[:i].rstrip("\"“”«»'’()[].,;:!?،؛؟…-")
    return bool(before) and script_of(before[-1]) not in ("other", script_of(line[i]))


def _letter_weights(line: str) -> tuple[list[float], list[float]]:
    """Cumulative weight of the Latin and of the Arabic letters before each position of `line`."""
    weights = [1.0] * len(line)
    for word in _WORD.finditer(line):
        if word.group().isupper() and len(word.group()) > 1:
            weights[word.start() : word.end()] = [_ACRONYM_WEIGHT] * len(word.group())
    for aside in _ASIDE.finditer(line):
        weights[aside.start() : aside.end()] = [_ASIDE_WEIGHT] * len(aside.group())
    scripts = [script_of(character) for character in line]
    latin = accumulate((w * (s == "latin") for w, s in zip(weights, scripts, strict=True)), initial=0.0)
    arabic = accumulate((w * (s == "arabic") for w, s in zip(weights, scripts, strict=True)), initial=0.0)
    return list(latin), list(arabic)


def _shared_numbers(first: str, second: str) -> int:
    numbers = [Counter(re.findall(r"\d+", western_digits(side))) for side in (first, second)]
    return (numbers[0] & numbers[1]).total()


def _has_script(text: str, script: str) -> bool:
    return any(script_of(character) == script for character in text)
