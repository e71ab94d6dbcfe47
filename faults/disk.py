"""Full disks, closed directories and directories that go away: one sentence, and the rest afterwards."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from faults.box import Box, must, refused, succeeded
from faults.command import NOBODY, Hook, Outcome
from faults.files import open_to_everybody
from faults.moments import when_changing
from faults.registry import fault
from faults.same import ends_the_same, go_on

_SHARES = {
    f"{share} % of what is needed": share / 100 for share in (0, 1, 3, 6, 10, 20, 30, 40, 50, 60, 70, 80, 90, 96)
}
_FEW = {name: _SHARES[name] for name in list(_SHARES)[::3]}


def size_of(directory: Path) -> int:
    """Bytes on a disk of 4096-byte blocks."""
    paths = list(directory.rglob("*"))
    return sum(4096 * (1 + path.stat().st_size // 4096) for path in paths)


def small_disk(box: Box, at: Path, needed: int, share: float) -> None:
    """Mount a disk that holds only a share of what is needed."""
    box.mount(at, "-t", "tmpfs", "-o", f"size={max(4096, int(needed * share))}", "tmpfs")


def grow(at: Path) -> None:
    """Somebody has freed space."""
    subprocess.run(["mount", "-o", "remount,size=100m", str(at)], check=True)


def ended_well(outcome: Outcome) -> None:
    """Done, or refused in a sentence that names the reason."""
    if outcome.status != 0:
        refused(outcome)
        must(any(w in outcome.stderr for w in ("No space", "space", "too large")), f"no reason: {outcome.sentences}")


@fault(_SHARES)
def train_on_a_full_disk(box: Box, share: float) -> None:
    small_disk(box, box.out, size_of(box.stock / "runs" / "finished"), share)
    ended_well(box.train())
    grow(box.out)
    go_on(box)
    ends_the_same(box)


@fault(_FEW)
def resume_on_a_full_disk(box: Box, share: float) -> None:
    """Full from the start on: nothing that was finished before is lost."""
    needed, have = (size_of(box.stock / "runs" / run) for run in ("finished", "half"))
    small_disk(box, box.out, have + 65536 + int((needed - have) * share), 1)
    shutil.copytree(box.stock / "runs" / "half", box.out, dirs_exist_ok=True)
    box.adopt("out")
    ended_well(box.train("--resume"))
    grow(box.out)
    go_on(box)
    ends_the_same(box)


@fault(_FEW)
def cache_on_a_full_disk(box: Box, share: float) -> None:
    """What is kept for later is no reason to fail, where the data can be built elsewhere; or one sentence."""
    needed = size_of(box.cache)
    shutil.rmtree(box.cache)
    small_disk(box, box.cache, needed, share)
    ended_well(box.train())
    grow(box.cache)
    go_on(box)
    ends_the_same(box)


@fault(_FEW)
def evaluate_on_a_full_disk(box: Box, share: float) -> None:
    small_disk(box, box.out, size_of(box.stock / "runs" / "evaluation"), share)
    command = ["base=model", "text=hypotheses.txt", "--test_set", "news=test.tsv"]
    ended_well(box.evaluate(*command))
    grow(box.out)
    succeeded(box.evaluate(*command, *(["--overwrite"] if (box.out / "scores.json").exists() else [])))


@fault(_FEW)
def data_on_a_full_disk(box: Box, share: float) -> None:
    small_disk(box, box.out, size_of(box.stock / "runs" / "data"), share)
    ended_well(box.mt("data", "small.yaml", "--output_dir", "out", writes=["out"]))
    grow(box.out)
    succeeded(box.mt("data", "small.yaml", "--output_dir", "out", writes=["out"]))


@fault({"transformers": "float32", "ctranslate2": "--format ctranslate2"})
def export_on_a_full_disk(box: Box, form: str) -> None:
    options = form.split() if form.startswith("--") else ["--precision", form]
    disk = box.work / "disk"
    small_disk(box, disk, size_of(box.work / "model"), 0.4)
    ended_well(box.mt("export", "model", "disk/exported", *options, writes=["disk"]))
    must(not (disk / "exported" / "config.json").exists(), "half a model was left, which looks whole")


def limited_to(size: int) -> Hook:
    """No file may grow beyond so many bytes, as under a quota."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@fault({"1 KB": 1000, "10 KB": 10_000, "40 KB": 40_000, "100 KB": 100_000})
def no_file_may_be_larger_than(box: Box, size: int) -> None:
    ended_well(box.train(hooks=[limited_to(size)]))
    go_on(box)
    ends_the_same(box)


