"""The engine that needs nothing: processes of this machine for text, threads for arrays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from mt.data.engines.engine import Item, Result, Shared
from mt.data.inputs import Inputs
from mt.data.preparing import Prepared, prepare_all
from mt.progress import progress

# Each takes up to a third of a gibibyte, and few can be busy at once: they wait for each other in Python.
_MOST_THREADS = 4


class Local:
    """An `Engine` on this machine."""

    def __init__(self, workers: int) -> None:
        """workers: processes to clean with, and threads up to four."""
        self._workers, self._threads = workers, min(workers, _MOST_THREADS)

    def prepared(self, inputs: Inputs, skipped: int) -> Iterator[Prepared]:
        """Read here and clean in several processes."""
        pairs = progress(islice(inputs.pairs(), skipped, None), "reading and cleaning", "pairs")
        return prepare_all(pairs, inputs.preparation, self._workers)

    def in_order(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[Result]:
        """By threads, which are enough where the work is numpy's: its sorting and arithmetic run in parallel."""
        if self._threads == 1:
            yield from (function(shared, item) for item in items)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            waiting: deque[Future[Result]] = deque()
            try:
                for item in items:
                    waiting.append(pool.submit(function, shared, item))
                    if len(waiting) > self._threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)
