"""`make bench`: its medians, growth and table on hand-made figures, what fails in it, and that it runs to its end."""

from __future__ import annotations

import json
import os
import re
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
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
SETUP = {
    "cpu": "Abacus 3",
    "cores_of_machine": 8,
    "memory_gib": 16,
    "gpus": [],
    "system": "Linux",
    "versions": {"python": "3.11.7", "torch": "2.13.0", "ctranslate2": None},
    "commit": None,
    "cores": 1,
    "rounds": 3,
    "corpus": "the project's own",
    "scale": 1.0,
    "quick": False,
}


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """The benchmark's modules, which find each other as scripts of one directory do."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import bench
    import bench_page
    import bench_plan
    import bench_rows
    import bench_setup
    import data_plain

    return Namespace(
        main=bench, page=bench_page, plan=bench_plan, rows=bench_rows, setup=bench_setup, data_plain=data_plain
    )


def benchmark(modules: Namespace, name: str) -> Any:
    return next(each for each in modules.plan.BENCHMARKS if each.name == name)


def case(size: int, faults: dict[str, str] | None = None, **ways: dict[str, float]) -> dict[str, Any]:
    return {"size": size, "ways": {way: {"size": size, **found} for way, found in ways.items()}, "faults": faults or {}}


def found(*, why: str = "", growth: dict[str, Any] | None = None, **cases: dict[str, Any]) -> dict[str, Any]:
    named = {name.removeprefix("x"): each for name, each in cases.items()}
    return {"complete": True, "why": why, "setup": SETUP, "growth": growth or {}, "cases": named}


def evaluation() -> dict[str, Any]:
    """sacreBLEU took three times as long at 1x; at 2x it was stopped; at 4x this project failed."""
    return found(
        x1x=case(400, mt={"seconds": 20.0, "per_second": 20.0}, sacrebleu={"seconds": 60.0, "per_second": 6.7}),
        x2x=case(800, {"sacrebleu": "stopped after 900 s"}, mt={"seconds": 40.0, "per_second": 20.0}),
        x4x=case(1600, {"mt": "failed: no | memory"}, sacrebleu={"seconds": 240.0, "per_second": 6.7}),
    )


# Figures


def test_medians(modules: Namespace):
    runs = [{"seconds": 3.0, "chrF": 20.0}, {"seconds": 9.0, "chrF": 21.0}, {"seconds": 4.0, "chrF": 22.0}]
    assert modules.rows.medians(runs) == {"seconds": 4.0, "chrF": 21.0}
    assert modules.rows.medians([*runs, {"seconds": 6.0}]) == {"seconds": 5.0}
    (size,) = modules.rows.medians([{"size": 400}, {"size": 400}]).values()
    assert repr(size) == "400"


@pytest.mark.parametrize(
    ("sizes", "seconds", "expected"),
    [
        # Twice the input: twice the time, four times, the same.
        ([100, 200, 400], [3.0, 6.0, 12.0], {"times": 4.0, "inputs": 4.0, "exponent": 1.0}),
        ([100, 200, 400], [3.0, 12.0, 48.0], {"times": 16.0, "inputs": 4.0, "exponent": 2.0}),
        ([100, 200, 400], [5.0, 5.0, 5.0], {"times": 1.0, "inputs": 4.0, "exponent": 0.0}),
        # The slope through (0, 0), (1, 1), (2, 1) in doublings: (-1 x -2/3 + 1 x 1/3) / 2.
        ([100, 200, 400], [3.0, 6.0, 6.0], {"times": 2.0, "inputs": 4.0, "exponent": 0.5}),
        ([100, 300], [1.0, 9.0], {"times": 9.0, "inputs": 3.0, "exponent": 2.0}),
        ([100], [3.0], None),
        # A corpus with too few sentences: every size is all of it.
        ([70, 70], [3.0, 3.1], None),
        ([100, 200], [0.0, 1.0], None),
    ],
)
def test_growth(sizes: list[int], seconds: list[float], expected: Any, modules: Namespace):
    assert modules.rows.growth(sizes, seconds) == expected


def test_growth_of_each_way(modules: Namespace):
    assert modules.rows.growth_of(benchmark(modules, "evaluation"), evaluation()) == {
        "mt": {"times": 2.0, "inputs": 2.0, "exponent": 1.0},
        "sacrebleu": {"times": 4.0, "inputs": 4.0, "exponent": 1.0},
    }


def test_rows_of_seconds(modules: Namespace):
    rows = modules.rows.rows_of(benchmark(modules, "evaluation"), evaluation())
    assert [(row.case, row.size, row.mt, row.plain, row.ratio, row.unit, row.why) for row in rows] == [
        ("1x", 400, 20.0, 60.0, 3.0, "s", ""),
        ("2x", 800, 40.0, None, None, "s", "stopped after 900 s"),
        ("4x", 1600, None, 240.0, None, "s", "failed: no | memory"),
    ]


def test_rows_of_rates(modules: Namespace):
    plain, grouped = {"seconds": 15.0, "per_second": 2000.0}, {"seconds": 7.5, "per_second": 4000.0}
    ways = {"mt": {"seconds": 6.0, "per_second": 5000.0}, "plain": plain, "grouped by length": grouped}
    rows = modules.rows.rows_of(benchmark(modules, "training"), found(x1x=case(30_000, **ways)))
    assert [(row.against, row.mt, row.plain, row.ratio, row.unit) for row in rows] == [
        ("Seq2SeqTrainer", 5000.0, 2000.0, 2.5, "tokens/s"),
        ("Seq2SeqTrainer, grouped by length", 5000.0, 4000.0, 1.25, "tokens/s"),
    ]


def test_rows_where_one_process_measures_all_ways(modules: Namespace):
    failed = found(x1x=case(100, {"all": "failed: lost"}))
    rows = modules.rows.rows_of(benchmark(modules, "decoding"), failed)
    assert [(row.what, row.size, row.mt, row.why) for row in rows] == [
        ("decoding by torch", 100, None, "failed: lost"),
        ("decoding by CTranslate2", 100, None, "failed: lost"),
        ("decoding by CTranslate2, int8", 100, None, "failed: lost"),
    ]


def test_rows_of_a_gpu(modules: Namespace):
    gpu = benchmark(modules, "gpu")
    ways = {"plain": {"tokens_per_second": 100.0}, "grouped by length": {"failed": "no memory"}}
    ways["mt"] = {"tokens_per_second": 300.0}
    decoded = {"generate, file order, batch 16": {"sentences_per_second": 50.0, "tokens_per_second": 900}}
    decoded["translate"] = {"sentences_per_second": 75.0, "tokens_per_second": 1350}
    parts = [
        {"section": "compare", "name": "opus, 16 sentences", "figures": {"tokens_per_update": 480, "ways": ways}},
        {"section": "compare", "name": "opus, 4,096 tokens", "figures": None},
        {"section": "decode", "name": "tiny-en-ar", "figures": {"sentences": 300, "ways": decoded}},
    ]
    cases = {
        name: {"size": next(iter(each.values()))["size"], "ways": each, "faults": {}}
        for name, each in gpu.read({"parts": parts}, "all", 0).items()
    }
    rows = modules.rows.rows_of(gpu, {"why": "", "cases": cases})
    assert [(row.case, row.what, row.against, row.size, row.mt, row.plain, row.ratio, row.unit) for row in rows] == [
        ("compare: opus, 16 sentences", "training on a GPU", "Seq2SeqTrainer", 480, 300.0, 100.0, 3.0, "tokens/s"),
        (
            *("compare: opus, 16 sentences", "training on a GPU", "Seq2SeqTrainer, grouped by length"),
            *(480, 300.0, None, None, "tokens/s"),
        ),
        ("decode: tiny-en-ar", "decoding on a GPU", "generate", 300, 75.0, 50.0, 1.5, "sentences/s"),
    ]


def test_figures_of_the_programs(modules: Namespace):
    kept = {"seconds": 6.0, "peak_gib": 0.8, "dev_chrF": 17.3}
    training = {"tokens_per_second": 5000.0, "not_padding": 0.98, **kept}
    figures = {"size": 30_000, "per_second": 5000.0, "padding": 0.02, **kept}
    assert benchmark(modules, "training").read(training, "mt", 30_000) == {"mt": figures}
    way = {
        "sentences_per_second": 4.0,
        "times generate": 1.0,
        "chrF": 26.5,
        "same_as_torch": 0.99,
        "same_as_alone": 0.0,
    }
    decoding = {"facts": {"sentences": 90}, "generate in file order": way, "mt by torch": way}
    figures = {"size": 90, "seconds": 22.5, "per_second": 4.0, "chrF": 26.5, "same_as_torch": 0.99}
    assert benchmark(modules, "decoding").read(decoding, "all", 100) == {"torch": figures, "generate": figures}
    data = {"seconds": 4.0, "peak_gib": 0.2, "planted": 9, "across_splits": 3, "kept": {"train": 40}}
    assert benchmark(modules, "data").read(data, "plain", 50) == {
        "plain": {"size": 50, "per_second": 12.5, "seconds": 4.0, "peak_gib": 0.2, "planted": 9, "across_splits": 3}
    }
    scored = {"sentences": 40, "seconds": 8.0, "report_mib": 0.5}
    assert benchmark(modules, "evaluation").read(scored, "mt", 50) == {
        "mt": {"size": 40, "seconds": 8.0, "per_second": 5.0, "report_mib": 0.5}
    }
    assert benchmark(modules, "evaluation").read({"sentences": 40, "sacrebleu_seconds": 16.0}, "sacrebleu", 50) == {
        "sacrebleu": {"size": 40, "seconds": 16.0, "per_second": 2.5}
    }


def test_what_a_gpu_benchmark_says_of_its_failures(modules: Namespace):
    parts = [
        {"name": "opus", "status": "done", "why": ""},
        {"name": "big", "status": "failed", "why": "Traceback\n  line 1\nOutOfMemoryError: no memory\n"},
        {"name": "nllb", "status": "failed", "why": ""},
    ]
    said = benchmark(modules, "gpu").faults({"parts": parts})
    assert said == "big: failed: OutOfMemoryError: no memory; nllb: failed"


# The page


def test_table(modules: Namespace):
    rows = modules.rows.rows_of(benchmark(modules, "evaluation"), evaluation())
    rows += modules.rows.rows_of(benchmark(modules, "gpu"), found(why="left out: there is no GPU"))
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in modules.page.table(rows).splitlines()]
    assert [lines[0], *lines[2:]] == [
        ["what", "size", "this project", "plain alternative", "ratio", "unit"],
        ["evaluating 5 systems beside sacreBLEU", "400 sentences", "20", "60", "3.00", "s"],
        ["evaluating 5 systems beside sacreBLEU", "800 sentences", "40", "stopped after 900 s", "", "s"],
        ["evaluating 5 systems beside sacreBLEU", "1,600 sentences", "failed: no / memory", "240", "", "s"],
        ["On a GPU", "", "left out: there is no GPU", "", "", ""],
    ]


def test_page_and_plot(modules: Namespace, tmp_path: Path):
    measured = evaluation()
    measured["growth"] = modules.rows.growth_of(benchmark(modules, "evaluation"), measured)
    gpu = found(why="left out: there is no GPU") | {"setup": SETUP | {"scale": 0.5, "gpus": ["Loom 9"]}}
    result = {"command": "make bench", "benchmarks": {"evaluation": measured, "gpu": gpu}}
    modules.page.write_page(tmp_path, result, modules.rows.rows_of(benchmark(modules, "evaluation"), measured))
    page = " ".join((tmp_path / "benchmarks.md").read_text("utf-8").split())
    assert "Made by `make bench`;" in page
    assert (
        "Evaluation: Abacus 3, 8 cores, 16 GiB; Linux; python 3.11.7, torch 2.13.0. On one core and one thread, "
        "medians of 3 rounds, the project's own corpus."
    ) in page
    assert "Gpu: Abacus 3, 8 cores, 16 GiB, Loom 9;" in page
    assert (
        "torch 2.13.0. On the GPU, one round, the project's own corpus. **Measured at 0.5 times the usual sizes.**"
        in page
    )
    assert "- *evaluating 5 systems beside sacreBLEU*: Scores, intervals, " in page
    assert "- *training beside" not in page
    picture = (tmp_path / "benchmarks.svg").read_text("utf-8")
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", picture)
    for text in ("Evaluating 5 systems", "this project (2.0x)", "sacreBLEU (4.0x)", "400", "800", "1,600", "seconds"):
        assert text in texts
    assert "<dc:date>" not in picture


def test_a_page_without_a_plot(modules: Namespace, tmp_path: Path):
    failed = found(x1x=case(400, {"mt": "failed: lost", "sacrebleu": "failed: lost"}))
    result = {"command": "make bench", "benchmarks": {"evaluation": failed}}
    modules.page.write_page(tmp_path, result, modules.rows.rows_of(benchmark(modules, "evaluation"), failed))
    assert "benchmarks.svg" not in (tmp_path / "benchmarks.md").read_text("utf-8")
    assert not (tmp_path / "benchmarks.svg").exists()


# The command line


def test_only_a_whole_run_writes_into_docs(modules: Namespace):
    parse = modules.main.parse
    assert parse([]).output_dir == ROOT / "docs"
    assert parse(["--rounds", "5"]).output_dir == ROOT / "docs"
    for argv in (["--quick"], ["--only", "data"], ["--scale", "0.5"]):
        assert parse(argv).output_dir is None
    assert parse(["--quick", "--output_dir", "x"]).output_dir == Path("x")
    assert parse(["--quick"]).rounds == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--rounds", "0"], "--rounds and --cores must be at least 1, --scale above 0"),
        (["--scale", "0"], "--rounds and --cores must be at least 1, --scale above 0"),
        (["--corpus", "lost.tsv"], "--corpus: there is no lost.tsv"),
        (["--join", "lost.json"], "--join: there is no lost.json"),
        (["--only", "dinner"], "invalid choice: 'dinner'"),
    ],
)
def test_mistakes(argv: list[str], message: str, modules: Namespace, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        modules.main.parse(argv)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        ([], "make bench"),
        (["--output_dir", "/home/me/x"], "make bench"),
        (["--quick", "--output_dir", "x"], "python benchmarks/bench.py --quick"),
        (
            ["--corpus", str(ROOT / "data" / "conflict_news" / "starter.tsv"), "--only", "data", "gpu", "--scale", "2"],
            "python benchmarks/bench.py --corpus starter.tsv --only data gpu --scale 2",
        ),
    ],
)
def test_the_command_on_the_page(argv: list[str], command: str, modules: Namespace):
    assert modules.main.command_of(modules.main.parse(argv)) == command


# Measuring


STAND_IN = """
import json, sys
size, way = int(sys.argv[3]), sys.argv[5]
print(way, size, file=open({log!r}, "a"))
if size == 60000 and way == "plain":
    sys.exit("no memory left")
