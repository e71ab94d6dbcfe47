"""What is known of French: that it writes a space before some marks."""

from __future__ import annotations

from mt.text.languages.knowledge import Knowledge

KNOWLEDGE = Knowledge(spaced_marks=":;?!")
