"""Sample translations during training, and the time that evaluations take."""

import logging
from types import SimpleNamespace

import pytest

from mt.training import evaluation_time
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.evaluation_time import EvaluationTime
from mt.training.samples import Sample, pick_samples, show_samples

DEV = DevSet(EncodedPairs([], []), ["a long one indeed", "b", "two words", "aa bb"], ["1", "2", "3", "4"])


def test_the_two_of_middle_length_are_shown():
    assert pick_samples(DEV, ["A", "B", "C", "D"]) == [Sample("aa bb", "D", "4"), Sample("two words", "C", "3")]
    assert pick_samples(DevSet(DEV.encoded, ["x"], ["y"]), ["z"]) == [Sample("x", "z", "y")]
    assert pick_samples(DevSet(DEV.encoded, [], []), []) == []


def test_log_and_tensorboard_get_them(caplog: pytest.LogCaptureFixture):
    texts: list[tuple[str, str, int]] = []
    board = SimpleNamespace(tb_writer=SimpleNamespace(add_text=lambda *what: texts.append(what)))
    with caplog.at_level(logging.INFO):
        show_samples([Sample("The war.", "الحرب", "x" * 300)], 40, [object(), SimpleNamespace(tb_writer=None), board])
    assert caplog.messages == [
        "sample 1: source      The war.",
        "sample 1: hypothesis  الحرب",
        f"sample 1: reference   {'x' * 197}...",
    ]
    assert texts == [("samples/1", f"**source**: The war.  \n**hypothesis**: الحرب  \n**reference**: {'x' * 300}", 40)]
    show_samples([Sample("a", "b", "c")], 1, [])


def test_share_of_evaluations(monkeypatch: pytest.MonkeyPatch):
    times = iter([10.0, 11.0, 15.0, 16.0, 18.0])
    monkeypatch.setattr(evaluation_time, "perf_counter", lambda: next(times))
    spent = EvaluationTime()
    assert spent.share is None
    for _ in range(2):
        with spent:
            pass
    # Two of the eight seconds since 10.
    assert spent.share == 0.25
