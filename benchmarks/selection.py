"""Does a selection from a general corpus help? General pairs replayed beside the domain: drawn, or selected.

    python benchmarks/selection.py all CONFLICT --general GENERAL --flores FLORES --output_dir DIR

or step by step, where each `run` may be a process of its own, and several may run at a time:

    python benchmarks/selection.py cut CONFLICT --general GENERAL --flores FLORES --output_dir DIR
    python benchmarks/selection.py run CONFLICT ... --way selected --seed 1
    python benchmarks/selection.py collect CONFLICT ... --docs docs

The corpora are those of `benchmarks/adaptation.py`, held out in the same way: the conflict corpus in blocks of
neighbouring lines, so that a test sentence comes from another article than the training pairs; of the general corpus
what the base `tiny-en-ar` has not seen. What the domain is like is learnt from its training pairs only. How many pairs
are taken is what `select: {pairs: auto}` chooses on the domain's dev pairs, or --pairs. Every way is fine-tuned from
the same base with the same number of updates, and the checkpoint is chosen on the same dev pairs:

- none: the domain alone
- random: with n general pairs drawn by the seed, the same ones in every epoch
- rotating: with n general pairs per epoch, others in every epoch: all of the general corpus, as `weight` replays it
- lengths: as random, but drawn so that the targets are as long as those that were selected
- selected: with the n general pairs most like the domain
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from adaptation import DOMAIN, FLORES, GENERAL, write_table
from selection_page import write_results

from mt.errors import DataError, UserError

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

HERE = Path(__file__).parent
WAYS = ("none", "random", "rotating", "lengths", "selected")
TEST_SETS = (DOMAIN, GENERAL, FLORES)
OPTIONS = (
    # `mixed` of adaptation.py: a lower rate disturbs less of what the base knows.
    *("--training.learning_rate", "6e-4", "--training.epochs", "1000", "--training.compile", "false"),
    # Several runs share a GPU, and each would take half of its free memory.
    *("--decoding.batch_tokens", "16384"),
)


def main() -> None:
    """Cut the corpora, run the ways, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("all", "cut", "run", "collect"))
    parser.add_argument("conflict", help="sentence pairs of the domain, in any format that train.py reads")
    parser.add_argument("--general", required=True, help="the base's own training corpus, which is selected from")
    parser.add_argument("--flores", required=True, help="general test set, never trained on")
    parser.add_argument("--output_dir", type=Path, default=Path("runs/selection"), help="what is there is not redone")
    parser.add_argument("--docs", type=Path, default=HERE.parent / "docs")
    parser.add_argument("--results", type=Path, help="where the figures of runs go, by default in the output directory")
    parser.add_argument("--pairs", default="auto", help="pairs to replay; auto: chosen on dev")
    parser.add_argument("--updates", type=int, default=800)
    parser.add_argument("--test_sentences", type=int, help="at most this many per test set, to try the script out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--way", choices=("base", *WAYS), help="of `run`")
    parser.add_argument("--seed", type=int, default=1, help="of `run`")
    options = parser.parse_args()
    started = time.monotonic()
    if options.step == "cut":
        cut(options)
    elif options.step == "run":
        if options.way is None:
            parser.error("run needs --way")
        cut(options)
        run(options, options.way, options.seed)
    else:
        if options.step == "all":
            cut(options)
            run_all(options)
        write_results(options.docs, results_of(options), splits_of(options))
    print(f"{options.step}: {time.monotonic() - started:.0f} s", file=sys.stderr)


def splits_of(options: argparse.Namespace) -> Path:
    """Where the splits are: tables that all runs share."""
    return Path(options.output_dir) / "splits"


def results_of(options: argparse.Namespace) -> Path:
    """Where each run leaves its figures."""
    return Path(options.results or options.output_dir / "results")


