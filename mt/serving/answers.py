"""Translations as the server keeps them for a while, and the interface of what makes them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from mt.systems.streaming import Translation

MAX_CHARACTERS = 2_000_000
"""Of all texts and translations that are kept."""


class Answering(Protocol):
    """A system, as the queue sees it. It is used by one thread only."""

    turn_tokens: int
    """Source tokens that it translates together."""

    def tokens(self, text: str) -> int:
        """The length of a text for the model."""

    def translate(self, texts: list[str]) -> list[Translation]:
        """One answer per text."""


class AnswerCache:
    """The answers of late, by system and text; of one server, whose systems never change their search."""

    def __init__(self, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_characters = max_characters
        self._answers: OrderedDict[tuple[str, str], Translation] = OrderedDict()
        self._characters = 0

    def get(self, system: str, text: str) -> Translation | None:
        """The answer, if it is kept."""
        answer = self._answers.get((system, text))
        if answer is not None:
            self._answers.move_to_end((system, text))
        return answer

    def keep(self, system: str, text: str, answer: Translation) -> None:
        """Keep an answer, and forget those that were not asked for longest if there are too many characters."""
        before = self._answers.pop((system, text), None)
        self._characters -= 0 if before is None else _size(text, before)
        self._answers[system, text] = answer
        self._characters += _size(text, answer)
        while self._characters > self._max_characters:
            (_, oldest), forgotten = self._answers.popitem(last=False)
            self._characters -= _size(oldest, forgotten)


def _size(text: str, answer: Translation) -> int:
    return len(text) + len(answer.text)
