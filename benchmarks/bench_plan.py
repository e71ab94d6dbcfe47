"""What `benchmarks/bench.py` runs: each benchmark's sizes, ways, commands, and where its figures are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OWN_CORPUS = HERE.parent / "data" / "conflict_news" / "starter.tsv"
ALL_WAYS = "all"
"""In place of a way: one process measures all of them."""

Figures = dict[str, float]
Cases = dict[str, dict[str, Figures]]
"""By case, as in `4x`, and way: figures, among them `per_second` and, if they can be compared by size, `seconds`."""


@dataclass(frozen=True)
class Comparison:
    """A row of the table for each case: a way of this project beside a plain one."""

    what: str
    way: str
    plain: str
    against: str
    """What people call the plain way."""
    note: str
    """A sentence for the page: what is measured."""


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A program, and how it is run at each size."""

    name: str
    title: str
    script: str
    counted: str
    """What the sizes count."""
    unit: str
    """Of the table: `s`, or something per second."""
    sizes: tuple[int, ...]
    """At 1x, 2x and 4x; empty for a benchmark that chooses its cases itself."""
    quick: int
    """The one size of `--quick`."""
    runs: tuple[str, ...]
    """Ways that a process each measures, or `ALL_WAYS`."""
    names: dict[str, str]
    """What the plot calls each way, this project's first."""
    comparisons: tuple[Comparison, ...]
    arguments: Callable[[str, int, str, bool], list[str]]
    """Corpus, size, way, whether quick: the arguments of the program, without `--json FILE`."""
    read: Callable[[dict[str, Any], str, int], Any]
    """The program's figures, way and size: `Figures` by way; `Cases` from a benchmark without sizes."""
    needs_gpu: bool = False
    faults: Callable[[dict[str, Any]], str] = lambda _: ""
    """What the program's figures say about parts that have failed."""


def _training_arguments(corpus: str, size: int, way: str, _quick: bool) -> list[str]:
    return [corpus, "--tokens", str(size), "--way", way]


def _training(found: dict[str, Any], way: str, size: int) -> dict[str, Figures]:
    figures = {name: found[name] for name in ("seconds", "peak_gib", "dev_chrF")}
    padding = round(1 - found["not_padding"], 3)
    return {way: {"size": size, "per_second": found["tokens_per_second"], "padding": padding, **figures}}


def _decoding_arguments(corpus: str, size: int, _way: str, quick: bool) -> list[str]:
    turns = "1" if quick else "2"
    return [corpus, "--sentences", str(size), "--turns", turns, "--alone", "0"]


_DECODED_BY = {
    "torch": "mt by torch",
    "ctranslate2": "mt by CTranslate2",
    "int8": "mt by CTranslate2, int8",
    "generate": "generate in file order",
}


def _decoding(found: dict[str, Any], _way: str, _size: int) -> dict[str, Figures]:
    sentences = found["facts"]["sentences"]
    return {
        way: {
            "size": sentences,
            "seconds": round(sentences / found[name]["sentences_per_second"], 3),
            "per_second": found[name]["sentences_per_second"],
            "chrF": found[name]["chrF"],
            "same_as_torch": found[name]["same_as_torch"],
        }
        for way, name in _DECODED_BY.items()
        if name in found
    }


def _data_arguments(_corpus: str, size: int, way: str, _quick: bool) -> list[str]:
    return ["--pairs", str(size), "--way", way]


def _data(found: dict[str, Any], way: str, size: int) -> dict[str, Figures]:
    facts = {name: found[name] for name in ("seconds", "peak_gib", "planted", "across_splits")}
    return {way: {"size": size, "per_second": round(size / found["seconds"], 1), **facts}}


def _evaluation_arguments(corpus: str, size: int, way: str, quick: bool) -> list[str]:
    alone = "--without_sacrebleu" if way == "mt" else "--without_mt"
    return [corpus, "--sentences", str(size), "--resamples", "20" if quick else "1000", alone]


def _evaluation(found: dict[str, Any], way: str, _size: int) -> dict[str, Figures]:
    seconds = found["seconds" if way == "mt" else "sacrebleu_seconds"]
    figures = {"size": found["sentences"], "seconds": seconds, "per_second": found["sentences"] / seconds}
    return {way: figures | ({"report_mib": found["report_mib"]} if way == "mt" else {})}


def _gpu_arguments(corpus: str, _size: int, _way: str, quick: bool) -> list[str]:
    own = [corpus] if corpus != str(OWN_CORPUS) else []
    length = ["--tiny", "--models", "opus", "--minutes", "2"] if quick else []
    return [*own, "--sections", "compare", "decode", *length]


def _gpu(found: dict[str, Any], _way: str, _size: int) -> Cases:
    cases: Cases = {}
    for part in found["parts"]:
        if not part["figures"]:
            continue
        size = part["figures"].get("tokens_per_update", part["figures"].get("sentences"))
        speed = "tokens_per_second" if part["section"] == "compare" else "sentences_per_second"
        ways = {way: figures for way, figures in part["figures"]["ways"].items() if speed in figures}
        cases[f"{part['section']}: {part['name']}"] = {
            _GPU_WAYS.get(way, way): {"size": size, "per_second": figures[speed]} for way, figures in ways.items()
        }
    return cases


