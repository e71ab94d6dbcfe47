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
    parser.add_argument(
        "--precision", choices=("fp32", "bf16"), default="fp32", help="of this project; the library's is always fp32"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--way", choices=WAYS, help="only this one, once")
    options = parser.parse_args()
    if options.way:
        found = json.dumps(measure(options))
        print(found)
        if options.json:
            options.json.write_text(found + "\n", encoding="utf-8")
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
    from gpu_ways import train_library, train_mt
    from transformers import set_seed

    from mt.training.dev_evaluation import score_sample

    translator, train, dev = load(options)
    set_seed(1)

    def enough(_updates: int, _seconds: float, tokens: int) -> bool:
        return tokens >= options.tokens

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if options.way == "mt":
            per_update = round(options.batch * train.lengths[:, 1].mean())
            given = {"precision": options.precision}
            found = train_mt(
                translator, train, dev, directory, tokens_per_update=per_update, enough=enough, options=given
            )
        else:
            found = train_library(options.way, translator, train, directory, sentences=options.batch, enough=enough)
    return {
        **{name: found[name] for name in ("seconds", "tokens_per_second", "not_padding")},
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "dev_chrF": round(score_sample(translator, dev)["chrF"], 2),
    }


def load(options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """(the model, the training pairs as token ids, the dev set)."""
    from datasets import disable_progress_bars, load_from_disk
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
    return translator, train, dev


if __name__ == "__main__":
    main()
