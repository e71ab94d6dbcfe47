"""The cells and columns of the leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mt.report.leaderboard_reading import Score

Group = Literal["run", "scores", "forgetting", "options", "facts"]
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Cell:
    """What one run has in one column."""

    text: str = ""
    """For people; empty where there is nothing to say."""
    value: Any = None
    """For programs, and to sort by; None where there is nothing."""
    low: float | None = None
    """Lower end of the 95 % interval of a score."""
    high: float | None = None
    note: str = ""
    """What a reader must know beside it, as a clause."""

    @property
    def interval(self) -> str:
        """`[27.1, 30.4]`; empty if there is none."""
        return "" if self.low is None or self.high is None else f"[{_number(self.low, 1)}, {_number(self.high, 1)}]"


@dataclass(frozen=True)
class Column:
    """One column, under a name that `--sort` takes."""

    key: str
    title: str
    group: Group
    about: str = ""
    """A sentence on what is in it."""
    test_set: str = ""
    """The name of the test set, for columns of scores."""
    largest_first: bool = False
    """Whether the natural order begins with the largest value."""


def text_cell(text: str) -> Cell:
    """A cell of text, by which it is sorted."""
    return Cell(text, text or None)


def score_cell(score: Score | None, *, is_difference: bool = False) -> Cell:
    """A score, or a difference with its sign; with interval and doubt."""
    if score is None:
        return Cell()
    return Cell(_number(score.value, 2, is_difference), score.value, score.low, score.high, score.doubt)


def date_cell(started: str) -> Cell:
    """Date and minute of an ISO 8601 time in UTC; empty for anything else."""
    shown = started[:16].replace("T", " ")
    return Cell(shown, started) if started[:4].isdigit() else Cell()


def time_cell(seconds: float | None) -> Cell:
    """A duration: `45 s`, `4 min 48 s`, `2 h 05 min`."""
    if seconds is None:
        return Cell()
    whole = round(seconds)
    minutes, hours = whole // 60, whole // 3600
    if hours:
        return Cell(f"{hours} h {minutes % 60:02} min", seconds)
    return Cell(f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s", seconds)


def size_cell(size: int | None) -> Cell:
    """A size on disk in MiB or GiB."""
    if size is None:
        return Cell()
    return Cell(f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB", size)


def _number(value: float, digits: int, sign: bool = False) -> str:
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", _MINUS)
