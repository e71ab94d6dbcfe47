"""The GPU benchmark: its figures, on hand-made cases, and that it runs to its end without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """The benchmark's modules, which find each other as scripts of one directory do."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu
    import gpu_models
    import gpu_runs
    import gpu_tables
    import gpu_ways

    return Namespace(main=gpu, models=gpu_models, runs=gpu_runs, tables=gpu_tables, ways=gpu_ways)


def benchmark(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *argv]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, check=False)


def test_operations_of_a_pair(modules: Namespace):
    shape = modules.models.Shape(vocabulary=5, width=2, layers=1, heads=1, ffn=3, activation="relu")
    # 1 token per side: encoder 32 + 24 + 8, decoder 48 + 24 + 16 + 8 + 8, output 20.
    assert modules.models.training_flops(shape, 1, 1) == 3 * (64 + 104 + 20)
    # 2 source tokens and 1 target token: encoder 64 + 48 + 32, decoder 48 + 24 + 32 + 24, output 20.
    assert modules.models.training_flops(shape, 2, 1) == 3 * (144 + 128 + 20)


def test_real_tokens_of_a_batch(modules: Namespace):
    import torch

    counts = modules.ways.Counts()
    counts.add(
        {
            "input_ids": torch.tensor([[7, 8, 0], [7, 0, 9]]),
            "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
            "labels": torch.tensor([[0, -100, -100, -100], [5, 6, 7, 0]]),
        }
    )
    # Sources of 3 and 2 tokens, targets of 1 and 4; padded to 2 x 3 and 2 x 4.
    assert (counts.real, counts.padded) == ([10], [14])


