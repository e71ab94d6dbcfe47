"""The harness that injects faults sees what is wrong, and a sample of the faults ends right."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faults.box import Box, Wrong, refused
from faults.command import Outcome
from faults.known import KNOWN
from faults.registry import all_faults
from faults.suite import SAMPLE, Result, as_table
from faults.trees import snapshot
from tests.conftest import ROOT


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A sandbox with one file of the user's."""
    for name in ("work", "cache"):
        (tmp_path / "stock" / name).mkdir(parents=True)
    (tmp_path / "stock" / "work" / "corpus.tsv").write_text("a\tb\n")
    return Box(tmp_path / "box", tmp_path / "stock")


def ended(status: int, stderr: str = "", *, hung: bool = False, peak_mib: float = 600) -> Outcome:
    return Outcome("train.py small.yaml", status, "", stderr, 1.0, peak_mib, hung)


@pytest.mark.parametrize(
    ("outcome", "complaint"),
    [
        (ended(1, "Traceback (most recent call last):\nValueError: x\n"), "a traceback, ending in 'ValueError: x'"),
        (ended(1, "12:00:00 reading\ntrain.py: no\ntrain.py: more\n"), "2 lines on stderr instead of one sentence"),
        (ended(1), "0 lines on stderr"),
        (ended(0, "a stray line\n"), "more than log lines"),
        (ended(-11), "exit status -11"),
        (ended(-9, hung=True), "has not ended after 1 s"),
        (ended(0, peak_mib=9000), "took 9000 MiB"),
    ],
)
def test_a_bad_end_is_seen(box: Box, outcome: Outcome, complaint: str):
    with pytest.raises(Wrong, match=complaint.replace("(", r"\(")):
        box.judge(outcome, snapshot(box.root), ["work/out"], was_signalled=False)


@pytest.mark.parametrize(
    "outcome", [ended(0, "12:00:00 done\n"), ended(1, "12:00:00 x\ntrain.py: none.tsv: no such file\n"), ended(3)]
)
def test_a_good_end_is_right(box: Box, outcome: Outcome):
    box.judge(outcome, snapshot(box.root), ["work/out"], was_signalled=False)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("work/corpus.tsv", "work/corpus.tsv was changed"),
        ("work/escaped", "work/escaped was written"),
        ("home/.bashrc", "home/.bashrc was written"),
        ("work/out/data/mine.tsv", "work/out/data/mine.tsv was changed"),
    ],
)
def test_a_lost_file_is_seen(box: Box, path: str, complaint: str):
    box.write("out/data/mine.tsv", "mine")
    before = snapshot(box.root)
    (box.root / path).write_text("something else")
    with pytest.raises(Wrong, match=complaint):
        box.judge(ended(0), before, ["work/out"], was_signalled=False)


def test_a_removed_directory_is_seen(box: Box):
    box.write("out/data/mine.tsv", "mine")
    before = snapshot(box.root)
    shutil.rmtree(box.out)
    with pytest.raises(Wrong, match="work/out/data is gone and 1 more"):
        box.judge(ended(0), before, ["work/out"], was_signalled=False)


def test_output_and_cache_may_be_written(box: Box):
    before = snapshot(box.root)
    for directory in (box.out, box.cache):
        directory.mkdir(exist_ok=True)
        (directory / "new").write_text("ours")
    box.judge(ended(0), before, ["work/out"], was_signalled=False)


def test_what_must_be_refused(box: Box):
    refused(ended(1, "train.py: none.tsv: no such file\n"), "none.tsv")
    with pytest.raises(Wrong, match="not refused, exit status 0"):
        refused(ended(0))
    with pytest.raises(Wrong, match=r"'none\.tsv' is not in"):
        refused(ended(2, "train.py: something\n"), "none.tsv")


def test_table():
    results = [
        Result("locks", "a", "right", "", 1, []),
        Result("locks", "b", "wrong", "x", 1, []),
        Result("pages", "c", "skipped", "no mount", 1, []),
    ]
    assert as_table(results, markdown=True).splitlines()[2:] == [
        "| One at a time | 2 | 1 | 1 | 0 |",
        "| Pages that people open | 1 | 0 | 0 | 1 |",
        "| in all | 3 | 1 | 1 | 1 |",
    ]


def test_faults_have_names_of_their_own():
    titles = [fault.title for fault in all_faults()]
    assert len(titles) >= 505
    assert len(set(titles)) == len(titles)
    assert {*KNOWN, *SAMPLE} <= set(titles)


@pytest.mark.slow
def test_a_sample_ends_right():
    command = [sys.executable, "-m", "faults", "--sample"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert f"in all {len(SAMPLE)} {len(SAMPLE)} 0 0" in " ".join(result.stdout.split())
