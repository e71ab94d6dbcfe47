"""A Ray cluster to work on: found by RAY_ADDRESS or started on this machine, and looked at before it gets work."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from mt.cores import usable_cores
from mt.data.engines.ray_nodes import LIBRARIES, Facts, Place, code_hash, fault_of_files, fault_of_node
from mt.errors import ConfigError, DataError
from mt.wording import counted

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[2]
_SECONDS_TO_CONNECT = 5
_SECONDS_TO_ANSWER = 60
_REMEDY = "start Ray there, correct RAY_ADDRESS, or unset it to use Ray on this machine alone"


@contextmanager
def connected(workers: int | None) -> Iterator[Any]:
    """The module `ray`, connected to a cluster for as long as the context lasts.

    RAY_ADDRESS names the cluster; without it, Ray is started on this machine, with `workers` CPUs, by default one per
    core, and ended after that. Raises `ConfigError` if that cannot be.
    """
    if find_spec("ray") is None:
        raise ConfigError("data.engine ray needs the extra `ray`: pip install 'mt-conflict-news[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray would tell that a coming version treats GPUs otherwise; none are used here.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    address = _address()
    options: dict[str, Any] = {"address": address or "local"}
    if address is None:
        options |= {"num_cpus": workers or usable_cores(), "include_dashboard": False}
    # The code of this process, in place of what the nodes have installed.
    options["runtime_env"] = {"py_modules": [str(_PACKAGE)], "excludes": ["__pycache__"]}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _init(ray, address, options)
        if handler is not None and signal.getsignal(signal.SIGTERM) is not handler:
            signal.signal(signal.SIGTERM, handler)
        cpus = int(ray.cluster_resources().get("CPU", 0))
        where = f"the cluster at {address}" if address else "this machine alone, because RAY_ADDRESS is not set"
        logger.info("Ray: %s on %s", counted(cpus, "CPU"), where)
        yield ray
    finally:
        ray.shutdown(wait_for_processes=True)


def _address() -> str | None:
    """What RAY_ADDRESS says, if something answers there; None if it is not set. Raises `ConfigError`."""
    address = os.environ.get("RAY_ADDRESS", "").strip()
    if address in ("", "local"):
        return None
    if address == "auto":
        return address
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise ConfigError(
            f"RAY_ADDRESS is `{address}`, and data.engine ray needs HOST:PORT of the cluster, or auto on one of its "
            "machines; run the command on a machine of the cluster"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"RAY_ADDRESS is `{address}`, and nothing answers there ({error}); {_REMEDY}") from error
    return address


def _init(ray: Any, address: str | None, options: dict[str, Any]) -> None:
    """Connect. Raises `ConfigError` for another version of Python or Ray, and for what is no cluster."""
    try:
        ray.init(**options, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = "; ".join(lines[:6])
        if "ersion mismatch" in reason:
            ours = f"Ray {ray.__version__} on Python {sys.version.split()[0]}"
            raise ConfigError(
                f"RAY_ADDRESS: the cluster has other versions than this process with {ours} ({reason}); install the "
                "same on all machines"
            ) from error
        if address is None:
            raise ConfigError(f"data.engine ray: Ray cannot be started on this machine ({reason})") from error
        raise ConfigError(
            f"data.engine ray: the cluster at {address} cannot be joined ({reason}); {_REMEDY}; if it wants a token, "
            "set RAY_AUTH_MODE=token, too"
        ) from error


def check_nodes(ray: Any, work: Path) -> None:
    """Raise `DataError` unless every node has the libraries of this process and sees the directory `work`."""
    token = uuid4().hex
    file = work / f"nodes-{token}"
    file.write_text(token, encoding="utf-8")
    try:
        libraries = {name: version(name) for name in LIBRARIES}
        facts = Facts(sys.version.split()[0], libraries, code_hash(), str(file.absolute()), token)
        _ask(ray, fault_of_node, facts)
    finally:
        file.unlink(missing_ok=True)


def check_files(ray: Any, files: Sequence[Path]) -> None:
    """Raise `DataError` unless every node has these files, of the size that they have here."""
    _ask(ray, fault_of_files, [(str(file), file.stat().st_size) for file in files])


def _ask(ray: Any, find_fault: Callable[[Place, Any], str | None], question: Any) -> None:
    """Raise `DataError` with the first fault that a node finds on itself."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    if not ray.cluster_resources().get("CPU"):
        raise unusable("the cluster has no node with a CPU; start one first")
    asked = ray.put(question)
    task = ray.remote(num_cpus=0, max_retries=3)(find_fault)
    place = Place.here()
    answers = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(place, asked): address
        for node, address in nodes.items()
    }
    ready, late = ray.wait(list(answers), num_returns=len(answers), timeout=_SECONDS_TO_ANSWER)
    for answer in ready:
        try:
            fault = ray.get(answer)
        except ray.exceptions.RayError as error:
            fault = f"cannot run the code of this process ({last_line(error)}); install the same environment there"
        if fault is not None:
            raise unusable(f"node {answers[answer]} {fault}")
    if late:
        raise unusable(f"node {answers[late[0]]} has not answered for {_SECONDS_TO_ANSWER} seconds; restart Ray there")


def last_line(error: BaseException) -> str:
    """What an error of Ray, which may contain the traceback of another process, says at its end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def unusable(what: str) -> DataError:
    """The error for a cluster that cannot be used or has failed; what is finished of the build is kept."""
    error = DataError(f"data.engine ray: {what}")
    error.__cause__ = OSError(errno.EIO, what)
    return error
