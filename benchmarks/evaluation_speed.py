"""How long an evaluation takes without decoding: 5 systems, 2,000 sentences, 1,000 resamples.

    python benchmarks/evaluation_speed.py CORPUS.tsv.gz

The references are the corpus's (columns english, arabic); the systems are the references with a fifth to two thirds of
their words changed. Times scores, intervals, both paired tests, slices, n-grams, fidelity and the report, and beside
them what sacreBLEU's own `PairedTest` needs for the four published metrics and the same two tests.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from mt.config import CorpusConfig
from mt.data.readers import read_corpus
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.slices import count_words
from mt.evaluation.test_set import TestSet
from mt.report.comparison_report import render_report
from mt.text.glossary import Glossary

SENTENCES, RESAMPLES = 2000, 1000
CHANGED = (0.2, 0.3, 0.4, 0.5, 0.65)


def main() -> None:
    """Print the times and the size of the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--without_sacrebleu", action="store_true", help="time this project alone")
    parser.add_argument("--without_mt", action="store_true", help="time sacreBLEU alone")
    parser.add_argument("--sentences", type=int, default=SENTENCES, help="at most so many")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    test_set = read_pairs(arguments.corpus, arguments.sentences)
    generator = random.Random(1)
    words = [word for reference in test_set.references for word in reference.split()]
    systems = {
        f"system {number}": [change(reference, share, words, generator) for reference in test_set.references]
        for number, share in enumerate(CHANGED)
    }
    mean = len(words) / len(test_set.references)
    print(
        f"{len(systems)} systems, {len(test_set.references)} sentences of {mean:.1f} words, "
        f"{arguments.resamples} resamples"
    )
    figures: dict[str, float] = {"sentences": len(test_set.references)}
    if not arguments.without_mt:
        figures |= time_project(test_set, systems, arguments.resamples)
    if not arguments.without_sacrebleu:
        figures["sacrebleu_seconds"] = time_sacrebleu(test_set, systems, arguments.resamples)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def read_pairs(path: Path, count: int) -> TestSet:
    """The first pairs of the corpus with 8 to 40 words of Arabic."""
    pairs = [pair for pair in read_corpus("news", CorpusConfig(path=str(path))) if 8 <= len(pair.target.split()) <= 40]
    return TestSet("news", [p.source for p in pairs[:count]], [p.target for p in pairs[:count]])


def change(reference: str, share: float, words: list[str], generator: random.Random) -> str:
    """The reference with words dropped, replaced and added, and in half of the sentences three words moved."""
    changed: list[str] = []
    for word in reference.split():
        chance = generator.random() / share
        if chance >= 1:
            changed.append(word)
        elif chance >= 1 / 3:
            changed += [generator.choice(words), *([word] if chance >= 2 / 3 else [])]
    if len(changed) > 4 and generator.random() < 0.5:
        start, end = generator.randrange(len(changed) - 3), generator.randrange(len(changed) - 3)
        moved = changed[start : start + 3]
        del changed[start : start + 3]
        changed[end:end] = moved
    return " ".join(changed) or words[0]


def time_project(test_set: TestSet, systems: dict[str, list[str]], resamples: int) -> dict[str, float]:
    """Seconds and size of the report of everything that `evaluate.py` does once the hypotheses are there."""
    glossary = Glossary.read()
    start = time.perf_counter()
    evaluation = evaluate_hypotheses(
        [test_set], {"news": systems}, resamples, glossary=glossary, word_counts=count_words(test_set.sources)
    )
    scored = time.perf_counter()
    html = render_report("Benchmark", evaluation, {}, glossary=glossary)
    end = time.perf_counter()
    print(f"this project, all of it: {end - start:.1f} s ({scored - start:.1f} s without the report)")
    print(f"the report: {len(html.encode()) / 2**20:.1f} MiB")
    return {"seconds": end - start, "report_mib": len(html.encode()) / 2**20}


def time_sacrebleu(test_set: TestSet, systems: dict[str, list[str]], resamples: int) -> float:
    """Seconds for the published metrics and both tests as sacreBLEU does them, one process."""
    start = time.perf_counter()
    for test in ("bs", "ar"):
        metrics = {"BLEU": BLEU(force=True), "chrF": CHRF(), "chrF++": CHRF(word_order=2), "TER": TER()}
        references = [list(test_set.references)]
        PairedTest(list(systems.items()), metrics, references, test_type=test, n_samples=resamples)()
    seconds = time.perf_counter() - start
    print(f"sacreBLEU, four metrics and two tests: {seconds:.1f} s")
    return seconds


if __name__ == "__main__":
    main()
