"""Our commands as processes of their own: each with an interpreter of its own, or forked, which saves the imports.

Importing torch and transformers costs a process five seconds. A fork of a server that has imported them, and has done
nothing else, costs none; it has its own memory, signals, exit status and output all the same.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from multiprocessing import forkserver, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mt import cli
from mt.training.trainer import TranslationTrainer
from tests.conftest import ROOT

TIMEOUT_SECONDS = 600
"""Far above what any command takes on a busy machine: it ends what hangs, and measures nothing."""


def command(*argv: str) -> subprocess.CompletedProcess[str]:
    """`python ARGV` in the repository, with nothing on its path but what is installed."""
    return subprocess.run(
        [sys.executable, *argv],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def forked_train(*argv: str, prepare: Callable[[], object] | None = None) -> subprocess.CompletedProcess[str]:
    """`train.py ARGV` in a forked process, which calls `prepare` first, a function of a test module."""
    with TemporaryDirectory() as directory:
        streams = Path(directory, "stdout"), Path(directory, "stderr")
        _start_server()
        process = get_context("forkserver").Process(target=_train, args=(argv, streams, dict(os.environ), prepare))
        process.start()
        process.join(TIMEOUT_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(argv, TIMEOUT_SECONDS, *(file.read_bytes() for file in streams))
        output, errors = (file.read_text(encoding="utf-8") for file in streams)
    return subprocess.CompletedProcess(argv, process.exitcode, output, errors)


def _start_server() -> None:
    forkserver.set_forkserver_preload([__name__, "mt.experiment.run", "mt.evaluation.verdicts"])
    with chdir(ROOT):  # where it finds this module
        forkserver.ensure_running()


def _train(
    argv: tuple[str, ...],
    streams: tuple[Path, Path],
    environment: dict[str, str],
    prepare: Callable[[], object] | None,
) -> None:
    for number, file in enumerate(streams, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    # The server's own are those of the test that was the first to need it.
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv = ["train.py", *argv]
    if prepare is not None:
        prepare()
    sys.exit(cli.train_main())


def write_small_config(directory: Path, model: Path, news: Path, max_updates: int = 6) -> Path:
    """A config of few updates, whose run goes to `directory`/run.

    Few sentences are decoded and scored, because its tests compare weights.
    """
    options = {
        "name": "small",
        "output_dir": str(directory / "run"),
        "data": {"corpora": {"news": {"path": str(news)}}, "max_test_pairs": 10},
        "model": {"name": str(model), "skip_doctor": True},
        "training": {
            "max_updates": max_updates,
            "eval_every_updates": 2,
            "tokens_per_update": 600,
            "dev_sentences": 5,
            "report_to": [],
        },
        "decoding": {"num_beams": 1, "max_length_ratio": 0.1},
        "evaluation": {"resamples": 100},
    }
    path = directory / "small.yaml"
    path.write_text(json.dumps(options), encoding="utf-8")
    return path


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_in_update(number: int) -> None:
    """Have training killed in its update of this number; a `prepare` of `forked_train`."""
    TranslationTrainer.check_update = at_call(number, TranslationTrainer.check_update, die)  # type: ignore[method-assign]


def at_call(number: int, function: Callable[..., Any], act: Callable[[], None]) -> Callable[..., Any]:
    """`function`, with `act` before its call of this number, counted from 1."""
    calls = 0

    def counted(*arguments: object, **options: object) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            act()
        return function(*arguments, **options)

    return counted
