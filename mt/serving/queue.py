"""The queue in front of the models: one thread translates what all requests have waiting, in turns.

A turn is of one system. It takes one sentence of each request after another, as often as the tokens of a turn allow, so
that a long text does not keep short ones waiting. Only the thread that calls `step` touches models, waiting sentences
and kept answers; the others hand requests in through an inbox, and get a future for each.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

from mt.serving.answers import AnswerCache, Answering
from mt.serving.failures import log_failure
from mt.systems.streaming import Translation

logger = logging.getLogger(__name__)

Answers = dict[str, dict[str, Translation]]
"""By system, and by text."""


class StoppingError(Exception):
    """The server is about to end, and begins nothing new."""


class BrokenError(Exception):
    """The thread that translates has ended by a failure; nothing is translated any more."""


@dataclass(eq=False)
class _Job:
    """The texts of one request."""

    waiting: dict[str, deque[str]]
    """By system: what no turn has taken yet."""
    missing: int
    """Answers that are not there yet."""
    found: Answers
    future: Future[Answers] = field(default_factory=Future)
    has_begun: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it has all its answers, has failed, or nobody waits for it any more."""
        return self.future.done()

    def add(self, system: str, text: str, answer: Translation) -> None:
        self.found[system][text] = answer
        self.missing -= 1
        if self.missing == 0:
            with suppress(InvalidStateError):  # its client may be going at this moment
                self.future.set_result(self.found)

    def fail(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            # The event loop would end by it.
            error = RuntimeError(type(error).__name__)
        with suppress(InvalidStateError):
            self.future.set_exception(error)


_Taken = list[tuple[_Job, str]]


class Queue:
    """Requests that wait for their translations."""

    def __init__(self, systems: Mapping[str, Answering], cache: AnswerCache | None = None) -> None:
        self._systems = systems
        self._cache = AnswerCache() if cache is None else cache
        self._inbox: SimpleQueue[_Job | None] = SimpleQueue()
        self._lines: dict[str, deque[_Job]] = {system: deque() for system in systems}
        self._unfinished: set[_Job] = set()
        self._is_closed = False
        self.is_broken = False
        """Whether the thread that translates has ended by a failure."""

    def submit(self, texts: Mapping[str, Sequence[str]]) -> Future[Answers]:
        """Have texts translated, each system those under its name. Cancel the future if nobody waits for it any more.

        Raises `StoppingError` after `close`; the future does if the request has not begun by then. The future raises
        `BrokenError` if nothing is translated any more.
        """
        if self._is_closed:
            raise StoppingError
        waiting = {system: deque(dict.fromkeys(own)) for system, own in texts.items()}
        job = _Job(waiting, sum(map(len, waiting.values())), {system: {} for system in texts})
        if job.missing == 0:
            job.future.set_result(job.found)
        else:
            self._unfinished.add(job)
            job.future.add_done_callback(lambda _: self._unfinished.discard(job))
            self._inbox.put(job)
            # After `add`, as `_break` sets this before it looks for jobs.
            if self.is_broken:
                job.fail(BrokenError())
        return job.future

    def close(self) -> None:
        """Finish the requests that have begun, and no others."""
        self._is_closed = True
        self._inbox.put(None)

    def run(self) -> None:
        """Translate until `close`; to be called in a thread. A failure outside the systems fails all requests."""
        try:
            while self.step():
                pass
        except BaseException as error:
            log_failure(logger, "nothing is translated any more, the server must be restarted", error)
            self._break()

    def _break(self) -> None:
        self.is_broken = True
        for job in list(self._unfinished):
            job.fail(BrokenError())

    def step(self) -> bool:
        """Translate one turn, waiting for something to translate; false if there is nothing left after `close`."""
        while not self._inbox.empty() or not any(self._lines.values()):
            if self._is_closed and self._inbox.empty():
                return False
            self._receive(self._inbox.get())
        # The systems take turns.
        system = next(name for name, line in self._lines.items() if line)
        line = self._lines.pop(system)
        self._lines[system] = line
        self._translate(system, self._take(system, line))
        return True

    def _receive(self, job: _Job | None) -> None:
        if job is not None:
            for system, texts in job.waiting.items():
                if texts:
                    self._lines[system].append(job)
            return
        for line in self._lines.values():
            for waiting in [each for each in line if not each.has_begun]:
                line.remove(waiting)
                waiting.fail(StoppingError())

    def _take(self, system: str, line: deque[_Job]) -> _Taken:
        """One text of each job after another, at least one, up to the tokens of a turn; kept answers cost none."""
        taken: _Taken = []
        tokens = 0
        sizes: dict[str, int] = {}
        while line:
            job = line[0]
            if job.is_over:
                line.popleft()
                continue
            text = job.waiting[system][0]
            answer = self._cache.get(system, text)
            if answer is None and text not in sizes:
                size = self._size(system, job, text)
                if taken and tokens + size > self._systems[system].turn_tokens:
                    break
                sizes[text] = size
                tokens += size
            line.popleft()
            job.waiting[system].popleft()
            job.has_begun = True
            if job.waiting[system]:
                line.append(job)
            if answer is None:
                taken.append((job, text))
            else:
                job.add(system, text, answer)
        return taken

    def _size(self, system: str, job: _Job, text: str) -> int:
        try:
            return self._systems[system].tokens(text)
        except BaseException as error:  # a panic of a tokenizer, which is written in Rust, is no `Exception`
            log_failure(logger, f"{system}: a translation failed", error)
            job.fail(error)
            return 0

    def _translate(self, system: str, taken: _Taken) -> None:
        """Answer the jobs; if that fails, each by itself, so that none fails because of another."""
        wanted = [(job, text) for job, text in taken if not job.is_over]
        texts = list(dict.fromkeys(text for _, text in wanted))
        if not texts:
            return
        try:
            answers = dict(zip(texts, self._systems[system].translate(texts), strict=True))
        except BaseException as error:  # a panic of a tokenizer, which is written in Rust, is no `Exception`
            jobs = list(dict.fromkeys(job for job, _ in wanted))
            if len(jobs) == 1:
                log_failure(logger, f"{system}: a translation failed", error)
                jobs[0].fail(error)
                return
            for one in jobs:
                self._translate(system, [(job, text) for job, text in wanted if job is one])
            return
        for text, answer in answers.items():
            self._cache.keep(system, text, answer)
        for job, text in wanted:
            job.add(system, text, answers[text])
