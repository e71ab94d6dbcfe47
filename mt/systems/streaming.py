"""Translating a text of any length: line by line, in windows, so that memory does not grow with it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from mt.config import DecodingConfig, ModelConfig
from mt.errors import DataError
from mt.evaluation.confidence import Confidence
from mt.input_files import is_pipe
from mt.models.decoding import translate
from mt.models.model_files import shown
from mt.models.terminology import check_terminology
from mt.models.translator import Translator
from mt.progress import ProgressMeter
from mt.systems.confidence import Estimator, Parts
from mt.systems.engine_choice import plan_engine
from mt.systems.fitting import parts_for
from mt.systems.translating import open_by
from mt.text.lines import read_lines, read_pipe, read_stdin
from mt.text.normalise import normalise

logger = logging.getLogger(__name__)

WINDOW = 1000
"""Lines that are read and translated together: enough sentences of every length for full batches."""


def translate_file(model: ModelConfig, decoding: DecodingConfig, file: str) -> Iterator[list[str]]:
    """The translations of `file` (`-`: stdin) window by window, in order, one per line; an empty line stays empty.

    Raises `DataError` at once for terms or a file that are not there.
    """
    return translate_lines(model, decoding, lines_of(decoding, file))


def lines_of(decoding: DecodingConfig, file: str) -> Iterator[str]:
    """The lines of a file, a named pipe or `-`, standard input, read when they are asked for.

    Raises `DataError` at once for terms or a file that are not there.
    """
    check_terminology(decoding)
    if file == "-":
        return (line for _, line in read_stdin())
    if is_pipe(file):
        return (line for _, line in read_pipe(Path(file)))
    if os.path.isfile(file):  # noqa: PTH113
        return (line for _, line in read_lines(Path(file)))
    raise DataError(f"{shown(file)}: no such text file (seen from {Path.cwd()})")


def translate_lines(model: ModelConfig, decoding: DecodingConfig, lines: Iterable[str]) -> Iterator[list[str]]:
    """The texts of `Stream.lines`, without confidence."""
    for window in Stream(model, decoding).lines(lines):
        yield [translation.text for translation in window]


class Translation(NamedTuple):
    """What the model gives for a line or a sentence."""

    text: str
    """Empty for a blank line."""
    confidence: Confidence | None = None
    """None for a blank line, and where none is asked for."""


class Stream:
    """A model that is loaded when there is something to translate, by the engine that the first window is large enough
    for."""

    def __init__(self, model: ModelConfig, decoding: DecodingConfig, estimator: Estimator | None = None) -> None:
        """estimator: gives the translations their confidence, if that is wanted."""
        self._model, self._decoding, self._estimator = model, decoding, estimator
        self._translator: Translator | None = None

    def lines(self, lines: Iterable[str]) -> Iterator[list[Translation]]:
        """The translations of the lines, `WINDOW` at a time; no line is read before those ahead of it are translated.

        A line that is too long for the model is cut, and the log names it.
        """
        return self._translated(lines, "line", _translate_as_they_are)

    def sentences(self, sentences: Iterable[str]) -> Iterator[list[Translation]]:
        """The translations of sentences of documents, in the same way, but nothing is cut.

        A sentence that is too long for the model is translated in parts, which end at commas if it has any.
        """
        return self._translated(sentences, "sentence", _translate_in_parts)

    def _translated(
        self, lines: Iterable[str], unit: str, translate_window: _TranslateWindow
    ) -> Iterator[list[Translation]]:
        rest, first = iter(lines), 1
        with ProgressMeter("translate", unit=f"{unit}s") as meter:
            while window := list(islice(rest, WINDOW)):
                sources = [normalise(line) for line in window]
                wanted = [index for index, source in enumerate(sources) if source]
                translations = [Translation("")] * len(window)
                meter.advance(len(window) - len(wanted))
                if wanted:
                    texts = [sources[index] for index in wanted]
                    translator = self._opened(texts)
                    origins = [f"{unit} {first + index}" for index in wanted]
                    found = translate_window(translator, texts, self._decoding, origins, meter)
                    for index, translation in zip(wanted, self._with_confidence(translator, found), strict=True):
                        translations[index] = translation
                yield translations
                first += len(window)

    def _with_confidence(self, translator: Translator, found: Sequence[Parts]) -> Iterator[Translation]:
        texts = [" ".join(hypothesis for _, hypothesis in parts) for parts in found]
        if self._estimator is None:
            return map(Translation, texts)
        return map(Translation, texts, self._estimator.confidences(translator, found))

    def _opened(self, sources: list[str]) -> Translator:
        """The model, loaded by the first call; sources: on some of which its conversion is checked."""
        if self._translator is None:
            planned = plan_engine(self._model, self._decoding, len(sources))
            self._translator, engine = open_by(planned, self._model, self._decoding, sources)
            if self._estimator is not None:
                self._estimator.check_engine(engine)
        return self._translator


_TranslateWindow = Callable[[Translator, list[str], DecodingConfig, list[str], ProgressMeter], list[Parts]]


def _translate_as_they_are(
    translator: Translator, texts: list[str], decoding: DecodingConfig, origins: list[str], meter: ProgressMeter
) -> list[Parts]:
    found = translate(translator, texts, decoding, "translate", origins, meter)
    return [[pair] for pair in zip(texts, found, strict=True)]


def _translate_in_parts(
    translator: Translator, texts: list[str], decoding: DecodingConfig, origins: list[str], meter: ProgressMeter
) -> list[Parts]:
    parts = parts_for(translator, texts, decoding)
    _report_parts(texts, parts)
    names = [origin for origin, own in zip(origins, parts, strict=True) for _ in own]
    flat = [part for own in parts for part in own]
    found = zip(flat, translate(translator, flat, decoding, "translate", names, meter), strict=True)
    return [list(islice(found, len(own))) for own in parts]


def _report_parts(texts: Sequence[str], parts: Sequence[Sequence[str]]) -> None:
    for text, own in zip(texts, parts, strict=True):
        if len(own) > 1:
            logger.warning(
                "a sentence of %d words is too long for the model and is translated in %d parts: %.60s ...",
                *(len(text.split()), len(own), text),
            )
