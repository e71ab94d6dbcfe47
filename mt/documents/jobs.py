"""Files through the model and to the disk: lines window by window, documents one by one."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO

from mt.config import ModelConfig
from mt.documents.bilingual import line_of
from mt.documents.checking import Checker, Row
from mt.documents.formats import read_document
from mt.documents.marked import Document
from mt.documents.outputs import Job
from mt.documents.reading import read_content
from mt.documents.review_files import Review, review_files
from mt.documents.translating import Translate, Translated, report_faults, translate_documents
from mt.files import new_file
from mt.systems.streaming import Translation

_new = partial(new_file, make_parents=True)


def write_lines(job: Job, lines: Iterable[str], translate: Translate, review: Review) -> list[Path]:
    """Translate lines as they come, in flat memory, and write them window by window. Returns what was written."""
    read: deque[str] = deque()
    count = 0
    with ExitStack() as stack:
        # What is entered last is complete first: a page that fails must not take the translation with it.
        add = stack.enter_context(review_files(job, review))
        write = _printed if job.output is None else _writer(stack.enter_context(_new(job.output)))
        checker = review.checker() if review.needs_checks(job) else None
        for window in translate(_remembered(lines, read) if review.needs_rows(job) else lines):
            write([line_of(*each) if review.has_columns else each.text for each in window])
            for translation in window if read else ():
                count += 1
                add([_row_of_line(checker, count, read.popleft(), translation)])
    return job.paths


def _row_of_line(checker: Checker | None, number: int, source: str, translation: Translation) -> Row:
    if checker is None:
        return Row(source, *translation)
    return checker.row_of_line(number, source, translation)


def _remembered(lines: Iterable[str], read: deque[str]) -> Iterator[str]:
    for line in lines:
        read.append(line)
        yield line


def _printed(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)


def _writer(stream: BinaryIO) -> Callable[[Sequence[str]], None]:
    def write(lines: Sequence[str]) -> None:
        stream.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))

    return write


def read_documents(jobs: Sequence[Job], column: str | None, model: ModelConfig) -> list[tuple[Job, Document]]:
    """The documents, all of them before anything is translated, so that mistakes show at once. Raises `DataError`."""
    return [(job, read_document(read_content(job.file), job.name, job.format, column, model.languages)) for job in jobs]


def write_documents(
    documents: Sequence[tuple[Job, Document]], translate: Translate, review: Review
) -> Iterator[tuple[Job, list[Path]]]:
    """Translate documents, and write each as soon as it is done. Yields each with what was written."""
    if not documents:
        return
    languages = review.model.languages
    named = [(job.name, document) for job, document in documents]
    for (job, _), translated in zip(documents, translate_documents(named, translate, languages), strict=True):
        if job.output is None:
            sys.stdout.buffer.write(translated.content)
            sys.stdout.buffer.flush()
        else:
            with _new(job.output) as stream:
                stream.write(translated.content)
        if review.needs_rows(job):
            with review_files(job, review) as add:
                add(_rows_of(translated, review.checker() if review.needs_checks(job) else None))
        report_faults(translated)
        yield job, job.paths


def _rows_of(translated: Translated, checker: Checker | None) -> Iterator[Row]:
    for sentence, confidence, place in zip(
        translated.sentences, translated.confidences, translated.places, strict=True
    ):
        if checker is None:
            yield Row(sentence.source, sentence.target)
        else:
            yield checker.row_of_sentence(sentence, confidence, place)
