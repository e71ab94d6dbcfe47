"""Every benchmark of speed beside its plain alternative, in one go: `make bench`.

    python benchmarks/bench.py                                  # writes docs/benchmarks.json, .md and .svg
    python benchmarks/bench.py --corpus CORPUS.tsv.gz --scale 4 --output_dir elsewhere
    python benchmarks/bench.py --only gpu --output_dir gpu      # on another machine; then here:
    python benchmarks/bench.py --join gpu/benchmarks.json

training    `training_speed.py`: this project beside `Seq2SeqTrainer`, plain and grouped by length
decoding    `decoding_speed.py`: by torch and by CTranslate2 beside `generate` in file order
data        `data_builder.py`: this project's build beside one written by hand with `datasets`
evaluation  `evaluation_speed.py`: everything but decoding beside sacreBLEU alone
gpu         `gpu.py`, its sections compare and decode; left out without a GPU

Each measurement is a process of its own with a time limit, pinned to `--cores` cores with as many threads, and all but
`gpu` see no GPU. This project and the plain alternatives take turns, `--rounds` times, at 1x, 2x and 4x of the input;
the figures are medians. What fails is a row with its reason. The JSON file is written after every measurement.

Without `--output_dir` only a whole run, of all benchmarks at the usual sizes, writes files. In `benchmarks.json`, the
figures that the README names are under `benchmarks`:

    training.cases.4x.ways.mt.per_second, .padding       beside .plain and ."grouped by length"
    decoding.cases.4x.ways.ctranslate2.per_second        beside .torch, .int8 and .generate
    data.cases.4x.ways.mt.seconds, .peak_gib, .planted, .across_splits, and the `size` of the case; beside .plain
    evaluation.cases.4x.ways.mt.seconds                  beside .sacrebleu
    training.setup                                       machine, versions, cores, rounds

and every line of the table, with its ratio, is an entry of `rows`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench_page import table, write_page
from bench_plan import ALL_WAYS, BENCHMARKS, HERE, OWN_CORPUS, Benchmark, Cases
from bench_rows import as_dicts, growth_of, medians, rows_of
from bench_setup import gpu_names, setup_of
from gpu import end

ROOT = HERE.parent
NAMES = tuple(benchmark.name for benchmark in BENCHMARKS)


def main() -> None:
    """Measure, print the table, write the files; the exit status is 1 if anything failed."""
    options = parse(sys.argv[1:])
    # As an exception, so that a process that is running is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="mt-bench-") as work:
        bench = Bench(options, Path(work))
        bench.run()
    print("\n" + table(bench.rows()))
    if options.output_dir:
        write_page(options.output_dir, bench.result, bench.rows())
    sys.exit(1 if bench.has_failed else 0)


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", help="sentence pairs, in any format that train.py reads (default: the project's)")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=1, help="cores, and threads, of a measurement without a GPU")
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual sizes")
    parser.add_argument("--quick", action="store_true", help="one tiny size, one round: shows that everything runs")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds that a measurement may take")
    parser.add_argument(
        "--join", nargs="+", type=Path, default=[], metavar="JSON", help="take these, don't measure them"
    )
    parser.add_argument("--output_dir", type=Path, help="where to write (default of a whole run: docs)")
    options = parser.parse_args(argv)
    if options.rounds < 1 or options.cores < 1 or options.scale <= 0:
        parser.error("--rounds and --cores must be at least 1, --scale above 0")
    if options.corpus is not None and not Path(options.corpus).exists():
        parser.error(f"--corpus: there is no {options.corpus}")
    lost = [path for path in options.join if not path.is_file()]
    if lost:
        parser.error(f"--join: there is no {lost[0]}")
    if options.quick:
        options.rounds = 1
    if options.output_dir is None and not (options.quick or options.only or options.scale != 1):
        options.output_dir = ROOT / "docs"
    return options


class Bench:
    """The benchmarks, and what they have found.

    result: as in the JSON file. `benchmarks`, by name: `complete`: whether all was tried, so that it can be joined;
    `why` there are no figures, or fewer; `setup`; `growth` by way; and `cases`, by name, as in `4x`: `size`, `ways`
    (medians by way), `runs` (all figures by way) and `faults` (reasons by way).
    """

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.options, self.work = options, work
        self.has_failed = False
        self.corpus = str(OWN_CORPUS if options.corpus is None else Path(options.corpus).resolve())
        self.result: dict[str, Any] = {"command": command_of(options), "benchmarks": {}, "rows": []}
        for path in options.join:
            joined = json.loads(path.read_text("utf-8"))["benchmarks"]
            self.result["benchmarks"] |= {name: found for name, found in joined.items() if found["complete"]}

    def rows(self) -> list[Any]:
        """The rows of all benchmarks that have begun."""
        found = self.result["benchmarks"]
        return [row for each in BENCHMARKS if each.name in found for row in rows_of(each, found[each.name])]

    def run(self) -> None:
        """Measure everything that was asked for and not joined."""
        for benchmark in BENCHMARKS:
            asked = benchmark.name in (self.options.only or NAMES)
            if not asked or benchmark.name in self.result["benchmarks"]:
                continue
            gpus = gpu_names() if benchmark.needs_gpu else []
            setup = setup_of(self.options, gpus)
            found = {"complete": False, "why": "", "setup": setup, "growth": {}, "cases": {}}
            self.result["benchmarks"][benchmark.name] = found
            if benchmark.needs_gpu and not gpus:
                found["why"] = "left out: there is no GPU"
            else:
                self._measure(benchmark, found)
                found["complete"] = True
            self._write()

    def _measure(self, benchmark: Benchmark, found: dict[str, Any]) -> None:
        """All rounds: at each size every way in turn."""
        for number in range(self.options.rounds if benchmark.sizes else 1):
            for case, size in self._sizes(benchmark).items():
                for way in benchmark.runs:
                    if number and way in found["cases"].get(case, {}).get("faults", {}):
                        continue  # it would fail again
                    label = f"{benchmark.name} {case}, round {number + 1}, {way}".replace(f", {ALL_WAYS}", "")
                    print(f"{label} ...", file=sys.stderr, flush=True)
                    self._once(benchmark, found, case, size, way)
                    found["growth"] = growth_of(benchmark, found)
                    self._write()

    def _sizes(self, benchmark: Benchmark) -> dict[str, int]:
        if not benchmark.sizes:
            return {"": 0}
        if self.options.quick:
            return {"1x": benchmark.quick}
        times = ("1x", "2x", "4x")
        return {
            name: max(1, round(size * self.options.scale)) for name, size in zip(times, benchmark.sizes, strict=True)
        }

    def _once(self, benchmark: Benchmark, found: dict[str, Any], case: str, size: int, way: str) -> None:
        """One process; its figures, or why there are none, go into `found`."""
        figures, why = self._start(benchmark, size, way)
        cases: Cases = {}
        if figures is not None:
            try:
                read = benchmark.read(figures, way, size)
                cases = {case: read} if benchmark.sizes else read
                why = benchmark.faults(figures) or why
            except (KeyError, TypeError, ZeroDivisionError) as error:
                why = f"figures that were not expected: {type(error).__name__}: {error}"
        if why:
            self.has_failed = True
            print(f"    {why}", file=sys.stderr, flush=True)
        if why and benchmark.sizes:
            _case(found, case, size)["faults"][way] = why
        elif why:
            found["why"] = why
        for name, ways in cases.items():
            entry = _case(found, name, size)
            for key, each in ways.items():
                entry["runs"].setdefault(key, []).append(each)
                entry["ways"][key] = medians(entry["runs"][key])
                entry["size"] = each["size"]

    def _start(self, benchmark: Benchmark, size: int, way: str) -> tuple[dict[str, Any] | None, str]:
        """(The figures that the program wrote, why it failed)."""
        file, log = self.work / "figures.json", self.work / "said.log"
        file.unlink(missing_ok=True)
        program = HERE / benchmark.script
        if not program.is_file():
            return None, f"there is no benchmarks/{benchmark.script}"
        arguments = benchmark.arguments(self.corpus, size, way, self.options.quick)
        command = [sys.executable, str(program), *arguments, "--json", str(file)]
        cores = None if benchmark.needs_gpu else self.options.cores
        with log.open("w", encoding="utf-8") as output:
            with on_cores(cores):
                process = subprocess.Popen(
                    command, stdout=output, stderr=subprocess.STDOUT, env=environment(self.work, cores)
                )
            why = _wait(process, self.options.limit)
        if why == "failed":
            why = f"failed: {last_words(log.read_text('utf-8', errors='replace'))}"
        try:
            return json.loads(file.read_text("utf-8")), why
        except (OSError, ValueError):
            return None, why or "failed: it wrote no figures"

    def _write(self) -> None:
        self.result["rows"] = as_dicts(self.rows())
        if self.options.output_dir:
            self.options.output_dir.mkdir(parents=True, exist_ok=True)
            file = self.options.output_dir / "benchmarks.json"
            new = file.with_name(file.name + ".new")
            new.write_text(json.dumps(self.result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            new.replace(file)


def command_of(options: argparse.Namespace) -> str:
    """The command to repeat the measurement: without directories, which are another machine's."""
    words = [f"--corpus {Path(options.corpus).name}"] if options.corpus else []
    words += [f"--only {' '.join(options.only)}"] if options.only else []
    words += ["--quick"] if options.quick else []
    usual = {"rounds": 1 if options.quick else 3, "cores": 1, "scale": 1.0}
    words += [
        f"--{name} {getattr(options, name):g}" for name, value in usual.items() if getattr(options, name) != value
    ]
    return " ".join(["python benchmarks/bench.py", *words]) if words else "make bench"


def _case(found: dict[str, Any], name: str, size: int) -> dict[str, Any]:
    empty: dict[str, Any] = {"size": size, "ways": {}, "runs": {}, "faults": {}}
    case: dict[str, Any] = found["cases"].setdefault(name, empty)
    return case


def _wait(process: subprocess.Popen[bytes], limit: float) -> str:
    """Why the process failed; empty if it did not. It is ended with all that it has started."""
    try:
        return "failed" if process.wait(limit) else ""
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:g} s"
    finally:
        end(process)


def last_words(said: str) -> str:
    """The last line that a program said, which is the error, without a long tail."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


@contextmanager
def on_cores(count: int | None) -> Iterator[None]:
    """Processes that are started inside use the last `count` of this process's cores; None: all."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(work: Path, threads: int | None) -> dict[str, str]:
    """The environment of a measurement: offline, with caches that are empty at first.

    threads: as many, and no GPU; None: whatever there is.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "XDG_CACHE_HOME": str(work / "cache"), "HF_HUB_OFFLINE": "1"}
    own |= {"HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if threads is not None:
        own |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
    return os.environ | own


if __name__ == "__main__":
    main()
