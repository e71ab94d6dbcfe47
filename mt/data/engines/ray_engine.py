"""The engine that works by Ray: pairs as Ray Data from files, arrays by tasks, on one machine or on a cluster.

What Ray loses with a process or a node it makes again by itself: tasks depend on nothing but their arguments and files.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from mt.data.engines.engine import Item, Result, Shared
from mt.data.engines.ray_cluster import check_files, check_nodes, connected, last_line, unusable
from mt.data.engines.ray_nodes import Place, Task, contents, count_pairs, prepare_chunks, read_tasks, run, table
from mt.data.inputs import Input, Inputs
from mt.data.preparing import Prepared
from mt.data.readers import input_files
from mt.errors import UserError
from mt.languages import LanguagePair
from mt.progress import ProgressMeter

# Smaller files are read together, to be worth a task; a larger one is read by one process.
_BYTES_PER_TASK = 4_000_000
# Ray Data hands a block on when it has this many bytes: each chunk of pairs at once.
_BLOCK_BYTES = 1 << 16
# A partition is sorted in about a third of a gibibyte; nodes get no more tasks than they have memory for.
_MEMORY_PER_TASK = 400 << 20
# After so many processes or nodes have died under the same task, the task is to blame.
_RETRIES = 5


@contextmanager
def open_ray(work: Path, workers: int | None) -> Iterator[RayEngine]:
    """The engine, for as long as the context lasts.

    work: the directory for intermediate files; all nodes must see it. workers: CPUs if Ray is started on this machine.
    Raises `ConfigError` and `DataError` for a cluster that cannot be used.
    """
    with connected(workers) as ray:
        check_nodes(ray, work)
        yield RayEngine(ray)


class RayEngine:
    """An `Engine` on a Ray cluster."""

    def __init__(self, ray: Any) -> None:
        """ray: the module, connected."""
        self._ray, self._place = ray, Place.here()
        self._cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
        memory = int(min(_MEMORY_PER_TASK, _largest(ray, "memory") or _MEMORY_PER_TASK))
        self._run = ray.remote(num_cpus=1, memory=memory, max_retries=_RETRIES)(run)

    def prepared(self, inputs: Inputs, skipped: int) -> Iterator[Prepared]:
        """Files are read by some processes and cleaned by all others; the results come in the order of the files."""
        files = inputs.files()
        check_files(self._ray, [path for one in files for path in input_files(one.file.options, inputs.languages)])
        tasks = self._left([Task(group, 0) for group in _grouped(files, inputs.languages)], skipped, inputs.languages)
        with ProgressMeter("reading and cleaning", unit="pairs", done=skipped) as meter:
            for chunk in self._chunks(tasks, inputs) if tasks else ():
                if isinstance(chunk, UserError):
                    raise chunk
                yield chunk
                meter.advance(chunk.read.total())

    def _left(self, tasks: list[Task], skipped: int, languages: LanguagePair) -> list[Task]:
        """The tasks without the first `skipped` pairs, for which files are read, but not cleaned, again."""
        done = 0
        counts = self.in_order(count_pairs, languages, [task.inputs for task in tasks]) if skipped else iter(())
        for number, count in enumerate(counts):
            if done + count > skipped:
                return [tasks[number]._replace(skipped=skipped - done), *tasks[number + 1 :]]
            done += count
        return [] if skipped else tasks

    def _chunks(self, tasks: list[Task], inputs: Inputs) -> Iterator[Prepared | UserError]:
        """What the nodes make of the files, in order."""
        import ray.data

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        context.target_max_block_size = _BLOCK_BYTES
        # Readers count as no CPU: if they held all of them, nobody could clean what they wait to hand on.
        readers = ray.data.TaskPoolStrategy(size=min(len(tasks), max(2, self._cpus // 4)))
        rows = ray.data.from_arrow([table([task]) for task in tasks])
        one: dict[str, Any] = {"batch_size": 1, "batch_format": "pyarrow"}
        read = partial(read_tasks, place=self._place, languages=inputs.languages)
        raw = rows.map_batches(read, num_cpus=0, compute=readers, **one)
        made = raw.map_batches(partial(prepare_chunks, preparation=inputs.preparation), num_cpus=1, **one)
        try:
            for batch in made.iter_batches(batch_size=None, batch_format="pyarrow"):
                yield from contents(batch)
        except self._ray.exceptions.RayError as error:
            self._give_up(error)

    def in_order(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[Result]:
        """Each item is a task, on whichever node has a free CPU and the memory."""
        kept = self._ray.put(shared)
        waiting: deque[Any] = deque()
        try:
            for item in items:
                waiting.append(self._run.remote(self._place, function, kept, item))
                if len(waiting) > 2 * self._cpus:
                    yield self._get(waiting.popleft())
            while waiting:
                yield self._get(waiting.popleft())
        finally:
            for task in waiting:
                self._ray.cancel(task)

    def _get(self, task: Any) -> Any:
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> NoReturn:
        """Raise what a function raised on a node or, if the cluster has failed, `DataError`."""
        cause = getattr(error, "cause", None)
        if isinstance(cause, (UserError, OSError)):
            raise cause from error
        if isinstance(cause, Exception) and not isinstance(cause, self._ray.exceptions.RayError):
            raise error
        # Not from `error`: it has a cause of its own, by which what is finished is kept.
        raise unusable(
            f"the cluster has failed ({type(error).__name__}: {last_line(error)}); what is finished is kept: start the "
            "same command again"
        )


def _grouped(files: Iterable[Input], languages: LanguagePair) -> Iterator[list[Input]]:
    """The files in order, small ones together."""
    group: list[Input] = []
    size = 0
    for one in files:
        group.append(one)
        size += sum(path.stat().st_size for path in input_files(one.file.options, languages))
        if size >= _BYTES_PER_TASK:
            yield group
            group, size = [], 0
    if group:
        yield group


def _largest(ray: Any, resource: str) -> float:
    """The most that any node has of a resource; 0 if that is unknown."""
    return max((node["Resources"].get(resource, 0) for node in ray.nodes() if node["Alive"]), default=0)
