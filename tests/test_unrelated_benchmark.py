"""`benchmarks/unrelated.py`: what is planted, how it is counted, and its tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mt.data.pair import Pair
from tests.conftest import ROOT, STARTER


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import unrelated

    return unrelated


def test_what_is_planted(benchmark: ModuleType):
    pairs = [Pair(f"source {i}", str(i), f"x:{i + 1}") for i in range(200)]
    assert benchmark.planted(pairs, "none", 1) == ([str(i) for i in range(200)], set())
    for kind, away in (("neighbour", {1}), ("document", {2, 3, 4})):
        targets, wrong = benchmark.planted(pairs, kind, 1)
        assert len(wrong) == 10
        assert {abs(int(targets[place]) - place) for place in wrong} <= away
    targets, wrong = benchmark.planted(pairs, "slip", 1)
    assert targets[99:102] == ["99", "105", "106"]
    assert len(targets) == 200
    assert wrong == set(range(100, 200))
    targets, wrong = benchmark.planted(pairs, "moved", 1)
    assert [targets[100], targets[101], targets[139], targets[140]] == ["139", "100", "138", "140"]
    assert wrong == set(range(100, 140))
    for kind, last in (("half", 200), ("shuffled", 160)):
        targets, wrong = benchmark.planted(pairs, kind, 1)
        assert sorted(targets, key=int) == [str(i) for i in range(200)]
        assert wrong <= set(range(100, last))


def test_area_by_hand(benchmark: ModuleType):
    # Of six comparisons the good one is higher in four, and equal in one.
    assert benchmark.area([3, 1], [1, 2, 0]) == pytest.approx((3 + 0 + 0.5 + 1) / 6)


@pytest.mark.slow
def test_tables(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    options = (
        "--ways",
        "alignment",
        "--kinds",
        "none",
        "random",
        "slip",
        "--seeds",
        "2",
        "--output_dir",
        str(tmp_path),
    )
    monkeypatch.setattr(sys, "argv", ["unrelated.py", str(STARTER), *options])
    benchmark.main()
    rows = json.loads((tmp_path / "unrelated.json").read_text(encoding="utf-8"))
    assert [(row["kind"], row["seed"]) for row in rows] == [("none", 1), ("random", 1), ("random", 2), ("slip", 1)]
    assert rows[0]["dropped"] == 0
    assert min(row["auc"] for row in rows[1:]) > 0.95
    assert int(rows[3]["stretches"][0][0]) == pytest.approx(rows[3]["first_planted"], abs=5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["|", "alignment", "|", "False", "|", "none", "|", "|", "|", "|", "0", "|"]
    assert lines[-1].split()[:6] == ["|", "alignment", "|", "False", "|", "slip"]
