"""All that is truly Arabic or English: scripts, digits, normalisation."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Script = Literal["arabic", "latin", "other"]

# Zero-width characters, then the bidirectional controls: invisible, and different in every newsroom's CMS.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad" + "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_DROPPED = re.compile(f"[{_INVISIBLE}\u0640\x00-\x08\x0e-\x1b\x7f]")  # with tatweel and control characters
_SPACES = re.compile(r"\s+")
# U+FDFC, the rial sign, stays: its decomposition is a Persian word.
_PRESENTATION_FORMS = re.compile("[\ufb50-\ufdfb\ufe70-\ufefc]")
_DIACRITICS = re.compile("[\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]")
_WESTERN_DIGITS = {0x0660 + i: str(i) for i in range(10)} | {0x06F0 + i: str(i) for i in range(10)}


def script_of(character: str) -> Script:
    """The script of a letter. Digits, punctuation, marks and spaces, Arabic ones too, are `other`."""
    if not character.isalpha():
        return "other"
    name = unicodedata.name(character, "")
    if name.startswith("ARABIC"):
        return "arabic"
    return "latin" if name.startswith(("LATIN", "FULLWIDTH LATIN")) else "other"


def arabic_share(text: str) -> float:
    """Arabic letters among the letters of `text`, 0 to 1; 0 for a text without letters."""
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return 0.0
    return sum(script_of(letter) == "arabic" for letter in letters) / len(letters)


def normalise(text: str) -> str:
    """The form in which every sentence is stored, compared and translated.

    Canonical composition (NFC); Arabic presentation forms become ordinary letters; zero-width, bidirectional
    and control characters and tatweel go; any white space becomes one space, none at the ends. Diacritics and
    digits stay as they are.
    """
    text = _PRESENTATION_FORMS.sub(_ordinary_letters, text)
    text = _DROPPED.sub("", unicodedata.normalize("NFC", text))
    # Dropping a character can bring a letter and its mark together: compose once more.
    return unicodedata.normalize("NFC", _SPACES.sub(" ", text).strip())


def _ordinary_letters(match: re.Match[str]) -> str:
    # The isolated vowel signs (U+FE70...) decompose to a space and the sign: the space is not wanted.
    return unicodedata.normalize("NFKC", match.group()).strip(" ")


def remove_diacritics(text: str) -> str:
    """`text` without Arabic vowel signs (harakat), shadda, dagger alef and Quranic marks."""
    return _DIACRITICS.sub("", text)


def western_digits(text: str) -> str:
    """`text` with Arabic-Indic (٠-٩) and Persian (۰-۹) digits written 0-9."""
    return text.translate(_WESTERN_DIGITS)


def comparison_key(text: str) -> str:
    """What two sentences share when they differ only in case, digits, punctuation, diacritics or spacing.

    Letters alone remain, and every run of digits becomes one `0`.
    """
    folded = western_digits(remove_diacritics(normalise(text))).casefold()
    words = re.findall(r"[^\W\d_]+|\d+", folded)
    return " ".join("0" if word.isdigit() else word for word in words)
