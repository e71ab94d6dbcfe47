"""Arabic that was stored as it is seen, from left to right, as text taken from a PDF file often is."""

from __future__ import annotations

import re

from mt.text.familiar import backwards, has_familiar_words, is_rather, may_be_backwards

_ARABIC_LETTERS = "\u0621-\u063a\u0641-\u064a"
# Arabic words never begin with these.
_FINAL_LETTER_FIRST = re.compile(rf"(?<![\w\u064b-\u0652\u0670])[ةى][{_ARABIC_LETTERS}]{{2,}}")
_STOP_FIRST = re.compile(rf"[.؟!?،؛][\"»”)]?\s?[\"«“(]?[{_ARABIC_LETTERS}]")
_STOPS = frozenset(".؟!?،؛")
_STOP_LAST = re.compile(r"[.؟!?:…][\"'»«”“)\]]*$")
_FEW = 2


def visual_order_in(source: str, text: str) -> str | None:
    """What tells that a normalised Arabic text is in visual order; None if nothing does.

    source: the English, for a full stop that begins both sides is no sign.
    """
    # Cheap checks come first: they settle most sentences.
    if (" ة" in text or " ى" in text) and len(words := _FINAL_LETTER_FIRST.findall(text)) >= _FEW:
        return " ".join(words)
    if text[:1] in _STOPS and _STOP_FIRST.match(text) and not _STOP_LAST.search(text) and source[:1] != text[:1]:
        return text[:20]
    if (
        may_be_backwards(text)
        and not has_familiar_words(text)
        and any(is_rather(text, other) for other in backwards(text))
    ):
        return text[:20]
    return None
