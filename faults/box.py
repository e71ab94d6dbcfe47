"""The sandbox that a fault is injected in, and the judgement of every command that is run there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faults.command import Hook, Outcome, Running, start
from faults.trees import Tree, changes, is_below, snapshot
from mt.files import UNFINISHED

MAX_MIB = 2048
"""The most memory that a command may take, of which 600 MiB are torch and its like."""
LIMIT_SECONDS = 90.0
"""A command on these few sentences that takes longer hangs."""
_ENDED = {0, 1, 2, 3, 130}
ESCAPED = Path("/tmp/faults-escaped")
"""Where names that are absolute paths lead: outside the sandbox, so looked for by itself."""


class Wrong(Exception):  # noqa: N818 - a verdict
    """Something that must hold does not."""


class Skipped(Exception):  # noqa: N818
    """This machine cannot make the situation."""


class Box:
    """A directory with a small model, corpora and a config in `work`; home, cache and temporary files beside it."""

    def __init__(self, root: Path, stock: Path) -> None:
        self.root, self.stock = root, stock
        self.work, self.home, self.cache, self.tmp = (root / name for name in ("work", "home", "cache", "tmp"))
        self.out = self.work / "out"
        for directory in (self.home, self.tmp):
            directory.mkdir(parents=True)
        shutil.copytree(stock / "work", self.work)
        shutil.copytree(stock / "cache", self.cache)
        self._products: set[str] = set()
        """Paths that commands have written, below `root`; everything else is the user's."""
        self._loose: set[str] = set()
        """Links that a fault has planted: they may be replaced, what they lead to may not."""
        self._commands = 0
        self._mounts: list[Path] = []
        self.ends: list[str] = []
        """How each command ended, in words."""
        self.running: list[Judged] = []

    def put(self, run: str, at: str = "out") -> Path:
        """Copy a prepared run (`finished`, `half`, `lora`, ...) to `work/at`."""
        shutil.copytree(self.stock / "runs" / run, self.work / at, symlinks=True)
        self.adopt(at)
        return self.work / at

    def adopt(self, at: str) -> None:
        """Let everything in `work/at` count as written by our commands, which may replace it."""
        self._products |= {f"work/{at}", *(f"work/{at}/{path}" for path in snapshot(self.work / at))}

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file of the user's, below `work`."""
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def train(self, *options: str, config: str = "small.yaml", out: str | None = "out", **kwargs: Any) -> Outcome:
        """Run `train.py CONFIG --output_dir OUT OPTIONS`; see `start`."""
        return self.start_train(*options, config=config, out=out, **kwargs).wait()

    def start_train(self, *options: str, config: str = "small.yaml", out: str | None = "out", **kwargs: Any) -> Judged:
        """Start it."""
        output = [] if out is None else ["--output_dir", out]
        return self.start("train.py", config, *output, *options, writes=[out] if out else [], **kwargs)

    def evaluate(self, *argv: str, out: str = "out", **kwargs: Any) -> Outcome:
        """Run `evaluate.py ... --output_dir OUT`, quickly; see `start`."""
        return self.start_evaluate(*argv, out=out, **kwargs).wait()

    def start_evaluate(self, *argv: str, out: str = "out", **kwargs: Any) -> Judged:
        """Start it."""
        search = ["--resamples", "100", "--decoding.num_beams", "1", "--decoding.max_length_ratio", "0.2"]
        return self.start("evaluate.py", *argv, "--output_dir", out, *search, writes=[out], **kwargs)

    def mt(self, *argv: str, writes: Sequence[str] = (), **kwargs: Any) -> Outcome:
        """Run `mt COMMAND ...`; see `start`."""
        return self.start("mt", *argv, writes=writes, **kwargs).wait()

    def start(
        self,
        entry: str,
        *argv: str,
        writes: Sequence[str] = (),
        hooks: Sequence[Hook] = (),
        stdin: bytes = b"",
        uid: int | None = None,
        variables: dict[str, str] | None = None,
        cwd: str = "",
        limit: float = LIMIT_SECONDS,
    ) -> Judged:
        """Start a command in `work/cwd` that may write below `writes` (below `work`) and in the cache, nowhere else."""
        self._commands += 1
        environment = os.environ | {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.cache), "TMPDIR": str(self.tmp)}
        outputs = self._outputs(cwd, writes)
        before = snapshot(self.root)
        logs = self.root.with_name(f"{self.root.name}.logs") / str(self._commands)
        child = start(entry, argv, self.work / cwd, environment | (variables or {}), logs, hooks, stdin, uid)
        running = Judged(self, child, before, outputs, limit)
        self.running.append(running)
        return running

    def _outputs(self, cwd: str, writes: Sequence[str]) -> list[str]:
        """Directories below `root` that a command may write to, as named and, where it is a link, as it leads."""
        named = [self.work / cwd / path for path in writes]
        found = [os.path.relpath(path, self.root) for path in named]
        return sorted({*found, *(os.path.relpath(path.resolve(), self.root.resolve()) for path in named)})

    def adopt_new(self, before: Tree, outputs: Sequence[str]) -> None:
        """Let what has come since in the outputs and the cache count as written by our commands."""
        now = snapshot(self.root)
        self._products |= {path for path in now if path not in before and is_below(path, [*outputs, "cache"])}

    def judge(self, outcome: Outcome, before: Tree, outputs: Sequence[str], *, was_signalled: bool) -> None:
        """Raise `Wrong` for what no command may do, however it ends."""
        after = snapshot(self.root)
        allowed = [*outputs, "cache"]
        users = {p for p in before if p not in self._products and p not in outputs and not is_below(p, ["cache"])}
        watched = users | {p for p in before.keys() | after.keys() if not is_below(p, allowed)}
        # The directories in which an output directory lies may be made for it.
        watched -= {str(parent) for output in outputs for parent in Path(output).parents if str(parent) not in before}
        if outcome.status < 0:
            # Killed, a command may leave what its name says to be unfinished.
            watched -= {path for path in after if UNFINISHED in path}
        self.adopt_new(before, outputs)
        _judge_end(outcome, was_signalled=was_signalled)
        if ESCAPED.exists():
            raise Wrong(f"{outcome.command}: {ESCAPED} was written")
        if found := changes(before, after, watched - self._loose):
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise Wrong(f"{outcome.command}: {found[0]}{more}")

    def plant(self, link: str, target: str | Path) -> Path:
        """Make a symbolic link below `work`, as somebody else's; it may be replaced, its target may not."""
        path = self.work / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        self._loose.add(f"work/{link}")
        return path

    def mount(self, at: Path, *options: str) -> None:
        """Mount at a directory; undone at the end. Raises `Skipped` where that is refused."""
        at.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", *options, str(at)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Skipped(f"mount is refused here ({done.stderr.strip()})")
        self._mounts.append(at)

    def close(self) -> None:
        """End what still runs, undo mounts, remove everything."""
        for running in self.running:
            running.end()
        for mounted in reversed(self._mounts):
            subprocess.run(["umount", "--lazy", str(mounted)], capture_output=True, check=False)
        subprocess.run(["chattr", "-R", "-i", str(self.root)], capture_output=True, check=False)
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.root.with_name(f"{self.root.name}.logs"), ignore_errors=True)