found = dict(seconds=size / 1000, tokens_per_second=1000.0, not_padding=0.75, peak_gib=1.0, dev_chrF=20.0)
open(sys.argv[7], "w").write(json.dumps(found))
"""


def measure(modules: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, *argv: str) -> Any:
    """`Bench` after a run with `code` in place of benchmarks/training_speed.py."""
    (tmp_path / "training_speed.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(modules.main, "HERE", tmp_path)
    monkeypatch.setattr(modules.main, "gpu_names", list)
    options = modules.main.parse(["--only", "training", "gpu", "--output_dir", str(tmp_path / "out"), *argv])
    run = modules.main.Bench(options, tmp_path)
    run.run()
    return run


def test_ways_take_turns_and_what_fails_is_not_tried_again(
    modules: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log = tmp_path / "log"
    run = measure(modules, tmp_path, monkeypatch, STAND_IN.format(log=str(log)), "--rounds", "2")
    sizes = ("30000", "60000", "120000")
    first = [f"{way} {size}" for size in sizes for way in ("mt", "plain", "grouped by length")]
    second = [line for line in first if line != "plain 60000"]
    assert log.read_text("utf-8").splitlines() == [*first, *second]
    assert run.has_failed
    result = json.loads((tmp_path / "out" / "benchmarks.json").read_text("utf-8"))
    training = result["benchmarks"]["training"]
    assert training["complete"]
    assert training["cases"]["2x"]["faults"] == {"plain": "failed: no memory left"}
    assert training["cases"]["4x"]["ways"]["mt"]["seconds"] == 120.0
    assert training["cases"]["4x"]["ways"]["mt"]["padding"] == 0.25
    assert len(training["cases"]["4x"]["runs"]["mt"]) == 2
    assert training["growth"]["mt"] == {"times": 4.0, "inputs": 4.0, "exponent": 1.0}
    gpu = result["benchmarks"]["gpu"]
    assert (gpu["why"], gpu["complete"]) == ("left out: there is no GPU", False)
    assert [row["case"] for row in result["rows"]] == ["1x", "2x", "4x"] * 2 + [""]


def test_a_measurement_that_hangs_is_ended_with_what_it_started(
    modules: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    child = tmp_path / "child"
    code = f"""
