"""One at a time: a directory that one command writes is not written, or taken for whole, by another."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable

from faults.box import Box, Judged, must, refused, succeeded
from faults.command import Outcome
from faults.kills import wait_until_stopped
from faults.moments import sending, when_changing
from faults.registry import fault
from faults.same import ends_the_same, go_on

_MOMENTS = {
    "while it builds data": r"dataset_dict\.json|state\.json",
    "before its first update": r"metrics\.jsonl",
    "at a checkpoint": r"checkpoint-4$",
    "while it saves the model": r"model/.*\.json|unfinished.*model",
    "before its scores": r"scores\.json",
}
_SECONDS: dict[str, Callable[[Box], Outcome]] = {
    "train": lambda box: box.train(),
    "train --resume": lambda box: box.train("--resume"),
    "train --overwrite": lambda box: box.train("--overwrite"),
    "evaluate into it": lambda box: box.evaluate("hypotheses.txt", "--test_set", "news=test.tsv"),
    "data into it": lambda box: box.mt("data", "small.yaml", "--output_dir", "out", writes=["out"]),
}


def train_until(box: Box, pattern: str, *options: str) -> Judged:
    """A run that stands still before a change to files, as if it were slow."""
    running = box.start_train(*options, hooks=[when_changing(pattern, sending(signal.SIGSTOP))])
    wait_until_stopped(running.pid)
    return running


def finish(running: Judged) -> None:
    """Let it go on to its end."""
    running.send(signal.SIGCONT)
    succeeded(running.wait())


@fault({f"{second} {moment}": (second, moment) for second in _SECONDS for moment in _MOMENTS})
def a_second_command(box: Box, case: tuple[str, str]) -> None:
    second, moment = case
    first = train_until(box, _MOMENTS[moment])
    first.judges_files = False
    refused(_SECONDS[second](box))
    finish(first)
    ends_the_same(box)


@fault(["before its first update", "at a checkpoint", "before its scores"])
def a_second_resume(box: Box, moment: str) -> None:
    box.put("half")
    first = train_until(box, _MOMENTS[moment], "--resume")
    first.judges_files = False
    refused(box.train("--resume"))
    finish(first)
    ends_the_same(box)


@fault(["at a checkpoint", "while it saves the model"])
def evaluate_a_run_that_is_not_finished(box: Box, moment: str) -> None:
    first = train_until(box, _MOMENTS[moment])
    first.judges_files = False
    refused(box.evaluate("out", out="compared"), "out")
    finish(first)
    ends_the_same(box)


@fault(["two", "three", "two resumes"])
def started_at_once(box: Box, what: str) -> None:
    """All start together: one does the work, the others say that it does."""
    options = ["--resume"] if what == "two resumes" else []
    if options:
        box.put("half")
    runs = [box.start_train(*options) for _ in range(3 if what == "three" else 2)]
    for run in runs:
        run.judges_files = False
    outcomes = [run.wait() for run in runs]
    statuses = sorted(outcome.status for outcome in outcomes)
    must(statuses == [0, *[1] * (len(runs) - 1)], f"the exit statuses are {statuses}")
    ends_the_same(box)


@fault()
def two_evaluations_at_once(box: Box) -> None:
    runs = [box.start_evaluate("model", "hypotheses.txt", "--test_set", "news=test.tsv", "--no_cache") for _ in "ab"]
    for run in runs:
        run.judges_files = False
    statuses = sorted(run.wait().status for run in runs)
    must(statuses == [0, 1], f"the exit statuses are {statuses}")


@fault()
def two_runs_build_the_same_data(box: Box) -> None:
    """Into two directories, from one cache that is empty: nobody is in the other's way."""
    shutil.rmtree(box.cache)
    runs = [box.start_train(out=out) for out in ("out", "other")]
    for run in runs:
        run.judges_files = False
    for run in runs:
        succeeded(run.wait())
    ends_the_same(box)


@fault(list(_MOMENTS))
def lock_of_a_killed_run(box: Box, moment: str) -> None:
    """It holds nobody up: the next --resume goes on at once."""
    running = box.start_train(hooks=[when_changing(_MOMENTS[moment], sending(signal.SIGKILL))])
    running.expect_signal()
    running.wait()
    go_on(box)
    ends_the_same(box)


_LEFT = {
    "names another machine": b'{"host": "another-machine", "pid": 1}',
    "names a live process": b"1\n",
    "names a dead process": b"4000000\n",
    "holds no text": b"\xff\xfe",
    "is empty": b"",
}


@fault(_LEFT)
def lock_file_that_was_left(box: Box, content: bytes) -> None:
    """What a file says of its holder is no lock: the kernel knows who lives."""
    running = box.start_train(hooks=[when_changing(r"checkpoint-4$", sending(signal.SIGKILL))])
    running.expect_signal()
    running.wait()
    locks = [path for path in box.out.iterdir() if "lock" in path.name and path.is_file()]
    must(locks, "no file holds a lock")
    locks[0].write_bytes(content)
    succeeded(box.train("--resume"))
    ends_the_same(box)


@fault(["train", "evaluate"])
def finished_command_leaves_no_lock(box: Box, command: str) -> None:
    """A directory that is copied elsewhere after its run can be used there."""
    box.train() if command == "train" else box.evaluate("hypotheses.txt", "--test_set", "news=test.tsv")
    shutil.copytree(box.out, box.work / "copy")
    box.adopt("copy")
    if command == "train":
        succeeded(box.train("--resume", out="copy"))
    else:
        succeeded(box.evaluate("hypotheses.txt", "--test_set", "news=test.tsv", "--overwrite", out="copy"))
