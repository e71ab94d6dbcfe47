"""A server of two systems that are no models, for the tests of the endpoint and of the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, NamedTuple

from mt.config.serving import ServingConfig
from mt.evaluation.confidence import Confidence
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.serving.app import Described, Service, make_app
from mt.serving.protection import AllowedHosts
from mt.serving.queue import Queue
from mt.systems.streaming import Translation
from mt.text.glossary import Glossary, Term

GLOSSARY = Glossary([Term(("Aleppo",), ("حلب",), "place"), Term(("air strike",), ("غارة جوية",), "weapon")])
TRANSLATIONS = {
    "The army entered Aleppo.": "دخل الجيش حلب.",
    "An air strike hit 5 houses.": "أصابت غارة جوية 5 منازل.",
    "They left.": "غادروا.",
}


class Fake:
    """A system that knows a few sentences, and of others says `ترجمة` per word; it may be made to wait."""

    turn_tokens = 1000

    def __init__(self, *, is_calibrated: bool = False) -> None:
        self.is_calibrated = is_calibrated
        self.turns: list[list[str]] = []
        self.has_begun, self.may_go_on = Event(), Event()
        self.may_go_on.set()

    def tokens(self, text: str) -> int:
        return len(text.split())

    def translate(self, texts: Sequence[str]) -> list[Translation]:
        self.turns.append(list(texts))
        self.has_begun.set()
        assert self.may_go_on.wait(60)
        if any("poison" in text for text in texts):
            raise RuntimeError("poison in the text")
        return [Translation(self._translation(text), self._confidence(text)) for text in texts]

    def _translation(self, text: str) -> str:
        return TRANSLATIONS.get(text) or " ".join("ترجمة" for _ in text.split())

    def _confidence(self, text: str) -> Confidence:
        mean = -len(text) / 100 if text != "Nothing." else math.nan
        return Confidence(50.0, 40.5, 61.0, mean) if self.is_calibrated else Confidence(None, None, None, mean)


class Served(NamedTuple):
    """An application, and what is behind it."""

    app: Any
    fakes: dict[str, Fake]
    queue: Queue


@contextmanager
def serving(
    config: ServingConfig | None = None,
    *,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
    glossary: Glossary = GLOSSARY,
    hosts: AllowedHosts | None = None,
) -> Iterator[Served]:
    """Systems `base` and `tuned`, the second one calibrated, with the thread that translates."""
    fakes = {"base": Fake(), "tuned": Fake(is_calibrated=True)}
    queue = Queue(fakes)
    described = [Described(name, "an engine", fake.is_calibrated) for name, fake in fakes.items()]
    service = Service(queue, described, languages, glossary, config or ServingConfig(requests_per_minute=0))
    worker = Thread(target=queue.run, daemon=True)
    worker.start()
    try:
        yield Served(make_app(service, hosts or AllowedHosts([], is_local=True)), fakes, queue)
    finally:
        for fake in fakes.values():
            fake.may_go_on.set()
        queue.close()
        worker.join(60)
        assert not worker.is_alive()
