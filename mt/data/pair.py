"""The one shape that a sentence pair has, from the reader of a file to the store."""

from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    """A source sentence and its translation, with where it came from."""

    source: str
    target: str
    corpus: str = ""
    """The corpus's name in the config; formats, which do not know it, leave it empty."""
    place: str = ""
    """File and line, unit or row, as `news.tsv:12`."""
    document: str = ""
    """The document that the pair belongs to, a name unique in its corpus; empty where the input does not say."""
    fault: tuple[str, str] | None = None
    """(rule, detail) where the file itself says that the pair is not to be used, as a translation not approved."""
