"""The parts of `benchmarks/gpu.py` that call `train.py`, and what they read from the runs that it leaves."""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mt.config import Config, ModelConfig, TrainingConfig
from mt.manifest import read_manifest
from mt.models.transformers_model import load_translator
from mt.training.autotune import tuned_settings_in
from mt.training.encoding import DevSet
from mt.training.setup import build_trainer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_parts import Part

ROOT = Path(__file__).resolve().parent.parent
LOG_LINE = re.compile(r"\d\d:\d\d:\d\d ")
"""How the project's own lines begin, which those of the libraries do not."""


def data_options(work: Path, tiny: bool) -> dict[str, Any]:
    """The section `data` of every run but `corpora`: held-out sets so small that they hardly take time."""
    return {
        "dev_share": 0.1 if tiny else 0.02,
        "test_share": 0.1 if tiny else 0.02,
        "max_dev_pairs": 100,
        "max_test_pairs": 10,
        "cache_dir": str(work / "data"),
    }


@dataclass
class Said:
    """What a process said, line by line, and when (seconds since the epoch)."""

    started: float
    lines: list[tuple[float, str]] = field(default_factory=list)
    ended: float = 0.0
    status: int = 0
    peak_gib: float | None = None


def call(command: Sequence[str]) -> Said:
    """Run a command in the repository until it ends, and pass on what it says."""
    said = Said(time.time())
    with memory_watched(said):
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        reader = threading.Thread(target=listen, args=(process, said), daemon=True)
        reader.start()
        said.status = process.wait()
        said.ended = time.time()
        # What the command has started may hold on to its output for longer than it lives itself.
        reader.join(timeout=5)
    return said


def listen(process: subprocess.Popen[str], said: Said) -> None:
    """Note and print every line of a process, with the moment when it came."""
    assert process.stdout is not None
    for line in process.stdout:
        said.lines.append((time.time(), line.rstrip("\n")))
        print(f"{time.time() - said.started:8.2f} {line.rstrip()}", flush=True)


@contextmanager
def memory_watched(said: Said) -> Iterator[None]:
    """Note the most memory that is taken on the GPU while the context lasts, beyond what is taken now."""
    if not torch.cuda.is_available():
        yield
        return
    ended, before, least = threading.Event(), torch.cuda.mem_get_info()[0], [torch.cuda.mem_get_info()[0]]

    def watch() -> None:
        while not ended.wait(0.1):
            least[0] = min(least[0], torch.cuda.mem_get_info()[0])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        said.peak_gib = round((before - least[0]) / 2**30, 2)


def require_success(said: Said) -> None:
    """Leave if the command failed; its last words are in the log."""
    if said.status:
        sys.exit(f"the command ended with status {said.status}")


def train(part: Part) -> None:
    """`train.py` end to end on the corpus: its updates, and the time for everything else."""
    arguments = part.arguments
    name = f"train-{arguments['model']}-{arguments['tokens']}"
    run = part.work / "runs" / name
    plan = plan_updates(arguments["corpus"]["target_tokens"] / arguments["tokens"], arguments["epochs"], part.tiny)
    config = run_config(part, run, *plan)
    said = call([sys.executable, str(ROOT / "train.py"), str(config)])
    require_success(said)
    manifest, corpus = read_manifest(run / "manifest.json"), arguments["corpus"]
    times = Times(said.started, begun_at(said, loss_times(run)), said.ended, loss_times(run))
    epoch = corpus["source_tokens"] + corpus["target_tokens"]
    flops = corpus["flops"][arguments["model"]]
    figures = summarise(times, sum(manifest["tokens_seen"].values()), epoch, flops, arguments["card"])
    figures |= {
        "run": name,
        "peak_gib": said.peak_gib,
        "settings": manifest.get("tuned_settings"),
        "log": [[round(at - said.started, 2), line[:300]] for at, line in said.lines if LOG_LINE.match(line)],
    }
    part.tell(figures)
    # Weights and optimizer of the larger models fill a small disk.
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    shutil.rmtree(run / "model", ignore_errors=True)


