"""Runs faults, several at once, and says how they ended."""

from __future__ import annotations

import os
import shutil
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp

from faults.box import Box, Skipped, Wrong
from faults.known import KNOWN
from faults.registry import KINDS, Fault, all_faults


@dataclass(frozen=True)
class Result:
    """How one fault ended."""

    kind: str
    name: str
    verdict: str
    """right, wrong or skipped"""
    reason: str
    seconds: float
    ends: list[str]
    """Exit status and last words of each command."""

    @property
    def title(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def is_known(self) -> bool:
        """Whether it is wrong for a reason that is written down."""
        return self.verdict == "wrong" and self.title in KNOWN


SAMPLE = (
    "files/train_where_the_user_keeps[data]",
    "links/new_run_finds_a_link[scores.json]",
    "names/test_set_name_in_the_config[parent]",
    "resume/base_model_changed[one weight]",
    "locks/a_second_command[train --resume at a checkpoint]",
    "kills/train_sigkill[at 50.0 % of its changes to files]",
    "kills/train_sigterm[at 75.0 % of its changes to files]",
    "damage/checkpoint_file[optimizer.pt flipped]",
    "disk/train_on_a_full_disk[60 % of what is needed]",
    "models/evaluate_a_model[pickle that runs code]",
    "inputs/config_with[a bomb of aliases]",
    "pages/sentence_in_a_report[the end of a script in a source]",
)
"""One or two of a kind, for `make test`."""


def choose_sample() -> list[Fault]:
    """The faults of the sample."""
    by_title = {fault.title: fault for fault in all_faults()}
    return [by_title[title] for title in SAMPLE]


def choose(kind: str | None = None, only: str | None = None) -> list[Fault]:
    """The faults of a kind whose names hold `only`."""
    faults = all_faults()
    return [f for f in faults if kind in (None, f.kind) and (only is None or only in f.title)]


def run_faults(faults: Sequence[Fault], stock: Path, jobs: int) -> Iterator[Result]:
    """Inject faults and yield results as they come; `stock` is `faults.stock.make_stock`'s."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        # The slow kinds first, so that no long one is left for the end.
        pending = [pool.submit(_inject, fault.title, stock) for fault in faults]
        for future in as_completed(pending):
            yield future.result()


def _inject(title: str, stock: Path) -> Result:
    fault = next(f for f in all_faults() if f.title == title)
    return inject(fault, stock)


def inject(fault: Fault, stock: Path) -> Result:
    """Inject one fault in a sandbox of its own."""
    root, started = Path(mkdtemp(prefix="fault-", dir=os.environ.get("TMPDIR"))), time.monotonic()
    box = None
    verdict, reason = "right", ""
    try:
        box = Box(root / "box", stock)
        fault.inject(box)
    except Wrong as wrong:
        verdict, reason = "wrong", str(wrong)
    except Skipped as skipped:
        verdict, reason = "skipped", str(skipped)
    except Exception:
        # The fault itself is broken: shown as wrong, with where.
        verdict, reason = "wrong", "the fault raised " + " | ".join(traceback.format_exc().splitlines()[-3:])
    finally:
        if box is not None:
            box.close()
        shutil.rmtree(root, ignore_errors=True)
    ends = [] if box is None else box.ends
    clean = reason.replace(f"{root}/box/", "").replace("\n", " ")[:400]
    return Result(fault.kind, fault.name, verdict, clean, time.monotonic() - started, ends)


def as_table(results: Iterable[Result], *, markdown: bool = False) -> str:
    """Faults, right, wrong, skipped by kind, and in all."""
    results = list(results)
    rows = [[KINDS[kind], *_counts(r for r in results if r.kind == kind)] for kind in KINDS]
    rows = [["kind", "faults", "right", "wrong", "skipped"], *(r for r in rows if r[1] != "0")]
    rows.append(["in all", *_counts(results)])
    if markdown:
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|---|--:|--:|--:|--:|", *lines[1:]])
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, 5))]) for row in rows
    )


def _counts(results: Iterable[Result]) -> list[str]:
    verdicts = [result.verdict for result in results]
    return [str(len(verdicts)), *(str(verdicts.count(verdict)) for verdict in ("right", "wrong", "skipped"))]
