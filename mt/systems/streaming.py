"""Translating a text of any length: line by line, in windows, so that memory does not grow with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from mt.config import DecodingConfig, ModelConfig
from mt.errors import DataError
from mt.models.decoding import translate
from mt.models.model_files import shown
from mt.models.terminology import check_terminology
from mt.models.translator import Translator
from mt.progress import ProgressMeter
from mt.systems.engine_choice import open_conversion, plan_engine
from mt.systems.translating import open_translator
from mt.text.lines import read_lines, read_stdin
from mt.text.normalise import normalise

WINDOW = 1000
"""Lines that are read and translated together: enough sentences of every length for full batches."""


def translate_file(model: ModelConfig, decoding: DecodingConfig, file: str) -> Iterator[list[str]]:
    """The translations of `file` (`-`: stdin) window by window, in order, one per line; an empty line stays empty.

    Raises `DataError` at once for terms or a file that are not there.
    """
    check_terminology(decoding)
    if file == "-":
        return translate_lines(model, decoding, (line for _, line in read_stdin()))
    if os.path.isfile(file):  # noqa: PTH113
        return translate_lines(model, decoding, (line for _, line in read_lines(Path(file))))
    raise DataError(f"{shown(file)}: no such text file (seen from {Path.cwd()})")


def translate_lines(model: ModelConfig, decoding: DecodingConfig, lines: Iterable[str]) -> Iterator[list[str]]:
    """The translations of the lines, `WINDOW` at a time; no line is read before those ahead of it are translated.

    The model is loaded when there is something to translate, by the engine that the first window is large enough for.
    """
    translator: Translator | None = None
    rest, first = iter(lines), 1
    with ProgressMeter("translate", unit="lines") as meter:
        while window := list(islice(rest, WINDOW)):
            sources = [normalise(line) for line in window]
            wanted = [index for index, source in enumerate(sources) if source]
            texts = [sources[index] for index in wanted]
            if wanted and translator is None:
                translator = _opened(model, decoding, texts)
            translations = [""] * len(window)
            meter.advance(len(window) - len(wanted))
            if translator is not None:
                origins = [f"line {first + index}" for index in wanted]
                found = translate(translator, texts, decoding, "translate", origins, meter)
                for index, hypothesis in zip(wanted, found, strict=True):
                    translations[index] = hypothesis
            yield translations
            first += len(window)


def _opened(model: ModelConfig, decoding: DecodingConfig, sources: list[str]) -> Translator:
    engine = plan_engine(model, decoding, len(sources))
    return open_conversion(model, decoding, engine, sources) or open_translator(model, decoding)
