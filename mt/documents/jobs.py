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
from mt.documents.bilingual import BilingualTable
from mt.documents.formats import read_document
from mt.documents.marked import Document
from mt.documents.outputs import Job
from mt.documents.reading import read_content
from mt.documents.translating import Translate, report_faults, translate_documents
from mt.files import new_file

_new = partial(new_file, make_parents=True)


def write_lines(job: Job, lines: Iterable[str], translate: Translate) -> list[Path]:
    """Translate lines as they come, in flat memory, and write them window by window. Returns what was written."""
    with ExitStack() as stack:
        write = _printed if job.output is None else _writer(stack.enter_context(_new(job.output)))
        table = None if job.bilingual is None else stack.enter_context(_new(job.bilingual))
        rows = BilingualTable(job.document_name)
        if table is not None:
            table.write(rows.head())
        read: deque[str] = deque()
        for window in translate(lines if table is None else _remembered(lines, read)):
            write(window)
            if table is not None:
                table.write(rows.rows((read.popleft(), line) for line in window))
    return job.paths


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
    documents: Sequence[tuple[Job, Document]], translate: Translate, model: ModelConfig
) -> Iterator[tuple[Job, list[Path]]]:
    """Translate documents, and write each as soon as it is done. Yields each with what was written."""
    if not documents:
        return
    named = [(job.name, document) for job, document in documents]
    for (job, _), translated in zip(documents, translate_documents(named, translate, model.languages), strict=True):
        if job.output is None:
            sys.stdout.buffer.write(translated.content)
            sys.stdout.buffer.flush()
        else:
            with _new(job.output) as stream:
                stream.write(translated.content)
        if job.bilingual is not None:
            rows = BilingualTable(job.document_name)
            with _new(job.bilingual) as stream:
                stream.write(rows.head())
                stream.write(rows.rows((sentence.source, sentence.target) for sentence in translated.sentences))
        report_faults(translated)
        yield job, job.paths
