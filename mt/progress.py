"""Progress of long jobs: a bar on a terminal, a line per minute in a log."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sized
from time import monotonic
from types import TracebackType
from typing import Any, Protocol, TypeVar

from tqdm import tqdm

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

SECONDS_PER_LINE = 60
_BAR = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]"


class Meter(Protocol):
    """What is told how much of a job is done."""

    def advance(self, count: int = 1, effort: float | None = None) -> None:
        """`count` more are done, which took `effort` of the work."""


class ProgressMeter:
    """Shows on stderr how much of a job is done; a context that lasts as long as the job.

    On a terminal it is a bar. Elsewhere the log gets a line per minute, and none for a job that takes less.
    """

    def __init__(
        self, what: str, total: int | None = None, unit: str = "sentences", *, work: float | None = None, done: int = 0
    ) -> None:
        """total: the number of `unit` in all; None: unknown. done: how many of them an earlier process has done.

        work: the sum of all `effort` that `advance` will get, if some items take longer than others; the time left is
        then estimated from the effort, not the number of items. Sentences are the items and tokens the effort, if the
        longest come first.
        """
        self._what, self._total, self._unit = what, total, unit
        self._done, self._begun_at = done, done
        self._work, self._effort = work, 0.0
        self._start = self._last_line = monotonic()
        self._note = ""
        # The bar measures effort if there is any; the number of items is then shown beside it.
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
        """From now on show `text`, such as the current loss, beside the numbers."""
        self._note = text

    def close(self) -> None:
        """End the bar; the job is finished or was given up."""
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
        """The time left at the speed so far, in words; empty if that is unknown."""
        work = self._work if self._work is not None or self._total is None else self._total - self._begun_at
        if work is None or not self._effort:
            return ""
        return f"{_duration((monotonic() - self._start) * max(0.0, work / self._effort - 1))} left"


def progress(items: Iterable[Item], what: str, unit: str = "sentences", total: int | None = None) -> Iterator[Item]:
    """The items, one by one, while a `ProgressMeter` shows how many are done.

    total: their number; by default the length of `items`, if it has one.
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
