"""Documents through the model: their sentences in one stream, each asked for once, and the documents in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from mt.documents.assembly import Sentence, assemble
from mt.documents.checking import NOT_TRANSLATED, faults_of_form, loses_digits
from mt.documents.marked import Document
from mt.documents.plan import Plan, plan_unit
from mt.evaluation.confidence import Confidence
from mt.evaluation.fidelity import checks_of
from mt.languages import LanguagePair
from mt.systems.streaming import Translation
from mt.text.glossary import read_glossary

logger = logging.getLogger(__name__)

Translate = Callable[[Iterable[str]], Iterator[list[Translation]]]
"""Sentences in, their translations out, window by window and in order."""

_NAMED = 5


class Translated(NamedTuple):
    """A document with its translations."""

    name: str
    content: bytes
    """The file in the target language."""
    sentences: list[Sentence]
    places: list[str]
    """Where each sentence is in the file."""
    faults: dict[str, list[int]]
    """What a person should look at, in words, and in which sentences, counted from 1."""
    confidences: list[Confidence | None]
    """That of each sentence; None without one, and for what is copied."""


def translate_documents(
    documents: Sequence[tuple[str, Document]], translate: Translate, languages: LanguagePair
) -> Iterator[Translated]:
    """Each document, by its name, translated; a document is there as soon as its last sentence is.

    A sentence that occurs again, in any of them, is translated once.
    """
    plans = [[plan_unit(unit.marked, languages.source) for unit in document.units] for _, document in documents]
    waiting = list(dict.fromkeys(text for each in plans for plan in each for text in plan.texts()))
    found = chain.from_iterable(translate(waiting))
    answers: dict[str, Translation] = {}
    asked = iter(waiting)
    for (name, document), own in zip(documents, plans, strict=True):
        for text in (text for plan in own for text in plan.texts()):
            while text not in answers:
                answers[next(asked)] = next(found)
        yield _finished(name, document, own, answers, languages)


def _finished(
    name: str, document: Document, plans: list[Plan], answers: dict[str, Translation], languages: LanguagePair
) -> Translated:
    texts = {asked: answer.text for asked, answer in answers.items()}
    units = [assemble(plan, texts) for plan in plans]
    sentences = [sentence for _, inside in units for sentence in inside]
    content = document.render([marked for marked, _ in units], languages)
    places = [unit.place for unit, (_, inside) in zip(document.units, units, strict=True) for _ in inside]
    confidences = [answers[each.asked].confidence if each.asked else None for each in sentences]
    return Translated(name, content, sentences, places, find_faults(sentences, languages), confidences)


def find_faults(sentences: Sequence[Sentence], languages: LanguagePair) -> dict[str, list[int]]:
    """The numbers of the sentences, from 1, by what is wrong with them."""
    check = checks_of(languages).get("numbers")
    glossary = read_glossary(None, languages)
    faults: dict[str, list[int]] = {}
    for number, sentence in enumerate(sentences, start=1):
        has_lost = (
            loses_digits(*sentence[:2]) if check is None else bool(check(sentence.source, sentence.target, glossary))
        )
        found = {
            NOT_TRANSLATED: sentence.is_empty,
            "other numbers or dates": has_lost and not sentence.is_empty,
            **faults_of_form(sentence),
        }
        for fault, is_found in found.items():
            if is_found:
                faults.setdefault(fault, []).append(number)
    return faults


def report_faults(translated: Translated) -> None:
    """One line in the log on what to look at in a document, if there is anything."""
    if translated.faults:
        count = len(set(chain.from_iterable(translated.faults.values())))
        kinds = "; ".join(
            f"{fault}: {_listed(numbers, translated.places)}" for fault, numbers in translated.faults.items()
        )
        logger.warning("%s: look at %d of %d sentences: %s", translated.name, count, len(translated.sentences), kinds)


def _listed(numbers: list[int], places: list[str]) -> str:
    named = ", ".join(f"{number} ({places[number - 1]})" for number in numbers[:_NAMED])
    return f"{named} and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else named
