"""How far a job has come: a line per minute in a log, a bar on a terminal, nothing for what is soon done."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from mt import progress as module
from mt.progress import ProgressMeter, progress


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Clock]:
    caplog.set_level(logging.INFO)
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


def test_log_gets_a_line_per_minute(clock: Clock, caplog: pytest.LogCaptureFixture):
    for _ in progress(range(2000), "base on test"):
        clock.now += 0.125
    assert caplog.messages == [
        "base on test: 480 of 2,000 sentences, 3 min left",
        "base on test: 960 of 2,000 sentences, 2 min left",
        "base on test: 1,440 of 2,000 sentences, 1 min left",
        "base on test: 1,920 of 2,000 sentences, less than a minute left",
    ]


def test_what_is_soon_done_says_nothing(clock: Clock, caplog: pytest.LogCaptureFixture):
    assert list(progress(iter("abc"), "letters", "letters")) == ["a", "b", "c"]
    assert caplog.messages == []


def test_time_left_is_estimated_from_the_work_that_is_done(clock: Clock, caplog: pytest.LogCaptureFixture):
    """The longest sentences come first: 10 of 100 have taken half of the work."""
    with ProgressMeter("base on test", 100, work=1000) as meter:
        clock.now += 7200
        meter.advance(10, 500)
    assert caplog.messages == ["base on test: 10 of 100 sentences, 2 h 00 min left"]


def test_what_an_earlier_process_has_done_took_none_of_our_time(clock: Clock, caplog: pytest.LogCaptureFixture):
    with ProgressMeter("fine-tune", 400, "updates", done=300) as meter:
        meter.note("loss 3.201")
        clock.now += 300
        meter.advance(50)
    assert caplog.messages == ["fine-tune: 350 of 400 updates, 5 min left, loss 3.201"]


def test_total_may_be_unknown(clock: Clock, caplog: pytest.LogCaptureFixture):
    with ProgressMeter("reading", unit="pairs") as meter:
        clock.now += 61
        meter.advance(12345)
    assert caplog.messages == ["reading: 12,345 pairs"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_gets_a_bar(clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressMeter("base on test", 4, work=100) as meter:
        clock.now += 100
        meter.advance(3, 90)
    last = terminal.getvalue().rpartition("\r")[2]
    assert last.startswith("base on test:  90%|")
    assert "3 of 4 sentences]" in last
    assert caplog.messages == []
