"""Where one document ends and the next begins in a file that separates documents by blank lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from mt.data.pair import Pair
from mt.text.lines import head_of

MAX_DOCUMENT_PAIRS = 5000
"""A longer stretch is a corpus with a stray blank line, or a file of many documents, not one document."""


def first_pairs(pairs: Iterator[Pair]) -> list[Pair]:
    """The first pairs: as many as a document may have, or fewer if they are very long."""
    return head_of(pairs, MAX_DOCUMENT_PAIRS, lambda pair: (len(pair.source) + len(pair.target)) // 4)


class Parts:
    """The documents of one file, separated by blank lines.

    A reader calls `end` at each blank line and gives every pair the current `document`. `named` corrects what it
    yields: if no blank line is among the first `MAX_DOCUMENT_PAIRS` pairs, no pair has a document.
    """

    def __init__(self, name: str, *, is_on: bool = True) -> None:
        self.document = ""
        self.is_on = is_on
        """Whether blank lines still count."""
        self._name, self._number = name, 1

    def end(self) -> None:
        """A blank line: the next pair begins another document."""
        if self.is_on:
            self._number += 1
            self.document = f"{self._name}:part {self._number}"

    def named(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        """`pairs` with their final documents, numbered from 1."""
        head = first_pairs(pairs)
        if not self.is_on:
            return chain(head, pairs)
        if len({pair.document for pair in head}) > 1:
            return self._numbered(chain(head, pairs))
        self.is_on, self.document = False, ""
        return chain((pair._replace(document="") for pair in head), pairs)

    def _numbered(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        number, size, last = 0, 0, None
        for pair in pairs:
            if pair.document != last:
                number, size, last = number + 1, 0, pair.document
            size += 1
            yield pair._replace(document=f"{self._name}:part {number}" if size <= MAX_DOCUMENT_PAIRS else "")


def lasting_name(first: Pair) -> str:
    """A lasting name for the document that begins with this pair: for a numbered part, the pair's own text.

    An article inserted further up renumbers the parts after it, which must not change their splits.
    """
    is_numbered = re.search(r":part [0-9]+$", first.document)
    return f"{first.source}\0{first.target}" if is_numbered else first.document
