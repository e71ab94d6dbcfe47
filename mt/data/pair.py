"""A sentence pair: one shape from the reader of a file to the store."""

from __future__ import annotations

from typing import NamedTuple


class Rejection(NamedTuple):
    """Why a pair is not used."""

    rule: str
    detail: str = ""
    """What the rule found in the pair."""


class Pair(NamedTuple):
    """A source sentence and its translation, with where they came from.

    Pair("The road is closed.", "الطريق مغلق.", "news.tsv:12")
    """

    source: str
    target: str
    origin: str = ""
    """File and line, unit or row, as in `news.tsv:12`."""
    document: str = ""
    """The document that the pair belongs to, a name unique in its corpus; empty if the input names none."""
    fault: Rejection | None = None
    """Why the pair is not used: the file itself says so (`not approved`), or a cleaning rule rejected it."""
    corpus: int = 0
    """Which corpus of a build the pair is from, counted from 0; readers of files, which do not know, leave it at 0."""
    reference: str | None = None
    """The target as it was written, if normalising has changed it; None if it has not."""
