"""Kills and signals: whatever ends a command, at any moment, the next one ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from faults.box import Box, must, succeeded
from faults.command import Outcome
from faults.moments import at_change, sending, when_changing
from faults.registry import fault
from faults.same import ends_the_same, go_on, same_file

_EVALUATION = ("base=model", "text=hypotheses.txt", "--test_set", "news=test.tsv", "--no_cache")


def _every(step: float) -> dict[str, float]:
    """Moments from 0 to 100 % of a command's changes to files, by name."""
    count = round(100 / step)
    return {f"at {100 * i / count:.1f} % of its changes to files": i / count for i in range(count)}


def moments_of(box: Box, command: str) -> int:
    """How many changes to files an undisturbed command makes, as it was counted when the stock was made."""
    return len((box.stock / "moments" / command).read_text(encoding="utf-8").splitlines())


def signalled_train(box: Box, share: float, number: int, *options: str) -> Outcome:
    """Train, with a signal before the change to files that comes after this share of them all."""
    index = int(share * moments_of(box, "train"))
    running = box.start_train(*options, hooks=[at_change(index, sending(number), box.root)])
    running.expect_signal()
    return running.wait()


@fault(_every(2.5))
def train_sigkill(box: Box, share: float) -> None:
    outcome = signalled_train(box, share, signal.SIGKILL)
    must(outcome.status == -signal.SIGKILL, "the signal was not sent")
    go_on(box)
    ends_the_same(box)


@fault(_every(5))
def train_sigterm(box: Box, share: float) -> None:
    outcome = signalled_train(box, share, signal.SIGTERM)
    must(outcome.status == 0, f"exit status {outcome.status} after SIGTERM")
    is_done = (box.out / "scores.json").is_file() and not outcome.sentences
    must(is_done or "--resume" in outcome.sentences[-1], "nothing says how to go on")
    go_on(box)
    ends_the_same(box)


@fault(_every(10))
def train_sigint(box: Box, share: float) -> None:
    outcome = signalled_train(box, share, signal.SIGINT)
    must(outcome.status in (0, 130), f"exit status {outcome.status} after an interrupt")
    go_on(box)
    ends_the_same(box)


@fault({f"seed {seed}": seed for seed in range(30)})
def train_sigkill_at_random(box: Box, seed: int) -> None:
    """By the clock, so also while nothing is written; one to three times in one run."""
    draw = random.Random(seed)
    seconds = float((box.stock / "moments" / "seconds").read_text(encoding="utf-8"))
    for _ in range(draw.choice([1, 1, 2, 3])):
        started = (box.out / "config.yaml").is_file()
        running = box.start_train(*(["--resume"] if started else []))
        time.sleep(draw.uniform(0, seconds))
        running.send(signal.SIGKILL)
        running.wait()
    go_on(box)
    ends_the_same(box)


@fault({"data": r"data", "first checkpoint": r"checkpoint-2$", "second checkpoint": r"checkpoint-4$",
        "model": r"/model", "report": r"report\.html"})  # fmt: skip
def train_stopped_and_continued(box: Box, pattern: str) -> None:
    running = box.start_train(hooks=[when_changing(pattern, sending(signal.SIGSTOP))])
    wait_until_stopped(running.pid)
    time.sleep(0.5)
    running.send(signal.SIGCONT)
    succeeded(running.wait())
    ends_the_same(box)


def wait_until_stopped(pid: int, limit_seconds: float = 60) -> None:
    """Wait until a process has been stopped by a signal."""
    deadline = time.monotonic() + limit_seconds
    while Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "T":
        must(time.monotonic() < deadline, "the process did not come to the moment at which to stop it")
        time.sleep(0.01)


@fault({"first": (r"checkpoint-2$", r"checkpoint-4$"), "second": (r"checkpoint-4$", r"/model"),
        "last": (r"/model", r"scores\.json"), "at the same place": (r"checkpoint-2$", r"checkpoint-2$")})  # fmt: skip
def killed_killed_again_and_resumed(box: Box, patterns: tuple[str, str]) -> None:
    for number, pattern in enumerate(patterns):
        options = ["--resume"] if number else []
        running = box.start_train(*options, hooks=[when_changing(pattern, sending(signal.SIGKILL))])
        running.expect_signal()
        running.wait()
    go_on(box)
    ends_the_same(box)


@fault(_every(12.5))
def overwrite_sigkill(box: Box, share: float) -> None:
    """Killed while it replaces a run: the next --overwrite gets by without a hand's help."""
    box.put("finished")
    signalled_train(box, share, signal.SIGKILL, "--overwrite")
    succeeded(box.train("--overwrite"))
    ends_the_same(box)


