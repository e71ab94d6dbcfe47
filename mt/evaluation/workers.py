"""Further processes for work on many sentences."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

_MIN_SENTENCES = 2000
"""From so many hypotheses on, starting processes pays."""


class InThisProcess(Executor):
    """Does at once what it is given, and keeps the result like one that does it elsewhere."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` and return its result as a future; what it raises is raised here."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def workers(sentences: int) -> Iterator[Executor]:
    """An executor for work on so many hypotheses: a process a core if they are many, else this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores == 1 or sentences < _MIN_SENTENCES:
        yield InThisProcess()
        return
    # Not forked: torch's threads may hold locks.
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        yield pool
