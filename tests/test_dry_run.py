"""What `--dry_run` says: hand-made figures in words, and a real one that leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from mt.commands.train import parse_train
from mt.errors import UsageError
from mt.experiment.dry_run import DryRun, Row, as_text
from tests.commands import forked_train, write_small_config

FOUND = DryRun(
    weights=76_800_000,
    trained=50_000_000,
    weight_bytes=4 * 76_800_000,
    free_bytes=20 * 2**30,
    micro_batch_bytes=3 * 2**29,
    micro_batch_tokens=4096,
    device="cuda:0",
    micro_batches=2,
    padding=0.104,
    pairs=1000,
    updates=300,
    evaluations=4,
    tokens={"source": 1_200_000, "target": 1_000_000},
    seconds_per_update=0.5,
    seconds_per_evaluation=30.0,
    rows=[Row(7, "source", ">>ara<< _Peace </s>", [2, 5, 0]), Row(7, "target", "_سلام </s>", [9, 0])],
)


def test_in_words():
    # 300 updates of half a second and 4 evaluations of half a minute: 150 + 120 s.
    assert FOUND.minutes == pytest.approx(4.5)
    training = "300 updates of 2 passes each, 1,200,000 source and 1,000,000 target tokens; 10% padding"
    time = "an update takes 0.50 s, each of 4 evaluations 30.0 s; translating the test sets is not counted"
    # 76.8 million weights of 4 bytes are 0.286 GiB; AdamW keeps two numbers for each of 50 million.
    assert as_text(FOUND).splitlines() == [
        "weights      76.8 million, of which 50.0 million are trained",
        "memory       weights 0.29 GiB, gradients 0.19 GiB, optimizer 0.37 GiB, a pass 1.50 GiB: together 2.34 GiB",
        "micro-batch  4,096 padded tokens at most in a pass; 20.00 GiB are free for it (cuda:0)",
        f"training     1000 pairs; {training}",
        f"time         about 4 minutes: {time}",
        "",
        "The first 1 training pair as the model sees them, pieces and ids:",
        "     7 source  >>ara<< _Peace </s>",
        "               2 5 0",
        "     7 target  _سلام </s>",
        "               9 0",
    ]


@pytest.mark.slow
def test_it_measures_and_leaves_nothing(tmp_path: Path, marian_directory: Path, few_news: Path):
    config = write_small_config(tmp_path, marian_directory, few_news)
    before = sorted(tmp_path.rglob("*"))
    result = forked_train(str(config), "--dry_run")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["weights", "memory", "micro-batch", "training", "time"]
    assert len([line for line in lines if " source  " in line]) == 10
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("other", ["--resume", "--overwrite"])
def test_it_goes_with_no_run(other: str):
    with pytest.raises(UsageError, match=f"{other} and --dry_run exclude each other"):
        parse_train(["configs/demo.yaml", "--dry_run", other], "train.py")
