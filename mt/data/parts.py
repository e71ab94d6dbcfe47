"""Parts of a build on disk: each appears complete or not at all, and is used again after an interruption.

A part is a directory with checksums of its files. It depends on nothing but its inputs, so whoever makes it, in which
order and how often, its bytes are the same.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mt.files import UNFINISHED, find_damage, remove, write_checksums

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def is_finished(part: Path) -> bool:
    """Whether an earlier process has made this part, and its files are as they were written; a damaged one is removed.

    Raises `OSError` if a damaged part cannot be removed.
    """
    if not part.is_dir():
        return False
    damage = find_damage(part)
    if damage is None:
        return True
    logger.warning("%s: this part of the build is damaged (%s); making it again", part, damage)
    remove(part)
    return False


def begin_part(part: Path) -> Path:
    """An empty directory beside `part`, to be filled and given to `end_part`. Raises `OSError`."""
    work = part.with_name(f"{UNFINISHED}{part.name}")
    remove(work)
    work.mkdir(parents=True)
    return work


def end_part(work: Path, part: Path) -> None:
    """List the checksums in the directory of `begin_part` and give it its name. Raises `OSError`.

    A part that is there already is replaced: it comes after a damaged one and has the same content. Nothing is synced
    to the disk, which would take longer than the work: what a power cut damages is found by the checksums and made
    again.
    """
    write_checksums(work)
    remove(part)
    work.rename(part)


def make_part(part: Path, make: Callable[[Path], None]) -> bool:
    """Have `make` fill the directory, unless that was done before; returns whether it was. Raises `OSError`."""
    if is_finished(part):
        return True
    work = begin_part(part)
    make(work)
    end_part(work, part)
    return False


def make_parts(parts: Iterable[tuple[Path, Callable[[Path], None]]], threads: int, what: str) -> None:
    """`make_part` for several; the log says how many were taken from an interrupted build.

    what: the parts in words, such as "partitions of the search". Raises `OSError`.
    """
    before = list(in_order(lambda each: make_part(*each), parts, threads))
    if any(before):
        logger.info("%d of %d %s were finished before and are used again", sum(before), len(before), what)


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """The results of `function` in the order of `items`, computed by threads, few of them ahead of time.

    Threads are enough where the work is numpy's: its sorting and arithmetic run in parallel.
    """
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
