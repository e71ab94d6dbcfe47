"""Arabic that was stored as it is seen, from left to right, as text taken from a PDF file often is."""

from __future__ import annotations

import re

from mt.familiar import backwards, has_familiar_words, is_rather

_ARABIC_LETTERS = "\u0621-\u063a\u0641-\u064a"
# Arabic words never begin with these.
_FINAL_LETTER_FIRST = re.compile(rf"(?<![\w\u064b-\u0652\u0670])[ةى][{_ARABIC_LETTERS}]{{2,}}")
_STOP_FIRST = re.compile(rf"[.؟!?،؛][\"»”)]?\s?[\"«“(]?[{_ARABIC_LETTERS}]")
_STOP_LAST = re.compile(r"[.؟!?:…][\"'»«”“)\]]*$")
_FEW = 2


def visual_order_in(source: str, text: str) -> str | None:
    """What tells that a normalised Arabic text is in visual order; None if nothing does.

    source: the English, for a full stop that begins both sides is no sign.
    """
    words = _FINAL_LETTER_FIRST.findall(text)
    if len(words) >= _FEW:
        return " ".join(words)
    if _STOP_FIRST.match(text) and not _STOP_LAST.search(text) and source[:1] != text[:1]:
        return text[:20]
    if not has_familiar_words(text) and any(is_rather(text, other) for other in backwards(text)):
        return text[:20]
    return None
