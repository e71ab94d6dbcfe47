"""The table of commands, and what their failures look like from outside: one sentence and an exit status.

Exit status: 0 done, 1 a user's mistake (one sentence on stderr), 2 usage, 3 `--fail_if_worse` found a system
that is significantly worse than the baseline, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NamedTuple, cast

import mt
from mt.errors import Stopped, UsageError, UserError
from mt.files import cannot_write

# What a full or failing disk says, whichever library was writing.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE})

Run = Callable[[Sequence[str], str], int]
"""Arguments and the program's name in, exit status out."""


class Command(NamedTuple):
    """One line of the table; the module, in `mt.commands`, is imported when the command is called."""

    module: str
    summary: str
    can_resume: bool = False
    shares_work: bool = False
    """Whether it runs in several processes, which end as one."""

    def run(self, argv: Sequence[str], prog: str) -> int:
        """Call the module's `run`."""
        return cast(Run, import_module(f"mt.commands.{self.module}").run)(argv, prog)


COMMANDS = {
    "data": Command("data", "build and inspect the data of a config without training"),
    "train": Command("train", "build the data, fine-tune, evaluate base and tuned model, write the report", True, True),
    "sweep": Command("sweep", "train a config with several option values and test the best by dev score", True, True),
    "evaluate": Command("evaluate", "score any systems on any test sets and compare them", shares_work=True),
    "leaderboard": Command("leaderboard", "show all runs below a folder in one table, or what differs between two"),
    "review": Command("review", "write a page on which a person compares two systems blindly"),
    "translate": Command("translate", "translate lines, or documents into documents"),
    "backtranslate": Command("backtranslate", "make training pairs from text in the target language"),
    "serve": Command("serve", "put systems side by side on pasted text, on a web page and as JSON"),
    "export": Command("export", "write a model to a new directory, in half precision or for CTranslate2"),
    "publish": Command("publish", "upload a run's model to the Hugging Face hub, with its cards"),
    "doctor": Command("doctor", "check that a model translates at all"),
    "configs": Command("configs", "list the recipes, or write one together with its data"),
    "env": Command("env", "show versions, hardware and caches, as a bug report needs them"),
    "comet-setup": Command("comet_setup", "install COMET, a learned metric, in an environment of its own"),
}


def main() -> int:
    """The console script `mt`."""
    argv = sys.argv[1:]
    if argv == ["--version"]:
        return _print_version()
    if argv and argv[0] in COMMANDS:
        return _guarded(COMMANDS[argv[0]], argv[1:], f"mt {argv[0]}")
    lines = ["usage: mt COMMAND ...", "", *(f"  {name:<13} {each.summary}" for name, each in COMMANDS.items())]
    wants_help = argv in (["-h"], ["--help"])
    if argv and not wants_help:
        lines.insert(0, f"mt: no command `{argv[0]}`")
    print("\n".join([*lines, "", "mt COMMAND --help lists the options"]), file=sys.stdout if wants_help else sys.stderr)
    return 0 if wants_help else 2


def train_main() -> int:
    """`train.py`."""
    return _guarded(COMMANDS["train"], sys.argv[1:], "train.py")


def evaluate_main() -> int:
    """`evaluate.py`."""
    return _guarded(COMMANDS["evaluate"], sys.argv[1:], "evaluate.py")


def _print_version() -> int:
    print(f"mt {mt.__version__}")
    return 0


def _guarded(command: Command, argv: Sequence[str], prog: str) -> int:
    if list(argv) == ["--version"]:
        return _print_version()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    outcome = partial(_outcome, command.run, argv, prog, can_resume=command.can_resume)
    if command.shares_work and "WORLD_SIZE" in os.environ:
        # Imports torch, which takes seconds.
        from mt.processes import run_as_one

        return run_as_one(outcome)
    status, message = outcome()
    if message:
        print(message, file=sys.stderr)
    return status


def _outcome(run: Run, argv: Sequence[str], prog: str, *, can_resume: bool) -> tuple[int, str]:
    """(exit status, message for stderr)."""
    before = signal.signal(signal.SIGTERM, _leave) if can_resume else None
    try:
        return run(argv, prog), ""
    except UsageError as error:
        return 2, f"{prog}: {error} ({prog} --help lists the options)"
    except Stopped as stop:
        return 0, f"{prog}: {stop}"
    except UserError as error:
        return 1, f"{prog}: {error}"
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` has; Python would complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1, ""
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        return 1, f"{prog}: {cannot_write(Path(error.filename or '.'), error)}"
    except KeyboardInterrupt:
        kept = "; what was done is kept, go on with --resume" if can_resume else ""
        return 130, f"{prog}: interrupted{kept}"
    finally:
        if can_resume:
            signal.signal(signal.SIGTERM, before)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM while modules are imported, where an exception might be swallowed: nothing has begun."""
    print("stopped by SIGTERM before anything was begun", file=sys.stderr, flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
