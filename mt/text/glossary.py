"""The glossary: English terms and their accepted Arabic forms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from mt.errors import DataError
from mt.files import printable
from mt.input_files import fault_of_file
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.languages import has_glossary
from mt.text.lines import read_lines
from mt.text.normalise import fold_spelling
from mt.wording import shorten

DEFAULT = Path(__file__).parent.parent / "assets" / "data" / "conflict_news" / "glossary.tsv"
_TERM_SPELLINGS = str.maketrans("ىةؤئ", "يهوي")
_HEADER = "english\tarabic\tkind"
NAME_KINDS = ("place", "organisation", "armed_group")
"""Kinds of terms that may be names, which a translation must contain if the source does."""
KINDS = (*NAME_KINDS, "weapon", "military", "humanitarian", "political", "title")
_MAX_FORM = 200  # characters
_WORD_START = re.compile(r"(?<!\w)\w+")
# And, so; by, like, for; the definite article, which loses its alef after `for`.
_CLITICS = "[وف]?(?:[بكل]?(?:ال)?|لل)"
_DEFINITE_CLITICS = "[وف]?(?:[بك]?ال|لل)"
_PRONOUN = "(?:ه|ها|هم|هما|هن|نا|ي|ك|كم)"
_NISBA = "ي(?:ه|ين|ون|ا|ان|تين|تان|ات)?"


@dataclass(frozen=True)
class Term:
    """One entry of the glossary."""

    english: tuple[str, ...]
    arabic: tuple[str, ...]
    """Accepted forms, the preferred one first."""
    kind: str

    @property
    def name(self) -> str:
        """The preferred English form."""
        return self.english[0]

    @property
    def is_name(self) -> bool:
        """Whether it is the name of one place, organisation or group: `Hamas`, not `rebels`."""
        return self.kind in NAME_KINDS and any(letter.isupper() for letter in self.name)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches an accepted form, also after Arabic clitics, in text folded by `fold_for_terms`."""
        return _pattern(self.arabic, self.kind)

    def form_in(self, folded: str) -> str | None:
        """The first accepted form in text folded by `fold_for_terms`; None if there is none."""
        return next((form for form in self.arabic if _pattern((form,), self.kind).search(folded)), None)


class Found(NamedTuple):
    """A term in an English sentence."""

    start: int
    end: int
    term: Term


@lru_cache(maxsize=50_000)
def fold_for_terms(arabic: str) -> str:
    """Arabic text in the spelling for comparing terms: as by `fold_spelling`, and ى and ئ as ي, ة as ه, ؤ as و."""
    return fold_spelling(arabic).translate(_TERM_SPELLINGS)


@lru_cache(maxsize=50_000)
def _pattern(accepted: tuple[str, ...], kind: str) -> re.Pattern[str]:
    forms = dict.fromkeys(form for text in accepted for form in _form_patterns(text, kind))
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(forms, key=len, reverse=True))})(?!\w)")


def _form_patterns(form: str, kind: str) -> list[str]:
    """Patterns for an accepted form inside a sentence: with clitics before it, articles or pronouns on its words."""
    first, *others = re.split(r"[\s-]+", form)
    # Checked before folding: ألغام and ألمانيا have no article, but look like it once folded.
    is_definite = first.startswith("ال") and len(first) > 4
    stem = fold_for_terms(first.removeprefix("ال") if is_definite else first)
    clitics = _DEFINITE_CLITICS if is_definite else _CLITICS
    bare = [fold_for_terms(other.removeprefix("ال") or other) for other in others]
    rest = "".join(rf"[\s-]*(?:ال)?{re.escape(word)}" for word in bare)
    patterns = [clitics + re.escape(stem) + rest]
    if kind not in NAME_KINDS and not others:
        patterns.append(_CLITICS + re.escape(re.sub("ه$", "ت", stem)) + _PRONOUN)
    if kind == "place" and not others:
        base = re.sub("(?:يا|ا|ه)$", "", stem)
        if len(base) >= 3:
            patterns.append(_CLITICS + re.escape(base) + _NISBA)
    return patterns


