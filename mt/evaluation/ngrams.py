"""Word n-grams of the reference that one system gets right more often than the other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MAX_WORDS = 4
MOST = 12
"""The number of n-grams listed in each direction."""
_TOKENS = re.compile(r"\w+(?:[-./,]\w+)*")
_Ngram = tuple[str, ...]


@dataclass(frozen=True)
class NgramDifference:
    """One n-gram, counted as often as hypothesis and reference of a sentence both have it (clipped as in BLEU)."""

    test_set: str
    system: str
    baseline: str
    ngram: str
    matches: int
    """In the system's hypotheses."""
    baseline_matches: int
    in_references: int


def ngram_differences(
    test_set: str, hypotheses: Mapping[str, Sequence[str]], references: Sequence[str]
) -> list[NgramDifference]:
    """For each system except the first, which is the baseline: what it gets right more often, then less often.

    Only differences of at least two are listed; of n-grams inside each other with the same counts, only the longest.
    """
    expected = [_ngrams(reference) for reference in references]
    matches = {system: _matches(lines, expected) for system, lines in hypotheses.items()}
    totals = _total(expected)
    baseline, *others = hypotheses
    found = []
    for system in others:
        gains = {
            g: matches[system][g] - matches[baseline][g] for g in matches[system].keys() | matches[baseline].keys()
        }
        for sign in (1, -1):
            ranked = sorted((g for g in gains if sign * gains[g] >= 2), key=lambda g: (-sign * gains[g], -len(g), g))
            for ngram in _longest(ranked, matches[system], matches[baseline]):
                text = " ".join(ngram)
                counts = matches[system][ngram], matches[baseline][ngram], totals[ngram]
                found.append(NgramDifference(test_set, system, baseline, text, *counts))
    return found


def _ngrams(text: str) -> Counter[_Ngram]:
    words = _TOKENS.findall(text)
    return Counter(tuple(words[i : i + n]) for n in range(1, MAX_WORDS + 1) for i in range(len(words) - n + 1))


def _matches(hypotheses: Sequence[str], expected: Sequence[Counter[_Ngram]]) -> Counter[_Ngram]:
    return _total(_ngrams(line) & wanted for line, wanted in zip(hypotheses, expected, strict=True))


def _total(counters: Iterable[Counter[_Ngram]]) -> Counter[_Ngram]:
    total: Counter[_Ngram] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _longest(ranked: Sequence[_Ngram], ours: Counter[_Ngram], theirs: Counter[_Ngram]) -> list[_Ngram]:
    """The first `MOST` n-grams that are not part of a longer one with the same counts.

    With counts (3, 1) for "the Security Council", "Security Council" with (3, 1) is dropped, and with (5, 1) is kept.
    """
    counts = {ngram: (ours[ngram], theirs[ngram]) for ngram in ranked}
    covered = set()
    for ngram in ranked:
        for length in range(1, len(ngram)):
            for start in range(len(ngram) - length + 1):
                part = ngram[start : start + length]
                if counts.get(part) == counts[ngram]:
                    covered.add(part)
    return [ngram for ngram in ranked if ngram not in covered][:MOST]
