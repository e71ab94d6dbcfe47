"""Text that was decoded with the wrong encoding: restored where that is certain, otherwise recognised."""

from __future__ import annotations

import re
from collections.abc import Iterator

import ftfy
import ftfy.badness

from mt.text.familiar import count_familiar, has_article, is_rather

# The characters of English and Arabic text, with marks of direction and common signs; all others are suspect.
_PLAIN = (
    "\u0000-\u007f\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff"
    "\u00a0\u00ab\u00bb\u200b-\u200f\u2010-\u2015\u2018-\u201e\u2026\u202a-\u202e\u2066-\u2069"
)
_SUSPECT = re.compile(f"[^{_PLAIN}]")
# UTF-8 read as Windows-1256: each Arabic letter becomes one of these two and then one of the others, which hardly ever
# follow them in Arabic text.
_LEAD = re.compile(
    "[\u0637\u0638][\u067e\u0679\u0686\u0688\u0691\u0698\u06af\u00a1-\u00aa\u00ac-\u00ba\u00bc-\u00be"
    "\u20ac\u201a\u0192\u201e\u2020\u2021\u02c6\u2030\u2039\u0152\u2018\u2022\u2122\u203a\u0153]"
)
_FEWEST = 2
_ARABIC = re.compile("[\u0621-\u064a]")
_READ_AS = (
    *("cp1256", "cp1252", "latin-1", "iso8859_15", "mac_arabic"),
    *("cp720", "cp850", "cp866", "gb18030", "mac_roman", "cp437"),
)
_OTHER_READ_AS = ("cp1256", "cp1252", "latin-1", "mac_arabic", "mac_roman", "cp437", "cp850", "cp1251", "cp720")
_WRITTEN_IN = ("cp1256", "iso8859_6", "mac_arabic", "cp720")
_MAX_ROUNDS = 3
_MIXED_WORD = re.compile("[\u00c0-\u024f][\u0621-\u064a]|[\u0621-\u064a][\u00c0-\u024f]")
_SIGN_IN_WORD = re.compile(
    "[\u0621-\u064a][\u00a1-\u00aa\u00ac-\u00ba\u00bc-\u00bf\u00d7\u00f7\u20ac\u201a\u0192\u201e\u2020\u2021\u02c6"
    "\u2030\u2039\u0152\u2018\u2022\u203a\u0153\u2122\u2500-\u259f][\u0621-\u064a]"
)
_BRACKET_IN_WORD = re.compile(r"[\u0621-\u064a][\[\]^][\u0621-\u064a]")
# First bytes of letters whose second bytes are lost.
_LEFT_OVER = re.compile("[\u00c2\u00c3\u00d8\u00d9]")
_CONTROL = re.compile("[\u0080-\u0084\u0086-\u009f\ufffd]")


def repair(text: str, *, has_arabic: bool = True) -> str | None:
    """A raw text as it was before it was decoded wrongly, perhaps several times; None if that is not certain.

    It is certain if the bytes decode as UTF-8 without a fault, or if no word looks Arabic as it is, and several do in
    one other encoding. has_arabic: whether one of the languages of the text's corpus is Arabic; without Arabic, only
    what `ftfy` is certain of is restored.
    """
    if not has_arabic:
        return _by_ftfy(text)
    if text.isascii() or not (_SUSPECT.search(text) or _has_leads(text)):
        return None
    repaired = text
    for _ in range(_MAX_ROUNDS):
        repaired = _as_utf8(repaired) or repaired
    if repaired == text:
        return _in_another_encoding(text)
    is_whole = not is_mojibake(repaired) and not (_ARABIC.search(repaired) and _LEFT_OVER.search(repaired))
    return repaired if is_whole else None


def _as_utf8(text: str) -> str | None:
    for encoding in _READ_AS:
        try:
            found = text.encode(encoding).decode()
        except UnicodeError:
            continue
        if found != text and (len(_ARABIC.findall(found)) >= _FEWEST or "\u00e2\u20ac" in text):
            return found
    return _by_ftfy(text)


def _by_ftfy(text: str) -> str | None:
    fixed = ftfy.fix_encoding(text)
    return fixed if fixed != text and ftfy.badness.is_bad(text) and not ftfy.badness.is_bad(fixed) else None


def _in_another_encoding(text: str) -> str | None:
    candidates = {found for found in _decoded_again(text) if is_rather(text, found) and not _SUSPECT.search(found)}
    best = max(sorted(candidates), key=lambda found: sum(count_familiar(found)), default=None)
    return best if best is not None and not is_mojibake(best) else None


def _decoded_again(text: str) -> Iterator[str]:
    for wrong in _OTHER_READ_AS:
        try:
            raw = text.encode(wrong)
        except UnicodeError:
            continue
        for right in _WRITTEN_IN:
            if right != wrong:
                try:
                    yield raw.decode(right)
                except UnicodeError:
                    continue


def is_mojibake(text: str, *, has_arabic: bool = True) -> bool:
    """Whether a text was certainly decoded wrongly. has_arabic: see `repair`."""
    if text.isascii():
        return False
    if not has_arabic:
        return _CONTROL.search(text) is not None or (ftfy.badness.is_bad(text) and ftfy.fix_encoding(text) != text)
    if _SUSPECT.search(text):
        if _CONTROL.search(text) or _MIXED_WORD.search(text) or len(_SIGN_IN_WORD.findall(text)) >= _FEWEST:
            return True
        if ftfy.badness.is_bad(text) and ftfy.fix_encoding(text) != text:
            return True
    is_bracketed = ("]" in text or "^" in text) and len(_BRACKET_IN_WORD.findall(text)) >= _FEWEST
    has_leads = _has_leads(text) and len(_LEAD.findall(text)) >= _FEWEST
    return is_bracketed or has_leads or _is_of_other_letters(text)


def _has_leads(text: str) -> bool:
    return ("ط" in text or "ظ" in text) and _LEAD.search(text) is not None


def _is_of_other_letters(text: str) -> bool:
    """Whether it is Windows-1256 read as ISO-8859-6: other Arabic letters, and some of them lost."""
    # What the article becomes, also after "and" and "with".
    if text.startswith("اف") + sum(map(text.count, (" اف", " ناف", " باف"))) < _FEWEST or has_article(text):
        return False
    articles, others = count_familiar(text.encode("iso8859_6", "replace").decode("cp1256"))
    return articles >= _FEWEST and articles + others > 2 * sum(count_familiar(text))
