"""The leaderboard, or the comparison of two runs, as text, Markdown, CSV, JSON and as a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tabulate import tabulate

import mt
from mt.files import printable
from mt.report.leaderboard import Board
from mt.report.leaderboard_columns import Cell, Column, Group
from mt.report.leaderboard_pair import Section
from mt.report.leaderboard_reading import FINISHED
from mt.report.markdown import table, text_of
from mt.report.pages import render_page
from mt.wording import counted

IN_TERMINAL: dict[Group, int] = {"scores": 4, "forgetting": 2, "options": 6}
"""How many columns of a group a terminal has room for."""
ON_PAGE: dict[Group, int] = {"scores": 12, "forgetting": 6, "options": 24}

UNTESTED = "rows are not compared by a paired test here: `evaluate.py A B` does that"
_STYLES = ("page.css", "leaderboard.css")


def board_as_text(board: Board) -> str:
    """The table for a terminal, then the notes."""
    rows = [[_plain(_in_words(cell)) for cell in row] for row in board.rows]
    lines = _aligned([_plain(column.title) for column in board.columns], rows)
    return "\n".join([*lines, "", *(f"note: {_plain(note)}" for note in _notes(board))])


def board_as_markdown(board: Board) -> str:
    """The same in Markdown."""
    rows = [[text_of(_in_words(cell)) for cell in row] for row in board.rows]
    lines = table([text_of(column.title) for column in board.columns], rows)
    return "\n".join([*lines, "", *(f"- {text_of(note)}" for note in _notes(board))])


def board_as_csv(board: Board) -> str:
    """All columns with exact values; a score is followed by the two ends of its interval."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", *(name for column in board.columns for name in _names(column))])
    for entry, row in zip(board.entries, board.rows, strict=True):
        values = [v for column, cell in zip(board.columns, row, strict=True) for v in _values(column, cell)]
        writer.writerow(["" if value is None else value for value in (printable(entry.path), *values)])
    return stream.getvalue().rstrip("\n")


def board_as_json(board: Board) -> str:
    """One object per row: what is known of it, its scores by column, and its values of the options that differ."""
    rows = []
    for entry, row in zip(board.entries, board.rows, strict=True):
        by_group: dict[str, dict[str, Any]] = {"scores": {}, "forgetting": {}, "options": {}}
        for column, cell in zip(board.columns, row, strict=True):
            if column.group in by_group and cell.text:
                by_group[column.group][column.key] = _as_object(column, cell)
        facts = {"name": entry.name, "path": printable(entry.path), "kind": entry.kind, "state": entry.state}
        facts |= {"base_model": entry.base, "method": entry.method, "started": entry.started}
        rows.append({**facts, "wall_seconds": entry.seconds, "bytes": entry.size, **by_group})
    return json.dumps({"rows": rows, "notes": _notes(board)}, ensure_ascii=False, indent=2)


def board_as_page(board: Board, title: str) -> str:
    """The table as one page that opens offline; a script sorts it, and without one it is read as it is."""
    return render_page(
        "leaderboard.html.jinja",
        styles=_STYLES,
        script="leaderboard.js",
        title=title,
        board=board,
        finished=FINISHED,
        notes=_notes(board),
        counted=counted(len(board.rows), "row"),
        made=_made(),
    )


def pair_as_text(sections: Sequence[Section]) -> str:
    """The comparison of two runs for a terminal."""
    lines: list[str] = []
    for section in sections:
        rows = [[_plain(_in_words(cell)) for cell in row] for row in section.rows]
        lines += [section.title, ""]
        lines += _aligned([_plain(name) for name in section.header], rows) if rows else [section.none]
        lines += [f"note: {_plain(note)}" for note in section.notes] + [""]
    return "\n".join(lines).rstrip()


def pair_as_markdown(sections: Sequence[Section]) -> str:
    """The same in Markdown."""
    lines: list[str] = []
    for section in sections:
        rows = [[text_of(_in_words(cell)) for cell in row] for row in section.rows]
        lines += [f"## {section.title}", ""]
        lines += table([text_of(name) for name in section.header], rows) if rows else [section.none]
        lines += ["", *(f"- {text_of(note)}" for note in section.notes), ""]
    return "\n".join(lines).rstrip()


def pair_as_csv(sections: Sequence[Section]) -> str:
    """One row per difference: section, what differs, its two values and, for scores, the second minus the first."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["section", "what", *sections[0].header[1:], "difference"])
    for section in sections:
        for row in section.rows:
            values = [cell.text if cell.value is None else cell.value for cell in row]
            writer.writerow([section.title, *values, *[""] * (4 - len(values))])
    return stream.getvalue().rstrip("\n")


def pair_as_json(sections: Sequence[Section]) -> str:
    """The tables by their titles."""
    content = {
        section.title: {
            "columns": section.header,
            "rows": [[cell.text if cell.value is None else cell.value for cell in row] for row in section.rows],
            "notes": section.notes,
        }
        for section in sections
    }
    return json.dumps(content, ensure_ascii=False, indent=2)


def pair_as_page(sections: Sequence[Section], title: str) -> str:
    """The comparison of two runs as one page that opens offline."""
    return render_page("leaderboard_pair.html.jinja", styles=_STYLES, title=title, sections=sections, made=_made())


def _made() -> str:
    return f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by mt {mt.__version__}."


def _notes(board: Board) -> list[str]:
    has_scores = any(column.group == "scores" for column in board.columns)
    return [*board.notes, *([UNTESTED] if has_scores else [])]


def _in_words(cell: Cell) -> str:
    return " ".join(filter(None, [cell.text + ("!" if cell.note else ""), cell.interval]))


def _plain(text: str) -> str:
    """`text` without what would steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    text = str(tabulate(rows, header, tablefmt="simple", disable_numparse=True))
    return [line.rstrip() for line in text.split("\n")]


def _names(column: Column) -> list[str]:
    is_score = column.group in ("scores", "forgetting")
    return [column.key, f"{column.key}, low", f"{column.key}, high"] if is_score else [column.key]


def _values(column: Column, cell: Cell) -> list[Any]:
    is_score = column.group in ("scores", "forgetting")
    value = cell.text if column.group == "options" else cell.value
    return [value, cell.low, cell.high] if is_score else [value]


def _as_object(column: Column, cell: Cell) -> Any:
    if column.group == "options":
        return cell.text
    found = {"test_set": column.test_set, "value": cell.value, "ci_low": cell.low, "ci_high": cell.high}
    return found | {"doubt": cell.note, "about": column.about}
