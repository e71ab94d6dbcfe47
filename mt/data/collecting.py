"""The first stage of a build: all corpora read, cleaned and stored, segment by segment."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from mt.config import CorpusConfig, DataConfig
from mt.data.engines.engine import Engine
from mt.data.inputs import Inputs
from mt.data.pair import Pair
from mt.data.preparing import Preparation, Prepared, usable_workers
from mt.data.readers import input_files, is_compressed
from mt.data.rejects import REJECTED, RejectedFile
from mt.data.report import CorpusReport, DataReport
from mt.data.slips import SlipWatches
from mt.data.store import PairStore
from mt.errors import DataError
from mt.languages import LanguagePair

logger = logging.getLogger(__name__)

# Starting a process takes a second; cleaning this many bytes takes longer.
_BYTES_WORTH_WORKERS = 4_000_000
# Of at most 2,000 pairs each. An interrupted build loses one segment at most.
_CHUNKS_PER_SEGMENT = 100
_REPORT = "report.json"


class Collection:
    """The corpora of one build and its test sets."""

    def __init__(self, config: DataConfig, test_sets: Mapping[str, CorpusConfig], languages: LanguagePair) -> None:
        self.config, self.languages = config, languages
        # The key has two parts because a test set may have the name of a corpus.
        self.corpora = {**{(name, ""): corpus for name, corpus in config.corpora.items()}}
        self.corpora |= {(name, "test set"): corpus for name, corpus in test_sets.items()}
        self.names = [name for name, _ in self.corpora]

    def store_in(self, store: PairStore, engine: Engine) -> None:
        """Read, normalise and clean every pair, and store those that no rule for single pairs rejects.

        Reading goes on after the last pair of the segments that are in the store. Raises `DataError` for an empty side
        in a test set and if the two sides of a corpus are out of step.
        """
        watches = SlipWatches(self._watched())
        if store.segments:
            logger.info("an interrupted build goes on: %d pairs were read before", store.read)
            watches.resume(store)
        chunks = engine.prepared(self._inputs(), store.read)
        for first in chunks:
            self._write_segment(chain([first], islice(chunks, _CHUNKS_PER_SEGMENT - 1)), store, watches)
        watches.finish()

    def _write_segment(self, chunks: Iterator[Prepared], store: PairStore, watches: SlipWatches) -> None:
        segment, report = store.begin(), self.empty_report()
        with RejectedFile(segment.directory / REJECTED) as rejected:
            for chunk in chunks:
                segment.append(chunk.kept, chunk.fingerprints, chunk.read.total())
                self._account(chunk, report, rejected)
                watches.add(chunk.kept, chunk.fingerprints)
        content = report.as_json()
        for name, corpus in report.corpora.items():
            # In the order in which they were met, which decides between equal counts of all segments.
            content["corpora"][name]["places"] = corpus.place_names
        (segment.directory / _REPORT).write_text(json.dumps(content), encoding="utf-8")
        store.finish()

    def empty_report(self) -> DataReport:
        """A report of no pairs."""
        return DataReport({name: CorpusReport() for name in self.config.corpora})

    def report_of(self, store: PairStore, rejected: RejectedFile) -> DataReport:
        """The report of what is in the store; the pairs that were rejected are added to `rejected`."""
        report = self.empty_report()
        for segment in store.segments:
            report.add(DataReport.read(segment / _REPORT))
            rejected.add_all(segment / REJECTED)
        return report

    def _inputs(self) -> Inputs:
        """What is read, and everything that is done to one pair at a time."""
        cleaning = {
            index: self.config.cleaning if corpus.clean and not kind else None
            for index, ((_, kind), corpus) in enumerate(self.corpora.items())
        }
        corpora = [(name, corpus) for (name, _), corpus in self.corpora.items()]
        prepare = preparation(self.config, cleaning, self.languages)
        return Inputs(corpora, len(self.config.corpora), self.languages, prepare)

    def _watched(self) -> list[int]:
        """The corpora whose sides may be out of step: those that are cleaned and are no glossaries."""
        corpora = self.config.corpora.values() if self.config.cleaning.slipped_lines else []
        return [index for index, corpus in enumerate(corpora) if corpus.clean and not corpus.is_glossary]

    def workers(self) -> int:
        """Processes to clean with."""
        if self.config.workers is not None:
            return self.config.workers
        corpora = self.corpora.values()
        files = [input_files(corpus, self.languages) for corpus in corpora]
        is_large = text_bytes(chain.from_iterable(files)) > _BYTES_WORTH_WORKERS
        return usable_workers() if is_large or not all(files) else 1

    def _account(self, chunk: Prepared, report: DataReport, rejected: RejectedFile) -> None:
        """Count and list the pairs that rules for single pairs rejected."""
        own, corpora = len(self.config.corpora), list(report.corpora.values())
        for pair in chunk.rejected:
            if pair.corpus >= own:
                raise empty_side(self.names[pair.corpus], pair)
            rejected.write(pair)
            corpora[pair.corpus].drop(pair)
        for corpus, count in chunk.read.items():
            if corpus < own:
                corpora[corpus].read += count
        for (corpus, name), count in chunk.place_names.items():
            if corpus < own:
                corpora[corpus].place_names[name] += count
        for (corpus, fault), count in chunk.mended.items():
            if corpus < own:
                corpora[corpus].mended[fault] += count


def text_bytes(files: Iterator[Path]) -> int:
    """About how many bytes of text are in some files; compressed ones hold four times their size."""
    return sum(file.stat().st_size * (4 if is_compressed(file) else 1) for file in files)


def empty_side(test_set: str, pair: Pair) -> DataError:
    """The error for a pair of a test set with an empty side."""
    return DataError(f"{pair.origin}: an empty side in test set `{test_set}`; remove the line or complete it")


def preparation(config: DataConfig, cleaning: dict[int, Any], languages: LanguagePair) -> Preparation:
    """What is done to every pair. cleaning: the rules by corpus."""
    return Preparation(
        *(cleaning, config.split_key, config.remove_diacritics, config.western_digits),
        *(config.tatweel, config.repair_mojibake, config.fold_keyboard_letters, languages),
    )