import pathlib, subprocess, time
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
pathlib.Path({str(child)!r}).write_text(str(child.pid))
time.sleep(60)
"""
    (tmp_path / "training_speed.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(modules.main, "HERE", tmp_path)
    run = modules.main.Bench(modules.main.parse(["--quick", "--limit", "2"]), tmp_path)
    assert run._start(benchmark(modules, "training"), 500, "mt") == (None, "stopped after 2 s")
    pid, deadline = int(child.read_text("utf-8")), time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "failed: it wrote no figures"),
        ("import sys; open(sys.argv[7], 'w').write('{}')", "figures that were not expected: KeyError: 'seconds'"),
        ("raise ValueError('odd')", "failed: ValueError: odd"),
    ],
)
def test_a_measurement_without_figures(
    code: str, why: str, modules: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = measure(modules, tmp_path, monkeypatch, code, "--quick")
    assert run.result["benchmarks"]["training"]["cases"]["1x"]["faults"]["mt"] == why


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no processes")
def test_a_measurement_has_one_core_and_one_thread(modules: Namespace, tmp_path: Path):
    code = "import os; print(len(os.sched_getaffinity(0)), *map(os.environ.get, ('OMP_NUM_THREADS', "
    code += "'CUDA_VISIBLE_DEVICES')), sep=',')"
    with modules.main.on_cores(1):
        said = subprocess.check_output(
            [sys.executable, "-c", code], text=True, env=modules.main.environment(tmp_path, 1)
        )
    assert said == "1,1,\n"
    assert os.sched_getaffinity(0) == CORES


def test_finished_benchmarks_are_joined_and_not_measured(
    modules: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    earlier = {"benchmarks": {"evaluation": evaluation(), "training": found() | {"complete": False}}}
    (tmp_path / "earlier.json").write_text(json.dumps(earlier), encoding="utf-8")
    log = tmp_path / "log"
    joined = ("--quick", "--join", str(tmp_path / "earlier.json"))
    run = measure(modules, tmp_path, monkeypatch, STAND_IN.format(log=str(log)), *joined)
    assert len(log.read_text("utf-8").splitlines()) == 3
    assert [row.what for row in run.rows()][:3] == ["training", "training", "evaluating 5 systems"]


def test_name_of_the_processor(modules: Namespace, tmp_path: Path):
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Abacus 3\nmodel name\t: Abacus 4\n", encoding="utf-8"
    )
    assert modules.setup.cpu_name(tmp_path / "cpuinfo") == "Abacus 3"
    assert modules.setup.cpu_name(tmp_path / "lost")


def test_data_built_by_hand(modules: Namespace, tmp_path: Path):
    lines = [f"word number {number}\tكلمة رقم {number}" for number in range(50)]
    # A duplicate, an empty side, and 1 word beside 4.
    lines += [lines[0], "alone\t", "one\tواحد اثنان ثلاثة أربعة"]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert modules.data_plain.build(tmp_path / "pairs.tsv", tmp_path) == {"train": 40, "dev": 5, "test": 5}
    assert (tmp_path / "data" / "test").is_dir()


@pytest.mark.slow
def test_it_runs_to_its_end(tmp_path: Path):
    command = [sys.executable, str(BENCHMARKS / "bench.py"), "--quick", "--output_dir", str(tmp_path)]
    command += ["--only", "training", "decoding", "data", "evaluation"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    content = json.loads((tmp_path / "benchmarks.json").read_text("utf-8"))
    assert len(content["rows"]) == 7
    for row in content["rows"]:
        assert row["why"] == ""
        assert row["mt"] > 0
        assert row["plain"] > 0
        assert row["ratio"] > 0
    ways = content["benchmarks"]["training"]["cases"]["1x"]["ways"]
    assert ways["mt"]["padding"] < ways["plain"]["padding"] < 1
    assert content["benchmarks"]["data"]["cases"]["1x"]["ways"]["mt"]["across_splits"] == 0
    page = (tmp_path / "benchmarks.md").read_text("utf-8")
    assert result.stdout.strip() in page
    assert "Tiny sizes" in page
    assert (tmp_path / "benchmarks.svg").stat().st_size > 1000
