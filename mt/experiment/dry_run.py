"""What a training would take, before it is begun: memory, updates, minutes, and the rows that the model would see."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from tabulate import tabulate
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mt.config import Config
from mt.experiment.base_model import load_base
from mt.experiment.run import check_inputs
from mt.experiment.splits import prepare_data
from mt.experiment.start import claim_directory, start_manifest
from mt.experiment.training_preparation import prepare_training
from mt.models.families import family_of_model
from mt.models.transformers_model import TransformersTranslator
from mt.processes import one_run, process_state, wait_for_everyone
from mt.teamwork import from_main
from mt.training.encoded_pairs import EncodedPair
from mt.training.memory import bytes_of_micro_batch, free_bytes
from mt.training.trainer import TranslationTrainer
from mt.wording import counted

ROWS = 10
"""Training pairs that are shown."""
_NEVER = 10**9
_UPDATES = 8
_WARM_UP = 3
"""Updates that are made and not timed: the first ones are slower."""


class Row(NamedTuple):
    """One side of a training pair, as the model sees it."""

    number: int
    """Of the training split."""
    side: str
    pieces: str
    """Its tokens, separated by spaces; of a decoder-only model the text, with `⏎` for a line break."""
    ids: list[int]


@dataclass(frozen=True)
class DryRun:
    """What a training would take, on this machine."""

    weights: int
    trained: int
    """Of the weights."""
    weight_bytes: int
    """Of all weights, as they are kept."""
    free_bytes: int
    """For micro-batches, beside gradients and optimizer."""
    micro_batch_bytes: int
    micro_batch_tokens: int
    """Padded, on the longer side."""
    device: str
    micro_batches: int
    """Per update and process."""
    padding: float
    pairs: int
    updates: int
    evaluations: int
    tokens: dict[str, int]
    """Of the whole training: `source` and `target`."""
    seconds_per_update: float
    seconds_per_evaluation: float
    rows: list[Row]
    """The sides of the first training pairs."""

    @property
    def minutes(self) -> float:
        """Of updates and evaluations; not of translating and scoring the test sets."""
        return (self.updates * self.seconds_per_update + self.evaluations * self.seconds_per_evaluation) / 60


@one_run()
def dry_run(config: Config) -> DryRun:
    """Do everything of a run up to a few updates, in a temporary directory.

    Raises the same `UserError`s as the run would, and leaves nothing but the caches.
    """
    check_inputs(config)
    with _directory() as directory:
        # Evaluations are timed by themselves.
        training = replace(config.training, report_to=[], eval_every_updates=_NEVER)
        own = replace(config, output_dir=str(directory / "run"), training=training)
        with claim_directory(own, resume=False, overwrite=False) as run:
            manifest = start_manifest(own, run, resume=False)
            data = prepare_data(own, run, manifest)
            base = load_base(own, run, data)
            trainer = prepare_training(own, run, base, data, manifest)
            found = measure(trainer, base, config.training.eval_every_updates)
            # Until then others may be reading what the main process is about to remove.
            wait_for_everyone()
            return found


@contextmanager
def _directory() -> Iterator[Path]:
    """One temporary directory for all processes of this machine, made and removed by the main one."""
    with ExitStack() as stack:
        name = ""
        if process_state().is_main_process:
            name = stack.enter_context(TemporaryDirectory(prefix="mt-dry-run-"))
        yield Path(from_main(name))


def measure(trainer: TranslationTrainer, base: TransformersTranslator, eval_every_updates: int) -> DryRun:
    """Time an evaluation and a few updates of a trainer, which is of no use afterwards.

    eval_every_updates: of the real run; the trainer itself must not evaluate.
    """
    model, training, sampler = base.model, trainer.config.training, trainer.sampler
    parameters = list(model.parameters())
    free = free_bytes(model)
    precision = {"uses_bf16": trainer.args.bf16, "uses_fp16": training.precision == "fp16"}
    needed = bytes_of_micro_batch(model, trainer.loss, sampler.max_tokens, **precision)
    train: Any = trainer.train_dataset
    pairs = [train[index] for index in range(min(ROWS, len(train)))]
    started = time.perf_counter()
    trainer.evaluate()
    evaluation = time.perf_counter() - started
    every = min(eval_every_updates, sampler.plan.updates)
    return DryRun(
        weights=sum(parameter.numel() for parameter in parameters),
        trained=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        weight_bytes=sum(parameter.numel() * parameter.element_size() for parameter in parameters),
        free_bytes=free,
        micro_batch_bytes=needed,
        micro_batch_tokens=sampler.max_tokens,
        device=str(trainer.args.device),
        micro_batches=sampler.plan.accumulation,
        padding=sampler.padding(),
        pairs=len(sampler.lengths),
        updates=sampler.plan.updates,
        # One before the first update, and one after the last.
        evaluations=1 + -(-sampler.plan.updates // every),
        tokens=sampler.tokens_seen(sampler.plan.updates),
        seconds_per_update=_seconds_per_update(trainer),
        seconds_per_evaluation=evaluation,
        rows=[_row(pair.row, side, ids, base) for pair in pairs for side, ids in _sides(pair)],
    )


class _Stopwatch(TrainerCallback):
    """Notes when each update ends, and ends the training after a few."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if not self.times:
            self.times.append(time.perf_counter())

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if args.device.type == "cuda":
            torch.cuda.synchronize(args.device)
        self.times.append(time.perf_counter())
        control.should_training_stop = len(self.times) > _UPDATES