def plan_updates(updates_per_epoch: float, epochs: float, tiny: bool) -> tuple[int, int]:
    """(updates of a run, updates between two lines of its log); the last update has a line."""
    if tiny:
        return 6, 1
    every = max(1, round(updates_per_epoch / 20))
    return every * math.ceil(max(epochs * updates_per_epoch, 40) / every), every


def run_config(part: Part, run: Path, updates: int, every: int) -> Path:
    """The config file of a run of `train`. A random model would never end a sentence, so hypotheses are cut short."""
    arguments = part.arguments
    config = {
        "name": run.name,
        "output_dir": str(run),
        "data": {**data_options(part.work, part.tiny), "corpora": {"corpus": str(part.work / "corpus.tsv")}},
        "model": {"name": str(part.model(arguments["model"])), "dropout": 0.1, "skip_doctor": True},
        "training": {
            "epochs": 1000,
            "max_updates": updates,
            "tokens_per_update": arguments["tokens"],
            "eval_every_updates": 1_000_000,
            "log_every_updates": every,
            "dev_sentences": 5,
            "label_smoothing": 0.1,
            **arguments["training"],
        },
        "decoding": {"num_beams": 1, "max_length_ratio": 0.1},
        "evaluation": {"resamples": 100},
    }
    file = part.work / f"{run.name}.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")
    return file


def loss_times(run: Path) -> list[tuple[int, float]]:
    """(updates, seconds since the epoch) of each training loss that the run logged, from its TensorBoard events."""
    # Its import warns, and only this function needs it.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return [(event.step, event.wall_time) for event in events.Scalars("train/loss")]


def begun_at(said: Said, losses: Sequence[tuple[int, float]]) -> float:
    """When the updates began: at the last line of the project's log before the first loss, progress not counted."""
    lines = [moment for moment, line in said.lines if LOG_LINE.match(line) and "fine-tune:" not in line]
    return max(moment for moment in lines if moment < losses[0][1])


@dataclass
class Times:
    """Moments of a run, in seconds since the epoch."""

    started: float
    begun: float
    """The first update."""
    ended: float
    losses: list[tuple[int, float]]
    """(updates, moment)."""

    def at(self, update: float) -> float:
        """When so many updates were made, in proportion between two losses."""
        marks = [(0, self.begun), *self.losses]
        for (earlier, before), (later, after) in pairwise(marks):
            if update <= later:
                return before + (after - before) * (update - earlier) / (later - earlier)
        return marks[-1][1]


def summarise(times: Times, tokens: int, epoch_tokens: int, epoch_flops: float, card: float) -> dict[str, Any]:
    """Speeds of a run that saw `tokens` real tokens, source and target, of which an epoch has `epoch_tokens`.

    epoch_flops: of the real tokens. card: floating-point operations per second of one large product. An epoch's updates
    are those in which the run saw as many tokens as an epoch has.
    """
    updates, last = times.losses[-1]
    seconds, epochs = last - times.begun, tokens / epoch_tokens
    figures = {
        "updates": updates,
        "epochs": round(epochs, 2),
        "tokens": tokens,
        "tokens_per_second": round(tokens / seconds, 1),
        "ms_per_update": round(1e3 * seconds / updates, 2),
        "share": epoch_flops * epochs / seconds / card,
        "seconds": {
            "start": round(times.begun - times.started, 2),
            "updates": round(seconds, 2),
            "rest": round(times.ended - last, 2),
        },
    }
    if epochs > 1:
        end_of_first = times.at(updates / epochs)
        first, later = end_of_first - times.begun, (last - end_of_first) / (epochs - 1)
        figures |= {
            "first_epoch_seconds": round(first, 2),
            "later_epoch_seconds": round(later, 2),
            "first_to_later": round(first / later, 3),
            "later_tokens_per_second": round(epoch_tokens / later, 1),
            "later_share": epoch_flops / later / card,
        }
    return figures


