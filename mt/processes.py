"""Several processes as one: barriers without a time limit, one end for all of them, and FSDP's weights made whole.

With one process everything here does nothing.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch import nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.distributed.fsdp import FSDPModule
from torch.distributed.fsdp._fully_shard._fsdp_common import TrainingState

from mt.errors import UserError

_POLL = 0.5
"""Seconds between two questions whether the others are here, or have ended."""
_PATIENCE = 15.0
"""Seconds that a process has to follow the others: to leave after them, or to fail with one that has failed."""

_BROKEN_COLLECTIVE = re.compile(r"gloo|NCCL|Connection (?:closed|reset) by peer|Broken pipe")

_Answer = TypeVar("_Answer")


class OtherFailed(UserError):  # noqa: N818 - the failure is another's
    """Another process failed, with this message, while this one was waiting for it."""


def uses_cpu() -> bool:
    """Whether there is no accelerator to compute on."""
    return not torch.accelerator.is_available()


def process_state() -> PartialState:
    """Rank and world size. Without an accelerator, processes must be told to use gloo or they run side by side."""
    return PartialState(cpu=uses_cpu())


def is_sharded() -> bool:
    """Whether the launcher asks for FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def wait_for_everyone() -> None:
    """Return once every process has come here, however long that takes.

    A collective gives up after minutes (NCCL's after 10), so nothing that one process does alone may be waited for
    in one. Raises `OtherFailed` if a process leaves the run instead of coming.
    """
    team = _team()
    if team is not None:
        team.meet()


@contextmanager
def one_run() -> Iterator[None]:
    """One run of all processes, as a context or a decorator: nobody leaves before all have finished.

    If one fails, those that wait for it fail with its message.
    """
    team = _team()
    if team is None:
        yield
        return
    team.begin_run()
    try:
        yield
        team.meet()
    except BaseException as error:
        team.fail(error)
        raise


def run_as_one(command: Callable[[], tuple[int, str]]) -> int:
    """Run a command in this process, one of several, and return the exit status of all of them.

    command: returns its exit status and what to say on stderr. All processes end with the first status that is not
    plain success; only the process that had it speaks. Then the process group is destroyed: left to the
    interpreter's exit, its threads outlive what they use, and the process aborts.
    """
    try:
        status, message = command()
    except Exception as error:
        status, message = 1, _explained(error)
    # A launcher sends it to the other processes as soon as one has failed, and they are about to end by themselves.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    team = _team() if dist.is_initialized() or status or message else None
    if team is not None:
        status = team.end(status, message)
    elif message:
        print(message, file=sys.stderr, flush=True)
    if dist.is_initialized():
        dist.destroy_process_group()
    return status


def _explained(error: Exception) -> str:
    """What to say of an error that nobody expected; a collective that breaks off has one cause, and is no bug."""
    if isinstance(error, RuntimeError) and _BROKEN_COLLECTIVE.search(str(error)):
        return (
            "another process of the run has ended without a word (killed?); what was done is kept: go on with --resume"
        )
    return traceback.format_exc().rstrip()


@cache
def _team() -> _Team | None:
    state = process_state()
    return _Team(state.process_index, state.num_processes) if state.num_processes > 1 else None