def _judge_end(outcome: Outcome, *, was_signalled: bool) -> None:
    said = " / ".join(outcome.sentences)[-300:]
    if outcome.hung:
        raise Wrong(f"{outcome.command}: has not ended after {outcome.seconds:.0f} s")
    if "Traceback" in outcome.stderr:
        raise Wrong(f"{outcome.command}: a traceback, ending in {outcome.sentences[-1][:200]!r}")
    if outcome.status not in _ENDED and not (was_signalled and outcome.status < 0):
        raise Wrong(f"{outcome.command}: exit status {outcome.status} ({said})")
    if outcome.status in (1, 2, 130) and len(outcome.sentences) != 1:
        raise Wrong(f"{outcome.command}: {len(outcome.sentences)} lines on stderr instead of one sentence: {said!r}")
    if outcome.status == 0 and len(outcome.sentences) > (1 if was_signalled else 0):
        raise Wrong(f"{outcome.command}: stderr holds more than log lines: {said!r}")
    if outcome.peak_mib > MAX_MIB:
        raise Wrong(f"{outcome.command}: took {outcome.peak_mib:.0f} MiB of memory")


class Judged:
    """A command that runs, and is judged when it has ended."""

    def __init__(self, box: Box, child: Running, before: Tree, outputs: Sequence[str], limit: float) -> None:
        self._box, self._child, self._before, self._outputs, self._limit = box, child, before, outputs, limit
        self._was_signalled = self._has_ended = False
        self.judges_files = True
        """False for one of several that run at once: each writes while the other is watched."""
        self.judges_end = True
        """False for one that is brought down by force, or by another's end."""

    @property
    def pid(self) -> int:
        return self._child.pid

    def send(self, number: int) -> None:
        """Send a signal."""
        self._was_signalled = True
        self._child.send(number)

    def expect_signal(self) -> None:
        """A hook in the process sends itself one."""
        self._was_signalled = True

    def stderr(self) -> str:
        return self._child.stderr()

    def wait(self) -> Outcome:
        """How it ended, if nothing was wrong with that."""
        outcome = self._child.wait(self._limit)
        self._has_ended = True
        self._box.ends.append(f"{outcome.status} {' / '.join(outcome.sentences)[-200:]}".strip())
        if self.judges_files:
            self._box.judge(outcome, self._before, self._outputs, was_signalled=self._was_signalled)
        else:
            self._box.adopt_new(self._before, self._outputs)
            if self.judges_end:
                _judge_end(outcome, was_signalled=self._was_signalled)
        return outcome

    def end(self) -> None:
        if not self._has_ended:
            os.killpg(self.pid, signal.SIGKILL)
            self._child.wait(10)


def refused(outcome: Outcome, *words: str) -> str:
    """The one sentence of a command that must be refused, all `words` in it, in any case."""
    if outcome.status not in (1, 2):
        raise Wrong(f"{outcome.command}: not refused, exit status {outcome.status}")
    sentence = outcome.sentences[0]
    if missing := [word for word in words if word.lower() not in sentence.lower()]:
        raise Wrong(f"{outcome.command}: {missing[0]!r} is not in {sentence!r}")
    return sentence


def succeeded(outcome: Outcome) -> Outcome:
    """A command that must go through."""
    if outcome.status != 0:
        raise Wrong(f"{outcome.command}: exit status {outcome.status}: {' / '.join(outcome.sentences)[-300:]}")
    return outcome


def must(holds: object, otherwise: str) -> None:
    """Raise `Wrong` with the words `otherwise` unless something holds."""
    if not holds:
        raise Wrong(otherwise)