def padding(part: Part) -> None:
    """Padding and shapes of the batches of each run that `train` has made, from the settings in its manifest."""
    pairs, figures = part.encoded(), []
    unused = DevSet(pairs.__class__([[0]], [[0]]), ["a"], ["a"])
    for manifest_file in sorted((part.work / "runs").glob("train-*/manifest.json")):
        name, manifest = manifest_file.parent.name, read_manifest(manifest_file)
        settings = tuned_settings_in(manifest)
        if settings is None or "updates" not in manifest:
            continue
        _, kind, tokens = name.split("-")
        given = {"tokens_per_update": int(tokens), "max_updates": manifest["updates"], **part.arguments["training"]}
        training = TrainingConfig(epochs=1000, report_to=[], **given)
        translator = load_translator(ModelConfig(name=str(part.model(kind)), skip_doctor=True))
        directory = part.work / "padding"
        trainer = build_trainer(Config(training=training), translator, pairs, unused, None, directory, settings)
        padded, shapes = 0, set()
        for batch in trainer.get_train_dataloader():
            padded += batch["input_ids"].numel() + batch["labels"].numel()
            shapes.add((*batch["input_ids"].shape, batch["labels"].shape[1]))
        real = sum(trainer.sampler.tokens_seen(manifest["updates"]).values())
        batches = trainer.sampler.plan.accumulation
        figures.append({"run": name, "padding": 1 - real / padded, "shapes": len(shapes), "micro_batches": batches})
        part.tell(figures)


def demo(part: Part, run: Path, more: Sequence[str] = ()) -> list[str]:
    """`train.py` on the demo, with few updates; its end, not its scores, is of interest."""
    sizes = {"max_updates": 6, "eval_every_updates": 2, "dev_sentences": 2, "tokens_per_update": 300}
    sizes = sizes if part.tiny else {"max_updates": 60, "eval_every_updates": 20}
    options = [word for name, value in sizes.items() for word in (f"--training.{name}", str(value))]
    options += ["--data.cache_dir", str(part.work / "data"), "--evaluation.resamples", "100"]
    if part.tiny:
        options += ["--decoding.num_beams", "1", "--decoding.max_length_ratio", "0.1", "--data.max_test_pairs", "10"]
    config = str(ROOT / "configs" / "demo.yaml")
    return [str(ROOT / "train.py"), config, "--output_dir", str(run), *options, *more]


def scores_of(run: Path) -> dict[str, float]:
    """chrF by system, on the run's own test split."""
    scores = json.loads((run / "scores.json").read_text("utf-8"))["scores"]
    return {score["system"]: round(score["score"], 4) for score in scores if score["metric"] == "chrF"}


def processes(part: Part) -> None:
    """One process, launched as several are."""
    mode = part.arguments["mode"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ROOT / "configs" / "accelerate" / f"{mode}.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(settings)]
    launch += ["--num_processes", "1", "--main_process_port", str(port)]
    run = part.work / "runs" / mode
    said = call([*launch, *demo(part, run)])
    require_success(said)
    part.tell({"status": said.status, "seconds": round(said.ended - said.started, 1), "chrF": scores_of(run)})


def resume(part: Part) -> None:
    """A run that is killed after a checkpoint and resumed, beside one that is left alone; both begin at once."""
    whole, broken = (part.work / "runs" / name for name in ("whole", "killed"))
    command = [sys.executable, *demo(part, broken)]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killer = threading.Thread(target=kill_after_checkpoint, args=(killed, broken), daemon=True)
    killer.start()
    require_success(call([sys.executable, *demo(part, whole)]))
    killer.join()
    if killed.returncode != -signal.SIGKILL:
        sys.exit(f"the run ended with status {killed.returncode} before it was killed")
    done = sorted(path.name for path in (broken / "checkpoints").glob("checkpoint-*"))
    require_success(call([*command, "--resume"]))
    chrf = {name: scores_of(run) for name, run in (("undisturbed", whole), ("resumed", broken))}
    part.tell({"killed_after": done, "chrF": chrf, "same": chrf["undisturbed"] == chrf["resumed"]})


def kill_after_checkpoint(process: subprocess.Popen[bytes], run: Path) -> None:
    """Kill a run as soon as it has a checkpoint."""
    while process.poll() is None:
        if any((run / "checkpoints").glob("checkpoint-*")):
            process.kill()
        time.sleep(0.02)


RUN_PARTS: dict[str, Callable[[Any], None]] = {
    "train": train,
    "padding": padding,
    "processes": processes,
    "resume": resume,
}