def cut(options: argparse.Namespace) -> None:
    """Write the splits, if they are not there: one table each."""
    from mt.commands.data import parse_data
    from mt.config import CorpusConfig
    from mt.data.cache import cached_build, input_hashes
    from mt.files import new_directory

    files = (options.conflict, options.general, options.flores)
    hashes = [[*input_hashes(CorpusConfig(path=file)).values()] for file in files]
    facts = json.dumps([hashes, options.pairs, options.seeds])
    if (splits_of(options) / "made_of.json").is_file():
        if (splits_of(options) / "made_of.json").read_text(encoding="utf-8") != facts:
            raise DataError(f"{splits_of(options)}: cut from other corpora or otherwise; choose another --output_dir")
        return

    def build(*arguments: str, held_out: dict[str, CorpusConfig]) -> tuple[Any, Any]:
        from datasets import load_from_disk

        common = [str(HERE / "adaptation.yaml"), "--data.workers", "1", *arguments]
        found = cached_build(parse_data(common, "selection.py").config.data, held_out)
        return load_from_disk(str(found / "data")), json.loads((found / "data_report.json").read_text(encoding="utf-8"))

    splits_of(options).parent.mkdir(parents=True, exist_ok=True)
    with new_directory(splits_of(options)) as root:
        # As in configs/tiny_en_ar.yaml: the base has not seen its test pairs.
        shares = ["--data.dev_share", "0.02", "--data.test_share", "0.02", "--data.blocks", "off"]
        general = build("--data.corpora.general", options.general, *shares, held_out={})[0]
        flores = build("--data.corpora.flores", options.flores, "--data.corpora.flores.clean", "false", held_out={})[0]
        for name, split in ((GENERAL, general["test"]), (FLORES, flores["train"]), ("pool", general["train"])):
            write_table(root / f"{name}.tsv", split)
        tests = {name: CorpusConfig(path=str(root / f"{name}.tsv")) for name in (GENERAL, FLORES)}
        both = ["--data.corpora.conflict", options.conflict, "--data.dev_share", "0.1", "--data.test_share", "0.1"]
        both += ["--data.corpora.general.path", str(root / "pool.tsv"), "--data.corpora.general.split", "train"]
        domain = build(*both, held_out=tests)[0]
        select = ["--data.corpora.general.select.pairs", options.pairs]
        chosen, report = build(*both, *select, held_out=tests)
        write_splits(root, domain, chosen, options.seeds)
        (root / "selected.json").write_text(json.dumps(report["corpora"]["general"]["selected"]), encoding="utf-8")
        (root / "made_of.json").write_text(facts, encoding="utf-8")


def write_splits(root: Path, domain: Any, chosen: Any, seeds: int) -> None:
    """The domain's splits, and what each way replays with each seed."""
    import numpy as np

    is_general = np.array(domain["train"]["corpus"]) == "general"
    pool = domain["train"].select(np.flatnonzero(is_general))
    write_table(root / "train.tsv", domain["train"].select(np.flatnonzero(~is_general)))
    write_table(root / "dev.tsv", domain["dev"])
    write_table(root / f"{DOMAIN}.tsv", domain["test"])
    write_table(root / "rotating.tsv", pool)
    selected = chosen["train"].select(np.flatnonzero(np.array(chosen["train"]["corpus"]) == "general"))
    write_table(root / "selected.tsv", selected)
    words = [np.array([len(target.split()) for target in split["target"]]) for split in (pool, selected)]
    for seed in range(1, seeds + 1):
        generator = np.random.default_rng(seed)
        drawn = generator.permutation(len(pool))[: len(selected)]
        write_table(root / f"random-{seed}.tsv", pool.select(np.sort(drawn)))
        write_table(root / f"lengths-{seed}.tsv", pool.select(np.sort(drawn_by_length(*words, generator))))


def drawn_by_length(pool: Any, wanted: Any, generator: Any) -> Any:
    """int (wanted,): for each length in `wanted` a pair of the pool that is as long, or nearly, each at most once."""
    import numpy as np

    shuffled = generator.permutation(len(pool))
    order = shuffled[np.argsort(pool[shuffled], kind="stable")]
    lengths, is_free = pool[order], np.ones(len(pool), bool)
    drawn = []
    for length in generator.permutation(wanted):
        near = np.flatnonzero(is_free)
        place = near[min(int(np.searchsorted(lengths[near], length)), len(near) - 1)]
        is_free[place] = False
        drawn.append(order[place])
    return np.array(drawn)


