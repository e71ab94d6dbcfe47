"""Compare methods of adapting a model to conflict news: what the domain gains, what general text loses.

    python benchmarks/adaptation.py CONFLICT --general GENERAL --flores FLORES

CONFLICT is a parallel corpus of the domain, of which a tenth is held out for the test and a tenth to choose by, by
document or in blocks of lines (`data.blocks`). docs/adaptation_by_sentence.json, where it is, holds the figures of a
split sentence by sentence, which are shown beside. GENERAL is the corpus that the base was trained on by
configs/tiny_en_ar.yaml; its held-out parts, cut as they were for the base, are the general dev and test set. FLORES is
tested on only. Every way is trained with every seed, two at a time on half the cores each; a table, a plot and all
figures go to --docs.

- full: all weights, the checkpoint that is best on the dev split; averaged: the mean of that run's last checkpoints
- LoRA: adapters only
- mixed: general pairs replayed, about twice the target tokens that the domain has; interpolated: between the base and
  that run's model, by the share that the domain's and the general dev set call for
- strict: as full, on what stricter cleaning rules leave of the training pairs
- aligned: as full, without the twentieth of the training pairs whose words explain each other worst, by a word
  alignment of this corpus and the general one
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mt.errors import DataError, UserError

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

HERE = Path(__file__).parent
RUNS: dict[str, list[str]] = {
    "full": [],
    # Twice the domain's tokens are general ones. A lower rate disturbs less of what the base knows.
    "mixed": [
        *("--data.corpora.general.weight", "0.2", "--training.learning_rate", "6e-4", "--training.epochs", "6"),
        *("--training.eval_every_updates", "150"),
    ],
    # What is added is small at first, so the rate is higher.
    "LoRA": [
        *("--adaptation.lora.rank", "32", "--adaptation.lora.alpha", "64", "--training.learning_rate", "3e-3"),
        *("--training.eval_every_updates", "100"),
    ],
    "strict": [],
    "aligned": [],
}
"""By way, what it changes in adaptation.yaml."""
DERIVED: dict[str, tuple[str, dict[str, Any]]] = {
    "averaged": ("full", {"average": 4, "average_of": "last"}),
    "interpolated": ("mixed", {"interpolate": [0.5, 0.7, 0.85]}),
}
"""By way, the run whose checkpoints it takes, and what it makes of them."""
STRICT = (
    "--data.cleaning.numbers=missing",
    "--data.cleaning.max_length_ratio=1.6",
    "--data.cleaning.near_duplicates=neighbours",
)
"""The rules of `strict`."""
LEAST_ALIGNED = 0.05
"""Share of the pairs that `aligned` does without."""
CLEANED = ("strict", "aligned")
"""Ways that differ from `full` in the training pairs alone."""
ORDER = ("full", "averaged", "LoRA", "mixed", "interpolated", *CLEANED)
DOMAIN, GENERAL, FLORES = "conflict", "general", "flores"
OTHER_SECTIONS = ("## Replay, selected or drawn", "## Other training pairs")
"""Titles of what `selection.py` and `training_pairs.py` write on the same page."""
SEEDS = range(2, 11)
"""How many there may be; one gives no interval."""


def main() -> None:
    """Cut the corpora, train, compare, and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conflict", help="sentence pairs of the domain, in any format that train.py reads")
    parser.add_argument("--general", required=True, help="the base's own training corpus")
    parser.add_argument("--flores", required=True, help="general test set, never trained on")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--ways", nargs="+", choices=ORDER, default=list(ORDER))
    parser.add_argument("--output_dir", type=Path, default=Path("runs/adaptation"), help="what is there is not redone")
    parser.add_argument("--docs", type=Path, default=HERE.parent / "docs")
    parser.add_argument("--train", nargs=2, metavar=("RUN", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train(options.output_dir, options.train[0], int(options.train[1]))
        return
    if options.seeds not in SEEDS:
        parser.error(f"--seeds must be from {min(SEEDS)} to {max(SEEDS)}, got {options.seeds}")
    started = time.monotonic()
    cut(options)
    runs = [run for run in RUNS if {run, *(way for way, (of, _) in DERIVED.items() if of == run)} & {*options.ways}]
    seeds = range(1, options.seeds + 1)
    in_parallel(options.jobs, [["--train", run, str(seed)] for seed in seeds for run in runs], options)
    figures = {seed: compare(options.output_dir, seed, options.ways) for seed in seeds}
    write_results(
        options.docs, figures, options.ways, pair_counts(options.output_dir), shares(options.output_dir, seeds)
    )
    print((options.docs / "adaptation.md").read_text(encoding="utf-8"))
    print(f"{(time.monotonic() - started) / 60:.0f} minutes", file=sys.stderr)


def cut(options: argparse.Namespace) -> None:
    """Write the splits that all runs share, one table each."""
    from mt.commands.data import parse_data
    from mt.config import CorpusConfig
    from mt.data.cache import cached_build, input_hashes

    def splits(corpora: Sequence[str], *rules: str) -> Any:
        from datasets import load_from_disk

        config = parse_data([str(HERE / "adaptation.yaml"), *corpora, *rules], "adaptation.py").config
        return load_from_disk(str(cached_build(config.data, {}) / "data"))

    root = options.output_dir / "splits"
    files = (options.conflict, options.general, options.flores)
    made_of = json.dumps(
        [[*input_hashes(CorpusConfig(path=file)).values()] for file in files] + [STRICT, LEAST_ALIGNED]
    )
    if (root / "made_of.json").is_file():
        if (root / "made_of.json").read_text(encoding="utf-8") != made_of:
            raise DataError(f"{root}: cut from other corpora or by other rules; choose another --output_dir")
        return
    # As in configs/tiny_en_ar.yaml: the base has not seen its dev and test pairs.
    shares = ["--data.dev_share", "0.02", "--data.test_share", "0.02", "--data.blocks", "off"]
    general = splits(["--data.corpora.general", options.general], *shares)
    for name, split in general.items():
        write_table(root / f"general_{name}.tsv", split)
    shares = ["--data.dev_share", "0.1", "--data.test_share", "0.1"]
    corpora = ["--data.corpora.conflict", options.conflict]
    full = splits(corpora, *shares)
    for file, name in (("full_train", "train"), ("dev", "dev"), ("test", "test")):
        write_table(root / f"{file}.tsv", full[name])
    # Rules that drop a held-out pair let those like it back into the training split.
    known = {*zip(full["train"]["source"], full["train"]["target"], strict=True)}
    strict = splits(corpora, *shares, *STRICT)["train"]
    write_table(root / "strict_train.tsv", strict.filter(lambda pair: (pair["source"], pair["target"]) in known))
    write_table(root / "aligned_train.tsv", best_aligned(full["train"], general["train"]))
    flores = splits(["--data.corpora.flores", options.flores], "--data.corpora.flores.clean", "false")
    write_table(root / "flores.tsv", flores["train"])
    (root / "made_of.json").write_text(made_of, encoding="utf-8")


def best_aligned(train: Any, general: Any) -> Any:
    """The split without the pairs of the lowest likelihood of target given source, a piece, by IBM model 1."""
    import numpy as np

    from mt.config import ModelConfig
    from mt.models.transformers_model import load_translator
    from mt.models.word_alignment import count_links

    translator = load_translator(ModelConfig(name="tiny-en-ar"))
    sources = translator.encode_sources([*train["source"], *general["source"]])
    targets = translator.encode_targets([*train["target"], *general["target"]])
    links = count_links(sources, targets, len(translator.tokenizer.get_vocab()))
    of_source = np.maximum(np.asarray(links.sum(axis=1)).ravel(), 1e-9)

    def likelihood(source: list[int], target: list[int]) -> float:
        table = links[source][:, target].toarray() / of_source[source][:, None]
        return float(np.log(table.mean(axis=0) + 1e-7).mean())

    scores = [likelihood(s, t) for s, t in zip(sources[: len(train)], targets[: len(train)], strict=True)]
    kept = np.sort(np.argsort(scores)[int(len(scores) * LEAST_ALIGNED) :])
    return train.select(kept)


def write_table(file: Path, split: Any) -> None:
    """The pairs of a split as train.py reads them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{pair['source']}\t{pair['target']}\n" for pair in split]
    file.write_text("english\tarabic\n" + "".join(lines), encoding="utf-8")


def in_parallel(jobs: int, tasks: list[list[str]], options: argparse.Namespace) -> None:
    """Run this script once for each task, `jobs` at a time; stop at the first that fails."""
    threads = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    same = [options.conflict, "--general", options.general, "--flores", options.flores]
    same += ["--output_dir", str(options.output_dir)]

    def run(task: list[str]) -> None:
        if subprocess.run([sys.executable, __file__, *same, *task], env=environment).returncode:
            raise DataError(f"{' '.join(task[1:])}: the run failed, see above; the others are kept, start again")

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, tasks))


def train(output_dir: Path, name: str, seed: int) -> None:
    """One run, and what is derived from it; each way's model becomes a CTranslate2 directory, in float32."""
    from mt.commands.environment import quiet_libraries
    from mt.config import CorpusConfig
    from mt.evaluation.reading_test_sets import read_named_test_set
    from mt.experiment.base_model import load_base, open_base
    from mt.experiment.fine_tuning import fine_tune
    from mt.experiment.splits import prepare_data
    from mt.experiment.start import claim_directory, start_manifest
    from mt.experiment.training_preparation import prepare_training
    from mt.models.ctranslate2_export import convert
    from mt.runs import RunDirectory
    from mt.training.encoding import encode_general
    from mt.training.weight_choice import choose_weights

    ways = {name: {}} | {way: changes for way, (of, changes) in DERIVED.items() if of == name}
    models = {way: output_dir / f"models-{seed}" / way for way in ways}
    quiet_libraries()
    command = command_of(output_dir, name, seed)
    config = command.config
    if RunDirectory(Path(str(config.output_dir))).is_run():
        command = replace(command, resume=True)
    # Also where nothing is left to do: a run of another config is none of this table's.
    with claim_directory(config, resume=command.resume, overwrite=False) as run:
        if all(model.is_dir() for model in models.values()):
            return
        manifest = start_manifest(config, run, resume=command.resume)
        data = prepare_data(config, run, manifest)
        base = load_base(config, run, data)
        trainer = prepare_training(config, run, base, data, manifest)
        fine_tune(run, trainer, command.resume)
        dev_scores = trainer.dev_scores_by_update()
        for way in (way for way in ways if not models[way].is_dir()):
            tuned, general = open_base(config, run), None
            options = replace(config, adaptation=replace(config.adaptation, **ways[way]))
            if options.adaptation.interpolate:
                corpus = CorpusConfig(path=str(output_dir / "splits" / "general_dev.tsv"))
                general = encode_general(base, read_named_test_set("general_dev", corpus, config.data), config)
            choice = choose_weights(tuned, run.checkpoints, dev_scores, options, trainer.dev, general)
            record = output_dir / f"choices-{seed}" / f"{way}.json"
            record.parent.mkdir(exist_ok=True)
            record.write_text(json.dumps(choice.as_json(), indent=2) + "\n", encoding="utf-8")
            convert(tuned, models[way], "float32")


def command_of(output_dir: Path, name: str, seed: int) -> Any:
    """What train.py would be told for a run."""
    from mt.commands.train import parse_train

    splits = output_dir / "splits"
    variant = name if name in CLEANED else "full"
    arguments = [str(HERE / "adaptation.yaml"), "--name", f"{name}-{seed}", "--seed", str(seed)]
    arguments += ["--output_dir", str(output_dir / f"{name}-{seed}")]
    corpora = {"conflict": (f"{variant}_train.tsv", "train"), "dev": ("dev.tsv", "dev")}
    if name == "mixed":
        corpora["general"] = ("general_train.tsv", "train")
    for corpus, (file, split) in corpora.items():
        key = f"--data.corpora.{corpus}"
        arguments += [f"{key}.path", str(splits / file), f"{key}.split", split, f"{key}.clean", "false"]
    return parse_train([*arguments, *RUNS[name]], "adaptation.py")


def compare(output_dir: Path, seed: int, ways: Sequence[str]) -> dict[str, Any]:
    """The `scores.json` of all ways with one seed, the base being the baseline."""
    from mt.commands.environment import quiet_libraries
    from mt.commands.evaluate import parse_evaluate, run_comparison

    quiet_libraries()
    target, splits = output_dir / f"comparison-{seed}", output_dir / "splits"
    base = output_dir / "base"
    if not base.is_dir():
        from mt.config import ModelConfig
        from mt.models.ctranslate2_export import convert
        from mt.models.transformers_model import load_translator

        convert(load_translator(ModelConfig(name="tiny-en-ar")), base, "float32")
    systems = [f"base={base}", *(f"{way}={output_dir / f'models-{seed}' / way}" for way in ways)]
    sets = ["--test_set", f"{DOMAIN}={splits / 'test.tsv'}"]
    sets += ["--general", f"{GENERAL}={splits / 'general_test.tsv'}", "--general", f"{FLORES}={splits / 'flores.tsv'}"]
    command = parse_evaluate([*systems, *sets, "--output_dir", str(target), "--overwrite"], "adaptation.py")
    run_comparison(replace(command, decoding=asdict(command_of(output_dir, "full", seed).config.decoding)))
    scores: dict[str, Any] = json.loads((target / "scores.json").read_text(encoding="utf-8"))
    return scores


def pair_counts(output_dir: Path) -> dict[str, int]:
    """Pairs by split."""
    return {
        file.stem: sum(1 for _ in file.open(encoding="utf-8")) - 1
        for file in sorted((output_dir / "splits").glob("*.tsv"))
    }


def shares(output_dir: Path, seeds: Iterable[int]) -> list[float]:
    """The share of the tuned weights that `interpolated` took, by seed, where it was made."""
    files = [output_dir / f"choices-{seed}" / "interpolated.json" for seed in seeds]
    return [float(json.loads(file.read_text(encoding="utf-8"))["tuned_share"]) for file in files if file.is_file()]


def score(figures: dict[str, Any], system: str, test_set: str, metric: str) -> float:
    """One score of one seed."""
    return next(
        float(row["score"])
        for row in figures["scores"]
        if (row["system"], row["test_set"], row["metric"]) == (system, test_set, metric)
    )


def differences(figures: dict[int, dict[str, Any]], way: str, test_set: str, metric: str) -> list[float]:
    """What the way gained over the base, by seed."""
    return [score(f, way, test_set, metric) - score(f, "base", test_set, metric) for f in figures.values()]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """(mean, half the width of its 95 % interval) over seeds, by Student's t."""
    from scipy.stats import t

    return statistics.mean(values), t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5


def gain_over_full(figures: dict[int, dict[str, Any]], way: str) -> tuple[float, float]:
    """What the way gained over `full` on the domain, chrF, and half its interval; of each seed the difference."""
    ours, full = (differences(figures, name, DOMAIN, "chrF") for name in (way, "full"))
    return interval([one - other for one, other in zip(ours, full, strict=True)])


def significant_seeds(figures: dict[int, dict[str, Any]], way: str) -> int:
    """Seeds with which both paired tests of chrF on the domain give p < 0.01 for a gain, uncorrected."""
    rows = [
        [r for r in f["comparisons"] if (r["system"], r["test_set"], r["metric"]) == (way, DOMAIN, "chrF")]
        for f in figures.values()
    ]
    return sum(all(row["p_value"] < 0.01 and row["difference"] > 0 for row in found) for found in rows)


def write_results(
    docs: Path, figures: dict[int, dict[str, Any]], ways: Sequence[str], counts: dict[str, int], shares: list[float]
) -> None:
    """`adaptation.md`, `adaptation.svg` and `adaptation.json`."""
    from mt.report.charts import trade_off

    docs.mkdir(parents=True, exist_ok=True)
    sets = (DOMAIN, GENERAL, FLORES)
    summary = {
        way: {
            test_set: {
                metric: dict(
                    zip(("gain", "half_interval"), interval(differences(figures, way, test_set, metric)), strict=True)
                )
                for metric in ("chrF", "BLEU")
            }
            for test_set in sets
        }
        for way in ways
    }
    base = {test_set: {m: score(figures[1], "base", test_set, m) for m in ("chrF", "BLEU")} for test_set in sets}
    content = {"seeds": len(figures), "pairs": counts, "base": base, "ways": summary, "tuned_shares": shares}
    (docs / "adaptation.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    lines = [*page(figures, summary, base, counts, shares), *other_sections(docs / "adaptation.md")]
    (docs / "adaptation.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    points = {
        way: tuple((g - h, g, g + h) for g, h in (summary[way][s]["chrF"].values() for s in (FLORES, DOMAIN)))
        for way in ways
        if way not in CLEANED
    }
    chart = str(trade_off("What the domain gains, and general text loses", points, "FLORES-200, chrF", "domain, chrF"))
    colours = {"var(--ink)": "#1f2328", "var(--line)": "#d0d7de"}
    series = ("#0b6e99", "#b4491f", "#3f7d20", "#7a4fa3", "#a8820f")
    colours |= {f"var(--series-{number})": colour for number, colour in enumerate(series, start=1)}
    for variable, colour in colours.items():
        chart = chart.replace(variable, colour)
    (docs / "adaptation.svg").write_text(chart, encoding="utf-8")


def other_sections(page: Path) -> Iterator[str]:
    """The parts of the page that other benchmarks made, as they are."""
    from seeded_page import section_of

    for title in OTHER_SECTIONS:
        lines = section_of(page, title)
        yield from ["", *lines] if lines else []


def figures_by_sentence() -> dict[str, str]:
    """By way, what it gained on the domain, chrF, where the split was by sentence; of the base its score."""
    file = HERE.parent / "docs" / "adaptation_by_sentence.json"
    if not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    gains = {way: found[DOMAIN]["chrF"] for way, found in content["ways"].items()}
    texts = {way: f"{each['gain']:+.2f} ± {each['half_interval']:.2f}" for way, each in gains.items()}
    return {"base": f"{content['base'][DOMAIN]['chrF']:.2f}", **texts}


def page(
    figures: dict[int, dict[str, Any]],
    summary: dict[str, Any],
    base: dict[str, Any],
    counts: dict[str, int],
    shares: list[float],
) -> Iterator[str]:
    """The lines of the Markdown page."""
    seeds, by_sentence = len(figures), figures_by_sentence()
    yield "# Adaptation methods, measured"
    yield ""
    yield from wrapped(
        f"`tiny-en-ar` was fine-tuned on {counts['full_train']:,} pairs from investigations in Syria and Yemen. "
        f"{counts['dev']} pairs were held out to choose checkpoints and {counts['test']} for the test, both in blocks "
        "of neighbouring lines, so that the test sentences come from other articles than the training pairs. The table "
        f"shows the gain over the base: the mean of {seeds} seeds and its 95 % interval (Student's t over seeds), with "
        "beam 4 and no sequence of three tokens twice (`no_repeat_ngram_size 3`). `benchmarks/adaptation.py` made this "
        "page and says what each method does; `adaptation.json` holds all figures."
    )
    yield ""
    names = (
        "method",
        "conflict, chrF",
        "same, split by sentence",
        "conflict, BLEU",
        "general, chrF",
        "FLORES-200, chrF",
    )
    yield f"| {' | '.join(names)} | p < 0.01 |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    start = [base[DOMAIN]["chrF"], base[DOMAIN]["BLEU"], base[GENERAL]["chrF"], base[FLORES]["chrF"]]
    first, *others = (f"{value:.2f}" for value in start)
    yield f"| base | {first} | {by_sentence.get('base', '')} | " + " | ".join(others) + " | |"
    cells = ((DOMAIN, "chrF"), (DOMAIN, "BLEU"), (GENERAL, "chrF"), (FLORES, "chrF"))
    for way, found in summary.items():
        texts = [f"{found[s][m]['gain']:+.2f} ± {found[s][m]['half_interval']:.2f}" for s, m in cells]
        first, *others = texts
        yield (
            f"| {way} | {first} | {by_sentence.get(way, '')} | "
            + " | ".join(others)
            + (f" | {significant_seeds(figures, way)} of {seeds} |")
        )
    yield ""
    yield from wrapped(
        "*Same, split by sentence* is an earlier measurement with dev and test sentences from the very articles that "
        "were trained on (`data.blocks: off`); such gains are larger than those on a new article. *General* is "
        f"{counts['general_test']} pairs of the base's own corpus that neither the base nor any run was trained on. "
        "*p* is the larger of the two paired tests of chrF on the domain, uncorrected; the column says for how many "
        "seeds it is below 0.01."
    )
    if "interpolated" in summary:
        yield ""
        taken = ", ".join(f"{share:g}" for share in shares)
        yield f"`interpolated` took these shares of the tuned weights, by seed: {taken}."
    absent = [way for way in CLEANED if way not in summary and way in by_sentence]
    if absent:
        yield ""
        yield from wrapped(
            "Stricter cleaning of the training pairs was measured with the split by sentence only: "
            f"{', '.join(f'`{way}` {by_sentence[way]}' for way in absent)}, `full` {by_sentence['full']}."
        )
    yield ""
    yield "![What the domain gains and general text loses](adaptation.svg)"
    if "full" in summary and set(CLEANED) & set(summary):
        yield ""
        yield f"Stricter cleaning, chrF on the domain compared with `full` and its {counts['full_train']:,} pairs:"
        yield ""
        for way in (way for way in CLEANED if way in summary):
            mean, half = gain_over_full(figures, way)
            yield f"- `{way}`, {counts[f'{way}_train']:,} pairs: {mean:+.2f} ± {half:.2f}, paired by seed"


def wrapped(paragraph: str) -> list[str]:
    """The lines of a paragraph of Markdown."""
    return textwrap.wrap(paragraph, 118, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"adaptation.py: {error}")
