"""Several processes: when one of them fails, all end soon, and with one sentence; the next run goes on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from faults.box import Box, Judged, must, succeeded
from faults.command import Outcome
from faults.moments import sending, when_changing
from faults.registry import fault
from faults.same import ends_the_same, go_on

_ROOT = Path(__file__).parent.parent
_SECONDS = 75.0


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def train_in_two(box: Box, *options: str, at: str | None = None, send: int = 0, to_main: bool = False) -> list[Outcome]:
    """Train in two processes, as a scheduler starts them; when the main one comes to a moment, one gets a signal.

    Returns how the main process and the other ended.
    """
    port = free_port()
    runs: list[Judged] = []
    for rank in (1, 0):
        variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
        environment = {name: str(value) for name, value in variables.items()} | {"MASTER_ADDR": "127.0.0.1"}
        hooks = []
        if rank == 0 and at is not None:
            act = sending(send) if to_main else partial(os.kill, runs[0].pid, send)
            hooks = [when_changing(at, act)]
        running = box.start_train(*options, hooks=hooks, variables=environment, limit=_SECONDS)
        running.judges_files = False
        running.judges_end = at is not None and rank == 0 and not to_main
        if send == signal.SIGTERM:
            running.expect_signal()
        runs.append(running)
    return [running.wait() for running in reversed(runs)]


@fault({"at the data": r"dataset_dict\.json", "at a checkpoint": r"checkpoint-4$", "at its scores": r"scores\.json"})
def main_process_is_killed(box: Box, pattern: str) -> None:
    """The other notices and ends; the run goes on in one process."""
    main, other = train_in_two(box, at=pattern, send=signal.SIGKILL, to_main=True)
    must(main.status == -signal.SIGKILL, "the signal was not sent")
    must(not other.hung, "the other process waits for ever")
    must("Traceback" not in other.stderr, f"the other process: {other.sentences[-1:]}")
    go_on(box)


@fault(
    {"before the first update": r"metrics\.jsonl", "at a checkpoint": r"checkpoint-4$", "at the end": r"finetuned\.txt"}
)
def other_process_is_killed(box: Box, pattern: str) -> None:
    main, _ = train_in_two(box, at=pattern, send=signal.SIGKILL)
    must(main.status in (0, 1), f"exit status {main.status} of the main process")
    go_on(box)


@fault({"no such model": ("--model.name", "./none"), "no such corpus": ("--data.corpora.news.path", "none.tsv")})
def mistake_in_two_processes(box: Box, options: tuple[str, str]) -> None:
    """Both find it; one of them says it."""
    outcomes = train_in_two(box, *options)
    must([outcome.status for outcome in outcomes] == [1, 1], f"exit statuses {[o.status for o in outcomes]}")
    said = [sentence for outcome in outcomes for sentence in outcome.sentences]
    must(len(said) == 1, f"{len(said)} sentences instead of one: {said}")


@fault({"the output directory is taken": "taken", "the disk of the data is full": "full"})
def mistake_that_the_main_process_alone_finds(box: Box, what: str) -> None:
    if what == "taken":
        box.put("finished")
    else:
        box.mount(box.out, "-t", "tmpfs", "-o", "size=16k", "tmpfs")
    outcomes = train_in_two(box)
    must(not any(outcome.hung for outcome in outcomes), "a process waits for ever")
    must([outcome.status for outcome in outcomes] == [1, 1], f"exit statuses {[o.status for o in outcomes]}")
    must("Traceback" not in outcomes[1].stderr, f"the other process: {outcomes[1].sentences[-1:]}")


@fault()
def sigterm_to_one_of_two(box: Box) -> None:
    """Both stop after the same update, and the run goes on in two."""
    main, other = train_in_two(box, at=r"checkpoint-2$", send=signal.SIGTERM)
    must((main.status, other.status) == (0, 0), f"exit statuses {main.status} and {other.status}")
    for outcome in train_in_two(box, "--resume"):
        succeeded(outcome)


@fault()
def torchrun_ends_when_one_is_killed(box: Box) -> None:
    """Under the launcher, in processes of their own: it ends, and nothing hangs."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [str(_ROOT / "train.py"), "small.yaml", "--output_dir", "out", "--training.max_updates", "400"]
    environment = os.environ | {"XDG_CACHE_HOME": str(box.cache), "PYTHONPATH": str(_ROOT)}
    with (box.root / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=box.work, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(box.out / "metrics.jsonl")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
        os.kill(int(children[-1]), signal.SIGKILL)
        must(process.wait(_SECONDS) != 0, "the launcher says that all is well")
    finally:
        with_group = os.getpgid(process.pid) if process.poll() is None else None
        if with_group is not None:
            os.killpg(with_group, signal.SIGKILL)
    shutil.rmtree(box.out)
    succeeded(box.train())
    ends_the_same(box)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while not path.is_file():
        must(time.monotonic() < deadline, f"{path.name} has not come")
        time.sleep(0.05)
