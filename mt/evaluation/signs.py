"""Signs that a file of translations costs points for its format or spelling, not for the translation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from mt.data.mojibake import is_mojibake, repair
from mt.data.visual_order import visual_order_in
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.keyboards import is_arabic_from_other_keyboard
from mt.text.languages import knowledge_of, mends
from mt.text.normalise import normalise, remove_diacritics

_MARKS = ".،؛؟!,:;?"
_SEGMENTED = re.compile(r"[\u0621-\u064a]\+(?=\s)|(?<=\s)\+[\u0621-\u064a]")
_ENTITY = re.compile(r"&(?:amp|quot|apos|lt|gt|nbsp|#\d+|#x[0-9a-fA-F]+|#124|#91|#93);")
_PIECES = re.compile(
    r"@@(?:\s|$)|@-@|@[.,/]@|\u2581|(?<!\S)##(?=\w)|\u0120|</w>|\u2047|</?s>|<unk>|<pad>|\[(?:UNK|SEP|CLS|PAD)\]"
    r"|>>\w+<<|<2\w{2,}>|<extra_id_\d+>|(?<!\S)(?:__\w\w__|[a-z]{3}_[A-Z][a-z]{3})(?!\S)"
)
_UNSEEN = re.compile("[\u00a0\u00ad\u061c\u200b-\u200f\u202a-\u202f\u2060\u2066-\u2069\ufeff]")
_EASTERN, _WESTERN = re.compile("[\u0660-\u0669\u06f0-\u06f9]"), re.compile("[0-9]")
_ARABIC_MARK, _LATIN_MARK = re.compile("[،؛؟]"), re.compile("(?<=[\u0621-\u064a])\\s?[,;?]")
_CAPITALISED = re.compile(r"\b[A-Z][A-Za-z]+\b")
_VOWELLED, _UNVOWELLED = 0.2, 0.05
_HABIT, _FEWEST = 0.9, 4
_BARE = re.compile("[\u0621-\u064a]")
_Finds = Callable[[str], object]


@dataclass(frozen=True)
class Sign:
    """A property that hypotheses have and their references do not, or that references should not have."""

    kind: str
    """What is found, to be followed by "references" or "hypotheses"."""
    predicate: str
    """The finding in words, to follow "are"."""
    is_in: Callable[[str, str], object]
    """Called with a line and its reference, "" if the line is itself a reference: whether the line has the property;
    None if it could not have it."""
    least_share: float = 0.0
    """The share of the lines that could have it from which on it is the system's habit, and reported."""
    forbids: bool = False
    """Whether a verdict is refused if many lines have it."""
    of_references: bool = True
    """Whether references can have it, which have nothing to be compared with."""
    arabic_only: bool = False
    """Whether only Arabic can have it."""


def _but_in(finds: _Finds) -> Callable[[str, str], object]:
    return lambda line, reference: bool(finds(line)) and not (reference and finds(reference))


def _instead(ours: re.Pattern[str], theirs: re.Pattern[str]) -> Callable[[str, str], object]:
    """Whether a line has only `ours` where its reference has only `theirs`."""

    def is_in(line: str, reference: str) -> bool | None:
        has_either = ours.search(line) or theirs.search(line)
        if not (_BARE.search(line) and has_either and theirs.search(reference)) or ours.search(reference):
            return None
        return theirs.search(line) is None

    return is_in


def _spaced(but: str = "") -> re.Pattern[str]:
    """Finds a space before a mark, other than those that may have one."""
    return re.compile(rf"(?<=\S)\s+[{''.join(mark for mark in _MARKS if mark not in but)}](?=\s|$)")


def _vowels(text: str) -> float:
    letters = len(_BARE.findall(text))
    return (len(text) - len(remove_diacritics(text))) / letters if letters else 0.0


def _has_other_vowels(line: str, reference: str, *, more: bool) -> bool | None:
    vowelled, other = (line, reference) if more else (reference, line)
    if not more and _vowels(reference) < _VOWELLED:
        return None
    return _vowels(vowelled) >= _VOWELLED and _vowels(other) < _UNVOWELLED


def _is_lower_case(line: str, reference: str) -> bool | None:
    names = _CAPITALISED.findall(reference)
    same = [name for name in names if re.search(rf"\b{name}\b", line, re.IGNORECASE)]
    return all(name not in line for name in same) if same else None


