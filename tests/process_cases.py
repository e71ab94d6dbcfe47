"""Commands that two processes run in tests. A fork server imports this module once, so that a case takes no seconds."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from mt.cli import _outcome
from mt.errors import DataError, Stopped, UserError
from mt.processes import one_run, process_state, run_as_one, wait_for_everyone

TIMEOUT = 1.0
"""Seconds after which a collective gives up."""


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


def _run(case: Callable[[], None], _argv: Sequence[str], _prog: str) -> int:
    process_state()
    dist.distributed_c10d._set_pg_timeout(timedelta(seconds=TIMEOUT))
    case()
    return 0


def _start(case: Callable[[], None], rank: int, port: int, said: Path) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY), 2)
    sys.exit(run_as_one(partial(_outcome, partial(_run, case), [], "train.py")))


def in_two_processes(case: Callable[[], None], directory: Path) -> list[tuple[int | None, str]]:
    """(exit status, what was said on stderr) of the main process and of the other."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = [directory / f"{rank}.txt" for rank in range(2)]
    processes = [context.Process(target=_start, args=(case, rank, port, said[rank])) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(40)
        process.kill()
        process.join()
    return [(process.exitcode, file.read_text()) for process, file in zip(processes, said, strict=True)]
