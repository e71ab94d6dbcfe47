"""Fine-tunes of one base in several ways, each way with several seeds: trained, scored, and kept as figures.

What `benchmarks/selection.py` and `benchmarks/training_pairs.py` have in common. Each run leaves one file,
`WAY-SEED.json`, with the scores of all test sets and the statistics of every sentence; a run whose file is there is not
done again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from adaptation import DOMAIN, FLORES, GENERAL

from mt.errors import DataError

HERE = Path(__file__).parent
TEST_SETS = (DOMAIN, GENERAL, FLORES)
BASE = "base"
_OPTIONS = (
    # `mixed` of adaptation.py: a lower rate disturbs less of what the base knows.
    *("--training.learning_rate", "6e-4", "--training.epochs", "1000", "--training.compile", "false"),
    # Several runs share a GPU, and each would take half of its free memory.
    *("--decoding.batch_tokens", "16384"),
)


def add_options(parser: argparse.ArgumentParser, output_dir: str, ways: Sequence[str]) -> None:
    """The options that all such benchmarks have."""
    parser.add_argument("--flores", required=True, help="general test set, never trained on")
    parser.add_argument("--output_dir", type=Path, default=Path(output_dir), help="what is there is not redone")
    parser.add_argument("--docs", type=Path, default=HERE.parent / "docs")
    parser.add_argument("--results", type=Path, help="where the figures of runs go, by default in the output directory")
    parser.add_argument("--updates", type=int, default=800)
    parser.add_argument("--test_sentences", type=int, help="at most this many per test set, to try the script out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--ways", nargs="+", choices=ways, default=list(ways))
    parser.add_argument("--way", choices=(BASE, *ways), help="of `run`")
    parser.add_argument("--seed", type=int, default=1, help="of `run`")


def splits_of(options: argparse.Namespace) -> Path:
    """Where the splits are: tables that all runs share."""
    return Path(options.output_dir) / "splits"


def results_of(options: argparse.Namespace) -> Path:
    """Where each run leaves its figures."""
    return Path(options.results or options.output_dir / "results")


def pairs_in(table: Path) -> int:
    """Number of pairs in a table with a header."""
    return sum(1 for _ in table.open(encoding="utf-8")) - 1


def config_of(
    options: argparse.Namespace, way: str, seed: int, corpora: Mapping[str, Path], arguments: Sequence[str] = ()
) -> Any:
    """What train.py would be told for a run. corpora: training tables by name; dev pairs are those of the splits."""
    from mt.commands.train import parse_train

    told = [str(HERE / "adaptation.yaml"), "--name", f"{way}-{seed}", "--seed", str(seed)]
    told += ["--output_dir", str(options.output_dir / f"{way}-{seed}"), "--data.workers", "1"]
    splits = {name: (file, "train") for name, file in corpora.items()} | {
        "dev": (splits_of(options) / "dev.tsv", "dev")
    }
    for corpus, (file, split) in splits.items():
        key = f"--data.corpora.{corpus}"
        told += [f"{key}.path", str(file), f"{key}.split", split, f"{key}.clean", "false"]
    every = max(1, options.updates // 8)
    told += ["--training.max_updates", str(options.updates), "--training.eval_every_updates", str(every)]
    return parse_train([*told, *arguments, *_OPTIONS], Path(sys.argv[0]).name).config


def run(options: argparse.Namespace, way: str, seed: int, config: Any) -> None:
    """One fine-tune, and its translations of the test sets."""
    target = results_of(options) / f"{way}-{seed}.json"
    if target.is_file():
        return
    from mt.commands.environment import quiet_libraries

    quiet_libraries()
    import torch

    from mt.config import ModelConfig
    from mt.models.transformers_model import load_translator

    started = time.monotonic()
    model = config.model.name if way == BASE else str(_fine_tuned(config))
    trained = time.monotonic() - started
    translator = load_translator(ModelConfig(name=model), config.decoding)
    has_gpu = torch.cuda.is_available()
    translator.model.to("cuda" if has_gpu else "cpu").eval()
    tables = splits_of(options)
    found = {name: _scored(translator, config, tables / f"{name}.tsv", options.test_sentences) for name in TEST_SETS}
    facts = {"way": way, "seed": seed, "updates": options.updates, "seconds": round(time.monotonic() - started, 1)}
    facts |= {"training_seconds": round(trained, 1), "device": torch.cuda.get_device_name() if has_gpu else "cpu"}
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps({**facts, "test_sets": found}), encoding="utf-8")
    partial.replace(target)
    print(way, seed, {name: sets["chrF"]["score"] for name, sets in found.items()}, f"{facts['seconds']} s", flush=True)


def _fine_tuned(config: Any) -> Path:
    """Train, and save the weights that are best on the dev pairs; returns their directory."""
    from mt.experiment.base_model import load_base
    from mt.experiment.choosing import take_model
    from mt.experiment.fine_tuning import fine_tune
    from mt.experiment.splits import prepare_data
    from mt.experiment.start import claim_directory, start_manifest
    from mt.experiment.training_preparation import prepare_training

    with claim_directory(config, resume=False, overwrite=True) as directory:
        manifest = start_manifest(config, directory, resume=False)
        data = prepare_data(config, directory, manifest)
        trainer = prepare_training(config, directory, load_base(config, directory, data), data, manifest)
        fine_tune(directory, trainer, resume=False)
        take_model(config, directory, trainer)
    return Path(directory.model)


def _scored(translator: Any, config: Any, table: Path, most: int | None) -> dict[str, Any]:
    """By metric: the score of the model on the first sentences of a test set, and the statistics of each sentence."""
    from mt.config import CorpusConfig
    from mt.evaluation.metrics import collect_statistics
    from mt.evaluation.reading_test_sets import read_named_test_set
    from mt.models.decoding import translate

    test_set = read_named_test_set(table.stem, CorpusConfig(path=str(table)), config.data)
    hypotheses = translate(translator, test_set.sources[:most], config.decoding)
    measured = collect_statistics(table.stem, {"model": hypotheses}, test_set.references[:most], ["chrF", "BLEU"])
    return {
        each.metric.name: {
            "score": round(each.score("model"), 3),
            "signature": each.metric.signature,
            "statistics": each.statistics["model"].tolist(),
        }
        for each in measured
    }


def run_all(script: str, options: argparse.Namespace, same: Sequence[str]) -> None:
    """Run a script once for each way and seed, `jobs` at a time; stop at the first that fails.

    same: what the script's own options are, as for its step `run`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = str(max(1, cores // options.jobs))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    told = [*same, "--flores", options.flores, "--output_dir", str(options.output_dir)]
    told += ["--results", str(results_of(options)), "--updates", str(options.updates), "--seeds", str(options.seeds)]
    told += ["--test_sentences", str(options.test_sentences)] if options.test_sentences else []

    def one(task: tuple[str, int]) -> None:
        way, seed = task
        command = [sys.executable, script, "run", *told, "--way", way, "--seed", str(seed)]
        if subprocess.run(command, env=environment).returncode:
            raise DataError(f"{way} {seed}: the run failed, see above; the others are kept, start again")

    # Seed by seed, so that what is done when the time is up can be compared.
    tasks = [(BASE, 1), *((way, seed) for seed in range(1, options.seeds + 1) for way in options.ways)]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, tasks))
