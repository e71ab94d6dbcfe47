"""Finds faults of files that distort scores, such as shifted, empty or copied lines, as opposed to bad systems."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from mt.evaluation.cautions import (
    COPIED_REFERENCES,
    OTHER_ORDER,
    SHIFTED_HYPOTHESES,
    SHIFTED_REFERENCES,
    Caution,
)
from mt.evaluation.overlap import Overlap, overlap_caution
from mt.evaluation.shifts import shift_between, shift_of_translations, words_of
from mt.evaluation.signs import count_signs
from mt.evaluation.test_set import TestSet
from mt.languages import Language, LanguagePair
from mt.text.glossary import Glossary
from mt.text.keyboards import is_arabic_from_other_keyboard
from mt.text.normalise import normalise, script_share

MAX_FAULTY_SHARE = 0.05
"""If a larger share of lines has a fault, no verdict is given. Shifted lines always rule out a verdict."""
_MIN_LINES_OF_A_SHIFT = 10
# Addresses, hashtags and account names are written the same in both languages.
_LINKS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+|[@#]\S+|\S+\.(?:com|org|net|info|gov|int|edu)\b\S*", re.IGNORECASE)
# Persian letters, which Arabic has only in a few foreign names.
_PERSIAN_LETTERS = re.compile("[\u067e\u0686\u0698\u06a9\u06af\u06cc]")
_MAX_PERSIAN_SHARE = 0.1
_PERSIAN = "in Persian, not Arabic, letters"
_SPLIT_BY_INVISIBLE = re.compile(r"[^\W\d_][\u200b\u200c\u2060\ufeff\u00ad]+[^\W\d_]")
_SPLIT_BUT_BY_JOINERS = re.compile(_SPLIT_BY_INVISIBLE.pattern.replace(r"\u200c", ""))
_INVISIBLE = "split by invisible, zero-width characters"
# Two sentences may share a translation, such as "Yes." and "Yeah."; three with different references may not.
_MIN_SOURCES_OF_A_REPEAT = 3
# Single words have few translations, so short lines may well be equal, but not in a tenth of a test set.
_MIN_WORDS_OF_A_REPEAT, _LARGE_SHARE_OF_A_REPEAT = 3, 0.1
_MIN_WORDS_OF_A_COPY = 2
# Only in short sentences does a human translator arrive at the exact words of the reference.
_LONG_ENOUGH, _MIN_LONG, _SUSPICIOUS_SHARE = 5, 10, 0.5


def find_cautions(
    test_set: TestSet, systems: Mapping[str, Sequence[str]], overlaps: Sequence[Overlap], glossary: Glossary
) -> list[Caution]:
    """All cautions about one test set: faults of the set itself first, then of each system's translations."""
    cautions = list(_of_test_set(test_set, glossary))
    if test_set.too_easy:
        size = len(test_set.sources)
        cautions.append(Caution(test_set.name, None, "held out by sentence", size, size, test_set.too_easy, False))
    is_shifted = any(caution.kind == SHIFTED_REFERENCES for caution in cautions)
    for system, lines in systems.items():
        here = [each for each in overlaps if (each.system, each.test_set) == (system, test_set.name)]
        cautions += filter(None, (overlap_caution(each, test_set) for each in here))
        cautions += _of_hypotheses(test_set, system, lines)
        if not is_shifted:
            cautions += _of_order(test_set, system, lines)
    return cautions


class _Faults:
    """Creates cautions about one test set, or about one system on it."""

    def __init__(self, test_set: TestSet, system: str | None) -> None:
        self._test_set, self._system, self._total = test_set.name, system, len(test_set.sources)

    def counted(
        self, kind: str, count: int, subject: str, predicate: str, *, may_forbid: bool = True
    ) -> Iterator[Caution]:
        """A fault of `count` lines. subject: in the plural, such as "hypotheses of base"."""
        if count:
            verb = "is" if count == 1 else "are"
            text = f"{count} of the {self._total} {subject} {verb} {predicate}"
            yield self.said(kind, count, text, forbids=may_forbid and count > MAX_FAULTY_SHARE * self._total)

    def said(self, kind: str, count: int, text: str, *, forbids: bool) -> Caution:
        return Caution(self._test_set, self._system, kind, count, self._total, text, forbids)


