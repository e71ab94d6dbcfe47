"""The real commands, each in a process of its own that is forked from one which has imported everything.

Importing torch and transformers takes seconds, a fork milliseconds; the child sets arguments, directory and environment
as a shell would, calls the command's entry and ends as the interpreter would.
"""

from __future__ import annotations

import atexit
import os
import re
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

Hook = Callable[[], None]
"""Called in the child before the command: what injects a fault into the process itself."""

NOBODY = 65534
_LOG_LINE = re.compile(r"\d\d:\d\d:\d\d |\[[^]]*\] \[ctranslate2\]")
_WARNING = re.compile(r"^\S+:\d+: \w*Warning: .*\n(?:  .*\n)?", re.MULTILINE)
"""A library's, to its callers: file, line, kind, and the line of code."""
_VIRTUAL_BYTES = 12 << 30
_WARM = (
    *("mt.cli", "mt.experiment.run", "mt.experiment.data", "mt.commands.sweep", "mt.commands.data"),
    *("mt.commands.evaluate", "mt.evaluation.scoring", "mt.evaluation.reading_test_sets", "mt.report.writing"),
    *("mt.commands.review", "mt.report.review_page", "mt.report.data_page", "mt.models.doctor"),
    *("mt.systems.export", "mt.systems.settings", "mt.models.ctranslate2_export", "mt.systems.translating"),
    *("peft", "ctranslate2", "optuna", "tensorboard", "matplotlib.pyplot"),
    *("transformers.models.marian.modeling_marian", "transformers.models.marian.tokenization_marian"),
    *("transformers.trainer_seq2seq", "transformers.optimization", "torch.utils.tensorboard", "scipy.stats"),
)


def warm_up() -> None:
    """Import what the commands import, as `quiet_libraries` has them configured; computes nothing, starts no thread."""
    variables = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    variables |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error", "MKL_NUM_THREADS": "1"}
    os.environ.update(variables)
    for module in _WARM:
        import_module(module)


MODULES = "FAULTS_MODULES"
"""The variable that names a file to which a command writes the modules that it has imported."""


def import_what_was_imported(file: Path) -> None:
    """Import here what a command has written to its `MODULES` file, so that the next one, as another user, need not."""
    for name in file.read_text(encoding="utf-8").split():
        with suppress(ImportError):
            import_module(name)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    command: str
    status: int
    """Exit status; minus the number of the signal that ended it."""
    stdout: str
    stderr: str
    seconds: float
    peak_mib: float
    hung: bool

    @property
    def sentences(self) -> list[str]:
        """What stands on stderr beside log lines and libraries' deprecation warnings."""
        text = _WARNING.sub("", self.stderr)
        return [line for line in text.splitlines() if line.strip() and not _LOG_LINE.match(line)]


class Running:
    """A command that has been started."""

    def __init__(self, pid: int, command: str, logs: Path) -> None:
        self.pid, self.command, self.logs = pid, command, logs
        self._started = time.monotonic()

    def send(self, number: int) -> None:
        """Send a signal to the process, not to those that it has started."""
        os.kill(self.pid, number)

    def stderr(self) -> str:
        """What it has said so far."""
        return (self.logs / "stderr").read_text(encoding="utf-8", errors="replace")

    def wait(self, limit_seconds: float) -> Outcome:
        """How it ended; one that has not ended in time is killed, with all that it has started."""
        deadline, hung = time.monotonic() + limit_seconds, False
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                hung = True
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.005)
        stdout = (self.logs / "stdout").read_text(encoding="utf-8", errors="replace")
        seconds = time.monotonic() - self._started
        code = os.waitstatus_to_exitcode(status)
        return Outcome(self.command, code, stdout, self.stderr(), seconds, usage.ru_maxrss / 1024, hung)


def start(
    entry: str,
    argv: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    logs: Path,
    hooks: Sequence[Hook] = (),
    stdin: bytes = b"",
    uid: int | None = None,
) -> Running:
    """Start `train.py`, `evaluate.py` or `mt` with `argv` in `directory`; its output goes to files in `logs`."""
    logs.mkdir(parents=True)
    (logs / "stdin").write_bytes(stdin)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _be_the_command(entry, argv, directory, environment, logs, hooks, uid)
    return Running(pid, " ".join([entry, *argv])[:150], logs)


def _be_the_command(
    entry: str,
    argv: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    logs: Path,
    hooks: Sequence[Hook],
    uid: int | None,
) -> NoReturn:
    status = 1
    try:
        _redirect(logs)
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_AS, (_VIRTUAL_BYTES, _VIRTUAL_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = [entry, *argv]
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        for hook in hooks:
            hook()
        status = _call(entry)
        # As the interpreter ends: threads first, then what is registered.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _redirect(logs: Path) -> None:
    os.dup2(os.open(logs / "stdin", os.O_RDONLY), 0)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(logs / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


def _call(entry: str) -> int:
    from mt import cli

    main = {"train.py": cli.train_main, "evaluate.py": cli.evaluate_main, "mt": cli.main}[entry]
    try:
        status = main()
        if MODULES in os.environ:
            Path(os.environ[MODULES]).write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
        return status
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
        return 1
