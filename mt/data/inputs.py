"""What a build reads: its corpora and test sets, file by file, each pair with its corpus and a lasting document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mt.config import CorpusConfig
from mt.data.formats.documents import lasting_name
from mt.data.pair import Pair
from mt.data.preparing import Preparation
from mt.data.readers import CorpusFile, check_corpus, corpus_files, read_corpus, read_file
from mt.languages import LanguagePair


class Input(NamedTuple):
    """A file of a build."""

    file: CorpusFile
    corpus: int
    """The number of its corpus in the build."""
    is_test_set: bool


class Inputs(NamedTuple):
    """All that one build reads, and what is done to every pair of it."""

    corpora: list[tuple[str, CorpusConfig]]
    """(name, options) of each; the test sets come last."""
    own: int
    """How many of them are no test sets."""
    languages: LanguagePair
    preparation: Preparation

    def pairs(self) -> Iterator[Pair]:
        """Stream the raw pairs of all corpora in order. Raises `DataError`."""
        for number, (name, corpus) in enumerate(self.corpora):
            yield from _of_build(read_corpus(name, corpus, self.languages), number, is_test_set=number >= self.own)

    def files(self) -> list[Input]:
        """The files of all corpora in order; together they hold the pairs of `pairs`.

        Raises `DataError` for a corpus that is missing or whose beginning cannot be read, or that has no pair.
        """
        found = []
        for number, (name, corpus) in enumerate(self.corpora):
            check_corpus(name, corpus, self.languages)
            next(read_corpus(name, corpus, self.languages))
            found += [Input(file, number, number >= self.own) for file in corpus_files(corpus, self.languages)]
        return found


def read_input(one: Input, languages: LanguagePair) -> Iterator[Pair]:
    """Stream the raw pairs of one file, as `Inputs.pairs` does for all of them. Raises `DataError`."""
    return _of_build(read_file(one.file, languages), one.corpus, is_test_set=one.is_test_set)


def _of_build(pairs: Iterable[Pair], corpus: int, *, is_test_set: bool) -> Iterator[Pair]:
    document, lasting = "", ""
    for pair in pairs:
        if pair.document != document:
            document, lasting = pair.document, lasting_name(pair)
        # Training may use what a test set itself leaves out.
        if not is_test_set or pair.fault is None:
            yield pair._replace(corpus=corpus, document=lasting)
