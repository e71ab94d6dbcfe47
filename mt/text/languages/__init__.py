"""What is known of each language, one module per language; of all others, nothing is known but their letters.

To add a language: write its module beside `english.py`, and add it to `_KNOWN`.
"""

from __future__ import annotations

from mt.languages import Language, LanguagePair
from mt.text.languages import arabic, english, french
from mt.text.languages.knowledge import NOTHING, Knowledge

_KNOWN = {
    ("ar", "arabic"): arabic.KNOWLEDGE,
    ("en", "latin"): english.KNOWLEDGE,
    ("fr", "latin"): french.KNOWLEDGE,
}


def knowledge_of(language: Language) -> Knowledge:
    """What is known of a language in its script."""
    return _KNOWN.get((language.code, language.script), NOTHING)


def can_check(languages: LanguagePair, check: str) -> bool:
    """Whether a fidelity check that reads both languages knows them, in this direction."""
    source, target = knowledge_of(languages.source), knowledge_of(languages.target)
    return check in source.checked_as_source and check in target.checked_as_target


def reads_numbers(languages: LanguagePair) -> bool:
    """Whether numbers in words are understood in both languages."""
    return all(knowledge_of(language).reads_numbers for language in (languages.source, languages.target))


def has_glossary(languages: LanguagePair) -> bool:
    """Whether glossaries are for this pair: their terms are English, with Arabic translations."""
    return can_check(languages, "terms")


def mends(language: Language, damage: str) -> bool:
    """Whether a kind of damage (see `Knowledge.mended`) is recognised in text of this language."""
    return damage in knowledge_of(language).mended
