"""Arguments to stages. The only place that exits or catches a user's mistakes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence

from mt.errors import UserError


def train_main(argv: Sequence[str] | None = None, prog: str = "train.py") -> int:
    """`train.py`: see `mt.arguments.train_parser`. Returns the exit status."""
    return _guarded(lambda: _train(sys.argv[1:] if argv is None else argv, prog), prog)


def _train(argv: Sequence[str], prog: str) -> int:
    from mt.arguments import parse_train

    command = parse_train(argv, prog)
    _configure_logging()
    # After the arguments are known to be good: torch and transformers take seconds to import.
    from mt.experiment import run_experiment

    run_experiment(command)
    return 0


def _guarded(action: Callable[[], int], prog: str) -> int:
    from mt.arguments import UsageError

    try:
        return action()
    except UsageError as error:
        print(f"{prog}: {error}; {prog} --help lists the options", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{prog}: interrupted; --resume goes on from the last checkpoint", file=sys.stderr)
        return 130


def _configure_logging() -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    is_main = os.environ.get("RANK", "0") == "0"
    logging.basicConfig(
        level=logging.INFO if is_main else logging.ERROR, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    for library in ("datasets", "transformers", "accelerate", "sacrebleu", "absl", "httpx"):
        logging.getLogger(library).setLevel(logging.ERROR)
