"""Rank, barriers, common exit and FSDP helpers for several processes; with one process all of them do nothing."""

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
"""Seconds between two checks whether the other processes have arrived or ended."""
_PATIENCE = 15.0
"""Seconds within which a process must end after another one has ended or failed."""

_BROKEN_COLLECTIVE = re.compile(r"gloo|NCCL|Connection (?:closed|reset) by peer|Broken pipe")

_Answer = TypeVar("_Answer")


class OtherFailed(UserError):  # noqa: N818 - the failure is another's
    """Another process failed, with this message, while this one was waiting for it."""


def uses_cpu() -> bool:
    """Whether there is no accelerator to compute on."""
    return not torch.accelerator.is_available()


def process_state() -> PartialState:
    """Rank and world size of this process."""
    # Without `cpu`, processes on a machine without a GPU would each believe to be the only one.
    return PartialState(cpu=uses_cpu())


def is_sharded() -> bool:
    """Whether the launcher asks for FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def wait_for_everyone() -> None:
    """A barrier without a time limit: return when every process has reached it.

    `torch.distributed.barrier` gives up after some minutes (10 with NCCL), so it cannot wait for what one process does
    alone, such as building the data. Raises `OtherFailed` if a process fails instead of reaching the barrier.
    """
    team = current_team()
    if team is not None:
        team.meet()


@contextmanager
def one_run() -> Iterator[None]:
    """A run of all processes, as a context or a decorator: each leaves it when all have finished.

    If one fails, those that wait for it raise `OtherFailed` with its message.
    """
    team = current_team()
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

    command: returns its exit status and a message for stderr. All processes end with the status of the first that
    failed or has a message, and only that one prints its message. Then the process group is destroyed: if that were
    left to the interpreter's exit, threads of the group would use objects that are gone, and the process would abort.
    """
    try:
        status, message = command()
    except Exception as error:
        status, message = 1, _explained(error)
    # When one process fails, the launcher sends SIGTERM to the others, which are about to end by themselves.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    team = current_team() if dist.is_initialized() or status or message else None
    if team is not None:
        status = team.end(status, message)
    elif message:
        print(message, file=sys.stderr, flush=True)
    if dist.is_initialized():
        dist.destroy_process_group()
    return status


def _explained(error: Exception) -> str:
    """The message for an unexpected error: a traceback, unless a collective broke off because a process was killed."""
    if isinstance(error, RuntimeError) and _BROKEN_COLLECTIVE.search(str(error)):
        return (
            "another process of the run ended without a message (killed?); what was done is kept: go on with --resume"
        )
    return traceback.format_exc().rstrip()


@cache
def current_team() -> Team | None:
    """What the processes of this command share; None for a process that is alone."""
    state = process_state()
    return Team(state.process_index, state.num_processes) if state.num_processes > 1 else None