def _of_test_set(test_set: TestSet, glossary: Glossary) -> Iterator[Caution]:
    faults, pairs = _Faults(test_set, None), list(zip(test_set.sources, test_set.references, strict=True))
    languages = test_set.languages
    ours, theirs = languages.source, languages.target
    repeats = len(pairs) - test_set.distinct
    if repeats:
        text = f"{len(pairs)} sentences include only {test_set.distinct} distinct ones; repeats count once in intervals"
        yield faults.said("repeated sentences", repeats, f"{text}, p-values and the size of the set", forbids=False)
    empty = sum(not normalise(reference) for _, reference in pairs)
    yield from faults.counted("empty references", empty, "references", "empty: they contain nothing visible")
    if languages.has_two_scripts:
        left = sum(_is_left(reference, source, languages) for source, reference in pairs)
        predicate = f"not in {theirs.script_name} letters"
        yield from faults.counted(f"{ours.name} references", left, "references", predicate)
    persian = sum(_is_persian(reference, theirs) for reference in test_set.references)
    yield from faults.counted("Persian references", persian, "references", _PERSIAN)
    bare = sum(_is_without_letters(reference, source) for source, reference in pairs)
    predicate = f"without any {theirs.script_name} letter"
    yield from faults.counted("references without letters", bare, "references", predicate)
    unseen = sum(_has_invisible(reference, theirs) for reference in test_set.references)
    yield from faults.counted("invisible characters", unseen, "references", _INVISIBLE)
    seen = [reference for reference in test_set.references if not _has_invisible(reference, theirs)]
    for sign, count in count_signs(seen, languages=languages):
        yield from faults.counted(
            f"{sign.kind} references", count, "references", sign.predicate, may_forbid=sign.forbids
        )
    if languages.has_two_scripts:
        swapped = sum(_is_in(source, theirs) for source, _ in pairs)
        predicate = f"in {theirs.script_name} letters, as if the sides were swapped"
        yield from faults.counted(f"{theirs.name} sources", swapped, "sources", predicate)
    repeated = _repeated(test_set.references, test_set.sources, test_set.sources)
    yield from faults.counted("repeated references", repeated, "references", "the same as those of other sentences")
    shift = shift_of_translations(test_set.sources, test_set.references, glossary) if len(pairs) >= 10 else None
    if shift is not None:
        yield faults.said(SHIFTED_REFERENCES, shift.lines, f"the references are {shift}", forbids=True)


def _of_hypotheses(test_set: TestSet, system: str, lines: Sequence[str]) -> Iterator[Caution]:
    faults, ours = _Faults(test_set, system), f"hypotheses of {system}"
    languages, theirs = test_set.languages, test_set.languages.target
    rows = list(zip(test_set.sources, test_set.references, lines, strict=True))
    empty = sum(not normalise(line) for line in lines)
    yield from faults.counted("empty hypotheses", empty, ours, "empty")
    is_copy = [_is_copy(line, source, reference, languages.source) for source, reference, line in rows]
    yield from faults.counted("copied hypotheses", sum(is_copy), ours, "copies of their sources")
    foreign = [_is_foreign(line, reference, theirs) for _, reference, line in rows]
    others = sum(f and not c for f, c in zip(foreign, is_copy, strict=True))
    yield from faults.counted(
        f"hypotheses that are not {theirs.name}", others, ours, f"not in {theirs.script_name} letters"
    )
    unseen = sum(_has_invisible(line, theirs) for line in lines)
    yield from faults.counted("invisible characters", unseen, ours, _INVISIBLE)
    seen = [(line, reference) for _, reference, line in rows if not _has_invisible(line, theirs)]
    for sign, count in count_signs([line for line, _ in seen], [reference for _, reference in seen], languages):
        kind = f"{sign.kind} hypotheses"
        yield from faults.counted(kind, count, ours, sign.predicate, may_forbid=sign.forbids)
    yield from faults.counted("Persian hypotheses", sum(_is_persian(line, theirs) for line in lines), ours, _PERSIAN)
    repeated = _repeated(lines, test_set.sources, test_set.references)
    # A model that translates everything the same is bad, and a verdict may say so.
    alike = "the same as those of other sentences"
    yield from faults.counted("repeated hypotheses", repeated, ours, alike, may_forbid=False)
    long = [(line, reference) for _, reference, line in rows if len(words_of(reference)) >= _LONG_ENOUGH]
    same = sum(words_of(line) == words_of(reference) for line, reference in long)
    if len(long) >= _MIN_LONG and same > _SUSPICIOUS_SHARE * len(long):
        text = f"{same} of the {len(long)} longer {ours} are the references, word for word"
        yield faults.said(COPIED_REFERENCES, same, text, forbids=True)