class _Team:
    """What the processes of a command know of each other.

    It is kept in a store that the main process serves, from threads that need no interpreter: it answers as long as
    that process lives, whatever that is doing, and not a moment longer.

    `RUN/STAGE` counts the processes that have come so far; `RUN/failed` is the message of the first that failed in a
    run; `end` is `STATUS RANK` of the one that ended the command for all; `left` counts those that are gone.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.store = _open_store(is_main=rank == 0)
        self.run = self.stage = 0
        self._follows = False
        """Whether this process ends because of another, which will say why."""
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def begin_run(self) -> None:
        self.run, self.stage, self._follows = self.run + 1, 0, False

    def meet(self) -> None:
        self.stage += 1
        stage, pause = f"{self.run}/{self.stage}", 0.01
        self._ask(lambda: self.store.add(stage, 1))
        while self._ask(lambda: self.store.add(stage, 0)) < self.size:
            if self._has_failed():
                self._follows = True
                raise OtherFailed(self.store.get(f"{self.run}/failed").decode())
            time.sleep(pause)
            pause = min(2 * pause, _POLL)

    def fail(self, error: BaseException) -> None:
        message = str(error) or type(error).__name__
        self._ask(lambda: self.store.compare_set(f"{self.run}/failed", "", message))

    def end(self, status: int, message: str) -> int:
        """Say `message`, unless another process has spoken for all, and leave; returns the exit status of all."""
        self._is_over.set()
        self._watcher.join()
        if status or message:
            status = self._speak(status, message)
        self._leave()
        return status

    def _speak(self, status: int, message: str) -> int:
        deadline = time.monotonic() + _PATIENCE
        while self._follows and time.monotonic() < deadline and not self._has_ended():
            time.sleep(_POLL)
        mine = f"{status} {self.rank}"
        first = self._ask(lambda: self.store.compare_set("end", "", mine)).decode()
        if first == mine:
            print(message, file=sys.stderr, flush=True)
        return int(first.split()[0])

    def _leave(self) -> None:
        """The main process goes last: the store goes with it."""
        deadline = time.monotonic() + _PATIENCE
        try:
            left = self.store.add("left", 1)
            while self.rank == 0 and left < self.size and time.monotonic() < deadline:
                time.sleep(0.05)
                left = self.store.add("left", 0)
        except dist.DistError:
            return

    def _watch(self) -> None:
        """End this process with the others, wherever it is: it may be in a collective that nobody else will join."""
        failed_for = 0.0
        while not self._is_over.wait(_POLL):
            failed_for = failed_for + _POLL if self._has_failed() else 0.0
            if self._has_ended():
                self._quit(int(self.store.get("end").split()[0]))
            elif failed_for > _PATIENCE:
                self._quit(self._speak(1, "a process has failed alone, and the others cannot go on without it"))

    def _quit(self, status: int) -> NoReturn:
        self._leave()
        sys.stdout.flush()
        os._exit(status)

    def _has_failed(self) -> bool:
        return bool(self._ask(lambda: self.store.check([f"{self.run}/failed"])))

    def _has_ended(self) -> bool:
        return bool(self._ask(lambda: self.store.check(["end"])))

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        try:
            return question()
        except dist.DistError:
            if self.rank == 1:
                print("the main process is gone, and the others end with it", file=sys.stderr, flush=True)
            os._exit(1)


def _open_store(*, is_main: bool) -> TCPStore:
    host = os.environ.get("MASTER_ADDR", "127.0.0.1")
    server = TCPStore(host, 0, is_master=True, wait_for_workers=False) if is_main else None
    port = [server.port if server else 0]
    broadcast_object_list(port)
    return server or TCPStore(host, port[0], is_master=False)


def prepare_for_sharding(model: Any) -> None:
    """Give FSDP what it goes by: one module for each embedding matrix, and the names of the model's layers.

    Loaded models have an embedding module each for the encoder, the decoder and both, whose weights are tied. FSDP
    shards by module: it would make parameters of their own of them (torch 2.11) or refuse them (torch 2.13). Marian
    names no layers, and would be gathered as a whole.
    """
    first: dict[tuple[int, type], nn.Module] = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, nn.Embedding):
                setattr(parent, name, first.setdefault((id(child.weight), type(child)), child))
    halves = (model.get_encoder(), model.get_decoder())
    model._no_split_modules = sorted({type(layer).__name__ for half in halves for layer in half.layers})


@contextmanager
def whole_weights(model: nn.Module) -> Iterator[None]:
    """Gather a model that FSDP has sharded, once, so that processes may call it as often as each needs to.

    Afterwards it is sharded as before, for a next update: with the resharding that each part had, and with no
    forward pass begun. One is begun, for FSDP, when of the modules that share a weight not all have been called
    equally often, as in generating; in the next pass it would not gather that weight.
    """
    parts = [module for module in model.modules() if isinstance(module, FSDPModule)]
    groups = [group for part in parts for group in _parameter_groups(part)]
    before = [group.post_forward_mesh_info for group in groups]
    for group in groups:
        group.post_forward_mesh_info = None
    for part in parts:
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            _end_forward(part)
            part.reshard()
        for group, mesh in zip(groups, before, strict=True):
            group.post_forward_mesh_info = mesh


def _parameter_groups(part: FSDPModule) -> list[Any]:
    state = part._get_fsdp_state()
    # torch 2.11 has one at most, under another name.
    groups = state._fsdp_param_groups if hasattr(state, "_fsdp_param_groups") else [state._fsdp_param_group]
    return [group for group in groups if group is not None]


def _end_forward(part: FSDPModule) -> None:
    state: Any = part._get_fsdp_state()
    state._modules_to_run_forward.clear()
    state._state_ctx.iter_forward_root = None
    for holder in (state, *_parameter_groups(part)):
        holder._training_state = TrainingState.IDLE
