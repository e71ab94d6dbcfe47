"""The queue in front of the models: turns, fairness, failures that stay with one request, and the end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Any

import pytest

from mt.serving.answers import AnswerCache
from mt.serving.queue import Answers, BrokenError, Queue, StoppingError
from mt.systems.streaming import Translation


class Fake:
    """A system: a text of n words has n tokens, its translation is in capitals, and `bad` cannot be translated."""

    def __init__(self, turn_tokens: int = 4) -> None:
        self.turn_tokens = turn_tokens
        self.turns: list[list[str]] = []

    def tokens(self, text: str) -> int:
        if text == "unreadable":
            raise ValueError(f"cannot read {text}")
        return len(text.split())

    def translate(self, texts: Sequence[str]) -> list[Translation]:
        self.turns.append(list(texts))
        if "bad" in texts:
            raise RuntimeError("the secret text")
        return [answer(text) for text in texts]


def answer(text: str) -> Translation:
    return Translation(text.upper(), None)


def translated(*texts: str) -> dict[str, Translation]:
    return {text: answer(text) for text in texts}


def finish(queue: Queue) -> None:
    """Close the queue and translate what has begun, in this thread."""
    queue.close()
    queue.run()


def test_what_waits_is_translated_together():
    fake = Fake()
    queue = Queue({"a": fake})
    futures = [queue.submit({"a": [text]}) for text in ("one", "two words", "three", "four")]
    assert queue.step()
    # 1 + 2 + 1 tokens; a fifth would be too many.
    assert fake.turns == [["one", "two words", "three"]]
    assert [future.done() for future in futures] == [True, True, True, False]
    assert queue.step()
    assert futures[3].result() == {"a": translated("four")}


def test_a_long_text_does_not_keep_short_ones_waiting():
    fake = Fake(turn_tokens=3)
    queue = Queue({"a": fake})
    long = queue.submit({"a": [f"sentence{number}" for number in range(5)]})
    first, second = queue.submit({"a": ["x"]}), queue.submit({"a": ["y"]})
    queue.step()
    assert fake.turns == [["sentence0", "x", "y"]]
    assert first.done()
    assert second.done()
    assert not long.done()
    third = queue.submit({"a": ["z"]})
    queue.step()
    assert fake.turns[1] == ["sentence1", "z", "sentence2"]
    assert third.done()
    queue.step()
    assert fake.turns[2] == ["sentence3", "sentence4"]
    assert long.result() == {"a": translated(*(f"sentence{number}" for number in range(5)))}


def test_a_text_longer_than_a_turn_has_one_of_its_own():
    fake = Fake(turn_tokens=2)
    queue = Queue({"a": fake})
    long, short = queue.submit({"a": ["a b c d e"]}), queue.submit({"a": ["x"]})
    queue.step()
    queue.step()
    assert fake.turns == [["a b c d e"], ["x"]]
    assert long.done()
    assert short.done()


def test_systems_take_turns():
    fakes = {"a": Fake(turn_tokens=1), "b": Fake(turn_tokens=1)}
    queue = Queue(fakes)
    future = queue.submit({"a": ["x", "y"], "b": ["x", "y"]})
    queue.step()
    queue.step()
    assert (fakes["a"].turns, fakes["b"].turns) == ([["x"]], [["x"]])
    queue.step()
    queue.step()
    assert future.result() == {"a": translated("x", "y"), "b": translated("x", "y")}


def test_the_same_text_is_translated_once_and_kept():
    fakes = {"a": Fake(), "b": Fake()}
    queue = Queue(fakes)
    futures = [queue.submit({"a": ["x", "x"]}), queue.submit({"a": ["x"]})]
    queue.step()
    assert [future.result() for future in futures] == [{"a": translated("x")}] * 2
    kept = queue.submit({"a": ["x"]})
    queue.step()
    assert kept.result() == {"a": translated("x")}
    assert fakes["a"].turns == [["x"]]
    # Of another system it is another translation.
    queue.submit({"b": ["x"]})
    queue.step()
    assert fakes["b"].turns == [["x"]]


def test_a_request_without_texts_has_its_answer_at_once():
    assert Queue({"a": Fake()}).submit({"a": []}).result() == {"a": {}}


def test_what_was_cancelled_while_it_waited_is_not_translated():
    fake = Fake()
    queue = Queue({"a": fake})
    gone, stays = queue.submit({"a": ["gone"]}), queue.submit({"a": ["stays"]})
    assert gone.cancel()
    queue.step()
    assert fake.turns == [["stays"]]
    assert stays.result() == {"a": translated("stays")}


def test_a_failure_stays_with_its_request(caplog: pytest.LogCaptureFixture):
    fake = Fake()
    queue = Queue({"a": fake})
    good, bad, other = (queue.submit({"a": [text]}) for text in ("good", "bad", "other"))
    with caplog.at_level(logging.ERROR):
        queue.step()
    assert good.result() == {"a": translated("good")}
    assert other.result() == {"a": translated("other")}
    with pytest.raises(RuntimeError):
        bad.result()
    assert fake.turns == [["good", "bad", "other"], ["good"], ["bad"], ["other"]]
    # The log says where, and nothing of the text.
    assert "a: a translation failed: RuntimeError in " in caplog.text
    assert "secret" not in caplog.text


def test_a_text_that_cannot_be_encoded_fails_alone(caplog: pytest.LogCaptureFixture):
    queue = Queue({"a": Fake()})
    bad, good = queue.submit({"a": ["unreadable"]}), queue.submit({"a": ["good"]})
    queue.step()
    with pytest.raises(ValueError, match="cannot read"):
        bad.result()
    assert good.result() == {"a": translated("good")}
    assert "unreadable" not in caplog.text


def test_at_the_end_what_has_begun_is_finished_and_the_rest_refused():
    fakes = {"a": Fake(turn_tokens=1), "b": Fake(turn_tokens=1)}
    queue = Queue(fakes)
    begun, waiting = queue.submit({"a": ["x", "y"], "b": ["x"]}), queue.submit({"a": ["z"]})
    queue.step()
    finish(queue)
    assert begun.result() == {"a": translated("x", "y"), "b": translated("x")}
    with pytest.raises(StoppingError):
        waiting.result()
    with pytest.raises(StoppingError):
        queue.submit({"a": ["later"]})
    assert fakes["a"].turns == [["x"], ["y"]]


def test_a_thread_translates_for_others_until_the_end():
    queue = Queue({"a": Fake()})
    worker = Thread(target=queue.run)
    worker.start()
    futures: list[Future[Answers]] = []
    clients = [Thread(target=lambda n=n: futures.append(queue.submit({"a": [f"text{n}"]}))) for n in range(20)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert sorted(next(iter(future.result(60)["a"])) for future in futures) == sorted(f"text{n}" for n in range(20))
    queue.close()
    worker.join(60)
    assert not worker.is_alive()


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        ([("keep", "aa"), ("keep", "bb"), ("keep", "cc")], ["bb", "cc"]),
        ([("keep", "aa"), ("keep", "bb"), ("get", "aa"), ("keep", "cc")], ["aa", "cc"]),
        ([("keep", "aa"), ("keep", "aa"), ("keep", "bb")], ["aa", "bb"]),
        ([("keep", "aa"), ("keep", "much too long")], []),
    ],
)
def test_the_answers_not_asked_for_longest_are_forgotten(steps: list[tuple[str, str]], kept: list[str]):
    # Text and translation have four characters together.
    cache = AnswerCache(max_characters=8)
    for step, text in steps:
        result: Any = cache.keep("a", text, answer(text)) if step == "keep" else cache.get("a", text)
        assert step == "keep" or result == answer(text)
    assert [text for text in ("aa", "bb", "cc", "much too long") if cache.get("a", text)] == kept
    assert cache.get("b", "aa") is None


class PanicError(BaseException):
    """As of a library in Rust."""


@pytest.mark.parametrize("method", ["tokens", "translate"])
def test_a_panic_fails_one_request_only(method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    fake = Fake()
    own = getattr(fake, method)

    def panic(given: Any) -> Any:
        if "odd" in given:
            raise PanicError("the secret text")
        return own(given)

    monkeypatch.setattr(fake, method, panic)
    queue = Queue({"a": fake})
    odd, good = queue.submit({"a": ["odd"]}), queue.submit({"a": ["good"]})
    queue.step()
    with pytest.raises(RuntimeError, match="PanicError"):
        odd.result(0)
    assert good.result(0) == {"a": translated("good")}
    assert "secret" not in caplog.text


@pytest.mark.parametrize("method", ["get", "keep"])
def test_when_the_thread_ends_by_a_failure_nobody_waits_for_ever(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_: Any) -> Any:
        raise MemoryError("the secret text")

    cache = AnswerCache()
    monkeypatch.setattr(cache, method, fail)
    queue = Queue({"a": Fake(turn_tokens=1)}, cache)
    before = [queue.submit({"a": ["x"]}), queue.submit({"a": ["y"]})]
    assert not queue.is_broken
    queue.run()
    assert queue.is_broken
    for future in [*before, queue.submit({"a": ["z"]})]:
        with pytest.raises(BrokenError):
            future.result(0)
    assert "nothing is translated any more, the server must be restarted: MemoryError in " in caplog.text
    assert "secret" not in caplog.text
