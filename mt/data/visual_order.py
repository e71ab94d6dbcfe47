"""Arabic stored in visual order, from left to right, as text copied from PDF files often is."""

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
    """The evidence that a normalised Arabic text is in visual order; None if there is none.

    source: the English, because a full stop at the beginning of both sides is no evidence.
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
