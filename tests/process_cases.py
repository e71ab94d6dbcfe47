"""Commands that several processes run in tests.

A fork server imports this module once, and with it the libraries, on which each process would spend seconds.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import DistributedType

from mt import cli
from mt.commands import evaluate, train
from mt.errors import DataError, Stopped, UserError
from mt.experiment import run as experiment
from mt.experiment import splits
from mt.processes import one_run, process_state, run_as_one, wait_for_everyone
from mt.systems import sharing
from mt.teamwork import SharedCount, from_main
from mt.training import dev_evaluation

TIMEOUT = 1.0
"""Seconds after which a collective gives up."""
TIMEOUT_SECONDS = 400
"""Seconds after which processes that hang are killed; far above what they take on a busy machine."""


@one_run()
def slow_main() -> None:
    """The main process works for longer than a collective waits, before and after the others are done."""
    for _ in range(2):
        if process_state().is_main_process:
            time.sleep(1.5 * TIMEOUT)
        wait_for_everyone()
    dist.all_reduce(torch.ones(1))
    if process_state().is_main_process:
        time.sleep(1.5 * TIMEOUT)


@one_run()
def main_fails() -> None:
    if process_state().is_main_process:
        raise DataError("the main process has no data")
    wait_for_everyone()


@one_run()
def main_has_a_bug() -> None:
    if process_state().is_main_process:
        raise ZeroDivisionError("division by zero")
    wait_for_everyone()


@one_run()
def other_fails() -> None:
    """While the main process is in a collective."""
    if process_state().is_main_process:
        dist.all_reduce(torch.ones(1))
    time.sleep(0.3)
    raise DataError("the other process has no data")


@one_run()
def all_fail() -> None:
    wait_for_everyone()
    raise DataError("nobody has data")


@one_run()
def other_is_stopped() -> None:
    if not process_state().is_main_process:
        raise Stopped("stopped by a signal")
    wait_for_everyone()


@one_run()
def main_is_killed() -> None:
    wait_for_everyone()
    if process_state().is_main_process:
        os.kill(os.getpid(), signal.SIGKILL)
    wait_for_everyone()


def second_try() -> None:
    """As in a sweep, whose first run fails on its values."""
    with pytest.raises(UserError, match="the main process has no data"):
        main_fails()
    slow_main()


def train_slowly(argv: Sequence[str], prog: str) -> int:
    """`train.py`, whose main process takes longer for all that it does alone than a collective waits."""
    for module, name in ((splits, "take_data"), (experiment, "translate_base"), (experiment, "score_run")):
        setattr(module, name, _slow(getattr(module, name)))
    process_state()
    dist.distributed_c10d._set_pg_timeout(timedelta(seconds=5 * TIMEOUT))
    return train.run(argv, prog)


def _slow(quick: Callable[..., Any]) -> Callable[..., Any]:
    def slow(*arguments: Any, **options: Any) -> Any:
        if process_state().is_main_process:
            time.sleep(6 * TIMEOUT)
        return quick(*arguments, **options)

    return slow


def train_sharded(argv: Sequence[str], prog: str) -> int:
    """`train.py` under FSDP, which accelerate takes for GPUs only.

    torch has it for processes on a CPU, too: told that these were GPUs, accelerate does all that it does there.
    """
    begin, whole = PartialState.__init__, dev_evaluation.whole_weights

    def begin_with_gpus(self: PartialState, *arguments: Any, **options: Any) -> None:
        is_new = not PartialState._shared_state
        begin(self, *arguments, **options)
        if is_new:
            self.distributed_type = DistributedType.MULTI_GPU

    def reported(model: torch.nn.Module) -> AbstractContextManager[None]:
        print("evaluated:", type(model).__name__, file=sys.stderr)
        return whole(model)

    PartialState.__init__, dev_evaluation.whole_weights = begin_with_gpus, reported
    return train.run(argv, prog)


def evaluate_reporting(argv: Sequence[str], prog: str) -> int:
    """`evaluate.py`, in which each process says on stderr which job it decodes, and how many sentences of it."""
    decode = sharing.translate

    def reported(translator: Any, sources: Sequence[str], decoding: Any, job: str, *rest: Any) -> list[str]:
        print("decoded:", job, len(sources), file=sys.stderr, flush=True)
        return decode(translator, sources, decoding, job, *rest)

    sharing.translate = reported
    return evaluate.run(argv, prog)


@one_run()
def shared_values() -> None:
    """A value of the main process, and a number that both add to."""
    rank = process_state().process_index
    assert from_main(f"of {rank}") == "of 0"
    count = SharedCount()
    count.add(rank + 1)
    wait_for_everyone()
    assert (count.add(0), SharedCount().add(0)) == (3, 0)


def simply(case: Callable[[], None], _argv: Sequence[str], _prog: str) -> int:
    """A case as a command."""
    process_state()
    dist.distributed_c10d._set_pg_timeout(timedelta(seconds=TIMEOUT))
    case()
    return 0


Command = Callable[[Sequence[str], str], int]


def _start(command: Command, argv: Sequence[str], variables: dict[str, str], said: Path) -> None:
    # As a launcher sets it.
    os.environ |= {"OMP_NUM_THREADS": "1"} | variables
    torch.set_num_threads(1)
    os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY), 2)
    sys.exit(run_as_one(partial(cli._outcome, command, argv, "train.py", can_resume=command is train.run)))


def in_processes(
    size: int, command: Command, directory: Path, argv: Sequence[str] = (), **variables: str
) -> list[tuple[int | None, str]]:
    """(exit status, what was said on stderr) of each process, the main one first."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        variables |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    variables |= {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
    said = [directory / f"said-{rank}.txt" for rank in range(size)]
    processes = []
    for rank in range(size):
        own = variables | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        processes.append(context.Process(target=_start, args=(command, argv, own, said[rank])))
        processes[-1].start()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for process in processes:
        process.join(max(0, deadline - time.monotonic()))
        process.kill()
        process.join()
    return [(process.exitcode, file.read_text()) for process, file in zip(processes, said, strict=True)]
