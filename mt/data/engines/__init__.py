"""Where a build is made: on this machine, or by Ray on this one or on a cluster (`data.engine`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mt.config import DataConfig
from mt.data.engines.engine import Engine
from mt.data.engines.local import Local


@contextmanager
def open_engine(config: DataConfig, work: Path, workers: Callable[[], int]) -> Iterator[Engine]:
    """The engine that `data.engine` names, for as long as the context lasts.

    work: the directory for intermediate files. workers: says how many processes to use on this machine. Raises
    `ConfigError` if Ray is not installed, `DataError` for a cluster that cannot be used.
    """
    if config.engine == "local":
        yield Local(workers())
        return
    from mt.data.engines.ray_engine import open_ray

    with open_ray(work, config.workers) as engine:
        yield engine
