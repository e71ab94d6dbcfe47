"""The formats of corpora, those that a file's name alone decides, and what follows from one."""

from __future__ import annotations

import re
from typing import Literal

Format = Literal[
    "auto",
    "pairs",
    "tsv",
    "csv",
    "jsonl",
    "moses",
    "tmx",
    "xliff",
    "xlsx",
    "hf",
    "glossary",
    "corrections",
    "backtranslated",
]

BACK_TRANSLATION_TAG = "<BT>"
"""Text before the sources of back-translated pairs in training, unless the corpus has a `tag` (Caswell et al., 2019).

Letters and signs like any others: it is split into pieces of the model's vocabulary, and no token is added."""


def is_bilingual_table(path: str) -> bool:
    """Whether a file's name is that of a table of `mt translate --bilingual`, also saved as another kind of table.

    Browsers number what is saved again: `a.bilingual (1).tsv`, `a.bilingual(1).tsv`, `a.bilingual-1.tsv`.
    """
    pattern = r"\.bilingual( ?\(\d+\)|-\d+)?\.\w+(\.(gz|zst|xz))?$"
    return re.search(pattern, path, re.IGNORECASE) is not None


def is_backtranslated_table(path: str) -> bool:
    """Whether a file's name is that of a table of `mt backtranslate`."""
    return re.search(r"\.backtranslated\.tsv(\.(gz|zst|xz))?$", path, re.IGNORECASE) is not None
