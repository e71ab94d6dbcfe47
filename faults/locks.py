"""One at a time: a directory that one command writes is not written, or taken for whole, by another."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from faults.box import Box, Judged, Skipped, Wrong, must, refused, succeeded
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


def lock_file(box: Box) -> Path:
    """The file by which a run in `out` says that it runs."""
    found = [path for path in box.out.iterdir() if "lock" in path.name and path.is_file()]
    if not found:
        raise Skipped("no file holds a lock here")
    return found[0]


@fault(["another machine", "a process that is gone", "a process of somebody else", "no text", "nothing", "a list"])
def lock_that_was_left(box: Box, what: str) -> None:
    """Of a machine that this one cannot ask: refused in a sentence that names the file. Of a dead process: taken over."""
    running = box.start_train(hooks=[when_changing(r"checkpoint-4$", sending(signal.SIGKILL))])
    running.expect_signal()
    running.wait()
    file = lock_file(box)
    _rewrite(file, what)
    outcome = box.train("--resume")
    if outcome.status == 0:
        ends_the_same(box)
    else:
        must(what == "another machine", f"refused: {outcome.sentences}")
        must("lock" in outcome.stderr or "machine" in outcome.stderr, "the sentence does not say what to do")


def _rewrite(file: Path, what: str) -> None:
    content = {"no text": b"\xff\xfe", "nothing": b"", "a list": b"[]"}.get(what)
    if content is None:
        facts = _facts(file)
        for key in facts:
            if "host" in key and what == "another machine":
                facts[key] = "another-machine"
            if "pid" in key and what != "another machine":
                facts[key] = os.getpid() if what == "a process of somebody else" else 4_000_000
        content = json.dumps(facts).encode()
    file.write_bytes(content)


def _facts(file: Path) -> dict[str, object]:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Skipped("the lock is held by the kernel alone; its file says nothing that could be false") from error
    if not isinstance(facts, dict):
        raise Wrong("the lock file holds no object")
    return facts


@fault(["train", "evaluate"])
def finished_command_leaves_no_lock(box: Box, command: str) -> None:
    """A directory that is copied elsewhere after its run can be used there."""
    box.train() if command == "train" else box.evaluate("hypotheses.txt", "--test_set", "news=test.tsv")
    shutil.copytree(box.out, box.work / "copy")
    if command == "train":
        succeeded(box.train("--resume", out="copy"))
    else:
        succeeded(box.evaluate("hypotheses.txt", "--test_set", "news=test.tsv", "--overwrite", out="copy"))
