"""Worker processes for work on many sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from mt.cores import usable_cores

_MIN_SENTENCES = 2000
"""With fewer hypotheses, starting processes costs more time than it saves."""


class InThisProcess(Executor):
    """An executor without other processes: it runs each task at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` and return its result as a future; an exception is raised here."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def workers(sentences: int) -> Iterator[Executor]:
    """An executor for work on this many hypotheses: one process per core if there are many, otherwise this process."""
    cores = usable_cores()
    if cores == 1 or sentences < _MIN_SENTENCES:
        yield InThisProcess()
        return
    # Not forked, because torch's threads may hold locks.
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        yield pool
