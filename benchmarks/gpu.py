"""How well this project uses a GPU: one command, offline, in at most `--minutes`.

    python benchmarks/gpu.py CORPUS.tsv.gz --json gpu.json

It makes models with random weights in the shapes of opus-mt-en-ar (`opus`), opus-mt-tc-big-en-ar (`big`) and
nllb-200-distilled-600M (`nllb`), and a tokenizer from the corpus; without one, from the project's own data. What it
makes goes to `--work`, by default a temporary directory. Sections, in the order of `--sections`' default:

train      `train.py` end to end: real tokens per second (source and target, padding not counted) of the updates, from
           the last log line before them to the last loss; the share of the card's rate, which is that of one large
           matrix product in the same run, counted with the operations that real tokens need; the first epoch's time
           over the later ones'; padding; GPU memory that the process takes; seconds before and after the updates.
           Compiled code is kept in `--work`: the first run of a model and size pays for it.
compare    beside `Seq2SeqTrainer` with the same model and pairs, in bf16, sampling at random or by length: at equal
           target tokens per update, and at the 16 sentences of its example. Speeds with and without the first 10
           updates; peak memory of the updates.
step       one update on sentences of one length, by the target tokens of an update
decode     `translate` beside `generate` in file order, beam 4, with tiny-en-ar
processes  one process of DDP and one of FSDP
resume     a run that is killed after a checkpoint and goes on

Each part is a process of its own with a time limit. What fails, and what there is no time for, says so in the table;
the file of `--json` is written after every part. Without a GPU use `--tiny`, which tries that everything runs and
measures nothing of interest.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from gpu_tables import tables

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SECTIONS = ("train", "compare", "step", "decode", "processes", "resume")
MODELS = ("opus", "big", "nllb")
OWN_DATA = [str(ROOT / "data" / "conflict_news" / name) for name in ("seed_pairs.txt", "starter.tsv")]
PAIRS = 40_000
"""Of a corpus, from its beginning; more would only take time."""
_TINY_TOKENS = {1024: 64, 4096: 128, 8192: 1024, 32_768: 6144}
_LEAST_SECONDS = 12
"""A part is not begun with less time left: it could not even load its libraries."""
_LAST_LINES = 15


@dataclass
class Task:
    """One part: what it measures, and what became of it."""

    section: str
    name: str
    part: str
    arguments: dict[str, Any] = field(default_factory=dict)
    status: str = "not begun"
    why: str = ""
    seconds: float = 0.0
    figures: Any = None


def main() -> None:
    """Do all parts that there is time for, and print their tables."""
    options = parse(sys.argv[1:])
    # As an exception, so that a part that is running is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.work is None:
        with tempfile.TemporaryDirectory(prefix="mt-gpu-") as work:
            failed = Benchmark(options, Path(work)).run()
    else:
        options.work.mkdir(parents=True, exist_ok=True)
        failed = Benchmark(options, options.work.resolve()).run()
    sys.exit(1 if failed else 0)


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", help="sentence pairs, in any format that train.py reads")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--minutes", type=float, default=9.0, help="end within so many")
    parser.add_argument(
        "--sections", nargs="*", choices=SECTIONS, default=list(SECTIONS), help="none: only corpus and tokenizer"
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--tokens", nargs="+", type=int, help="train: only these tokens per update")
    parser.add_argument("--epochs", type=float, default=3.0, help="train: of each run; at least 40 updates")
    parser.add_argument("--seconds", type=float, default=10.0, help="compare: of updates for each way to train")
    parser.add_argument("--part_seconds", type=float, default=180.0, help="the most that a part may take")
    parser.add_argument(
        "--training", nargs="+", default=[], metavar="OPTION=VALUE", help="of the section training, as in compile=true"
    )
    parser.add_argument("--tiny", action="store_true", help="models and data too small to measure anything")
    parser.add_argument("--work", type=Path, help="keep what is made, and use what was made before")
    parser.add_argument("--log_dir", type=Path, help="keep what every part says")
    options = parser.parse_args(argv)
    for setting in options.training:
        if "=" not in setting:
            parser.error(f"--training takes OPTION=VALUE, got {setting}")
    return options


def tasks(options: argparse.Namespace) -> Iterator[Task]:
    """All parts that `options` asks for, the most important ones first."""
    scaled = _TINY_TOKENS if options.tiny else {tokens: tokens for tokens in _TINY_TOKENS}
    marian = [kind for kind in options.models if kind != "nllb"]

    def train(kind: str, *sizes: int) -> Iterator[Task]:
        for tokens in sizes if kind in marian else ():
            if options.tokens is None or tokens in options.tokens:
                arguments = {"model": kind, "tokens": scaled.get(tokens, tokens)}
                yield Task("train", f"{kind}, {tokens:,} tokens", "train", arguments)

    def compare(tokens: int, sentences: int = 0) -> Iterator[Task]:
        for kind in marian[:1]:
            name = f"{kind}, " + (f"{sentences} sentences" if sentences else f"{tokens:,} tokens")
            arguments = {"model": kind, "tokens": scaled.get(tokens, tokens), "sentences": sentences}
            yield Task("compare", name, "compare", arguments)

    def step() -> Iterator[Task]:
        for kind in options.models:
            yield Task("step", kind, "step", {"model": kind, "tokens": list(scaled.values())})

    asked = [tokens for tokens in options.tokens or () if tokens not in _TINY_TOKENS]
    everything = [
        *train("opus", *((32_768,) if options.tiny else (32_768, 4096))),
        *compare(4096),
        *compare(0, sentences=16),
        *train("big", 32_768),
        *step(),
        Task("decode", "tiny-en-ar", "decode", {"sentences": 8 if options.tiny else 300}),
        Task("processes", "DDP", "processes", {"mode": "ddp"}),
        Task("processes", "FSDP", "processes", {"mode": "fsdp"}),
        Task("resume", "demo", "resume"),
    ]
    if not options.tiny:
        # The same code again, for other figures.
        everything += [*train("opus", 8192, *asked), *train("big", 4096, 8192, *asked), *compare(32_768)]
    everything.append(Task("train", "padding", "padding"))
    yield from (task for task in everything if task.section in options.sections)


class Benchmark:
    """The parts, the time that is left for them, and what they have found."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.options, self.work = options, work
        self.begun = time.monotonic()
        self.result: dict[str, Any] = {"minutes": options.minutes, "tiny": options.tiny, "card": None, "corpus": None}
        self.tasks: list[Task] = []
        if options.log_dir is not None:
            options.log_dir.mkdir(parents=True, exist_ok=True)

    def run(self) -> bool:
        """Whether any part has failed."""
        first = Task("prepare", "card, corpus, tokenizer", "prepare", {"models": self.options.models, "pairs": PAIRS})
        first.arguments["corpora"] = OWN_DATA if self.options.corpus is None else [self.options.corpus]
        if self.options.tiny:
            first.arguments["pairs"] = 300
        self.tasks = [first, *tasks(self.options)]
        for task in self.tasks:
            self._do(task)
            self._write()
        print("\n" + tables(self.result))
        return any(task.status in ("failed", "out of time") for task in self.tasks)

    def _do(self, task: Task) -> None:
        begun = time.monotonic()
        why = self._reason_to_skip(task)
        if why:
            task.status, task.why = "skipped", why
        else:
            self._start(task)
        task.seconds = round(time.monotonic() - begun, 1)
        if task.part == "prepare" and task.figures:
            self.result |= task.figures
        print(
            f"{task.section}: {task.name}: {task.status} {task.why or ''}".rstrip(), f"({task.seconds} s)", flush=True
        )
        if task.part != "prepare" and task.figures:
            print("   ", _short(task.figures), flush=True)

    def _reason_to_skip(self, task: Task) -> str:
        if task.part != "prepare" and self.result["corpus"] is None:
            return "there is neither corpus nor tokenizer"
        if task.part == "processes" and self.result["card"]["device"] == "CPU":
            return "needs a GPU"
        if self._left() < _LEAST_SECONDS:
            return f"no time left of {self.options.minutes:g} minutes"
        return ""

    def _left(self) -> float:
        return 60 * self.options.minutes - (time.monotonic() - self.begun)

    def _start(self, task: Task) -> None:
        """The part as a process; afterwards the task knows how it went."""
        file, log = self.work / "figures.json", self.work / "part.log"
        file.unlink(missing_ok=True)
        command = [sys.executable, str(HERE / "gpu_parts.py"), task.part, json.dumps(self._arguments(task)), str(file)]
        limit = min(self.options.part_seconds, self._left() - 3)
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=self._environment())
            try:
                status = process.wait(limit)
                task.status = "done" if status == 0 else "failed"
            except subprocess.TimeoutExpired:
                task.status, task.why = "out of time", f"stopped after {limit:.0f} s\n"
            finally:
                end(process)
        said = log.read_text("utf-8", errors="replace")
        if task.status != "done":
            task.why += "\n".join(said.splitlines()[-_LAST_LINES:])
        if self.options.log_dir is not None:
            name = f"{task.section}-{task.name}".replace(", ", "-").replace(" ", "-").replace(",", "")
            (self.options.log_dir / f"{name}.part.log").write_text(said, encoding="utf-8")
        if file.exists():
            task.figures = json.loads(file.read_text("utf-8"))

    def _arguments(self, task: Task) -> dict[str, Any]:
        card = self.result["card"] or {}
        settings = (setting.partition("=") for setting in self.options.training)
        return {
            "work": str(self.work),
            "tiny": self.options.tiny,
            "card": card.get("flops_per_second"),
            "corpus": self.result["corpus"],
            "epochs": self.options.epochs,
            "seconds": self.options.seconds,
            "training": {name: yaml.safe_load(value) for name, _, value in settings},
            **task.arguments,
        }

    def _environment(self) -> dict[str, str]:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        caches = {"XDG_CACHE_HOME": "cache", "TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
        own = {name: str(self.work / directory) for name, directory in caches.items()}
        return os.environ | own | {"PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}

    def _write(self) -> None:
        self.result["minutes_taken"] = round((time.monotonic() - self.begun) / 60, 2)
        self.result["parts"] = [{k: v for k, v in asdict(task).items() if k != "arguments"} for task in self.tasks[1:]]
        self.result["prepare"] = {name: getattr(self.tasks[0], name) for name in ("status", "why", "seconds")}
        if self.options.json is not None:
            new = self.options.json.with_name(self.options.json.name + ".new")
            new.write_text(json.dumps(self.result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            new.replace(self.options.json)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, if it has not ended, with all that it has started: those would hold on to the GPU."""
    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _short(figures: Any) -> str:
    """The figures on a line, without the log."""
    if isinstance(figures, dict):
        figures = {key: value for key, value in figures.items() if key != "log"}
    return json.dumps(figures, ensure_ascii=False)


if __name__ == "__main__":
    main()
