"""Corpora in, a `DatasetDict` with train, dev and test splits out, and a report of what was dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field

from datasets import Dataset, DatasetDict

from mt.config import CorpusConfig, DataConfig
from mt.data.readers import Pair, check_corpus, read_corpus
from mt.data.splitting import assign_splits, group_pairs
from mt.errors import ConfigError, DataError
from mt.text import normalise, remove_diacritics, western_digits

SPLITS = ("train", "dev", "test")
COLUMNS = ("source", "target", "corpus", "group")


@dataclass
class CorpusReport:
    """What became of one corpus."""

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Pairs dropped, by rule."""
    kept: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    """Pairs kept, by split."""


@dataclass
class DataReport:
    """What was read, dropped and kept, by corpus."""

    corpora: dict[str, CorpusReport]

    def as_json(self) -> dict[str, object]:
        """The content of `data_report.json`."""
        return {"corpora": {name: asdict(report) for name, report in self.corpora.items()}}

    def as_markdown(self) -> str:
        """The content of `data_card.md`."""
        rows = ["| corpus | read | dropped | train | dev | test |", "|---|--:|---|--:|--:|--:|"]
        for name, report in self.corpora.items():
            dropped = ", ".join(f"{count} {rule}" for rule, count in sorted(report.dropped.items())) or "none"
            kept = " | ".join(str(report.kept[split]) for split in SPLITS)
            rows.append(f"| {name} | {report.read} | {dropped} | {kept} |")
        return "# Data card\n\nSentence pairs, English to Arabic.\n\n" + "\n".join(rows) + "\n"


def check_data(config: DataConfig) -> None:
    """Refuse what cannot be built, before anything slow: no corpus, a missing file, an unknown format."""
    if not config.corpora:
        raise ConfigError("data.corpora is empty; name at least one corpus, as in --data.corpora.news news.tsv")
    for name, corpus in config.corpora.items():
        check_corpus(name, corpus)


def build_data(config: DataConfig) -> tuple[DatasetDict, DataReport]:
    """Read, normalise, drop, group and split every corpus.

    The splits `train`, `dev` and `test` have the string columns of `COLUMNS`; pairs of one `group` are in one
    split. A split whose share is 0 is there and empty. Training targets are normalised; dev and test targets are
    the references, so they stay as they were written. Raises `DataError` where nothing is left to train on.
    """
    report = DataReport({name: CorpusReport() for name in config.corpora})
    kept = list(drop_unusable(_read_all(config, report), report))
    pairs = [pair for pair, _ in kept]
    groups = group_pairs(pairs)
    # Sorted, so that the splits do not depend on the order of the corpora either.
    splits = assign_splits(sorted(set(groups)), config.dev_share, config.test_share, config.split_key)
    rows: dict[str, list[dict[str, str]]] = {split: [] for split in SPLITS}
    for (pair, raw_target), group in zip(kept, groups, strict=True):
        split = splits[group]
        target = pair.target if split == "train" else raw_target
        rows[split].append({"source": pair.source, "target": target, "corpus": pair.corpus, "group": group})
        report.corpora[pair.corpus].kept[split] += 1
    for split, share in (("train", 1.0), ("dev", config.dev_share)):
        if not rows[split] and share > 0:
            raise DataError(f"the {split} split is empty: the corpora hold {len(pairs)} usable pairs; add more")
    return DatasetDict({split: _dataset(rows[split]) for split in SPLITS}), report


def read_test_set(name: str, corpus: CorpusConfig, config: DataConfig) -> list[Pair]:
    """All pairs of a test set, in file order, normalised on the source side only: a reference stays as it was."""
    clean = _normaliser(config)
    pairs = [pair._replace(source=clean(pair.source)) for pair in read_corpus(name, corpus)]
    for pair in pairs:
        if not pair.source or not pair.target.strip():
            raise DataError(f"{pair.place}: an empty side in test set `{name}`; remove the line or complete it")
    return pairs


def drop_unusable(pairs: Iterable[tuple[Pair, str]], report: DataReport) -> Iterator[tuple[Pair, str]]:
    """Pairs with an empty side, and all but the first of equal pairs, are dropped and counted.

    In and out: (normalised pair, target as it was written).
    """
    seen: set[tuple[str, str]] = set()
    for pair, raw_target in pairs:
        counts = report.corpora[pair.corpus]
        if not pair.source or not pair.target:
            counts.dropped["empty side"] += 1
        elif (pair.source, pair.target) in seen:
            counts.dropped["exact duplicate"] += 1
        else:
            seen.add((pair.source, pair.target))
            yield pair, raw_target


def _read_all(config: DataConfig, report: DataReport) -> Iterator[tuple[Pair, str]]:
    clean = _normaliser(config)
    for name, corpus in config.corpora.items():
        for pair in read_corpus(name, corpus):
            report.corpora[name].read += 1
            yield pair._replace(source=clean(pair.source), target=clean(pair.target)), pair.target.strip()


def _normaliser(config: DataConfig) -> Callable[[str], str]:
    steps = [normalise]
    steps += [remove_diacritics] if config.remove_diacritics else []
    steps += [western_digits] if config.western_digits else []

    def clean(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return clean


def _dataset(rows: list[dict[str, str]]) -> Dataset:
    return Dataset.from_dict({column: [row[column] for row in rows] for column in COLUMNS})
