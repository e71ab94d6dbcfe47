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
import sys
import time
from pathlib import Path
from typing import Any

from adaptation import DOMAIN, FLORES, GENERAL, write_table
from seeded_runs import HERE, add_options, config_of, pairs_in, results_of, run, run_all, splits_of
from selection_page import write_results

from mt.errors import DataError, UserError

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

WAYS = ("none", "random", "rotating", "lengths", "selected")


def main() -> None:
    """Cut the corpora, run the ways, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("all", "cut", "run", "collect"))
    parser.add_argument("conflict", help="sentence pairs of the domain, in any format that train.py reads")
    parser.add_argument("--general", required=True, help="the base's own training corpus, which is selected from")
    parser.add_argument("--pairs", default="auto", help="pairs to replay; auto: chosen on dev")
    add_options(parser, "runs/selection", WAYS)
    options = parser.parse_args()
    started = time.monotonic()
    if options.step == "cut":
        cut(options)
    elif options.step == "run":
        if options.way is None:
            parser.error("run needs --way")
        cut(options)
        run(options, options.way, options.seed, replaying(options, options.way, options.seed))
    else:
        if options.step == "all":
            cut(options)
            same = [options.conflict, "--general", options.general, "--pairs", options.pairs]
            run_all(__file__, options, same)
        write_results(options.docs, results_of(options), splits_of(options))
    print(f"{options.step}: {time.monotonic() - started:.0f} s", file=sys.stderr)


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


def replaying(options: argparse.Namespace, way: str, seed: int) -> Any:
    """What train.py would be told for a run."""
    splits, arguments = splits_of(options), []
    corpora = {"conflict": splits / "train.tsv"}
    replayed = {"random": f"random-{seed}.tsv", "lengths": f"lengths-{seed}.tsv"}.get(way, f"{way}.tsv")
    if way not in ("none", "base"):
        corpora["general"] = splits / replayed
    if way == "rotating":
        share = pairs_in(splits / "selected.tsv") / pairs_in(splits / replayed)
        arguments = ["--data.corpora.general.weight", str(share)]
    return config_of(options, way, seed, corpora, arguments)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"selection.py: {error}")
