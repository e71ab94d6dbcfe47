"""Ways to train the same model on the same pairs, timed alike: the library's trainer and this project's.

`benchmarks/training_speed.py` and `benchmarks/gpu.py` compare them. Real tokens are those of source and target, padding
not counted. Nothing here waits for the device while updates are timed, except at the moments that are told apart: the
first update, the end of the warm-up, and the last update.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments, TrainerCallback

from mt.config import Config, TrainingConfig
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.setup import build_trainer
from mt.training.trainer import TranslationTrainer

LEARNING_RATE, SMOOTHING = 1e-4, 0.1
SAMPLING = {"plain": "random", "grouped by length": "group_by_length"}
"""What the library's trainer calls the two ways to put batches together."""
GIB = 2**30


def wait() -> None:
    """Wait until the device has done what it was asked to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Clock(TrainerCallback):
    """Times updates, and ends the training when `enough` says so.

    enough: called with the updates so far and the seconds since the first one began. skipped: updates of warm-up, after
    which the time is taken once more.
    """

    def __init__(self, enough: Callable[[int, float], bool], skipped: int = 0) -> None:
        self.enough, self.skipped = enough, skipped
        self.created, self.begun, self.warm, self.ended = time.perf_counter(), 0.0, 0.0, 0.0
        self.updates = 0

    @property
    def is_running(self) -> bool:
        """Whether the first update has begun."""
        return self.begun > 0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self.is_running:
            wait()
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            self.begun = self.warm = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        self.updates += 1
        if self.updates == self.skipped:
            wait()
            self.warm = time.perf_counter()
        if self.enough(self.updates, time.perf_counter() - self.begun):
            wait()
            self.ended = time.perf_counter()
            control.should_training_stop = True
        return control

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self.ended:
            wait()
            self.ended = time.perf_counter()


@dataclass
class Counts:
    """Real and padded tokens of micro-batches, in the order in which they are used."""

    real: list[int] = field(default_factory=list)
    padded: list[int] = field(default_factory=list)

    def add(self, batch: dict[str, Any]) -> None:
        """Count a batch that is still in host memory.

        Sources of 3 and 2 tokens with targets of 1 and 4, padded to 3 and 4: 10 real tokens of 14.
        """
        self.real.append(int(batch["attention_mask"].sum() + (batch["labels"] != -100).sum()))
        self.padded.append(batch["input_ids"].numel() + batch["labels"].numel())


def figures_of(clock: Clock, real: Callable[[int], int], padded: int) -> dict[str, float]:
    """What a way of training has done. real: the real tokens of the first so many updates. padded: of all updates."""
    seconds, tokens, updates = clock.ended - clock.begun, real(clock.updates), clock.updates
    figures = {
        "updates": updates,
        "tokens": tokens,
        "seconds": round(seconds, 3),
        "tokens_per_second": round(tokens / seconds, 1),
        "not_padding": round(tokens / padded, 3),
        "setup_seconds": round(clock.begun - clock.created, 2),
    }
    if 0 < clock.skipped < updates:
        later = tokens - real(clock.skipped)
        figures["tokens_per_second_later"] = round(later / (clock.ended - clock.warm), 1)
    if torch.cuda.is_available():
        # Recorded passes allocate nothing when they are replayed: what they use is only seen in what is reserved.
        figures["peak_gib"] = round(torch.cuda.max_memory_reserved() / GIB, 2)
        figures["allocated_gib"] = round(torch.cuda.max_memory_allocated() / GIB, 2)
    return figures


def train_library(
    way: str,
    translator: Any,
    train: EncodedPairs,
    directory: Path,
    *,
    sentences: int,
    enough: Callable[[int, float, int], bool],
    skipped: int = 0,
    accumulation: int = 1,
) -> dict[str, float]:
    """With the library's trainer, set up as its translation example does.

    way: a key of `SAMPLING`. sentences: of an update, in `accumulation` batches. enough: called with updates, seconds
    and real tokens.
    """
    rows = [
        {"input_ids": pair.source, "attention_mask": [1] * len(pair.source), "labels": pair.target}
        for pair in train.pairs
    ]
    counts, by_update = Counts(), [0]
    clock = Clock(lambda updates, seconds: enough(updates, seconds, by_update[-1]), skipped)
    pad = DataCollatorForSeq2Seq(translator.tokenizer, model=translator.model)

    # In the collator the batch is still in host memory, so that counting it does not wait for the device.
    def collate(features: Any) -> Any:
        batch = pad(features)
        counts.add(batch)
        return batch

    class Count(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            by_update.append(sum(counts.real[: trainer.batches]))

    arguments = _library_arguments(way, directory, sentences, accumulation)
    callbacks = [Count(), clock]
    trainer = _CountingTrainer(
        model=translator.model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=callbacks
    )
    trainer.train()
    return figures_of(clock, by_update.__getitem__, sum(counts.padded[: trainer.batches]))


class _CountingTrainer(Seq2SeqTrainer):
    batches = 0
    """How many batches were trained on; more may have been collated."""

    def training_step(self, *arguments: Any, **more: Any) -> Any:
        self.batches += 1
        return super().training_step(*arguments, **more)


def _library_arguments(way: str, directory: Path, sentences: int, accumulation: int) -> Seq2SeqTrainingArguments:
    return Seq2SeqTrainingArguments(
        output_dir=str(directory),
        per_device_train_batch_size=max(1, round(sentences / accumulation)),
        gradient_accumulation_steps=accumulation,
        train_sampling_strategy=SAMPLING[way],
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="constant_with_warmup",
        label_smoothing_factor=SMOOTHING,
        max_steps=1_000_000,
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
        bf16=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to=[],
        logging_steps=1_000_000,
        seed=1,
    )


def train_mt(
    translator: Any,
    train: EncodedPairs,
    dev: DevSet,
    directory: Path,
    *,
    tokens_per_update: int,
    enough: Callable[[int, float, int], bool],
    skipped: int = 0,
    options: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """With this project; no evaluations and no checkpoints.

    tokens_per_update: target tokens. enough: as in `train_library`, with about as many tokens as there were. options:
    more of the section `training`.
    """
    given: dict[str, Any] = {
        "tokens_per_update": tokens_per_update,
        "learning_rate": LEARNING_RATE,
        "schedule": "constant_with_warmup",
        "label_smoothing": SMOOTHING,
        "epochs": 100,
        "report_to": [],
        "log_every_updates": 1_000_000,
    }
    training = TrainingConfig(**given | dict(options or {}))
    per_target_token = float(train.lengths.sum() / train.lengths[:, 1].sum())
    per_update = [0.0]
    clock = Clock(lambda updates, seconds: enough(updates, seconds, math.ceil(updates * per_update[0])), skipped)
    trainer = build_trainer(Config(training=training), translator, train, dev, None, directory, callbacks=[clock])
    # On average; to count each update exactly would take longer than the update.
    per_update[0] = trainer.sampler.tokens_per_update() * per_target_token
    only_train(trainer)
    padded = count_padded(trainer, clock)
    trainer.train()
    return figures_of(clock, lambda updates: sum(trainer.sampler.tokens_seen(updates).values()), padded[0])


def only_train(trainer: TranslationTrainer) -> None:
    """Leave out evaluations and checkpoints."""
    trainer.evaluate = lambda *_, **__: {"eval_chrF": 0.0}  # type: ignore[assignment]
    trainer._save_checkpoint = lambda *_, **__: None  # type: ignore[method-assign]


def count_padded(trainer: TranslationTrainer, clock: Clock) -> list[int]:
    """One number, which grows by the tokens of every micro-batch that is trained on, padding included."""
    padded, step = [0], trainer.training_step

    def counted(model: Any, inputs: Any, *arguments: Any, **more: Any) -> Any:
        # Before the first update, batches may be tried that are not trained on.
        if clock.is_running:
            padded[0] += inputs["input_ids"].numel() + inputs["labels"].numel()
        return step(model, inputs, *arguments, **more)

    trainer.training_step = counted  # type: ignore[method-assign]
    return padded
