"""`mt leaderboard`: its table, its forms for programs, its mistakes, and two runs side by side."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.helpers import only_line, run
from tests.test_leaderboard import (
    CHRF,
    CONFIG,
    make_run,
    shown,
)

# The command


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs below the folder `runs` of the current directory."""
    make_run(tmp_path / "runs" / "a", 40.0)
    slower = CONFIG + "training: {learning_rate: 3.0e-5}\n"
    make_run(tmp_path / "runs" / "b", 42.0, slower, started="2026-11-20T08:00:00+00:00", wall_seconds=90.0)
    make_run(tmp_path / "runs" / "\x1b[31mج", 38.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def names_of(text: str) -> list[str]:
    lines = text.split("\n\n")[0].splitlines()[2:]
    return [line.split("  ")[0] for line in lines]


@pytest.mark.usefixtures("runs")
def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    text = shown(monkeypatch, capsys, "runs")
    assert " ".join(text.splitlines()[0].split()) == (
        "name chrF on test base model method learning_rate started (UTC) wall time on disk"
    )
    assert names_of(text) == ["b", "a", "\\x1b[31mج", "tiny-en-ar (base)"]
    assert "42.00 [41.0, 43.0]" in text
    assert "\x1b" not in text
    assert "note: rows are not compared by a paired test here: `evaluate.py A B` does that" in text


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("options", "order"),
    [
        (["--sort", "name"], ["\\x1b[31mج", "a", "b", "tiny-en-ar (base)"]),
        (["--sort", "date"], ["a", "\\x1b[31mج", "b", "tiny-en-ar (base)"]),
        (["--sort", "time"], ["b", "a", "\\x1b[31mج", "tiny-en-ar (base)"]),
        (["--sort", "learning_rate", "--reverse"], ["b", "a", "\\x1b[31mج", "tiny-en-ar (base)"]),
        (["--sort", "test", "--reverse"], ["tiny-en-ar (base)", "\\x1b[31mج", "a", "b"]),
        (["--sort", "chrF on test"], ["b", "a", "\\x1b[31mج", "tiny-en-ar (base)"]),
    ],
)
def test_sorting(
    options: list[str], order: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    found = names_of(shown(monkeypatch, capsys, "runs", *options))
    ties = {"a", "\\x1b[31mج"} if options[1] in ("date", "time", "learning_rate") else set()
    assert [("tie" if name in ties else name) for name in found] == [("tie" if n in ties else n) for n in order]


@pytest.mark.usefixtures("runs")
def test_tables_for_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    rows = list(csv.DictReader(io.StringIO(shown(monkeypatch, capsys, "runs", "--format", "csv"))))
    best = {key: rows[0][key] for key in ("path", "name", "chrF on test", "chrF on test, low", "wall time")}
    assert best == {
        "path": "runs/b",
        "name": "b",
        "chrF on test": "42.0",
        "chrF on test, low": "41.0",
        "wall time": "90.0",
    }
    assert [row["training.learning_rate"] for row in rows[:2]] == ["3e-05", "2e-05"]
    found = json.loads(shown(monkeypatch, capsys, "runs", "--format", "json"))["rows"][0]
    assert found["scores"]["chrF on test"] == {
        "test_set": "test",
        "value": 42.0,
        "ci_low": 41.0,
        "ci_high": 43.0,
        "doubt": "",
        "about": f"232 sentences; {CHRF}",
    }
    assert found["options"] == {"training.learning_rate": "3e-05"}
    markdown = shown(monkeypatch, capsys, "runs", "--format", "markdown").splitlines()
    assert markdown[2].startswith("| b ")


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["lost"], 1, "lost: no such directory; name folders of runs, or runs"),
        (["empty"], 1, "empty: no run and no evaluation there"),
        (["runs", "--metric", "COMET"], 1, "--metric COMET: no run has scores by that name; there are chrF"),
        (["runs", "--test_set", "desk"], 1, "--test_set desk: no run has scores by that name; there are test"),
        (["runs", "--sort", "beauty"], 2, "--sort beauty: there is no such column; choose one of name, chrF on test, "),
        (["runs", "--output", "board.txt"], 2, "--output takes the name of a page, such as leaderboard.html"),
        (["runs", "--output", "there.html"], 1, "there.html: exists; replace it with --overwrite or choose another"),
        (["runs", "--output", "empty.html"], 1, "empty.html: is a directory; name a file with --output FILE.html"),
        ([], 2, "mt leaderboard"),
    ],
)  # fmt: skip
def test_mistakes_in_one_sentence(
    argv: list[str], status: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    Path("empty").mkdir()
    Path("empty.html").mkdir()
    Path("there.html").write_text("mine")
    assert run(monkeypatch, "mt", "leaderboard", *argv) == status
    assert message in only_line(capsys)
    assert Path("there.html").read_text() == "mine"


def test_many_columns_are_cut_in_the_terminal_but_not_in_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    for number in range(7):
        make_run(tmp_path / str(number), splits={"test": {"pairs": 1, "sha256": f"{number}" * 64}})
    text = shown(monkeypatch, capsys, str(tmp_path))
    assert text.splitlines()[0].count("chrF on test") == 4
    assert "note: not shown: 3 columns of scores; --test_set and --metric choose, --format csv has all" in text
    header = shown(monkeypatch, capsys, str(tmp_path), "--format", "csv").splitlines()[0]
    assert header.count(", low") == 7


# Two runs


def test_two_runs_side_by_side(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    counts = {"read": 5000, "kept": {"train": 4612, "dev": 135, "test": 232}, "epoch_pairs": 4612.0}
    for name, more in (("a", {}), ("b", {"read": 5100})):
        (runs / name / "data_report.json").write_text(json.dumps({"corpora": {"news": counts | more}}))
    found = json.loads(shown(monkeypatch, capsys, "runs/a", "runs/b", "--format", "json"))
    assert found["Options that differ"]["rows"] == [["training.learning_rate", "2e-05", "3e-05"]]
    assert found["How they were made"]["rows"] == [["wall time in seconds", "288.1", "90"]]
    assert found["Data"]["rows"] == [["news: read", "5000", "5100"]]
    assert found["Scores on common test sets"]["rows"] == [["chrF on test", 40.0, 42.0, 2.0]]
    text = shown(monkeypatch, capsys, "runs/a", "runs/b")
    assert "chrF on test  40.00 [39.0, 41.0]  42.00 [41.0, 43.0]  +2.00" in text
    assert "note: not compared by a paired test here: `evaluate.py runs/a runs/b` does that" in text


def test_two_runs_with_other_data(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    other = {"test": {"pairs": 250, "sha256": "6" * 64}}
    make_run(runs / "c", 50.0, splits=other, inputs={"/home/me/news.tsv": "b" * 64})
    found = json.loads(shown(monkeypatch, capsys, "runs/a", "runs/c", "--format", "json"))
    assert found["Data"]["rows"] == [
        ["split train", "4612 pairs (777777)", "—"],
        ["split test", "232 pairs (555555)", "250 pairs (666666)"],
        ["file only one has read", "news.tsv (aaaaaa)", "—"],
        ["file only one has read", "—", "/home/me/news.tsv (bbbbbb)"],
    ]
    assert found["Data"]["notes"] == [
        "the test splits differ, so one run may have trained on the other's test sentences: compare them on a test set "
        "of its own"
    ]
    assert found["Scores on common test sets"]["rows"] == []
    same = json.loads(shown(monkeypatch, capsys, "runs/a", str(runs / "a"), "--format", "json"))
    assert [len(section["rows"]) for section in same.values()] == [0, 0, 0, 1]


@pytest.mark.slow
def test_200_runs_take_seconds_and_no_torch(tmp_path: Path):
    make_run(tmp_path / "0")
    for number in range(1, 200):
        shutil.copytree(tmp_path / "0", tmp_path / str(number))
    code = (
        "import sys; from mt.commands.leaderboard import run; run(sys.argv[1:], 'mt leaderboard'); "
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules), 'a heavy import'"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    # A second and a half on one core; a machine that is busy takes longer.
    subprocess.run(command, check=True, timeout=20, env=environment, stdout=subprocess.DEVNULL)
