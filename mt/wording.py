"""Counts in the words of a sentence."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 pair`, `2 pairs`; of a noun whose plural ends in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shorten(text: str, length: int = 80) -> str:
    """`text` for a message, cut after `length` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."