def _is_of_another_encoding(text: str, *, has_arabic: bool = True) -> bool:
    return repair(text, has_arabic=has_arabic) is not None or is_mojibake(normalise(text), has_arabic=has_arabic)


_PLAIN = "which BLEU and chrF count as mistakes, BLEU-norm and chrF-norm do not"
SIGNS = (
    Sign("tokenised", "tokenised (spaces before punctuation), which costs BLEU: detokenise them first",
         _but_in(_spaced().search), 0.1),
    Sign("segmented", "cut into stems and clitics (`و+ ال+`): join them first", _but_in(_SEGMENTED.search),
         arabic_only=True),
    Sign("HTML entities in", "left with HTML entities (`&quot;`): unescape them first", _but_in(_ENTITY.search)),
    Sign("marks of a tokenizer in", "left with marks of a tokenizer (`@@`, `▁`, `<unk>`, `</s>`): decode them first",
         _but_in(_PIECES.search)),
    Sign("marks of direction in",
         f"written with marks of direction, no-break spaces or other invisible characters, {_PLAIN}",
         _but_in(_UNSEEN.search)),
    Sign("letters of a Persian keyboard in", f"typed with letters of a Persian keyboard (ی, ک), {_PLAIN}",
         _but_in(is_arabic_from_other_keyboard), arabic_only=True),
    Sign("mojibake in", "mojibake, decoded with the wrong encoding", _but_in(_is_of_another_encoding), forbids=True),
    Sign("visual order in", "in visual order, with letters or words stored from left to right",
         _but_in(lambda text: visual_order_in("", normalise(text))), forbids=True, arabic_only=True),
    Sign("0-9 in", f"written with Western digits (0, 1, 2) where the references have Arabic-Indic ones, {_PLAIN}",
         _instead(_WESTERN, _EASTERN), _HABIT, of_references=False, arabic_only=True),
    Sign("٠-٩ in", f"written with Arabic-Indic digits where the references have Western ones (0, 1, 2), {_PLAIN}",
         _instead(_EASTERN, _WESTERN), _HABIT, of_references=False, arabic_only=True),
    Sign("Latin punctuation in", "with Latin marks (`,` `?`) where the references have Arabic ones (`،` `؟`)",
         _instead(_LATIN_MARK, _ARABIC_MARK), _HABIT, of_references=False, arabic_only=True),
    Sign("no vowel signs in", f"without vowel signs where the references have them, {_PLAIN}",
         partial(_has_other_vowels, more=False), _HABIT,
         of_references=False, arabic_only=True),
    Sign("vowel signs in", f"written with vowel signs where the references have none, {_PLAIN}",
         partial(_has_other_vowels, more=True), 0.1,
         of_references=False, arabic_only=True),
    Sign("lower case in", "in lower case where the references have capitals",
         _is_lower_case, _HABIT, of_references=False),
)  # fmt: skip


def signs_of(languages: LanguagePair) -> tuple[Sign, ...]:
    """The signs that translations into the target language can have."""
    target = languages.target
    if target.code == "ar":
        return SIGNS
    has_arabic = mends(languages.source, "mojibake")
    spaced = _spaced(knowledge_of(target).spaced_marks)
    unseen = re.compile(f"(?![\u200c\u200d]){_UNSEEN.pattern}") if target.writes_joiners else _UNSEEN
    own = {
        "marks of direction in": _but_in(unseen.search),
        "tokenised": _but_in(spaced.search),
        "mojibake in": _but_in(partial(_is_of_another_encoding, has_arabic=has_arabic)),
    }
    return tuple(replace(sign, is_in=own.get(sign.kind, sign.is_in)) for sign in SIGNS if not sign.arabic_only)


def count_signs(
    lines: Sequence[str], references: Sequence[str] | None = None, languages: LanguagePair = ENGLISH_TO_ARABIC
) -> Iterator[tuple[Sign, int]]:
    """Each sign that enough lines have, with their number. references: None if the lines are references themselves."""
    others = [""] * len(lines) if references is None else references
    rows = [(line, other) for line, other in zip(lines, others, strict=True) if normalise(line)]
    for sign in signs_of(languages):
        if references is None and not sign.of_references:
            continue
        found = [has for line, other in rows if (has := sign.is_in(line, other)) is not None]
        count = sum(map(bool, found))
        if count >= (_FEWEST if sign.least_share else 1) and count >= sign.least_share * len(found):
            yield sign, count
