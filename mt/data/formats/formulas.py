"""Cells that a spreadsheet would run as a formula: text from anywhere is in our tables, and must not be a program.

As OWASP advises against "CSV injection", such a cell gets an apostrophe before it. Cells that have one already get
another, so that each text is known again.
"""

from __future__ import annotations

import re

FORMULA_BEGINS = "=+-@＝＋－＠"
"""What a formula begins with."""
_BEGIN = re.compile(f"'*[{re.escape(FORMULA_BEGINS)}]")


def shielded(text: str) -> str:
    """A cell that is no formula: `=1+1` -> `'=1+1`, `'=1+1` -> `''=1+1`, and any other text as it is."""
    return f"'{text}" if _BEGIN.match(text) else text


def unshielded(cell: str) -> str:
    """The text that `shielded` made this cell of; a formula whose apostrophe got lost stays as it is."""
    return cell[1:] if cell.startswith("'") and _BEGIN.match(cell) else cell
