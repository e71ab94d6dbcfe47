"""Scripts, digits and normalisation of Arabic and English text."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from mt.config.data import Tatweel
from mt.languages import Script
from mt.text.keyboards import fold_keyboard_letters

# Zero-width characters, then bidirectional controls: invisible, and different in every newsroom's CMS.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad" + "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE_CODES = [
    *(0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD, 0x061C, 0x200E, 0x200F),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
]
_DROPPED = re.compile(f"[{_INVISIBLE}\x00-\x08\x0e-\x1b\x7f]")  # with control characters
_JOINERS = "\u200c\u200d"
_DROPPED_BUT_JOINERS = re.compile(_DROPPED.pattern.replace(_JOINERS, ""))
_TATWEEL = re.compile("\u0640+")
# Letters that join the next one: after one of them, a tatweel that ends a word is spelling, as in the abbreviation of
# the era, the article before digits, or a preposition before a quotation.
_SPELT_TATWEEL = re.compile(
    "(?<=[\u0626\u0628\u062a-\u062e\u0633-\u063a\u0641-\u0647\u064a\u06a9\u06cc\u06be])(?P<spelt>\u0640)\u0640*"
    "(?![\u0620-\u065f\u066e-\u06d3])|\u0640+"
)
# U+FDFC, the rial sign, stays: its decomposition is a Persian word.
_PRESENTATION_FORMS = re.compile("[\ufb50-\ufdfb\ufe70-\ufefc]")
# No script puts more marks on a letter, and composing them takes quadratic time (Unicode's Stream-Safe Text Format has
# the same limit).
_MARKS = "".join(character for character in map(chr, range(0x0300, 0x1E94B)) if unicodedata.combining(character))
_MANY_MARKS = re.compile(f"([{_MARKS}]{{30}})[{_MARKS}]+")
_DIACRITICS = re.compile("[\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]")
_LETTERS = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(
    "[A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a]+"
)
_ARABIC = re.compile(
    "[\u0620-\u064a\u066e\u066f\u0671-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06fc\u06ff\u0750-\u077f\u08a0-\u08b4]+"
)
_LETTERS_OF: dict[Script, re.Pattern[str]] = {
    "arabic": _ARABIC,
    "armenian": re.compile("[\u0531-\u0556\u0560-\u0588]+"),
    "cyrillic": re.compile("[\u0400-\u0481\u048a-\u052f\u1c80-\u1c88]+"),
    "ethiopic": re.compile("[\u1200-\u135a\u1380-\u138f\u2d80-\u2dde]+"),
    "georgian": re.compile("[\u10a0-\u10ff\u1c90-\u1cbf\u2d00-\u2d2d]+"),
    "greek": re.compile("[\u0370-\u0373\u0376-\u037d\u0386-\u03ff\u1f00-\u1fff]+"),
    "hangul": re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]+"),
    "hebrew": re.compile("[\u05d0-\u05ea\u05ef-\u05f2]+"),
    "latin": _LATIN,
}
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_FOLDED_SPELLINGS = str.maketrans(
    dict.fromkeys("أإآٱ", "ا")
    | dict.fromkeys((chr(c) for c in (*_INVISIBLE_CODES, 0x0640)), "")
    | dict.fromkeys("\u00a0\u202f\u2007", " ")
)
_WESTERN_DIGITS = {0x0660 + i: str(i) for i in range(10)} | {0x06F0 + i: str(i) for i in range(10)}


def script_of(character: str, scripts: tuple[Script, ...] = ("arabic", "latin")) -> Script | Literal["other"]:
    """The script of a letter, if it is one of `scripts`. All else is `other`, even their own digits and marks."""
    if not character.isalpha():
        return "other"
    name = unicodedata.name(character, "").removeprefix("FULLWIDTH ")
    return next((script for script in scripts if name.startswith(script.upper())), "other")


def script_shares(text: str) -> tuple[float, float]:
    """(share of Latin, share of Arabic letters) among the letters of `text`, 0 to 1; 0 and 0 if it has no letters."""
    letters = sum(map(len, _LETTERS.findall(text)))
    latin, arabic = sum(map(len, _LATIN.findall(text))), sum(map(len, _ARABIC.findall(text)))
    return (latin / letters, arabic / letters) if letters else (0.0, 0.0)


def script_share(text: str, script: Script) -> float:
    """Share of the letters of a script among the letters of `text`, 0 to 1; 0 for a text without letters."""
    letters = sum(map(len, _LETTERS.findall(text)))
    return sum(map(len, _LETTERS_OF[script].findall(text))) / letters if letters else 0.0


def words_in_script(text: str, script: Script) -> list[str]:
    """The unbroken runs of letters of a script."""
    return _LETTERS_OF[script].findall(text)


def is_mostly(text: str, script: Script, share: float) -> bool:
    """Whether the letters of a script make up this share of all characters; a quick check, true for most texts."""
    return sum(map(len, _LETTERS_OF[script].findall(text))) >= share * len(text) > 0


def arabic_share(text: str) -> float:
    """Share of Arabic letters among the letters of `text`, 0 to 1; 0 for a text without letters."""
    return script_shares(text)[1]


def normalise(text: str, tatweel: Tatweel = "spelling", *, joiners: bool = False) -> str:
    """The form in which every sentence is stored, compared and translated.

    Canonical composition (NFC). Arabic presentation forms become ordinary letters. Zero-width, bidirectional and
    control characters are removed, and so are marks beyond thirty on a letter. White space becomes single spaces, none
    at the ends. Diacritics and digits stay. tatweel: see `data.tatweel`; "spelling" keeps one that ends a word
    (`1445 هـ`, `الـ15`). joiners: keep zero-width joiners and non-joiners, which some languages spell words with.
    """
    text = _PRESENTATION_FORMS.sub(lambda match: _ordinary_letters(match.group()), text)
    text, dropped = (_DROPPED_BUT_JOINERS if joiners else _DROPPED).subn("", _composed(text))
    if tatweel != "keep" and "\u0640" in text:
        text = _SPELT_TATWEEL.sub(r"\g<spelt>", text) if tatweel == "spelling" else _TATWEEL.sub("", text)
        dropped = 1
    text = " ".join(text.split())
    # Dropping a character can bring a letter and its mark together, so compose once more.
    return _composed(text) if dropped else text


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", _MANY_MARKS.sub(r"\1", text))


@lru_cache(maxsize=1024)
def _ordinary_letters(form: str) -> str:
    # Isolated vowel signs (U+FE70...) decompose to a space and the sign; drop the space.
    return unicodedata.normalize("NFKC", form).strip(" ")


def remove_diacritics(text: str) -> str:
    """`text` without Arabic vowel signs (harakat), shadda, dagger alef and Quranic marks."""
    return _DIACRITICS.sub("", text)


def western_digits(text: str) -> str:
    """`text` with Arabic-Indic (٠-٩) and Persian (۰-۹) digits written as 0-9."""
    return text.translate(_WESTERN_DIGITS)


def fold_spelling(text: str) -> str:
    """`text` without differences of spelling between newsrooms and keyboards.

    These are diacritics, alef forms (أإآٱ), digits, tatweel, invisible characters, no-break spaces, and letters of
    Persian and Urdu keyboards.
    """
    return fold_keyboard_letters(western_digits(remove_diacritics(text)).translate(_FOLDED_SPELLINGS))


def comparison_key(text: str) -> str:
    """A key that is equal for sentences that differ only in case, digits, punctuation, diacritics or spacing.

    Only letters remain, and every run of digits becomes one `0`: `In 2014, Homs fell.` -> `in 0 homs fell`.
    """
    return " ".join(comparison_words(normalise(text)))


def comparison_words(normalised: str, *, fold_digits: bool = True) -> list[str]:
    """The words of `comparison_key` for a text that is already normalised. Without `fold_digits`, numbers stay."""
    words = _WORDS.findall(remove_diacritics(normalised).casefold().replace("\u0640", ""))
    return ["0" if word.isdigit() else word for word in words] if fold_digits else [*map(western_digits, words)]
