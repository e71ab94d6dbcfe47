"""Test sets from files, and the test splits of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datasets import Dataset

from mt.config import CorpusConfig, DataConfig
from mt.data.builder import read_test_set
from mt.data.holding_out import how_held_out, too_easy
from mt.data.report import DataReport
from mt.data.saved import load_splits
from mt.errors import DataError
from mt.evaluation.test_set import Resampling, TestSet
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.runs import RunDirectory, sha256_of_rows
from mt.text.normalise import script_share

OWN_TEST_SET = "test"
"""The name of a run's own test split."""


def read_test_sets(
    test_sets: Mapping[str, CorpusConfig],
    runs: Sequence[RunDirectory],
    general: Mapping[str, CorpusConfig] | None = None,
    resampling: Resampling = "auto",
    languages: LanguagePair = ENGLISH_TO_ARABIC,
) -> list[TestSet]:
    """The named test sets, or else the test split that the runs share; then those of general text.

    Raises `DataError` where resamples of documents are asked for and a test set names too few.
    """
    options = DataConfig()
    found = [
        read_named_test_set(name, corpus, options, languages, is_general=is_general, resampling=resampling)
        for sets, is_general in ((test_sets, False), (general or {}, True))
        for name, corpus in sets.items()
    ]
    if not test_sets:
        found.insert(0, shared_test_set(runs, resampling, languages))
    for test_set in found:
        check_resampling(test_set)
    return found


def check_resampling(test_set: TestSet) -> None:
    """Raise `DataError` where resamples of documents are asked for and too few are known."""
    if test_set.resampling == "document" and test_set.known_documents < 2:
        raise DataError(
            f"resampling by document needs to know the documents of test set `{test_set.name}`: give it a column "
            "`document` or an empty line between documents, or resample by sentence"
        )


def shared_test_set(
    runs: Sequence[RunDirectory], resampling: Resampling = "auto", languages: LanguagePair = ENGLISH_TO_ARABIC
) -> TestSet:
    """The test split that all runs have in common. Raises `DataError` if there is no run or if their splits differ."""
    splits = [load_splits(run)["test"] for run in runs]
    if not splits:
        raise DataError("no test set: none of the systems is a run with its own test split; add --test_set NAME=FILE")
    if len({sha256_of_rows(split) for split in splits}) > 1:
        raise DataError(
            "the runs hold different test splits, and one may have trained on another's test sentences; "
            "name one with --test_set NAME=FILE"
        )
    return own_test_set(splits[0], runs[0], resampling, languages)


def read_named_test_set(
    name: str,
    corpus: CorpusConfig,
    options: DataConfig,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
    *,
    is_general: bool = False,
    resampling: Resampling = "auto",
) -> TestSet:
    """A test set from a file. Sources are normalised like training data; references stay as they are.

    Raises `DataError`, also for back-translations, whose sources are no test of anything.
    """
    if corpus.is_backtranslated:
        raise DataError(
            f"{corpus.path}: test set `{name}` holds back-translations, whose sources a model wrote; test on sentences "
            "that people wrote and translated"
        )
    pairs = read_test_set(name, corpus, options, languages)
    ours, theirs = languages.source.name, languages.target.name
    right = sum(script_share(pair.target, languages.target.script) > 0.5 for pair in pairs)
    if right * 2 < len(pairs):
        raise DataError(
            f"{corpus.path}: {len(pairs) - right} of the {len(pairs)} references of test set `{name}` are not "
            f"{theirs}; put {ours} first, or name the columns in a header: {ours.lower()}, {theirs.lower()}"
        )
    sources, references, documents = map(
        list, zip(*((pair.source, pair.target, pair.document) for pair in pairs), strict=True)
    )
    return TestSet(
        *(name, sources, references, [name] * len(pairs), is_general, documents),
        resampling=resampling,
        languages=languages,
    )


def own_test_set(
    split: Dataset, run: RunDirectory, resampling: Resampling = "auto", languages: LanguagePair = ENGLISH_TO_ARABIC
) -> TestSet:
    """The test split of a run, with the data card's account of how it was held out."""
    accounts = {}
    if run.data_report.is_file():
        report = DataReport.read(run.data_report)
        accounts = {name: each.held_out for name, each in report.corpora.items() if each.held_out is not None}
    corpora = list(split["corpus"])
    accounts = {name: account for name, account in accounts.items() if name in corpora}
    by_document = {name for name, account in accounts.items() if account.by == "document"}
    return TestSet(
        OWN_TEST_SET,
        list(split["source"]),
        list(split["target"]),
        corpora,
        documents=[g if c in by_document else "" for g, c in zip(split["group"], corpora, strict=True)],
        held_out=how_held_out(accounts),
        too_easy=too_easy(accounts),
        resampling=resampling,
        languages=languages,
    )