def run(options: argparse.Namespace, way: str, seed: int) -> None:
    """One fine-tune, and its translations of the test sets; leaves `WAY-SEED.json` with statistics per sentence."""
    target = results_of(options) / f"{way}-{seed}.json"
    if target.is_file():
        return
    from mt.commands.environment import quiet_libraries

    quiet_libraries()
    import torch

    from mt.config import ModelConfig
    from mt.models.transformers_model import load_translator

    started = time.monotonic()
    config = config_of(options, way, seed)
    model = config.model.name
    if way != "base":
        model = str(fine_tuned(config))
    trained = time.monotonic() - started
    translator = load_translator(ModelConfig(name=model), config.decoding)
    has_gpu = torch.cuda.is_available()
    translator.model.to("cuda" if has_gpu else "cpu").eval()
    most, tables = options.test_sentences, splits_of(options)
    found = {name: scored(translator, config, tables / f"{name}.tsv", most) for name in TEST_SETS}
    facts = {"way": way, "seed": seed, "updates": options.updates, "seconds": round(time.monotonic() - started, 1)}
    facts |= {"training_seconds": round(trained, 1), "device": torch.cuda.get_device_name() if has_gpu else "cpu"}
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps({**facts, "test_sets": found}), encoding="utf-8")
    partial.replace(target)
    print(way, seed, {name: sets["chrF"]["score"] for name, sets in found.items()}, f"{facts['seconds']} s", flush=True)


def fine_tuned(config: Any) -> Path:
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


def config_of(options: argparse.Namespace, way: str, seed: int) -> Any:
    """What train.py would be told for a run."""
    from mt.commands.train import parse_train

    splits = splits_of(options)
    arguments = [str(HERE / "adaptation.yaml"), "--name", f"{way}-{seed}", "--seed", str(seed)]
    arguments += ["--output_dir", str(options.output_dir / f"{way}-{seed}"), "--data.workers", "1"]
    corpora = {"conflict": ("train.tsv", "train"), "dev": ("dev.tsv", "dev")}
    replayed = {"random": f"random-{seed}.tsv", "lengths": f"lengths-{seed}.tsv"}.get(way, f"{way}.tsv")
    if way not in ("none", "base"):
        corpora["general"] = (replayed, "train")
    for corpus, (file, split) in corpora.items():
        key = f"--data.corpora.{corpus}"
        arguments += [f"{key}.path", str(splits / file), f"{key}.split", split, f"{key}.clean", "false"]
    if way == "rotating":
        share = pairs_in(splits / "selected.tsv") / pairs_in(splits / replayed)
        arguments += ["--data.corpora.general.weight", str(share)]
    every = max(1, options.updates // 8)
    arguments += ["--training.max_updates", str(options.updates), "--training.eval_every_updates", str(every)]
    return parse_train([*arguments, *OPTIONS], "selection.py").config


def pairs_in(table: Path) -> int:
    """Number of pairs in a table with a header."""
    return sum(1 for _ in table.open(encoding="utf-8")) - 1


def scored(translator: Any, config: Any, table: Path, most: int | None) -> dict[str, Any]:
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


def run_all(options: argparse.Namespace) -> None:
    """Run this script once for each way and seed, `jobs` at a time; stop at the first that fails."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = str(max(1, cores // options.jobs))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    same = [options.conflict, "--general", options.general, "--flores", options.flores, "--pairs", options.pairs]
    same += ["--output_dir", str(options.output_dir), "--results", str(results_of(options))]
    same += ["--updates", str(options.updates), "--seeds", str(options.seeds)]
    same += ["--test_sentences", str(options.test_sentences)] if options.test_sentences else []

    def one(task: tuple[str, int]) -> None:
        way, seed = task
        command = [sys.executable, __file__, "run", *same, "--way", way, "--seed", str(seed)]
        if subprocess.run(command, env=environment).returncode:
            raise DataError(f"{way} {seed}: the run failed, see above; the others are kept, start again")

    # Seed by seed, so that what is done when the time is up can be compared.
    tasks = [("base", 1), *((way, seed) for seed in range(1, options.seeds + 1) for way in options.ways)]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, tasks))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"selection.py: {error}")
