"""Parts of a build on disk: each appears complete or not at all, and is used again after an interruption.

A part is a directory with checksums of its files. It depends on nothing but its inputs, so whoever makes it, in which
order and how often, its bytes are the same.
"""

from __future__ import annotations

import errno
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mt.data.engines.engine import Engine, Item, Shared
from mt.files import UNFINISHED, find_damage, remove, write_checksums

logger = logging.getLogger(__name__)

# Network file systems remember for up to a minute that a directory was not there.
_SECONDS_UNTIL_SEEN = 120


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
    """An empty directory beside `part`, to be filled and given to `end_part`. Raises `OSError`.

    Nobody else fills it: a machine that was given up may be at work still on the same part.
    """
    work = part.with_name(f"{UNFINISHED}{secrets.token_hex(6)}-{part.name}")
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
    try:
        work.rename(part)
    except OSError:
        if not is_finished(part):
            raise
        # A machine that was given up has made it in this moment.
        remove(work)


def sweep(directory: Path) -> None:
    """Remove what killed processes have left of parts anywhere in `directory`."""
    for leftover in list(directory.rglob(f"{UNFINISHED}*")):
        shutil.rmtree(leftover, ignore_errors=True)


def make_part(part: Path, make: Callable[[Path], None]) -> bool:
    """Have `make` fill the directory, unless that was done before; returns whether it was. Raises `OSError`."""
    if is_finished(part):
        return True
    work = begin_part(part)
    try:
        make(work)
    except BaseException:
        remove(work)
        raise
    end_part(work, part)
    return False


def make_parts(
    make: Callable[[Shared, Item, Path], None],
    shared: Shared,
    parts: Sequence[tuple[Path, Item]],
    engine: Engine,
    what: str,
) -> None:
    """`make_part` for several by an engine; the log says how many were taken from an interrupted build.

    make: a function of a module. what: the parts in words, such as "partitions of the search". Raises `OSError`.
    """
    before = list(engine.in_order(partial(_make_one, make), shared, parts))
    for part, _ in parts:
        _wait_for(part)
    if any(before):
        logger.info("%d of %d %s were finished before and are used again", sum(before), len(before), what)


def _make_one(make: Callable[[Shared, Item, Path], None], shared: Shared, one: tuple[Path, Item]) -> bool:
    part, item = one
    return make_part(part, partial(make, shared, item))


def _wait_for(part: Path) -> None:
    """Wait until a part is seen here that may have been made on another machine. Raises `OSError`."""
    end = time.monotonic() + _SECONDS_UNTIL_SEEN
    while not part.is_dir():
        if time.monotonic() > end:
            raise OSError(errno.ENOENT, f"{part}, made on another machine, is not seen on this one")
        # A look at the list of names makes a network file system ask again.
        list(part.parent.iterdir())
        time.sleep(0.5)