def _gpu_faults(found: dict[str, Any]) -> str:
    parts = [part for part in found["parts"] if part["status"] != "done"]
    reasons = [[part["name"], part["status"], *part["why"].strip().splitlines()[-1:]] for part in parts]
    return "; ".join(": ".join(reason) for reason in reasons)


_GPU_WAYS = {"translate": "torch", "generate, file order, batch 16": "generate"}
_GROUPED = "grouped by length"
_SAME_TRAINING = "The same model, pairs, loss and updates of the same number of target tokens on average"
_SAME_DECODING = (
    "Translating the corpus with `tiny-en-ar`, beam 4, beside `generate` with 16 sentences a batch in file order"
)

BENCHMARKS = (
    Benchmark(
        name="training",
        title="Training",
        script="training_speed.py",
        counted="tokens",
        unit="tokens/s",
        sizes=(30_000, 60_000, 120_000),
        quick=500,
        runs=("mt", "plain", _GROUPED),
        names={"mt": "this project", "plain": "Seq2SeqTrainer", _GROUPED: "the same, grouped by length"},
        comparisons=(
            Comparison(
                *("training", "mt", "plain", "Seq2SeqTrainer"),
                f"{_SAME_TRAINING}; tokens of source and target, padding not counted.",
            ),
            Comparison(
                *("training", "mt", _GROUPED, "Seq2SeqTrainer, grouped by length"),
                "The same beside the library's own remedy for padding.",
            ),
        ),
        arguments=_training_arguments,
        read=_training,
    ),
    Benchmark(
        name="decoding",
        title="Decoding",
        script="decoding_speed.py",
        counted="sentences",
        unit="sentences/s",
        sizes=(100, 200, 400),
        quick=4,
        runs=(ALL_WAYS,),
        names={"torch": "torch", "ctranslate2": "CTranslate2", "int8": "CTranslate2, int8", "generate": "generate"},
        comparisons=(
            Comparison("decoding by torch", "torch", "generate", "generate", f"{_SAME_DECODING}."),
            Comparison(
                *("decoding by CTranslate2", "ctranslate2", "generate", "generate"),
                "The same weights in float32 in CTranslate2; the conversion, which happens once, is not counted.",
            ),
            Comparison("decoding by CTranslate2, int8", "int8", "generate", "generate", "The same with 8-bit weights."),
        ),
        arguments=_decoding_arguments,
        read=_decoding,
    ),
    Benchmark(
        name="data",
        title="Building data",
        script="data_builder.py",
        counted="pairs",
        unit="pairs/s",
        sizes=(50_000, 100_000, 200_000),
        quick=300,
        runs=("mt", "plain"),
        names={"mt": "this project", "plain": "datasets, by hand"},
        comparisons=(
            Comparison(
                *("building data", "mt", "plain", "datasets, by hand"),
                "Cleaning, finding duplicates and splitting generated pairs, a fifth of them near-duplicates. "
                "The plain way does much less: it looks at lengths and exact duplicates only and splits at random. How "
                "many near-duplicates each leaves in another split than their originals is `across_splits` in the JSON "
                "file.",
            ),
        ),
        arguments=_data_arguments,
        read=_data,
    ),
    Benchmark(
        name="evaluation",
        title="Evaluating 5 systems",
        script="evaluation_speed.py",
        counted="sentences",
        unit="s",
        sizes=(400, 800, 1600),
        quick=20,
        runs=("mt", "sacrebleu"),
        names={"mt": "this project", "sacrebleu": "sacreBLEU"},
        comparisons=(
            Comparison(
                *("evaluating 5 systems", "mt", "sacrebleu", "sacreBLEU"),
                "Scores, intervals, both paired tests with 1,000 resamples, slices, n-grams, fidelity checks and the "
                "report, without decoding; sacreBLEU computes four metrics and the same two tests only.",
            ),
        ),
        arguments=_evaluation_arguments,
        read=_evaluation,
    ),
    Benchmark(
        name="gpu",
        title="On a GPU",
        script="gpu.py",
        counted="tokens per update or sentences",
        unit="tokens/s",
        sizes=(),
        quick=0,
        runs=(ALL_WAYS,),
        names={},
        comparisons=(
            Comparison(
                *("training on a GPU", "mt", "plain", "Seq2SeqTrainer"),
                "A model with random weights in the shape of opus-mt-en-ar, in bf16, with equal target tokens per "
                "update.",
            ),
            Comparison(
                *("training on a GPU", "mt", _GROUPED, "Seq2SeqTrainer, grouped by length"),
                "The same beside the library's own remedy for padding.",
            ),
            Comparison(
                *("decoding on a GPU", "torch", "generate", "generate"),
                f"{_SAME_DECODING}, on the GPU; sentences per second.",
            ),
        ),
        arguments=_gpu_arguments,
        read=_gpu,
        needs_gpu=True,
        faults=_gpu_faults,
    ),
)
