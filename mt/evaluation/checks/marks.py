"""Checks of characters, quotation marks, brackets and punctuation in the hypothesis."""

from __future__ import annotations

import re
import unicodedata

from mt.text.glossary import Glossary

_UNWANTED = re.compile(
    "[\u200b\u200e\u200f\u061c\u202a-\u202e\u2028\u2029\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\uffff\u00ad\u034f\u180e"
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff]"
)


def check_characters(source: str, hypothesis: str, glossary: Glossary) -> str:
    """No invisible characters: controls (bidirectional, C0, C1), zero-width, private-use or replacement characters."""
    found = dict.fromkeys(_UNWANTED.findall(hypothesis))
    names = [f"U+{ord(c):04X} {unicodedata.name(c, 'control')}" for c in found]
    return ", ".join(names)


_PAIRS = (("«", "»"), ("(", ")"), ("[", "]"), ("‹", "›"))
_ENUMERATION = re.compile(r"(?:^|(?<=\s))(?:\d{1,3}|[A-Za-z]|[\u0620-\u064a]{1,2}|[ivxIVX]+)\)")
_ROUND = re.compile(r"\((?!\()[^()]*\)(?!\))")
_SMILEY = re.compile(r"[:;]-?[()]")
_PRIMES, _INCHES = frozenset("′″'’"), frozenset('"”')
_DOUBLE_OR_PRIME = re.compile("[\"“”„‟′″'’]")
_QUOTED = re.compile(r"\"[^\"]+\"|“[^”]+”|«[^»]+»|(?<!\w)['‘][^'’]{2,}['’](?!\w)")
_QUOTE_MARKS = re.compile(r"[\"“”«»„‟‹›'‘’]|\(\(")
# Right-to-left text is printed with curly marks in either order.
_CURLY = re.compile("[“”„‟]")
_DOUBLE = re.compile('["“”„‟«»]')


def check_quotes(source: str, hypothesis: str, glossary: Glossary) -> str:
    """Quotation marks and brackets come in pairs, and what the source quotes is still quoted."""
    # Pairs first: the bracket of "(see para. 17)" closes another one; that of "17)" alone numbers an item.
    plain = _without_inches(_SMILEY.sub("", _ENUMERATION.sub("", _ROUND.sub("", hypothesis))))
    quoted = _QUOTED.search(_without_inches(source))
    for opening, closing in _PAIRS:
        if not _is_balanced(plain, opening, closing) and _is_balanced(source, opening, closing):
            return f"{plain.count(opening)} {opening} and {plain.count(closing)} {closing}"
    # A quotation that continues in the next sentence is open in the source, too.
    is_open = len(_DOUBLE.findall(_without_inches(source))) % 2
    if len(_CURLY.findall(plain)) % 2 and not is_open:
        return "an odd number of “ and ”"
    if plain.count('"') % 2 and not is_open:
        return 'an odd number of "'
    if _QUOTE_MARKS.search(plain):
        return ""
    if quoted:
        return f"no quotation marks around {quoted.group()}"
    return "the quotation mark at the beginning is lost" if is_open and _DOUBLE.match(source) else ""


def _without_inches(text: str) -> str:
    """Without marks of inches and feet: those behind a digit that do not close a quotation, as in "S-300"."""
    kept, end, is_open = [], 0, False
    for match in _DOUBLE_OR_PRIME.finditer(text):
        is_inch = match.group() in _PRIMES or (not is_open and match.group() in _INCHES)
        if is_inch and text[match.start() - 1 : match.start()].isdigit():
            kept.append(text[end : match.start()])
            end = match.end()
        elif match.group() not in _PRIMES:
            is_open = not is_open
    return "".join([*kept, text[end:]])


def _is_balanced(text: str, opening: str, closing: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == opening) - (character == closing)
        if depth < 0:
            return False
    return depth == 0


_DOUBLED = re.compile(
    r"([،؛؟!,;?])\s?\1|،\s?,|,\s?،|؛\s?;|;\s?؛|؟\s?\?|\?\s?؟|(?<!\.)\.\.(?!\.)|\"\"|[“”]\"|\"[“”]|،\.|\.،|[%٪]\s?[%٪]"
)
_LATIN_MARKS = str.maketrans("،؛؟“”", ',;?""')


def check_punctuation(source: str, hypothesis: str, glossary: Glossary) -> str:
    """No mark is doubled, or Latin beside its Arabic form, unless the source doubles it."""
    theirs = {_mark(match) for match in _DOUBLED.finditer(source)}
    found = dict.fromkeys(match.group() for match in _DOUBLED.finditer(hypothesis) if _mark(match) not in theirs)
    return f"doubled: {' '.join(found)}" if found else ""


def _mark(doubled: re.Match[str]) -> str:
    return doubled.group()[0].translate(_LATIN_MARKS)