class Glossary:
    """The terms, and a search for them in English sentences."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = list(terms)
        self._by_first_word: dict[str, list[tuple[str, Term]]] = {}
        for term in self.terms:
            for form in (text.replace("’", "'") for text in term.english):
                first = _WORD_START.search(form)
                if first:
                    self._by_first_word.setdefault(first.group().casefold(), []).append((form, term))
        for forms in self._by_first_word.values():
            forms.sort(key=lambda entry: -len(entry[0]))

    @staticmethod
    def read(path: Path = DEFAULT) -> Glossary:
        """Read a table with columns `english`, `arabic`, `kind`, forms separated by ` | `. Raises `DataError`."""
        return _read(path)

    def find(self, source: str) -> list[Found]:
        """The terms of an English sentence, with their positions in it; of overlapping ones the longest.

        A form with a capital letter is a name and must be written like that; any other may also begin with a capital
        letter, or be all in capitals.
        """
        plain = source.replace("’", "'")
        # Most sentences hold no term, and this says so five times as fast as the loop.
        if self._by_first_word.keys().isdisjoint(map(str.casefold, _WORD_START.findall(plain))):
            return []
        found, position = [], 0
        for match in _WORD_START.finditer(plain):
            if match.start() < position:
                continue
            for form, term in self._by_first_word.get(match.group().casefold(), ()):
                end = match.start() + len(form)
                text = plain[match.start() : end]
                # A name's article may begin a sentence. US$ is a currency, not a country.
                is_same = form in (text, text[:1].lower() + text[1:]) or (form.islower() and text.lower() == form)
                if is_same and not (plain[end : end + 1].isalnum() or plain[end : end + 1] == "$"):
                    found.append(Found(match.start(), end, term))
                    position = end
                    break
        return found

    def terms_in(self, source: str) -> list[Term]:
        """The terms of an English sentence, each once, in the order of their first occurrences."""
        return list({found.term.name: found.term for found in self.find(source)}.values())

    def names_place(self, source: str) -> bool:
        """Whether an English sentence contains a place of the glossary."""
        return any(found.term.kind == "place" for found in self.find(source))


@cache
def _read(path: Path) -> Glossary:
    fault = fault_of_file(path)
    if fault is not None:
        fault = "no such glossary" if fault == "does not exist" else f"the glossary {fault}"
        raise DataError(f"{printable(path)}: {fault} (seen from {printable(Path.cwd())})")
    terms: list[Term] = []
    owners: dict[str, int] = {}
    for number, line in read_lines(path):
        if number == 1 and line.strip() == _HEADER:
            continue
        if not line.strip():
            continue
        term = _term(path, number, line)
        for form in term.english:
            if form in owners:
                raise DataError(
                    f"{path}:{number}: `{form}` is already in line {owners[form]}; write each term on one line"
                )
            owners[form] = number
        terms.append(term)
    if not terms:
        raise DataError(f"{path}: has no terms; a line is `english<TAB>arabic<TAB>kind`")
    return Glossary(terms)


def _term(path: Path, number: int, line: str) -> Term:
    columns = line.split("\t")
    if len(columns) != 3:
        raise DataError(f"{path}:{number}: expected 3 tab-separated columns ({_HEADER!r}), found {len(columns)}")
    english, arabic = (tuple(form.strip() for form in column.split("|") if form.strip()) for column in columns[:2])
    kind = columns[2].strip()
    if not english or not arabic:
        raise DataError(f"{path}:{number}: a term needs an English and an Arabic form, got {shorten(line)!r}")
    for form in (*english, *arabic):
        if len(form) > _MAX_FORM:
            raise DataError(f"{path}:{number}: a form of {len(form)} characters is no term; write one term per line")
    if not all(map(_WORD_START.search, english)) or not all(map(_has_word, arabic)):
        raise DataError(
            f"{path}:{number}: a form without a letter would be found anywhere or nowhere, in {shorten(line)!r}"
        )
    if kind not in KINDS:
        raise DataError(f"{path}:{number}: `{shorten(kind)}` is no kind of term; write one of {', '.join(KINDS)}")
    return Term(english, arabic, kind)


def _has_word(arabic: str) -> bool:
    """Whether every word of a form has something left without diacritics and the article."""
    return all(fold_for_terms(word.removeprefix("ال") or word).strip() for word in re.split(r"[\s-]+", arabic))


def read_glossary(path: str | None, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Glossary:
    """The glossary at `path`, or the one that comes with this project, or none for another pair. Raises `DataError`."""
    if path is not None:
        check_glossary(path, languages)
        return Glossary.read(Path(path))
    return Glossary.read() if has_glossary(languages) else Glossary([])


def check_glossary(path: str | None, languages: LanguagePair) -> None:
    """Raise `DataError` if a table of terms is given for a pair that it cannot be for."""
    if path is not None and not has_glossary(languages):
        raise DataError(
            f"{path}: a table of terms holds English terms and their Arabic forms, and the languages are {languages}; "
            "leave it out"
        )