def _seconds_per_update(trainer: TranslationTrainer) -> float:
    watch = _Stopwatch()
    trainer.add_callback(watch)
    trainer.train()
    durations = [after - before for before, after in zip(watch.times, watch.times[1:], strict=False)]
    return median(durations[_WARM_UP:] or durations)


def _sides(pair: EncodedPair) -> list[tuple[str, list[int]]]:
    return [("source", pair.source), ("target", pair.target)]


def _row(row: int, side: str, ids: list[int], base: TransformersTranslator) -> Row:
    tokenizer: Any = base.tokenizer
    # Pieces of bytes cannot be read one by one.
    is_prompted = family_of_model(base.model).is_prompted
    text = tokenizer.decode(ids) if is_prompted else " ".join(map(str, tokenizer.convert_ids_to_tokens(ids)))
    return Row(row, side, text.replace("\n", "⏎"), ids)


def as_text(found: DryRun) -> str:
    """What a person reads: a table, and the rows."""
    evaluations = counted(found.evaluations, "evaluation")
    passes = counted(found.micro_batches, "pass") if found.micro_batches == 1 else f"{found.micro_batches} passes"
    total = found.weight_bytes + 12 * found.trained + found.micro_batch_bytes
    table = {
        "weights": f"{found.weights / 1e6:.1f} million, of which {found.trained / 1e6:.1f} million are trained",
        "memory": f"weights {_gib(found.weight_bytes)}, gradients {_gib(4 * found.trained)}, "
        f"optimizer {_gib(8 * found.trained)}, a pass {_gib(found.micro_batch_bytes)}: together {_gib(total)}",
        "micro-batch": f"{found.micro_batch_tokens:,} padded tokens at most in a pass; "
        f"{_gib(found.free_bytes)} are free for it ({found.device})",
        "training": f"{counted(found.pairs, 'pair')}; {counted(found.updates, 'update')} of {passes} each, "
        f"{found.tokens['source']:,} source and {found.tokens['target']:,} target tokens; {found.padding:.0%} padding",
        "time": f"about {_minutes(found.minutes)}: an update takes {found.seconds_per_update:.2f} s, each of "
        f"{evaluations} {found.seconds_per_evaluation:.1f} s; translating the test sets is not counted",
    }
    rows = counted(len(found.rows) // 2, "training pair")
    lines = [tabulate(table.items(), tablefmt="plain"), "", f"The first {rows} as the model sees them, pieces and ids:"]
    for number, side, pieces, ids in found.rows:
        lines += [f"{number:>6} {side}  {pieces}", " " * 15 + " ".join(map(str, ids))]
    return "\n".join(lines)


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"


def _minutes(minutes: float) -> str:
    return "a minute" if minutes < 1.5 else f"{minutes:.0f} minutes"
