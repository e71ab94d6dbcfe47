"""What is written beside a translation so that a person can review it: a table, and a page for a browser."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from mt.config import DecodingConfig, ModelConfig
from mt.documents.bilingual import BilingualTable
from mt.documents.checking import Checker, Row
from mt.documents.outputs import Job
from mt.files import new_file
from mt.languages import LanguagePair

logger = logging.getLogger(__name__)

MAX_ON_PAGE = 20_000
"""Sentences on a page; it is held in memory, and a browser becomes slow."""

Render = Callable[[str, Sequence[Row], LanguagePair, int], str]
"""A page as HTML: from the name of the document, its rows, the languages, and how many rows are left out."""
Add = Callable[[Iterable[Row]], None]
_new = partial(new_file, make_parents=True)


@dataclass(frozen=True)
class Review:
    """What is wanted for review, for all files of a command."""

    model: ModelConfig
    decoding: DecodingConfig
    has_columns: bool = False
    """Whether lines and tables get columns of confidence: `--confidence`."""
    render: Render | None = None
    """Makes the page of `--page`; None without it."""

    def checker(self) -> Checker:
        """The checks of the pair of languages, with the terms that the model is given."""
        return Checker(self.model.languages, self.decoding.terminology)

    def needs_rows(self, job: Job) -> bool:
        """Whether anything is written beside the translation."""
        return job.bilingual is not None or job.page is not None

    def needs_checks(self, job: Job) -> bool:
        """Whether it says which checks fail; they take two milliseconds a sentence."""
        return job.page is not None or (job.bilingual is not None and self.has_columns)


@contextmanager
def review_files(job: Job, review: Review) -> Iterator[Add]:
    """A function that takes the rows of a file in order; table and page are complete when the context ends."""
    on_page: list[Row] = []
    count = 0
    with ExitStack() as stack:
        page = None if job.page is None else stack.enter_context(_new(job.page))
        # The table is complete before the page is made, which may fail.
        with _table(job, review) as table:

            def add(rows: Iterable[Row]) -> None:
                nonlocal count
                for row in rows:
                    count += 1
                    if page is not None and len(on_page) < MAX_ON_PAGE:
                        on_page.append(row)
                    if table is not None:
                        table.add([row])

            yield add
        if page is not None:
            page.write(_page_of(job, review, on_page, count))


@contextmanager
def _table(job: Job, review: Review) -> Iterator[BilingualTable | None]:
    if job.bilingual is None:
        yield None
        return
    with (
        _new(job.bilingual) as stream,
        BilingualTable(stream, job.document_name, has_confidence=review.has_columns) as table,
    ):
        yield table


def _page_of(job: Job, review: Review, rows: Sequence[Row], count: int) -> bytes:
    """rows: those on the page, the first of `count`."""
    assert review.render is not None
    if count > len(rows):
        logger.warning(
            "%s: has %d sentences, and its page the first %d; split the file to read the rest on a page",
            *(job.name, count, len(rows)),
        )
    html = review.render(job.document_name, rows, review.model.languages, count - len(rows))
    return html.encode("utf-8", "replace")
