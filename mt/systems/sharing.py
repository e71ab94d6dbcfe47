"""Translating with all processes of a command: each takes a share, and all get the whole."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from accelerate.utils import gather_object

from mt.config import DecodingConfig
from mt.models.decoding import translate
from mt.models.translator import Translator
from mt.processes import process_state, wait_for_everyone
from mt.progress import ProgressMeter
from mt.teamwork import SharedCount


def translate_shared(translator: Translator, sources: Sequence[str], decoding: DecodingConfig, job: str) -> list[str]:
    """One hypothesis per source, in order, in every process; all must call this with the same sources.

    Progress is shown by the main process, and counts all of them.
    """
    state = process_state()
    if state.num_processes == 1:
        return translate(translator, sources, decoding, job)
    shares = [share_of(sources, process, state.num_processes) for process in range(state.num_processes)]
    own, count = shares[state.process_index], SharedCount()
    with ProgressMeter(job, len(sources)) if state.is_main_process else nullcontext() as bar:
        lines = translate(
            translator,
            [sources[index] for index in own],
            decoding,
            job,
            [f"sentence {index + 1}" for index in own],
            _Counted(count, bar),
        )
        # Without a time limit, which gathering has.
        wait_for_everyone()
    gathered = gather_object(lines)
    # All must agree on what decoded, and on what will.
    translator.overflows = any(gather_object([translator.overflows]))
    hypotheses = [""] * len(sources)
    for index, line in zip([index for share in shares for index in share], gathered, strict=True):
        hypotheses[index] = line
    return hypotheses


def share_of(sources: Sequence[str], process: int, processes: int) -> list[int]:
    """The indices of the sources that a process translates, in order: as many as any other, of all lengths.

    Lengths 3, 9, 5, 4 and two processes: [1, 3] (9 and 4) and [0, 2] (5 and 3).
    """
    longest_first = sorted(range(len(sources)), key=lambda index: (-len(sources[index]), index))
    return sorted(longest_first[process::processes])


class _Counted:
    """Adds what this process has done to what all have done, which the bar of the main process shows."""

    def __init__(self, count: SharedCount, bar: ProgressMeter | None) -> None:
        self._count, self._bar, self._shown = count, bar, 0

    def advance(self, count: int = 1, effort: float | None = None) -> None:
        done = self._count.add(count)
        if self._bar is not None:
            self._bar.advance(done - self._shown)
            self._shown = done
