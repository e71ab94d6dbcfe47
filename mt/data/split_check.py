"""The check that no split is empty, and the remedy if one is."""

from __future__ import annotations

from collections.abc import Mapping

from mt.config import DataConfig
from mt.data.holding_out import HeldOut
from mt.data.report import DataReport
from mt.data.splitting import SPLITS
from mt.errors import DataError

_MOSTLY_ALIKE = 0.5
"""A corpus with more than this share of its pairs in one group cannot be divided."""


def check_splits(config: DataConfig, report: DataReport, alike: Mapping[str, float]) -> None:
    """Raise `DataError` if a split that should have pairs is empty.

    alike: by divided corpus, the share of its pairs that are in its largest group.
    """
    usable = {split: sum(corpus.kept[split] for corpus in report.corpora.values()) for split in SPLITS}
    is_pinned = {split: any(corpus.own_split == split for corpus in config.corpora.values()) for split in SPLITS}
    for split, share in (("train", 1.0), ("dev", config.dev_share), ("test", config.test_share)):
        if not usable[split] and (share > 0 or is_pinned[split]):
            dropped = ", ".join(f"{count} {rule}" for rule, count in report.dropped.most_common(3))
            raise DataError(
                f"the {split} split is empty: the corpora hold {sum(usable.values())} usable pairs"
                + (f" (dropped: {dropped})" if dropped else "")
                + f"; {_remedy(config, report, alike)}"
            )


def _remedy(config: DataConfig, report: DataReport, alike: Mapping[str, float]) -> str:
    """How to avoid an empty split."""
    for name in (name for name, share in alike.items() if share > _MOSTLY_ALIKE):
        found = report.corpora[name].held_out or HeldOut("sentence")
        if found.by == "block":
            return (
                f"corpus `{name}` is held out in blocks of about {found.block_lines} lines, too few of them: set "
                "data.blocks to a lower number, or to off"
            )
        if found.by == "document":
            return (
                f"most pairs of corpus `{name}` are from one document: add other documents, or set its split to train"
            )
        return (
            f"the pairs of corpus `{name}` are too similar to be divided: set data.corpora.{name}.split to "
            "train, and add a corpus of other texts, from which dev and test pairs can come"
        )
    pinned = [name for name, corpus in config.corpora.items() if corpus.own_split == "train"]
    return "add more pairs" + (f", or set the split of {' or '.join(pinned[:3])} to auto" if pinned else "")