@fault(_every(12.5))
def resume_of_a_finished_run_sigkill(box: Box, share: float) -> None:
    box.put("finished")
    signalled_train(box, share * 0.5, signal.SIGKILL, "--resume")
    go_on(box)
    ends_the_same(box)


def _again(box: Box, start: Callable[..., Outcome], *argv: str) -> None:
    outcome = start(*argv)
    if outcome.status == 1 and "--overwrite" in outcome.stderr:
        outcome = start(*argv, "--overwrite")
    succeeded(outcome)


@fault(_every(10))
def evaluate_sigkill(box: Box, share: float) -> None:
    index = int(share * moments_of(box, "evaluate"))
    running = box.start_evaluate(*_EVALUATION, hooks=[at_change(index, sending(signal.SIGKILL), box.root)])
    running.expect_signal()
    running.wait()
    _again(box, box.evaluate, *_EVALUATION)
    same_file(box.stock / "runs" / "evaluation" / "scores.json", box.out / "scores.json")


@fault({"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT, "SIGHUP": signal.SIGHUP})
def evaluate_signalled(box: Box, number: int) -> None:
    hook = when_changing(r"translations/news", sending(number))
    running = box.start_evaluate(*_EVALUATION, hooks=[hook])
    running.expect_signal()
    running.wait()
    _again(box, box.evaluate, *_EVALUATION)
    same_file(box.stock / "runs" / "evaluation" / "scores.json", box.out / "scores.json")


def _data(box: Box, *options: str) -> Outcome:
    return box.mt("data", "small.yaml", "--output_dir", "out", *options, writes=["out"])


@fault(_every(10))
def data_sigkill(box: Box, share: float) -> None:
    """Killed while it builds the data, which no cache holds yet."""
    shutil.rmtree(box.cache / "mt" / "data")
    index = int(share * moments_of(box, "data"))
    hook = at_change(index, sending(signal.SIGKILL), box.root)
    running = box.start("mt", "data", "small.yaml", "--output_dir", "out", writes=["out"], hooks=[hook])
    running.expect_signal()
    running.wait()
    _again(box, lambda *options: _data(box, *options))
    same_file(box.stock / "runs" / "data" / "data_report.json", box.out / "data_report.json")


@fault({"transformers": "float32", "half precision": "float16", "ctranslate2": "--format ctranslate2"})
def export_sigkill(box: Box, form: str) -> None:
    options = form.split() if form.startswith("--") else ["--precision", form]
    command = ["export", "model", "exported", *options]
    running = box.start("mt", *command, writes=["exported"], hooks=[when_changing(r"exported.*/\w+\.json", sending(9))])
    running.expect_signal()
    running.wait()
    # The next export removes what the killed one left beside its directory.
    left = [path.name for path in box.work.glob(".mt-unfinished-*-exported")]
    must(bool(left), "the export left nothing half-done to remove")
    box.adopt_new({}, [f"work/{name}" for name in left])
    succeeded(box.mt(*command, writes=["exported", *left]))
    must(not list(box.work.glob(".mt-unfinished-*")), "what the killed export left is still there")


@fault({"between two trials": r"sweep\.json", "in a trial": r"checkpoint-4$"})
def sweep_sigkill(box: Box, pattern: str) -> None:
    command = ["sweep", "small.yaml", "--grid", "seed=1,2", "--output_dir", "out"]
    running = box.start("mt", *command, writes=["out"], hooks=[when_changing(pattern, sending(signal.SIGKILL))])
    running.expect_signal()
    running.wait()
    succeeded(box.mt(*command, writes=["out"]))
    trials = json.loads((box.out / "sweep.json").read_text(encoding="utf-8"))["trials"]
    must(len(trials) == 2 and all(trial["metrics"] for trial in trials), "a trial is missing")


@fault({f"{number.name} after {seconds:g} s": (number, seconds)
        for number in (signal.SIGTERM, signal.SIGINT) for seconds in (0.1, 0.5, 2, 4)})  # fmt: skip
def first_seconds(box: Box, case: tuple[int, float]) -> None:
    """A process of its own, as from a shell, while it still imports: it ends in good order and leaves no traceback."""
    number, seconds = case
    script = Path(__file__).parent.parent / "train.py"
    command = [sys.executable, str(script), "small.yaml", "--output_dir", "out"]
    environment = os.environ | {"XDG_CACHE_HOME": str(box.cache), "PYTHONPATH": str(script.parent)}
    process = subprocess.Popen(command, cwd=box.work, env=environment, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    must("Traceback" not in errors, f"a traceback: {errors.strip().splitlines()[-1:]}")
    must(process.returncode in (0, 130, -number, 128 + number), f"exit status {process.returncode}: {errors[-200:]}")
