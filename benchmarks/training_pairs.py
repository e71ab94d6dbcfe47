"""Which training pairs help? Half of the domain's pairs, with what is added to them, and all with some taken out.

    python benchmarks/training_pairs.py all CONFLICT --general GENERAL --flores FLORES --output_dir DIR

or step by step, where each `run` may be a process of its own, and several may run at a time:

    python benchmarks/training_pairs.py cut CONFLICT --general GENERAL --flores FLORES --output_dir DIR
    python benchmarks/training_pairs.py reverse CONFLICT ...
    python benchmarks/training_pairs.py run CONFLICT ... --way back --seed 1
    python benchmarks/training_pairs.py collect CONFLICT ... --docs docs

The splits are those of `benchmarks/selection.py`: the conflict corpus held out in blocks of neighbouring lines, of the
general corpus what the base `tiny-en-ar` has not seen. `reverse` trains a model from Arabic to English, from nothing,
on the general pairs and the first half of the domain's; `mt backtranslate` then writes sources for the Arabic of the
second half, as it would for the archive of a news desk. Every way is fine-tuned from the same base with the same number
of updates, replays as many general pairs per epoch (others in every epoch), and chooses the checkpoint on the same dev
pairs:

- half: the first half of the domain's pairs
- back: also the second half, with sources that a model wrote, tagged
- untagged: the same without the tag
- all: the second half with the sources that people wrote
- related: all, without the pairs that `data.cleaning.unrelated` finds do not belong together
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from adaptation import write_table
from seeded_page import METRICS
from seeded_runs import HERE, add_options, config_of, pairs_in, results_of, run, run_all, splits_of
from selection import cut as cut_splits
from training_pairs_page import write_results

from mt.errors import DataError, UserError

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

WAYS = ("half", "back", "untagged", "all", "related")
OWN = ("finetuned", "test")
"""The model from Arabic to English on the domain's test pairs, in its `scores.json`."""
REPLAYED = 3906
"""General pairs per epoch: as many as in the table of `benchmarks/selection.py`."""


def main() -> None:
    """Cut the corpora, train the other direction, run the ways, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("all", "cut", "reverse", "run", "collect"))
    parser.add_argument("conflict", help="sentence pairs of the domain, in any format that train.py reads")
    parser.add_argument("--general", required=True, help="the base's own training corpus, which is replayed")
    parser.add_argument("--epochs", type=int, default=5, help="of the model from Arabic to English")
    add_options(parser, "runs/training_pairs", WAYS)
    options = parser.parse_args()
    started = time.monotonic()
    if options.step == "run" and options.way is None:
        parser.error("run needs --way")
    if options.step != "collect":
        cut(options)
    if options.step in ("all", "reverse"):
        reverse(options)
    if options.step == "run":
        run(options, options.way, options.seed, told(options, options.way, options.seed))
    if options.step == "all":
        run_all(__file__, options, [options.conflict, "--general", options.general])
    if options.step in ("all", "collect"):
        write_results(options.docs, results_of(options), splits_of(options))
    print(f"{options.step}: {time.monotonic() - started:.0f} s", file=sys.stderr)


def cut(options: argparse.Namespace) -> None:
    """Write the splits, the halves and what the rule leaves, where they are not there."""
    options.pairs = "auto"
    cut_splits(options)
    splits = splits_of(options)
    lines = (splits / "train.tsv").read_text(encoding="utf-8").splitlines()
    head, rows = lines[0], lines[1:]
    middle = len(rows) // 2
    halves = {"half.tsv": [head, *rows[:middle]], "other_half.tsv": [head, *rows[middle:]]}
    halves["archive.ar.txt"] = [row.split("\t")[1] for row in rows[middle:]]
    for name, content in halves.items():
        (splits / name).write_text("\n".join(content) + "\n", encoding="utf-8")
    if "related" in options.ways and not (splits / "related.tsv").is_file():
        write_related(splits)


def write_related(splits: Path) -> None:
    """The domain's training pairs that the rule leaves; it learns from them and from the general pairs."""
    from datasets import load_from_disk

    from mt.commands.data import parse_data
    from mt.data.cache import cached_build

    corpora = {"conflict": "train.tsv", "general": "pool.tsv"}
    arguments = [str(HERE / "adaptation.yaml"), "--data.workers", "1", "--data.cleaning.unrelated", "alignment"]
    for corpus, file in corpora.items():
        arguments += [f"--data.corpora.{corpus}.path", str(splits / file), f"--data.corpora.{corpus}.split", "train"]
    built = cached_build(parse_data(arguments, "training_pairs.py").config.data, {})
    train = load_from_disk(str(built / "data"))["train"]
    write_table(splits / "related.tsv", train.filter(lambda pair: pair["corpus"] == "conflict"))


def reverse(options: argparse.Namespace) -> None:
    """Train the model from Arabic to English, and let it write sources for the second half."""
    splits, model = splits_of(options), options.output_dir / "ar-en"
    table = splits / "archive.backtranslated.tsv"
    columns = ("source_column", "arabic", "target_column", "english", "clean", "false")
    arguments = ["--name", "ar-en", "--output_dir", str(model)]
    files = {
        "general": ("pool", "train"),
        "half": ("half", "train"),
        "dev": ("dev", "dev"),
        "test": ("conflict", "test"),
    }
    for corpus, (file, split) in files.items():
        key = f"--data.corpora.{corpus}."
        arguments += [f"{key}path", str(splits / f"{file}.tsv"), f"{key}split", split]
        for option, value in zip(columns[::2], columns[1::2], strict=True):
            arguments += [f"{key}{option}", value]
    arguments += ["--data.corpora.half.weight", "3", "--data.dev_share", "0", "--data.test_share", "0"]
    arguments += ["--model.source_language", "ar", "--model.target_language", "en"]
    arguments += ["--training.epochs", str(options.epochs), "--training.term_share", "0"]
    arguments += ["--decoding.terminology", "null"]
    if not (model / "model").is_dir():
        resume = ["--resume"] if (model / "checkpoints").is_dir() else []
        call([str(HERE.parent / "train.py"), str(HERE.parent / "configs" / "tiny_en_ar.yaml"), *arguments, *resume])
    rows = json.loads((model / "scores.json").read_text(encoding="utf-8"))["scores"]
    own = {row["metric"]: round(row["score"], 2) for row in rows if (row["system"], row["test_set"]) == OWN}
    (splits / "reverse.json").write_text(json.dumps({metric: own[metric] for metric in METRICS}), encoding="utf-8")
    if not table.is_file():
        text = str(splits / "archive.ar.txt")
        call(["-m", "mt.cli", "backtranslate", text, "--model", str(model / "model"), "--output", str(table)])


def call(arguments: list[str]) -> None:
    """Run Python, and stop if it fails."""
    if subprocess.run([sys.executable, *arguments]).returncode:
        raise DataError(f"{' '.join(arguments[:2])}: failed, see above; start again")


def told(options: argparse.Namespace, way: str, seed: int) -> Any:
    """What train.py would be told for a run."""
    splits = splits_of(options)
    pool = splits / "pool.tsv"
    corpora = {
        "conflict": splits / {"all": "train.tsv", "related": "related.tsv"}.get(way, "half.tsv"),
        "general": pool,
    }
    arguments = ["--data.corpora.general.weight", str(REPLAYED / pairs_in(pool))]
    if way in ("back", "untagged"):
        corpora["archive"] = splits / "archive.backtranslated.tsv"
    if way == "untagged":
        arguments += ["--data.corpora.archive.format", "tsv"]
    return config_of(options, way, seed, corpora, arguments)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"training_pairs.py: {error}")
