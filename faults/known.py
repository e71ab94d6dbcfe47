"""Faults that end wrong and are known to, by title, with the reason why they stay."""

KNOWN: dict[str, str] = {}