def test_figures_of_a_way(modules: Namespace, monkeypatch: pytest.MonkeyPatch):
    moments = iter([100.0, 104.0, 105.0, 106.0, 107.0, 109.0, 109.0])
    monkeypatch.setattr(modules.ways.time, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(modules.ways.torch.cuda, "is_available", lambda: False)
    clock, control = modules.ways.Clock(lambda updates, _: updates == 3, skipped=1), Namespace()
    for _ in range(3):
        clock.on_step_begin(None, None, control)
        clock.on_step_end(None, None, control)
    assert control.should_training_stop
    # Created at 100, the first update began at 104 and ended at 105, the third ended at 109.
    figures = modules.ways.figures_of(clock, {1: 20, 3: 70}.__getitem__, 80)
    assert figures == {
        "updates": 3,
        "tokens": 70,
        "seconds": 5.0,
        "tokens_per_second": 14.0,
        "not_padding": 0.875,
        "setup_seconds": 4.0,
        "tokens_per_second_later": 12.5,
    }


def test_figures_of_a_run(modules: Namespace):
    # 10 updates of 100 tokens; an epoch has 400 tokens, so 4 updates: 8 s, and the other 6 at 1 s each.
    losses = [(2, 106.0), (4, 110.0), (6, 112.0), (8, 114.0), (10, 116.0)]
    times = modules.runs.Times(started=90.0, begun=102.0, ended=121.0, losses=losses)
    figures = modules.runs.summarise(times, tokens=1000, epoch_tokens=400, epoch_flops=56.0, card=20.0)
    assert figures == {
        "updates": 10,
        "epochs": 2.5,
        "tokens": 1000,
        "tokens_per_second": 71.4,
        "ms_per_update": 1400.0,
        "share": 0.5,
        "seconds": {"start": 12.0, "updates": 14.0, "rest": 5.0},
        "first_epoch_seconds": 8.0,
        "later_epoch_seconds": 4.0,
        "first_to_later": 2.0,
        "later_tokens_per_second": 100.0,
        "later_share": 0.7,
    }
    assert times.at(3) == 108.0


def test_updates_begin_at_the_last_line_before_the_first_loss(modules: Namespace):
    said = modules.runs.Said(
        0.0,
        [
            (1.0, "12:00:01 loss: plain"),
            (2.0, "12:00:02 before training: dev chrF 1.00"),
            (3.0, "a library warns"),
            (62.0, "12:01:02 fine-tune: 3 of 9 updates"),
            (80.0, "12:01:20 update 9 of 9: dev chrF 2.00"),
        ],
    )
    assert modules.runs.begun_at(said, [(5, 70.0), (9, 79.0)]) == 2.0


@pytest.mark.parametrize(
    ("per_epoch", "epochs", "tiny", "expected"),
    [(160.0, 3, False, (480, 8)), (20.4, 3, False, (62, 1)), (2.0, 3, False, (40, 1)), (2.0, 3, True, (6, 1))],
)
def test_updates_of_a_run(per_epoch: float, epochs: float, tiny: bool, expected: tuple[int, int], modules: Namespace):
    assert modules.runs.plan_updates(per_epoch, epochs, tiny) == expected


def test_the_most_important_parts_come_first(modules: Namespace):
    named = [(task.section, task.name) for task in modules.main.tasks(modules.main.parse(["--models", "opus", "big"]))]
    assert named[:5] == [
        ("train", "opus, 32,768 tokens"),
        ("train", "opus, 4,096 tokens"),
        ("compare", "opus, 4,096 tokens"),
        ("compare", "opus, 16 sentences"),
        ("train", "big, 32,768 tokens"),
    ]
    assert named[-1] == ("train", "padding")
    only = modules.main.parse(["--models", "nllb", "--sections", "train", "step"])
    assert [task.name for task in modules.main.tasks(only)] == ["nllb", "padding"]


def part_of(modules: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> Any:
    """What the JSON says of a part that runs `code`."""
    (tmp_path / "gpu_parts.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(modules.main, "HERE", tmp_path)
    options = modules.main.parse(["--part_seconds", "3", "--json", str(tmp_path / "found.json")])
    started = modules.main.Benchmark(options, tmp_path)
    started.tasks = [modules.main.Task("prepare", "prepare", "prepare"), modules.main.Task("step", "opus", "step")]
    started.result |= {"corpus": {}, "card": {"device": "CPU"}}
    started._do(started.tasks[1])
    started._write()
    return json.loads((tmp_path / "found.json").read_text("utf-8"))["parts"][0]


def test_a_part_that_hangs_is_ended_with_what_it_started(
    modules: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    code = """
import pathlib, subprocess, sys, time
print("it begins", flush=True)
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
pathlib.Path(sys.argv[3]).write_text(f"[{child.pid}]")
time.sleep(60)
"""
    part = part_of(modules, tmp_path, monkeypatch, code)
    assert (part["status"], part["why"]) == ("out of time", "stopped after 3 s\nit begins")
    [child] = part["figures"]
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_part_that_fails_leaves_its_last_words(modules: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    part = part_of(modules, tmp_path, monkeypatch, "import sys\nsys.exit('no memory left')\n")
    assert (part["status"], part["why"], part["figures"]) == ("failed", "no memory left", None)


@pytest.mark.slow
def test_without_a_corpus_nothing_else_is_begun(tmp_path: Path):
    file = tmp_path / "found.json"
    result = benchmark(str(tmp_path / "none.tsv"), "--tiny", "--json", str(file), "--sections", "step", "decode")
    assert result.returncode == 1
    found = json.loads(file.read_text("utf-8"))
    assert "none.tsv" in found["prepare"]["why"]
    assert {part["status"] for part in found["parts"]} == {"skipped"}
    assert found["card"]["flops_per_second"] > 0


@pytest.mark.slow
def test_it_runs_to_its_end_without_a_gpu(tmp_path: Path):
    file = tmp_path / "found.json"
    result = benchmark("--tiny", "--models", "opus", "--json", str(file), "--work", str(tmp_path / "work"))
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(file.read_text("utf-8"))
    assert found["card"]["versions"].keys() >= {"python", "torch", "transformers"}
    assert found["corpus"]["training_pairs"] > 100
    parts = {(part["section"], part["name"]): part for part in found["parts"]}
    for part in parts.values():
        expected = ("skipped", "needs a GPU") if part["section"] == "processes" else ("done", "")
        assert (part["status"], part["why"]) == expected
    check_train(parts["train", "opus, 32,768 tokens"]["figures"], parts["train", "padding"]["figures"], found["corpus"])
    for name in ("opus, 4,096 tokens", "opus, 16 sentences"):
        check_compare(parts["compare", name]["figures"])
    assert [each["tokens"] for each in parts["step", "opus"]["figures"]] == [64, 128, 1024, 6144]
    assert all(each["ms"] > 0 and 0 < each["share"] < 1 for each in parts["step", "opus"]["figures"])
    ways = parts["decode", "tiny-en-ar"]["figures"]["ways"]
    assert all(way["sentences_per_second"] > 0 and way["chrF"] > 10 for way in ways.values())
    resumed = parts["resume", "demo"]["figures"]
    assert resumed["same"]
    assert resumed["killed_after"]
    for section in ("train", "compare", "step", "decode", "processes", "resume"):
        assert f"## {section}\n" in result.stdout


def check_train(train: dict[str, Any], padding: list[dict[str, Any]], corpus: dict[str, Any]) -> None:
    epoch = corpus["source_tokens"] + corpus["target_tokens"]
    assert train["updates"] == 6
    assert train["epochs"] == pytest.approx(train["tokens"] / epoch, abs=0.01)
    assert train["tokens_per_second"] == pytest.approx(train["tokens"] / train["seconds"]["updates"], rel=0.05)
    assert train["first_to_later"] > 0
    assert 0 < train["share"] < 1
    [found] = padding
    assert found["run"] == train["run"]
    assert 0 <= found["padding"] < 0.5


def check_compare(figures: dict[str, Any]) -> None:
    assert list(figures["ways"]) == ["plain", "grouped by length", "mt"]
    for way in figures["ways"].values():
        assert way["updates"] >= 4
        # On average, source and target of every update.
        assert way["tokens"] / way["updates"] == pytest.approx(2 * figures["tokens_per_update"], rel=0.6)
        assert 0 < way["not_padding"] <= 1
        assert way["tokens_per_second_later"] > 0
    assert figures["times"].keys() == {"plain", "grouped by length"}
