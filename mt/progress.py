"""How far a long job has come: a bar on a terminal, a line per minute in a log."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sized
from time import monotonic
from types import TracebackType
from typing import Any, TypeVar

from tqdm import tqdm

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

SECONDS_PER_LINE = 60
_BAR = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]"


class ProgressMeter:
    """What is done of a job, on stderr; as a context, for as long as the job lasts.

    On a terminal a bar says it. Elsewhere the log gets a line per minute, and none for what is done sooner.
    """

    def __init__(
        self, what: str, total: int | None = None, unit: str = "sentences", *, work: float | None = None, done: int = 0
    ) -> None:
        """total: how many of `unit` there are; None: unknown. done: how many of them an earlier process has done.

        work: all that `advance` will be told of effort, where some items take longer than others, so that the time
        that is left is estimated from it rather than from their number.
        """
        self._what, self._total, self._unit = what, total, unit
        self._done, self._begun_at = done, done
        self._work, self._effort = work, 0.0
        self._start = self._last_line = monotonic()
        self._note = ""
        # What the bar counts: effort where that is told, and then the items stand behind it.
        counted = {"total": total, "initial": done} if work is None else {"total": work, "bar_format": _BAR}
        self._bar: tqdm[Any] = tqdm(desc=what, unit=f" {unit}", disable=None, **counted)

    def advance(self, count: int = 1, effort: float | None = None) -> None:
        """`count` more are done, which took `effort` of the work."""
        self._done += count
        self._effort += count if effort is None else effort
        if not self._bar.disable:
            counted = "" if self._work is None else self._counted()
            self._bar.set_postfix_str(", ".join(filter(None, [counted, self._note])), refresh=False)
            self._bar.update(count if self._work is None or effort is None else effort)
        elif monotonic() - self._last_line >= SECONDS_PER_LINE:
            self._last_line = monotonic()
            logger.info("%s: %s", self._what, ", ".join(filter(None, [self._counted(), self._left(), self._note])))

    def note(self, text: str) -> None:
        """Say `text`, such as the present loss, beside what is done from now on."""
        self._note = text

    def close(self) -> None:
        """The job is over, or given up."""
        self._bar.close()

    def __enter__(self) -> ProgressMeter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _counted(self) -> str:
        of_all = "" if self._total is None else f" of {self._total:,}"
        return f"{self._done:,}{of_all} {self._unit}"

    def _left(self) -> str:
        """How much longer it will take if it goes on as it has gone, in words; empty where that is unknown."""
        work = self._work if self._work is not None or self._total is None else self._total - self._begun_at
        if work is None or not self._effort:
            return ""
        return f"{_duration((monotonic() - self._start) * max(0.0, work / self._effort - 1))} left"


def progress(items: Iterable[Item], what: str, unit: str = "sentences", total: int | None = None) -> Iterator[Item]:
    """The items, one by one, while a `ProgressMeter` says how many have been dealt with.

    total: their number; by default that of `items`, if it can be had.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with ProgressMeter(what, total, unit) as meter:
        for item in items:
            yield item
            meter.advance()


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
