"""When a command said what, and what that says of a run of `train.py`."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
LOG_LINE = re.compile(r"\d\d:\d\d:\d\d ")
"""How the project's own lines begin, which those of the libraries do not."""


@dataclass
class Said:
    """What a process said, line by line, and when (seconds since the epoch)."""

    started: float
    lines: list[tuple[float, str]] = field(default_factory=list)
    ended: float = 0.0
    status: int = 0
    peak_gib: float | None = None


def call(command: Sequence[str]) -> Said:
    """Run a command in the repository until it ends, and pass on what it says."""
    said = Said(time.time())
    with memory_watched(said):
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        reader = threading.Thread(target=listen, args=(process, said), daemon=True)
        reader.start()
        said.status = process.wait()
        said.ended = time.time()
        # What the command has started may hold on to its output for longer than it lives itself.
        reader.join(timeout=5)
    return said


def listen(process: subprocess.Popen[str], said: Said) -> None:
    """Note and print every line of a process, with the moment when it came."""
    assert process.stdout is not None
    for line in process.stdout:
        said.lines.append((time.time(), line.rstrip("\n")))
        print(f"{time.time() - said.started:8.2f} {line.rstrip()}", flush=True)


@contextmanager
def memory_watched(said: Said) -> Iterator[None]:
    """Note the most memory that is taken on the GPU while the context lasts, beyond what is taken now."""
    if not torch.cuda.is_available():
        yield
        return
    ended, before, least = threading.Event(), torch.cuda.mem_get_info()[0], [torch.cuda.mem_get_info()[0]]

    def watch() -> None:
        while not ended.wait(0.1):
            least[0] = min(least[0], torch.cuda.mem_get_info()[0])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        said.peak_gib = round((before - least[0]) / 2**30, 2)


def loss_times(run: Path) -> list[tuple[int, float]]:
    """(updates, seconds since the epoch) of each training loss that the run logged, from its TensorBoard events."""
    # Its import warns, and only this function needs it.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return [(event.step, event.wall_time) for event in events.Scalars("train/loss")]


def begun_at(said: Said, losses: Sequence[tuple[int, float]]) -> float:
    """When the updates began: at the last line of the project's log before the first loss, progress not counted."""
    lines = [moment for moment, line in said.lines if LOG_LINE.match(line) and "fine-tune:" not in line]
    return max(moment for moment in lines if moment < losses[0][1])


@dataclass
class Times:
    """Moments of a run, in seconds since the epoch."""

    started: float
    begun: float
    """The first update."""
    ended: float
    losses: list[tuple[int, float]]
    """(updates, moment)."""

    def at(self, update: float) -> float:
        """When so many updates were made, in proportion between two losses."""
        marks = [(0, self.begun), *self.losses]
        for (earlier, before), (later, after) in pairwise(marks):
            if update <= later:
                return before + (after - before) * (update - earlier) / (later - earlier)
        return marks[-1][1]


def summarise(times: Times, tokens: int, epoch_tokens: int, epoch_flops: float, card: float) -> dict[str, Any]:
    """Speeds of a run that saw `tokens` real tokens, source and target, of which an epoch has `epoch_tokens`.

    epoch_flops: of the real tokens. card: floating-point operations per second of one large product. An epoch's updates
    are those in which the run saw as many tokens as an epoch has.
    """
    updates, last = times.losses[-1]
    seconds, epochs = last - times.begun, tokens / epoch_tokens
    figures = {
        "updates": updates,
        "epochs": round(epochs, 2),
        "tokens": tokens,
        "tokens_per_second": round(tokens / seconds, 1),
        "ms_per_update": round(1e3 * seconds / updates, 2),
        "share": epoch_flops * epochs / seconds / card,
        "seconds": {
            "start": round(times.begun - times.started, 2),
            "updates": round(seconds, 2),
            "rest": round(times.ended - last, 2),
        },
    }
    if epochs > 1:
        end_of_first = times.at(updates / epochs)
        first, later = end_of_first - times.begun, (last - end_of_first) / (epochs - 1)
        figures |= {
            "first_epoch_seconds": round(first, 2),
            "later_epoch_seconds": round(later, 2),
            "first_to_later": round(first / later, 3),
            "later_tokens_per_second": round(epoch_tokens / later, 1),
            "later_share": epoch_flops / later / card,
        }
    return figures
