"""Data built by hand with the library `datasets`: what `benchmarks/data_builder.py` compares this project with.

    python benchmarks/data_plain.py PAIRS.tsv DIRECTORY

Pairs with an empty side, with more than 200 words on a side or with one side three times as long as the other go; then
exact duplicates; the rest is divided at random in the default shares of this project and saved in `DIRECTORY/data`.
Nothing is normalised, no language is identified, and no near-duplicate is looked for.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

from datasets import DatasetDict, disable_progress_bars, load_dataset

MOST_WORDS, LARGEST_RATIO = 200, 3
HELD_OUT = 0.2
"""Half of it dev, half of it test."""


def main() -> None:
    """Build, and print seconds and pairs per split."""
    disable_progress_bars()
    corpus, work = map(Path, sys.argv[1:])
    started = time.monotonic()
    kept = build(corpus, work)
    print(json.dumps({"seconds": time.monotonic() - started, "kept": kept}))


def build(corpus: Path, work: Path) -> dict[str, int]:
    """The pairs of each split, which is saved in `work/data`."""
    pairs = load_dataset(
        "csv",
        trust_remote_code=False,
        data_files=str(corpus),
        split="train",
        delimiter="\t",
        column_names=["source", "target"],
        quoting=csv.QUOTE_NONE,
        keep_default_na=False,
        cache_dir=str(work / "cache"),
    )
    seen: set[tuple[str, str]] = set()

    def is_new(pair: dict[str, Any]) -> bool:
        before = len(seen)
        seen.add((pair["source"], pair["target"]))
        return len(seen) > before

    pairs = pairs.filter(is_fine).filter(is_new)
    train = pairs.train_test_split(HELD_OUT, seed=1)
    held_out = train["test"].train_test_split(0.5, seed=1)
    splits = DatasetDict(train=train["train"], dev=held_out["train"], test=held_out["test"])
    splits.save_to_disk(str(work / "data"))
    return {name: len(rows) for name, rows in splits.items()}


def is_fine(pair: dict[str, Any]) -> bool:
    """Whether both sides have words, not too many, and about as many of them."""
    fewer, more = sorted((len(pair["source"].split()), len(pair["target"].split())))
    return fewer > 0 and more <= min(MOST_WORDS, LARGEST_RATIO * fewer)


if __name__ == "__main__":
    main()
