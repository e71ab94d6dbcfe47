"""Markdown in which text stays text: no name and no sentence of a user becomes markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

_MARKUP = re.compile(r"([\\`*_\[|~&$])")
# A heading, a quotation, a list or a rule, where a line begins.
_BLOCK = re.compile(r"^(?:([#>+=-])|(\d+)([.)])(?=\s|$))")
# What is made a link though nobody asked for one.
_ADDRESS = re.compile(r"\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)", re.IGNORECASE)


def text_of(text: str) -> str:
    """`text` in one line that Markdown shows as it is, also inside a table."""
    # Not every reader of Markdown takes a backslash before a tag.
    line = _MARKUP.sub(r"\\\1", " ".join(text.split())).replace("<", "&lt;")
    line = _BLOCK.sub(lambda match: f"{match[2] or ''}\\{match[1] or match[3]}", line)
    return _ADDRESS.sub(lambda match: f"{match[1] or match[3]}\\{match[2] or match[4]}", line)


def code(text: str) -> str:
    """`text` in one line of code, whatever backticks it holds."""
    line = " ".join(text.split())
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    space = " " if "`" in line else ""
    return f"{fence}{space}{line}{space}{fence}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table of cells that are Markdown already; all columns but the first are aligned to the right."""
    alignment = ("left", *["right"] * (len(header) - 1))
    # Cells are text, also those that look like numbers: `007` stays as it is.
    return str(tabulate(rows, header, tablefmt="pipe", colalign=alignment, disable_numparse=True)).split("\n")