_MOMENTS = {
    "before the first update": r"metrics\.jsonl",
    "at a checkpoint": r"checkpoint-4$",
    "at the translations": r"finetuned\.txt",
    "at the model": r"out/.*model",
    "at the scores": r"scores\.json",
}


@fault(_MOMENTS)
def output_directory_goes_away(box: Box, pattern: str) -> None:
    """Deleted while the run lasts: one sentence that names it."""
    outcome = box.train(hooks=[when_changing(pattern, lambda: shutil.rmtree(box.out))])
    if outcome.status != 0:
        refused(outcome, "out")


@fault(_MOMENTS)
def output_directory_is_renamed(box: Box, pattern: str) -> None:
    """Moved away while the run lasts: whatever was finished is in the place where it was moved to."""
    outcome = box.start_train(hooks=[when_changing(pattern, lambda: box.out.rename(box.work / "moved"))])
    outcome.judges_files = False
    ended = outcome.wait()
    if ended.status != 0:
        refused(ended, "out")


@fault(_MOMENTS)
def output_directory_becomes_unchangeable(box: Box, pattern: str) -> None:
    outcome = box.train(hooks=[when_changing(pattern, lambda: _chattr(box.out, "+i"))])
    _chattr(box.out, "-i")
    refused(outcome, "out")
    go_on(box)
    ends_the_same(box)


@fault({"checkpoints": r"checkpoint-4", "translations": r"finetuned\.txt"})
def directory_in_it_becomes_unchangeable(box: Box, pattern: str) -> None:
    name = "checkpoints" if "checkpoint" in pattern else "translations/test"
    outcome = box.train(hooks=[when_changing(pattern, lambda: _chattr(box.out / name, "+i"))])
    _chattr(box.out / name, "-i")
    refused(outcome, "out")
    go_on(box)
    ends_the_same(box)


def _chattr(path: Path, flag: str) -> None:
    done = subprocess.run(["chattr", flag, str(path)], capture_output=True, text=True, check=False)
    if done.returncode and flag == "+i":
        # In the child, where nothing may be raised but what the command itself would.
        os.kill(os.getpid(), signal.SIGKILL)


@fault()
def read_only_disk(box: Box) -> None:
    box.put("half")
    box.mount(box.out, "--bind", str(box.out))
    box.mount(box.out, "-o", "remount,bind,ro")
    refused(box.train("--resume"), "out")


def _close(path: Path) -> Callable[[Box], object]:
    return lambda box: (box.work / path).chmod(0)


_CLOSED: dict[str, Callable[[Box], object]] = {
    "corpus": _close(Path("corpus.tsv")),
    "config": _close(Path("small.yaml")),
    "weights": _close(Path("model/model.safetensors")),
    "model directory": _close(Path("model")),
    "tokenizer": _close(Path("model/source.spm")),
    "parent of the output": lambda box: box.work.chmod(0o555),
    "cache": lambda box: (box.cache / "mt" / "data").chmod(0o555),
}


@fault(_CLOSED)
def train_without_permission_for(box: Box, close: Callable[[Box], object]) -> None:
    open_to_everybody(box)
    os.chown(box.work, NOBODY, NOBODY)
    if close is _CLOSED["cache"]:
        shutil.rmtree(box.cache / "mt" / "data")
        (box.cache / "mt" / "data").mkdir()
    close(box)
    refused(box.train(uid=NOBODY))


@fault({"corpus": "test.tsv", "translations": "hypotheses.txt"})
def evaluate_without_permission_for(box: Box, name: str) -> None:
    open_to_everybody(box)
    os.chown(box.work, NOBODY, NOBODY)
    (box.work / name).chmod(0)
    refused(box.evaluate("hypotheses.txt", "--test_set", "news=test.tsv", uid=NOBODY), name)


@fault(["no cache", "cache is a file", "no home"])
def cache_cannot_be_used(box: Box, what: str) -> None:
    variables = (
        {"XDG_CACHE_HOME": "/proc/nowhere"} if what == "no cache" else {"XDG_CACHE_HOME": "", "HOME": "/proc/none"}
    )
    if what == "cache is a file":
        variables = {"XDG_CACHE_HOME": str(box.write("cache.txt", "mine"))}
    outcome = box.train(variables=variables)
    if outcome.status != 0:
        refused(outcome, "cache")
    box.evaluate("model", "--test_set", "news=test.tsv", out="compared", variables=variables)
