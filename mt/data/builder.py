"""From corpora to clean splits without leaks, with a report of every pair that is in none of them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from datasets import DatasetDict

from mt.config import CorpusConfig, DataConfig
from mt.data.collecting import Collection, empty_side, preparation
from mt.data.domain_selection import select_like_domain
from mt.data.engines import open_engine
from mt.data.holding_out import HoldingOut, hold_out
from mt.data.mixing import mixing_weights
from mt.data.model_margins import PairScorer
from mt.data.pair import Pair, Rejection
from mt.data.parts import sweep
from mt.data.readers import read_corpus
from mt.data.rejects import REJECTED, RejectedFile
from mt.data.report import LENGTH_STEP, DataReport
from mt.data.selecting import DROPS, LEAKS, Selection, select_pairs
from mt.data.selection import Indices
from mt.data.split_check import check_splits
from mt.data.split_files import SCHEMA, SplitFile, save_splits
from mt.data.splitting import SPLITS
from mt.data.store import SIDES, PairStore, pairs_in
from mt.data.yield_check import check_yield, left_out_of_test_set
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair

logger = logging.getLogger(__name__)

_SAMPLES = 10
# Fewer pairs than this may well be all alike.
_FEW = 20


def read_test_set(
    name: str, corpus: CorpusConfig, config: DataConfig, languages: LanguagePair = ENGLISH_TO_ARABIC
) -> list[Pair]:
    """All pairs of a test set, in file order; sources are normalised, references stay as they were written.

    Raises `DataError` for a pair with an empty side.
    """
    clean = preparation(config, {}, languages).normaliser()
    pairs = [pair._replace(source=clean(pair.source)) for pair in read_corpus(name, corpus, languages)]
    left_out = [pair for pair in pairs if pair.fault is not None]
    if left_out:
        logger.warning("%s", left_out_of_test_set(name, left_out, len(pairs)))
        pairs = [pair for pair in pairs if pair.fault is None]
    for pair in pairs:
        if not pair.source or not pair.target.strip():
            raise empty_side(name, pair)
    return pairs


def build_data(
    config: DataConfig,
    directory: Path,
    test_sets: Mapping[str, CorpusConfig] | None = None,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
    work: Path | None = None,
    scorer: PairScorer | None = None,
) -> tuple[DatasetDict, DataReport]:
    """Read, normalise, clean, group, split and decontaminate every corpus.

    directory: an existing one; receives the splits in `data/` and, in `rejected.tsv`, every pair that is in none of
    them, with rule and origin. test_sets: further pairs that training must not overlap with; they are in no split.
    languages: of the corpora and the test sets. work: an existing directory for intermediate files, which the caller
    removes; what an interrupted build of the same corpora with the same options has finished there is used again. By
    default a new one, which is removed. scorer: the model of `data.cleaning.unrelated: model`.

    The splits `train`, `dev` and `test` have the columns of `SCHEMA`. A `group` is a document, a block of lines
    or a set of similar sentences; all its pairs are in one split. A split whose share is 0 exists and is empty.
    Training targets are normalised; dev and test targets are references and stay as they were written. Raises
    `DataError` if nothing is left to train on, the two sides of a corpus are out of step, or the disk is full, and
    `ModelError` if the scorer cannot be loaded, or does not know the languages.
    """
    collection = Collection(config, test_sets or {}, languages)
    corpora = list(collection.corpora.values())
    with ExitStack() as stack:
        stack.enter_context(_one_sentence(directory, work))
        if scorer is not None and config.cleaning.unrelated == "model":
            stack.enter_context(scorer.loaded())
        work = work or stack.enter_context(_workspace(directory))
        sweep(work)
        store = stack.enter_context(PairStore(work))
        rejected = stack.enter_context(RejectedFile(directory / REJECTED))
        engine = stack.enter_context(open_engine(config, work, collection.workers))
        collection.store_in(store, engine)
        build = _Build(collection, collection.report_of(store, rejected))
        logger.info("looking for pairs that are alike, and dividing them into splits")
        holding_out = hold_out(store, config, corpora)
        selection = select_pairs(store, config, corpora, holding_out, work, engine, scorer)
        for name, selected in select_like_domain(store, config, selection).items():
            build.report.corpora[name].selected = selected
        splits = {split: SplitFile(work / f"{split}.arrow") for split in SPLITS}
        build.write(store, selection, rejected, splits)
        build.describe(store, selection)
        build.describe_holding_out(holding_out)
        check_yield(config, build.report, languages)
        check_splits(config, build.report, build.alike)
        return save_splits(splits, directory / "data"), build.report


class _Build:
    """The splits of one build and its report."""

    def __init__(self, collection: Collection, report: DataReport) -> None:
        self.config, self.names, self.report = collection.config, collection.names, report
        self.alike: dict[str, float] = {}
        """By divided corpus: the share of its pairs that are in its largest group."""

    def write(
        self, store: PairStore, selection: Selection, rejected: RejectedFile, splits: Mapping[str, SplitFile]
    ) -> None:
        """Stream the texts a second time, each to its split or to the rejected pairs."""
        origins = _Origins(store, selection.conflicting)
        start = 0
        for batch in store.texts():
            here = np.arange(start, start + batch.num_rows)
            for level, split in enumerate(SPLITS):
                is_here = selection.kept[here] & selection.is_own[here] & (selection.levels[here] == level)
                splits[split].add(self._rows(batch, np.flatnonzero(is_here), selection.groups[here], level))
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
        return pa.record_batch([texts["source"], target, names, group], schema=SCHEMA)

    def _write_dropped(
        self,
        batch: pa.RecordBatch,
        indices: Any,
        start: int,
        selection: Selection,
        origins: _Origins,
        rejected: RejectedFile,
    ) -> None:
        details = origins.of(selection.conflicting[indices])
        for index, pair, detail in zip(indices.tolist(), pairs_in(batch, indices - start), details, strict=True):
            rule = DROPS[selection.dropped[index] - 1]
            if rule in LEAKS:
                detail += f" in {SPLITS[selection.levels[selection.conflicting[index]]]}"
            detail = selection.details.get(index, detail) if rule == "unrelated" else detail
            pair = pair._replace(fault=Rejection(rule, detail))
            rejected.write(pair)
            self.report.corpora[self.names[pair.corpus]].drop(pair)

    def describe(self, store: PairStore, selection: Selection) -> None:
        """Count the kept pairs by corpus, split and length, and draw the samples."""
        corpus_of, pairs = store.column("corpora", np.int32), store.column("pairs", np.uint64)
        is_kept = selection.kept & selection.is_own
        counts = {side: store.column(f"{side}_counts", np.int64) for side in SIDES}
        for index, name in enumerate(self.config.corpora):
            report, mine = self.report.corpora[name], is_kept & (corpus_of == index)
            report.unrelated = selection.unrelated.get(name)
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


class _Origins:
    """The origins of the pairs because of which others were dropped; as text, so many would take too much memory."""

    def __init__(self, store: PairStore, conflicting: Indices) -> None:
        is_conflicting = np.zeros(store.size, bool)
        is_conflicting[conflicting[conflicting >= 0]] = True
        self._pairs = np.flatnonzero(is_conflicting)
        self._origins = store.origins(self._pairs)

    def of(self, pairs: Indices) -> list[str]:
        """The origin of each of these pairs; empty for -1."""
        places = np.searchsorted(self._pairs, pairs)
        found = self._origins.take(pa.array(np.where(pairs >= 0, places, 0), mask=pairs < 0))
        return found.fill_null("").to_pylist()  # type: ignore[no-any-return]


@contextmanager
def _workspace(directory: Path) -> Iterator[Path]:
    """A directory for intermediate files, removed afterwards, also after an error."""
    work = Path(mkdtemp(prefix="building-", dir=directory))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _one_sentence(directory: Path, work: Path | None) -> Iterator[None]:
    """Turns errors of writing, such as a full disk, into a `DataError`. work: what is kept for the next start."""
    try:
        yield
    except OSError as error:
        kept = f"what is finished is kept in {work} for the next start" if work else "nothing half-done is kept"
        raise DataError(
            f"{directory}: the build cannot be written ({error.strerror or error}); {kept}: "
            "free space, or set data.cache_dir to another disk"
        ) from error
