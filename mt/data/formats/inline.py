"""The text of a segment of a translation memory, without the inline codes of the original document.

A code for a line break, a table cell or a paragraph becomes a space. Letters on either side of other codes stay in one
word if a single formatting code begins or ends there, as with bold on half a word or after an Arabic prefix. A
placeholder, or one format that ends where another begins, separates two words.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from mt.data.formats.xml import local_name

_OPENING, _CLOSING = {"bpt", "bx", "sc"}, {"ept", "ex", "ec"}
_ALONE = {"ph", "it", "ut", "x", "cp"}
_CODES = _OPENING | _CLOSING | _ALONE
_BLOCKS = "address|article|aside|blockquote|br|caption|dd|div|dl|dt|footer|h[1-6]|header|hr|li|main|nav|ol|option|p|pre"
_BLOCKS += "|section|table|tbody|td|tfoot|th|thead|title|tr|ul|lb|pb|tab|line-?break|page-?break|paragraph|cr|nl"
_BREAK = re.compile(
    rf"</?(?:\w+:)?(?:{_BLOCKS})\b[^>]*>?|\\(?:n|r|t|par|line|tab)(?![a-z])|&nbsp;|\n|\r|\t|\u2028|\u00a0|^ +$",
    re.IGNORECASE,
)
_BREAK_TYPE = re.compile(rf"(?:x-|xlf:|fmt:|html-|html:)*(?:{_BLOCKS}|line_break|newline|softreturn)", re.IGNORECASE)
_TAG = re.compile(r"\s*<(/?)(?:\w+:)?\w[^<>]*(/?)>\s*")
_NOTHING = re.compile(r"&(?:shy|zwnj|zwj);|&#8203;|[\u00ad\u200b-\u200d]+", re.IGNORECASE)
_ENDS = ".,;:!?…،؛؟)»”"
_DELETED = "x-sdl-deleted"

# Kinds of pieces that are no text.
_SPACE, _OPEN, _CLOSE, _WORD, _NONE = "space", "open", "close", "word", "none"

_Piece = tuple[str, str]
"""("", a text) or (the kind of a code, "")."""


def text_of(element: Any, codes: dict[str, str] | None = None) -> str:
    """The text of a segment. codes: the original codes that the unit declares, by id."""
    if not len(element):
        return element.text or ""
    pieces: list[_Piece] = []
    _collect(element, pieces, codes or {})
    text, run = "", []
    for kind, content in pieces:
        if kind:
            run.append(kind)
        elif content:
            text += _between(text, run, content) + content
            run.clear()
    return text


def _between(before: str, codes: list[str], after: str) -> str:
    """A space, or nothing, for a run of codes between two texts."""
    if not codes or not before or before[-1].isspace() or after[0].isspace():
        return ""
    if _SPACE in codes:
        return " "
    if not (_is_letter(before[-1]) or before[-1] in _ENDS) or not _is_letter(after[0]):
        return ""
    is_between = _WORD in codes or (_CLOSE in codes and _OPEN in codes[codes.index(_CLOSE) :])
    return " " if is_between else ""


def _is_letter(character: str) -> bool:
    """Whether a character is a letter, a digit, or a vowel sign on one."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _collect(element: Any, pieces: list[_Piece], codes: dict[str, str]) -> None:
    pieces.append(("", element.text or ""))
    for child in element:
        name = local_name(child)
        if name in _CODES:
            pieces.append((_kind(child, name, codes), ""))
        elif child.get("mtype") != _DELETED:
            is_block = _BREAK_TYPE.fullmatch(_type(child)) is not None
            pieces.append((_SPACE if is_block else _OPEN, ""))
            _collect(child, pieces, codes)
            pieces.append((_SPACE if is_block else _CLOSE, ""))
        pieces.append(("", child.tail or ""))


def _type(code: Any) -> str:
    return (code.get("subType") or code.get("ctype") or code.get("type") or "").strip()


def _kind(code: Any, name: str, codes: dict[str, str]) -> str:
    content = _content(code, codes)
    is_line_break = (code.get("id") or "").upper().startswith("LINE_BREAK")
    if is_line_break or _BREAK_TYPE.fullmatch(_type(code)) or _BREAK.search(content):
        return _SPACE
    if name in _OPENING or code.get("pos") == "begin":
        return _OPEN
    if name in _CLOSING or code.get("pos") == "end":
        return _CLOSE
    if name == "cp" or _NOTHING.fullmatch(content):
        return _NONE
    tag = _TAG.fullmatch(content)
    return _WORD if tag is None or tag.group(2) else _CLOSE if tag.group(1) else _OPEN


def _content(code: Any, codes: dict[str, str]) -> str:
    """What the code was in the original document, as far as the file says."""
    told = (code.get(name) for name in ("equiv-text", "equiv", "disp"))
    referred = codes.get(code.get("dataRef") or "", "")
    return code.text or referred or next((text for text in told if text), "")