def _of_order(test_set: TestSet, system: str, lines: Sequence[str]) -> Iterator[Caution]:
    faults, size = _Faults(test_set, system), len(lines)
    if size < _MIN_LINES_OF_A_SHIFT:
        return
    shift = shift_between(lines, test_set.references)
    if shift == "order":
        text = f"the hypotheses of {system} are in a different order than the sentences"
        yield faults.said(OTHER_ORDER, size, text, forbids=True)
    elif shift is not None:
        yield faults.said(SHIFTED_HYPOTHESES, shift.lines, f"the hypotheses of {system} are {shift}", forbids=True)


def _prose(text: str) -> str:
    return _LINKS.sub(" ", normalise(text))


def _is_in(text: str, language: Language) -> bool:
    """Whether a text is mostly in the letters of a language."""
    return script_share(_prose(text), language.script) > 0.5


def _has_invisible(text: str, language: Language) -> bool:
    """Whether there are zero-width characters between letters that the language does not spell words with.

    At the ends of words they do little harm.
    """
    return (_SPLIT_BUT_BY_JOINERS if language.writes_joiners else _SPLIT_BY_INVISIBLE).search(text) is not None


def _is_persian(text: str, language: Language) -> bool:
    """Whether a text that should be Arabic has the letters of Persian."""
    if language.code != "ar":
        return False
    letters = sum(map(str.isalpha, text))
    has_many = len(_PERSIAN_LETTERS.findall(text)) > _MAX_PERSIAN_SHARE * letters
    return has_many and not is_arabic_from_other_keyboard(text)


def _is_without_letters(translation: str, source: str) -> bool:
    """Whether a translation has no letters, such as one of question marks alone, though its source is a sentence."""
    is_sentence = len(re.findall(r"[^\W\d_]{2,}", _prose(source))) >= _LONG_ENOUGH
    return is_sentence and bool(normalise(translation)) and not any(map(str.isalpha, translation))


def _is_left(translation: str, source: str, languages: LanguagePair) -> bool:
    """Whether a translation is mostly in the source's letters, though the source is a sentence.

    Names and addresses may stay as they are.
    """
    plain = _prose(translation)
    if script_share(plain, languages.source.script) <= script_share(plain, languages.target.script):
        return False
    is_acronyms = all(word.isupper() for word in re.findall(r"[^\W\d_]+", _prose(translation)))
    return not (is_acronyms or (words_of(translation) == words_of(source) and len(words_of(_prose(source))) < 2))


def _is_foreign(line: str, reference: str, language: Language) -> bool:
    """Whether a line is hardly in the letters of the target language, though its reference is."""
    if not normalise(line) or not _is_in(reference, language):
        return False
    plain = _prose(line)
    is_without_letters = script_share(plain, language.script) == script_share(plain, "latin") == 0
    has_long_reference = len(words_of(_prose(reference))) >= _LONG_ENOUGH
    return has_long_reference if is_without_letters else script_share(plain, language.script) < 0.5


def _is_copy(line: str, source: str, reference: str, language: Language) -> bool:
    """Whether a line has the same words as its source, though the reference does not."""
    words = words_of(line)
    is_text = (
        len(words_of(_prose(source))) >= _MIN_WORDS_OF_A_COPY and script_share(_prose(source), language.script) > 0
    )
    return is_text and words == words_of(source) != words_of(reference)


def _repeated(lines: Sequence[str], sources: Sequence[str], references: Sequence[str]) -> int:
    """The number of lines that translate so many different sentences that they cannot be right for all."""
    meant: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    asked: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    keys = [words_of(line) for line in lines]
    for key, source, reference in zip(keys, sources, references, strict=True):
        asked[key].add(words_of(source))
        meant[key].add(words_of(reference))
    counts = Counter(keys)
    enough = _LARGE_SHARE_OF_A_REPEAT * len(lines)
    return sum(
        counts[key]
        for key in asked
        if key
        and min(len(asked[key]), len(meant[key])) >= _MIN_SOURCES_OF_A_REPEAT
        and (len(key) >= _MIN_WORDS_OF_A_REPEAT or counts[key] >= enough)
    )