class Team:
    """The state that the processes of a command share: who has reached which barrier, who has failed, who has ended.

    It is kept in a key-value store in the main process. The store's threads are native, so it answers while that
    process is busy with anything, and stops answering at the moment that process dies.

    Keys: `RUN/STAGE` counts the processes that have reached a barrier, `RUN/failed` is the message of the first
    failure in a run, `RUN/count/N` is the sum of a `mt.teamwork.SharedCount`, `end` is "STATUS RANK" of the process
    that ended the command for all, `left` counts those that have ended. For example `2/3` is the third barrier of the
    second run of a sweep.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.store = _open_store(is_main=rank == 0)
        self.run = self.stage = self.counts = 0
        self._follows = False
        """Whether this process ends because another one failed, which will print the reason."""
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def begin_run(self) -> None:
        self.run, self.stage, self.counts, self._follows = self.run + 1, 0, 0, False

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

    def add(self, key: str, number: int) -> int:
        """Add to a count; returns the sum over all processes so far."""
        return int(self._ask(lambda: self.store.add(key, number)))

    def fail(self, error: BaseException) -> None:
        message = str(error) or type(error).__name__
        self._ask(lambda: self.store.compare_set(f"{self.run}/failed", "", message))

    def end(self, status: int, message: str) -> int:
        """Print `message`, unless another process has printed its own, and end; returns the exit status for all."""
        self._is_over.set()
        self._watcher.join()
        if status or message:
            status = self._print_once(status, message)
        self._leave()
        return status

    def _print_once(self, status: int, message: str) -> int:
        """Print `message` if no process has printed one yet; returns the status of the one that has."""
        deadline = time.monotonic() + _PATIENCE
        while self._follows and time.monotonic() < deadline and not self._has_ended():
            time.sleep(_POLL)
        mine = f"{status} {self.rank}"
        first = self._ask(lambda: self.store.compare_set("end", "", mine)).decode()
        if first == mine:
            print(message, file=sys.stderr, flush=True)
        return int(first.split()[0])

    def _leave(self) -> None:
        """End the connection. The main process waits for the others, because the store ends with it."""
        deadline = time.monotonic() + _PATIENCE
        try:
            left = self.store.add("left", 1)
            while self.rank == 0 and left < self.size and time.monotonic() < deadline:
                time.sleep(0.05)
                left = self.store.add("left", 0)
        except dist.DistError:
            return

    def _watch(self) -> None:
        """Run in a thread: end this process when another has ended, even if it waits in a collective for that one."""
        failed_for = 0.0
        while not self._is_over.wait(_POLL):
            failed_for = failed_for + _POLL if self._has_failed() else 0.0
            if self._has_ended():
                self._quit(int(self.store.get("end").split()[0]))
            elif failed_for > _PATIENCE:
                self._quit(self._print_once(1, "one process has failed, and the others cannot go on without it"))

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
                print("the main process has died, so the others end, too", file=sys.stderr, flush=True)
            os._exit(1)


def _open_store(*, is_main: bool) -> TCPStore:
    host = os.environ.get("MASTER_ADDR", "127.0.0.1")
    server = TCPStore(host, 0, is_master=True, wait_for_workers=False) if is_main else None
    port = [server.port if server else 0]
    broadcast_object_list(port)
    return server or TCPStore(host, port[0], is_master=False)


def prepare_for_sharding(model: Any) -> None:
    """Prepare a model for FSDP: one module per embedding matrix, and the names of its layer classes.

    Loaded models have three embedding modules with one tied weight: shared, encoder's and decoder's. FSDP shards by
    module, and would untie them (torch 2.11) or refuse them (torch 2.13), so all three become the same module. FSDP
    gathers one layer at a time if `_no_split_modules` names the layers' classes; Marian's list is empty, and the whole
    model would be gathered at once.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    first: dict[tuple[int, type], nn.Module] = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, nn.Embedding):
                setattr(parent, name, first.setdefault((id(child.weight), type(child)), child))
    layers = (layer for layer in model.modules() if isinstance(layer, GradientCheckpointingLayer))
    model._no_split_modules = sorted({type(layer).__name__ for layer in layers})


@contextmanager
def whole_weights(model: nn.Module) -> Iterator[None]:
    """Gather a sharded model once, so that each process can call it as often as it needs to; a context.

    A sharded model gathers its weights in every call, and every process must take part: processes that translate
    different numbers of batches would wait for each other forever.

    On leaving, the model is sharded as before: each part reshards after its forward pass if it did so before, and
    FSDP's record of an unfinished forward pass is cleared. FSDP believes that a pass is unfinished if modules that
    share a weight were called a different number of times, as `generate` does (encoder once, decoder per token), and
    would then not gather that weight in the next pass.
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
    # torch 2.11 has at most one group, in another attribute.
    groups = state._fsdp_param_groups if hasattr(state, "_fsdp_param_groups") else [state._fsdp_param_group]
    return [group for group in groups if group is not None]


def _end_forward(part: FSDPModule) -> None:
    state: Any = part._get_fsdp_state()
    state._modules_to_run_forward.clear()
    state._state_ctx.iter_forward_root = None
    for holder in (state, *_parameter_groups(part)):
        holder._training_state = TrainingState.IDLE
