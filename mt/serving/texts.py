"""A pasted text, taken apart as `mt translate --format text` does it, and its translation as the endpoint gives it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from mt.documents.formats import read_document
from mt.documents.marked import Document
from mt.documents.plan import plan_unit
from mt.documents.translating import Translated, translate_documents
from mt.evaluation.checks.numbers import digit_numbers, word_numbers
from mt.evaluation.confidence import Confidence
from mt.evaluation.fidelity import TERMS, checks_of, is_checked
from mt.languages import LanguagePair
from mt.serving.terms import find_terms, missing_terms
from mt.systems.streaming import Translation
from mt.text.glossary import Glossary, fold_for_terms
from mt.text.numbers.dates import months, weekdays
from mt.text.numbers.readings import numbers_of
from mt.text.numbers.words import fold

LEAST_SURE_SHARE = 0.2
"""Of the sentences of a text, those that the model is least sure of are to be read first."""

_REMEMBERED = 1000
_CACHES = (fold_for_terms, fold, months, weekdays, numbers_of, digit_numbers, word_numbers)
"""Functions that keep the sentences they were called with."""

_NAME = "the text"
_NUMBERS = "numbers"
_CHECKED_AS = {
    "not translated": "empty",
    "other numbers or dates": _NUMBERS,
    "address put back at the end": "addresses",
    "formatting or placeholder moved to the end": "formatting",
}
"""By which name the endpoint gives what `mt translate` reports of a document."""


class PastedText:
    """A text that was split into sentences."""

    def __init__(self, text: str, languages: LanguagePair) -> None:
        """Raises `DataError` for what is no text."""
        content = text.removeprefix("\ufeff").encode("utf-8")
        self._document: Document = read_document(content, _NAME, "text", None, languages)
        self._languages = languages
        self._plans = [plan_unit(unit.marked, languages.source) for unit in self._document.units]

    def texts(self) -> list[str]:
        """All that a model is asked, each once."""
        return list(dict.fromkeys(chain.from_iterable(plan.texts() for plan in self._plans)))

    def translated(self, answers: Mapping[str, Translation], glossary: Glossary) -> dict[str, Any]:
        """`text` and `sentences` of the endpoint's answer. answers: at least those to `texts()`."""

        def given(texts: Iterable[str]) -> Iterator[list[Translation]]:
            yield [answers[text] for text in texts]

        (made,) = translate_documents([(_NAME, self._document)], given, self._languages)
        sentences = self._sentences(made, glossary)
        mark_least_sure(sentences)
        _forget_texts()
        return {"text": made.content.decode("utf-8"), "sentences": sentences}

    def _sentences(self, made: Translated, glossary: Glossary) -> list[dict[str, Any]]:
        paragraphs = [number for number, plan in enumerate(self._plans, start=1) for _ in plan.sentences]
        faults = _faults_by_sentence(made, has_numbers=_NUMBERS in checks_of(self._languages))
        found = []
        for number, (sentence, confidence) in enumerate(zip(made.sentences, made.confidences, strict=True), start=1):
            terms = find_terms(sentence.source, sentence.target, glossary)
            checks = [*run_checks(sentence.source, sentence.target, self._languages, glossary), *faults.get(number, [])]
            found.append(
                {
                    "source": sentence.source,
                    "translation": sentence.target,
                    "paragraph": paragraphs[number - 1],
                    "confidence": None if sentence.is_empty else as_json(confidence),
                    "least_sure": False,
                    "checks": checks,
                    "terms": terms,
                }
            )
        return found


def _faults_by_sentence(made: Translated, *, has_numbers: bool) -> dict[int, list[dict[str, Any]]]:
    """What `mt translate` reports of a document, by the number of the sentence."""
    found: dict[int, list[dict[str, Any]]] = {}
    for fault, numbers in made.faults.items():
        # The check of numbers says which ones.
        for number in numbers if not (has_numbers and _CHECKED_AS.get(fault) == _NUMBERS) else ():
            found.setdefault(number, []).append(_checked(_CHECKED_AS.get(fault, fault), fault))
    return found


def run_checks(source: str, translation: str, languages: LanguagePair, glossary: Glossary) -> list[dict[str, Any]]:
    """The fidelity checks that apply to a sentence, and that of terms, which leaves names to the check of names."""
    results = {name: check(source, translation, glossary) for name, check in checks_of(languages).items()}
    if is_checked(TERMS, languages) and not all(term.is_name for term in glossary.terms_in(source)):
        results[TERMS] = missing_terms(source, translation, glossary)
    return [_checked(name, message) for name, message in results.items() if message is not None]


def _checked(name: str, message: str) -> dict[str, Any]:
    return {"check": name, "passed": not message, "message": message}


def as_json(confidence: Confidence | None) -> dict[str, float | None] | None:
    """The numbers by name; None for what JSON has no number for, as the mean over no token is none."""
    if confidence is None or not math.isfinite(confidence.mean_log_probability):
        return None
    return asdict(confidence)


def mark_least_sure(sentences: Sequence[dict[str, Any]]) -> None:
    """Set `least_sure` of the fifth, rounded up, with the least confidence; of one sentence alone it would say nothing.

    Sentences in order of log-probability -2, -1, -3, -0.5, -0.1, -0.2: two of six, the third and the first.
    """
    sure = [sentence for sentence in sentences if sentence["confidence"] is not None]
    if len(sure) > 1:
        sure.sort(key=lambda sentence: float(sentence["confidence"]["mean_log_probability"]))
        for sentence in sure[: math.ceil(LEAST_SURE_SHARE * len(sure))]:
            sentence["least_sure"] = True


def _forget_texts() -> None:
    """Empty the memory of the checks before it holds many sentences: a server runs for weeks, and texts are private."""
    if any(cache.cache_info().currsize > _REMEMBERED for cache in _CACHES):
        for cache in _CACHES:
            cache.cache_clear()
