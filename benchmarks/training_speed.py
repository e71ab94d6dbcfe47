"""Training speed: this project beside the library's trainer, plain and grouping by length, in one run.

    python benchmarks/training_speed.py CORPUS --tokens 200000 --json training_speed.json

Each way trains the same model from the same weights on the same split, updates of the same number of target tokens on
average (those of 16 sentences), until as many tokens, source and target, padding not counted, have been seen; each in
a process of its own, whose peak memory is told. Then the dev split's sample is translated. The ways take turns,
`--rounds` times; the figures are medians.

The library's trainer is set up as its translation example does: `DataCollatorForSeq2Seq`, 16 sentences a batch; where
it groups by length, by its own sampler. Its loss is the model's own, with label smoothing in the trainer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

WAYS = ("plain", "grouped by length", "mt")
BATCH = 16


def main() -> None:
    """Run every way in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="sentence pairs, in any format that train.py reads")
    parser.add_argument("--model", default="tiny-en-ar", help="where to start from")
    parser.add_argument("--tokens", type=int, default=200_000, help="to train on, padding not counted")
    parser.add_argument("--batch", type=int, default=BATCH, help="sentences in a batch of the library's trainer")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options)))
        return
    figures: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
            result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            figures[way].append(json.loads(result.stdout.splitlines()[-1]))
            print(way, figures[way][-1], file=sys.stderr)
    medians = {
        way: {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}
        for way, runs in figures.items()
    }
    speed = {way: medians[way]["tokens_per_second"] for way in WAYS}
    medians["mt"] |= {f"times {way}": round(speed["mt"] / speed[way], 2) for way in WAYS[:2]}
    text = json.dumps({"cores": len(os.sched_getaffinity(0)), "rounds": options.rounds, **medians}, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Train one way; the figures of it."""
    from datasets import disable_progress_bars, load_from_disk
    from transformers import set_seed
    from transformers.utils import logging

    from mt.config import Config, CorpusConfig, DataConfig, ModelConfig, TrainingConfig
    from mt.data.cache import cached_build
    from mt.models.transformers_model import load_translator
    from mt.training.encoding import encode_dev, encode_training

    disable_progress_bars()
    data_config = DataConfig(
        corpora={"corpus": CorpusConfig(path=options.corpus)},
        dev_share=0.02,
        test_share=0.02,
        max_source_tokens=120,
        max_target_tokens=120,
    )
    data = load_from_disk(str(cached_build(data_config, {}) / "data"))
    translator = load_translator(ModelConfig(name=options.model))
    config = Config(data=data_config, model=ModelConfig(name=options.model), training=TrainingConfig())
    train, _ = encode_training(translator, data["train"], config)
    dev = encode_dev(translator, data["dev"], config)
    logging.disable_progress_bar()
    set_seed(1)
    with tempfile.TemporaryDirectory() as directory:
        run = train_mt if options.way == "mt" else train_library
        seconds, tokens, padded = run(options, translator, train, dev, Path(directory))
    from mt.training.dev_evaluation import score_sample

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "seconds": round(seconds, 1),
        "tokens_per_second": round(tokens / seconds, 1),
        "not_padding": round(tokens / padded, 3),
        "peak_gib": round(peak, 3),
        "dev_chrF": round(score_sample(translator, dev)["chrF"], 2),
    }


LEARNING_RATE, SMOOTHING = 1e-4, 0.1


def train_library(
    options: argparse.Namespace, translator: Any, train: Any, dev: Any, directory: Path
) -> tuple[float, int, int]:
    """With the library's trainer; (seconds, tokens, tokens with padding)."""
    import torch
    from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments

    rows = [
        {"input_ids": pair.source, "attention_mask": [1] * len(pair.source), "labels": pair.target}
        for pair in train.pairs
    ]
    seen, started = {"tokens": 0, "padded": 0}, [0.0]

    class Trainer(Seq2SeqTrainer):
        def training_step(self, model: Any, inputs: Any, *arguments: Any, **more: Any) -> Any:
            started[0] = started[0] or time.perf_counter()
            for name in ("attention_mask", "labels"):
                seen["padded"] += inputs[name].numel()
            seen["tokens"] += int(inputs["attention_mask"].sum() + (inputs["labels"] != -100).sum())
            if seen["tokens"] >= options.tokens:
                self.control.should_training_stop = True
            return super().training_step(model, inputs, *arguments, **more)

    arguments = Seq2SeqTrainingArguments(
        output_dir=str(directory),
        per_device_train_batch_size=options.batch,
        train_sampling_strategy="random" if options.way == "plain" else "group_by_length",
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
    collator = DataCollatorForSeq2Seq(translator.tokenizer, model=translator.model)
    Trainer(model=translator.model, args=arguments, train_dataset=rows, data_collator=collator).train()
    return time.perf_counter() - started[0], seen["tokens"], seen["padded"]


def train_mt(
    options: argparse.Namespace, translator: Any, train: Any, dev: Any, directory: Path
) -> tuple[float, int, int]:
    """With this project; (seconds, tokens, tokens with padding)."""
    from mt.config import Config, TrainingConfig
    from mt.training.setup import build_trainer
    from mt.training.trainer import TranslationTrainer

    training = TrainingConfig(
        tokens_per_update=round(options.batch * train.lengths[:, 1].mean()),
        learning_rate=LEARNING_RATE,
        schedule="constant_with_warmup",
        label_smoothing=SMOOTHING,
        epochs=100,
        report_to=[],
        log_every_updates=1_000_000,
    )
    trainer = build_trainer(Config(training=training), translator, train, dev, None, directory)
    trainer.evaluate = lambda *_, **__: {"eval_chrF": 0.0}  # type: ignore[assignment]
    trainer._save_checkpoint = lambda *_, **__: None  # type: ignore[method-assign]
    seen, started = {"tokens": 0, "padded": 0}, [0.0]
    step = TranslationTrainer.training_step

    def counted(self: Any, model: Any, inputs: Any, *arguments: Any, **more: Any) -> Any:
        started[0] = started[0] or time.perf_counter()
        seen["padded"] += inputs["input_ids"].numel() + inputs["labels"].numel()
        seen["tokens"] += int(inputs["attention_mask"].sum() + (inputs["labels"] != -100).sum())
        if seen["tokens"] >= options.tokens:
            self.control.should_training_stop = True
        return step(self, model, inputs, *arguments, **more)

    TranslationTrainer.training_step = counted  # type: ignore[method-assign]
    trainer.train()
    return time.perf_counter() - started[0], seen["tokens"], seen["padded"]


if __name__ == "__main__":
    main()
