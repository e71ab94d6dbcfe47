"""From corpora to clean splits without leaks, with a report of every pair that is in none of them."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from datasets import Dataset, DatasetDict, load_from_disk
from datasets.table import MemoryMappedTable

from mt.config import CorpusConfig, DataConfig
from mt.data.domain_selection import select_like_domain
from mt.data.formats.documents import lasting_name
from mt.data.holding_out import HoldingOut, hold_out
from mt.data.mixing import mixing_weights
from mt.data.pair import Pair, Rejection
from mt.data.preparing import Preparation, Prepared, prepare_all, usable_workers
from mt.data.readers import input_files, is_compressed, read_corpus
from mt.data.rejects import REJECTED, RejectedFile
from mt.data.report import LENGTH_STEP, CorpusReport, DataReport
from mt.data.selecting import DROPS, LEAKS, Selection, select_pairs
from mt.data.slips import SlipWatches
from mt.data.split_check import check_splits
from mt.data.splitting import SPLITS
from mt.data.store import PairStore, pairs_in
from mt.data.yield_check import check_yield, left_out_of_test_set
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.progress import progress

logger = logging.getLogger(__name__)

COLUMNS = ("source", "target", "corpus", "group")
"""Columns of the splits."""

# Starting a process takes a second; cleaning this many bytes takes longer.
_BYTES_WORTH_WORKERS = 4_000_000
_SAMPLES = 10
# Fewer pairs than this may well be all alike.
_FEW = 20


def read_test_set(
    name: str, corpus: CorpusConfig, config: DataConfig, languages: LanguagePair = ENGLISH_TO_ARABIC
) -> list[Pair]:
    """All pairs of a test set, in file order; sources are normalised, references stay as they were written.

    Raises `DataError` for a pair with an empty side.
    """
    clean = _preparation(config, {}, languages).normaliser()
    pairs = [pair._replace(source=clean(pair.source)) for pair in read_corpus(name, corpus, languages)]
    left_out = [pair for pair in pairs if pair.fault is not None]
    if left_out:
        logger.warning("%s", left_out_of_test_set(name, left_out, len(pairs)))
        pairs = [pair for pair in pairs if pair.fault is None]
    for pair in pairs:
        if not pair.source or not pair.target.strip():
            raise _empty_side(name, pair)
    return pairs


def build_data(
    config: DataConfig,
    directory: Path,
    test_sets: Mapping[str, CorpusConfig] | None = None,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
) -> tuple[DatasetDict, DataReport]:
    """Read, normalise, clean, group, split and decontaminate every corpus.

    directory: an existing one; receives the splits in `data/` and, in `rejected.tsv`, every pair that is in none of
    them, with rule and origin. test_sets: further pairs that training must not overlap with; they are in no split.
    languages: of the corpora and the test sets.

    The splits `train`, `dev` and `test` have the string columns of `COLUMNS`. A `group` is a document, a block of lines
    or a set of similar sentences; all its pairs are in one split. A split whose share is 0 exists and is empty.
    Training targets are normalised; dev and test targets are references and stay as they were written. Raises
    `DataError` if nothing is left to train on, the two sides of a corpus are out of step, or the disk is full.
    """
    build = _Build(config, test_sets or {}, languages)
    watches = SlipWatches(build.watched())
    with _one_sentence(directory), _workspace(directory) as work, RejectedFile(directory / REJECTED) as rejected:
        with PairStore(work) as store:
            for chunk in build.prepared():
                store.append(chunk.kept, chunk.fingerprints)
                build.account(chunk, rejected)
                watches.add(chunk.kept, chunk.fingerprints)
            watches.finish()
            store.finish()
            logger.info("looking for pairs that are alike, and dividing them into splits")
            holding_out = hold_out(store, config, list(build.corpora.values()))
            selection = select_pairs(store, config, list(build.corpora.values()), holding_out)
            for name, selected in select_like_domain(store, config, selection).items():
                build.report.corpora[name].selected = selected
            build.write(store, selection, rejected, work)
            build.describe(store, selection)
            build.describe_holding_out(holding_out)
        check_yield(config, build.report, languages)
        check_splits(config, build.report, build.alike)
        return _save(work, directory / "data"), build.report


class _Build:
    """The corpora of one build and their report."""

    def __init__(self, config: DataConfig, test_sets: Mapping[str, CorpusConfig], languages: LanguagePair) -> None:
        self.config, self.languages = config, languages
        # The key has two parts because a test set may have the name of a corpus.
        self.corpora = {**{(name, ""): corpus for name, corpus in config.corpora.items()}}
        self.corpora |= {(name, "test set"): corpus for name, corpus in test_sets.items()}
        self.names = [name for name, _ in self.corpora]
        self.alike: dict[str, float] = {}
        """By divided corpus: the share of its pairs that are in its largest group."""
        self.report = DataReport({name: CorpusReport() for name in config.corpora})

    def prepared(self) -> Iterator[Prepared]:
        """Apply everything that looks at one pair at a time."""
        cleaning = {
            index: self.config.cleaning if corpus.clean and not kind else None
            for index, ((_, kind), corpus) in enumerate(self.corpora.items())
        }
        pairs = progress(self._read(), "reading and cleaning", "pairs")
        return prepare_all(pairs, _preparation(self.config, cleaning, self.languages), self._workers())

    def watched(self) -> list[int]:
        """The corpora whose sides may be out of step: those that are cleaned and are no glossaries."""
        corpora = self.config.corpora.values() if self.config.cleaning.slipped_lines else []
        return [index for index, corpus in enumerate(corpora) if corpus.clean and not corpus.is_glossary]

    def _read(self) -> Iterator[Pair]:
        own = len(self.config.corpora)
        for index, ((name, _), corpus) in enumerate(self.corpora.items()):
            document, lasting = "", ""
            for pair in read_corpus(name, corpus, self.languages):
                if pair.document != document:
                    document, lasting = pair.document, lasting_name(pair)
                # Training may use what a test set itself leaves out.
                if index < own or pair.fault is None:
                    yield pair._replace(corpus=index, document=lasting)

    def _workers(self) -> int:
        if self.config.workers is not None:
            return self.config.workers
        files = [input_files(corpus, self.languages) for corpus in self.corpora.values()]
        size = sum(file.stat().st_size * (4 if is_compressed(file) else 1) for file in chain.from_iterable(files))
        return usable_workers() if size > _BYTES_WORTH_WORKERS or not all(files) else 1

    def account(self, chunk: Prepared, rejected: RejectedFile) -> None:
        """Count and list the pairs that rules for single pairs rejected."""
        own = len(self.config.corpora)
        for pair in chunk.rejected:
            if pair.corpus >= own:
                raise _empty_side(self.names[pair.corpus], pair)
            self._drop(pair, rejected)
        for corpus, count in chunk.read.items():
            if corpus < own:
                self._corpus(corpus).read += count
        for (corpus, name), count in chunk.place_names.items():
            if corpus < own:
                self._corpus(corpus).place_names[name] += count
        for (corpus, fault), count in chunk.mended.items():
            if corpus < own:
                self._corpus(corpus).mended[fault] += count

    def _drop(self, pair: Pair, rejected: RejectedFile) -> None:
        rejected.write(pair)
        self._corpus(pair.corpus).drop(pair)

    def _corpus(self, index: int) -> CorpusReport:
        return self.report.corpora[self.names[index]]

    def write(self, store: PairStore, selection: Selection, rejected: RejectedFile, work: Path) -> None:
        """Stream the texts a second time, each to its split or to the rejected pairs."""
        schema = pa.schema([(column, pa.string()) for column in COLUMNS])
        is_conflicting = np.zeros(store.size, bool)
        is_conflicting[selection.conflicting[selection.conflicting >= 0]] = True
        origins = store.origins(np.flatnonzero(is_conflicting))
        start = 0
        with ExitStack() as stack:
            writers = []
            for split in SPLITS:
                sink = stack.enter_context(pa.OSFile(str(work / f"{split}.arrow"), "wb"))
                writers.append(stack.enter_context(pa.ipc.new_stream(sink, schema)))
            for batch in store.texts():
                here = np.arange(start, start + batch.num_rows)
                for level, writer in enumerate(writers):
                    is_here = selection.kept[here] & selection.is_own[here] & (selection.levels[here] == level)
                    writer.write_batch(self._rows(batch, np.flatnonzero(is_here), selection.groups[here], level))
                self._write_dropped(batch, here[selection.dropped[here] > 0], start, selection, origins, rejected)
                start += batch.num_rows

    def _rows(self, batch: pa.RecordBatch, rows: Any, groups: Any, level: int) -> pa.RecordBatch:
        texts = batch.take(pa.array(rows))
        target = texts["target"]
        if level > 0:
            # References stay as they were written.
            target = pyarrow.compute.coalesce(texts["reference"], target)
        names = pa.array(self.names).take(texts["corpus"])
        group = pa.array([f"{group:016x}" for group in groups[rows].tolist()], pa.string())
        return pa.record_batch([texts["source"], target, names, group], names=list(COLUMNS))

    def _write_dropped(
        self,
        batch: pa.RecordBatch,
        indices: Any,
        start: int,
        selection: Selection,
        origins: Mapping[int, str],
        rejected: RejectedFile,
    ) -> None:
        for index, pair in zip(indices.tolist(), pairs_in(batch, indices - start), strict=True):
            rule = DROPS[selection.dropped[index] - 1]
            conflicting_pair = int(selection.conflicting[index])
            detail = origins[conflicting_pair] if conflicting_pair >= 0 else ""
            if rule in LEAKS:
                detail += f" in {SPLITS[selection.levels[conflicting_pair]]}"
            self._drop(pair._replace(fault=Rejection(rule, detail)), rejected)

    def describe(self, store: PairStore, selection: Selection) -> None:
        """Count the kept pairs by corpus, split and length, and draw the samples."""
        corpus_of, pairs = store.column("corpora", np.int32), store.column("pairs", np.uint64)
        is_kept = selection.kept & selection.is_own
        counts = {side: store.side(side).counts for side in ("source", "target")}
        for index, name in enumerate(self.config.corpora):
            report, mine = self.report.corpora[name], is_kept & (corpus_of == index)
            if self.config.corpora[name].own_split is None and mine.sum() >= _FEW:
                self.alike[name] = float(np.unique(selection.groups[mine], return_counts=True)[1].max() / mine.sum())
            for level, split in enumerate(SPLITS):
                report.kept[split] = int((mine & (selection.levels == level)).sum())
            report.source_words = np.bincount(counts["source"][mine] // LENGTH_STEP).tolist()
            report.target_words = np.bincount(counts["target"][mine] // LENGTH_STEP).tolist()
            training = np.flatnonzero(mine & (selection.levels == 0))
            drawn = training[np.argsort(pairs[training], kind="stable")[:_SAMPLES]]
            report.samples = list(store.pairs(drawn).values())
        weights = mixing_weights(self.config, {name: r.kept["train"] for name, r in self.report.corpora.items()})
        for name, report in self.report.corpora.items():
            report.epoch_pairs = round(report.kept["train"] * weights[name], 1)

    def describe_holding_out(self, holding_out: HoldingOut) -> None:
        """Note how each corpus was held out."""
        for name, account in zip(self.config.corpora, holding_out.accounts, strict=False):
            self.report.corpora[name].held_out = account


def _empty_side(test_set: str, pair: Pair) -> DataError:
    return DataError(f"{pair.origin}: an empty side in test set `{test_set}`; remove the line or complete it")


def _preparation(config: DataConfig, cleaning: dict[int, Any], languages: LanguagePair) -> Preparation:
    return Preparation(
        *(cleaning, config.split_key, config.remove_diacritics, config.western_digits),
        *(config.tatweel, config.repair_mojibake, config.fold_keyboard_letters, languages),
    )


@contextmanager
def _workspace(directory: Path) -> Iterator[Path]:
    """A directory for intermediate files, removed afterwards, also after an error."""
    work = Path(mkdtemp(prefix="building-", dir=directory))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _one_sentence(directory: Path) -> Iterator[None]:
    """Turns errors of writing, such as a full disk, into a `DataError`."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{directory}: the build cannot be written ({error.strerror or error}); nothing half-done is kept: "
            "free space, or set data.cache_dir to another disk"
        ) from error


def _save(work: Path, directory: Path) -> DatasetDict:
    """Save the splits in the format of `datasets`: the same bytes for the same pairs."""
    splits = {}
    for split in SPLITS:
        path = work / f"{split}.arrow"
        with path.open("rb") as file:
            # By default, `datasets` makes one that changes from run to run.
            fingerprint = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        splits[split] = Dataset(MemoryMappedTable.from_file(str(path)), fingerprint=fingerprint)
    # An empty split needs a file, too, to be loaded again.
    DatasetDict(splits).save_to_disk(directory, num_shards=dict.fromkeys(splits, 1))
    saved = load_from_disk(directory)
    assert isinstance(saved, DatasetDict)
    return saved
