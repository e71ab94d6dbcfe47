"""Small pieces of sentences: counts with their nouns, and long values cut short."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 pair`, `2 pairs`. The noun's plural must end in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shorten(text: str, length: int = 80) -> str:
    """`text` as a message shows it: at most `length` characters, the last three being dots if it was cut."""
    return text if len(text) <= length else text[: length - 3] + "..."
