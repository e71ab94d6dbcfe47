"""Time and memory of a whole build on synthetic pairs, and what it finds of the duplicates planted in them.

    python benchmarks/data_builder.py --pairs 1000000 --json data_builder.json

The pairs are made on the spot: sentences of 8 to 35 words drawn from a Zipf distribution over 60,000 words, the most
frequent ones real and all others invented. One in five is a near-duplicate of an earlier pair: on both sides one
word in twelve, at least one, is replaced, dropped or moved, and case and punctuation are changed. The file carries no
hint of which; the benchmark remembers. Memory is that of all processes together (PSS). `--way plain` builds with the
library `datasets` alone, as `benchmarks/data_plain.py` says.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

VOCABULARY = 60_000
PLANTED_SHARE = 0.2
CHUNK = 20_000
PLAIN = Path(__file__).with_name("data_plain.py")
ENGLISH_HEAD = ["the", "of", "in", "and", "to", "a", "that", "was", "were", "is", "on", "for", "by", "with", "from"]
ARABIC_HEAD = ["في", "من", "على", "أن", "إلى", "التي", "عن", "مع", "الذي", "بعد", "كان", "هذا", "قبل", "قال"]


def words(letters: str, count: int, rng: np.random.Generator) -> list[str]:
    """Different invented words of 2 to 9 letters."""
    made: dict[str, None] = {}
    alphabet = list(letters)
    while len(made) < count:
        made["".join(rng.choice(alphabet, rng.integers(2, 10)))] = None
    return list(made)


def edited(tokens: list[int], rng: np.random.Generator) -> list[int]:
    """One word in twelve replaced, dropped or moved to its neighbour's place; at least one."""
    tokens = list(tokens)
    for _ in range(max(1, len(tokens) // 12)):
        place, kind = int(rng.integers(0, len(tokens) - 1)), rng.integers(0, 3)
        if kind == 0:
            tokens[place] = int(rng.integers(0, VOCABULARY))
        elif kind == 1:
            del tokens[place]
        else:
            tokens[place], tokens[place + 1] = tokens[place + 1], tokens[place]
    return tokens


def write_corpus(path: Path, pairs: int, seed: int) -> dict[int, int]:
    """Write the corpus; returns the line of the original of each planted duplicate, by the duplicate's line."""
    rng = np.random.default_rng(seed)
    english = ENGLISH_HEAD + words("abcdefghijklmnoprstuvwy", VOCABULARY - len(ENGLISH_HEAD), rng)
    arabic = ARABIC_HEAD + words("ابتثجحخدذرزسشصضطظعغفقكلمنهويأإ", VOCABULARY - len(ARABIC_HEAD), rng)
    ranks = np.arange(1, VOCABULARY + 1, dtype=float)
    cumulative = np.cumsum(1 / (ranks + 5))
    cumulative /= cumulative[-1]
    originals: dict[int, int] = {}
    recent: list[tuple[int, list[int], list[int]]] = []
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, pairs, CHUNK):
            size = min(CHUNK, pairs - start)
            lengths = rng.integers(8, 36, size)
            drawn = np.searchsorted(cumulative, rng.random(2 * int(lengths.sum()))).tolist()
            is_planted = rng.random(size) < PLANTED_SHARE
            offset = 0
            for i in range(size):
                line, length = start + i + 1, int(lengths[i])
                if is_planted[i] and recent:
                    original, source, target = recent[int(rng.integers(0, len(recent)))]
                    source, target = edited(source, rng), edited(target, rng)
                    originals[line] = original
                else:
                    source, target = drawn[offset : offset + length], drawn[offset + length : offset + 2 * length]
                    # Drawn from all of the file: later chunks replace the memory of earlier ones at random.
                    if len(recent) < 200_000:
                        recent.append((line, source, target))
                    else:
                        recent[int(rng.integers(0, len(recent)))] = (line, source, target)
                offset += 2 * length
                text = " ".join(english[t] for t in source)
                text = text.upper() if is_planted[i] and line % 7 == 0 else text.capitalize()
                file.write(f"{text}{'.' if line % 2 else '!'}\t{' '.join(arabic[t] for t in target)}.\n")
    return originals


def build(corpus: Path, work: Path, way: str) -> dict[str, float]:
    """Build in a process of its own; returns its wall time and the largest memory of it and its workers."""
    code = (
        "import json, resource, sys, time\n"
        "from pathlib import Path\n"
        "from mt.config import CleaningConfig, CorpusConfig, DataConfig\n"
        "from mt.data.builder import build_data\n"
        "if __name__ == '__main__':\n"
        "    import datasets; datasets.disable_progress_bars()\n"
        "    started = time.monotonic()\n"
        f"    corpora = {{'made': CorpusConfig(path={str(corpus)!r})}}\n"
        f"    _, report = build_data(DataConfig(corpora=corpora), Path({str(work)!r}))\n"
        "    print(json.dumps({'seconds': time.monotonic() - started, 'dropped': report.dropped,\n"
        "                      'kept': report.corpora['made'].kept}))\n"
    )
    script = work / "build.py"
    script.write_text(code, encoding="utf-8")
    command = [str(script)] if way == "mt" else [str(PLAIN), str(corpus), str(work)]
    peak, process = 0, subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(0.25)
    assert process.stdout is not None
    if process.returncode:
        sys.exit(f"the build failed with exit status {process.returncode}")
    result = json.loads(process.stdout.read())
    return {**result, "peak_gib": round(peak / 2**30, 3)}


def resident(pid: int) -> int:
    """Bytes of memory that a process and its children hold, shared pages divided among them (PSS)."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        own = next(line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if "Pss:" in line)
        return int(own.split()[1]) * 1024 + sum(resident(int(child)) for child in children.read_text().split())
    except (OSError, StopIteration):
        return 0


def leaks(work: Path, corpus: Path, originals: dict[int, int]) -> dict[str, int]:
    """How many planted duplicates are in another split than their original, and how many unrelated pairs went."""
    from datasets import load_from_disk

    data = load_from_disk(str(work / "data"))
    split_of = {source: split for split in ("train", "dev", "test") for source in data[split]["source"]}
    lines = [line.partition("\t")[0] for line in corpus.read_text(encoding="utf-8").splitlines()]
    across = sum(
        lines[line - 1] in split_of
        and lines[original - 1] in split_of
        and split_of[lines[line - 1]] != split_of[lines[original - 1]]
        for line, original in originals.items()
    )
    related = set(originals) | set(originals.values())
    if not (work / "rejected.tsv").exists():
        return {"planted": len(originals), "across_splits": across}
    with (work / "rejected.tsv").open(encoding="utf-8") as file:
        dropped = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if "held-out" in row[0]]
    false_merges = sum(int(row[2].rpartition(":")[2]) not in related for row in dropped)
    return {"planted": len(originals), "across_splits": across, "unrelated": len(lines) - len(related),
            "false_merges": false_merges}  # fmt: skip


def main() -> None:
    """Make, build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", choices=("mt", "plain"), default="mt", help="what builds")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        corpus = directory / "made.tsv"
        originals = write_corpus(corpus, options.pairs, options.seed)
        print(f"{options.pairs} pairs, {corpus.stat().st_size / 2**20:.0f} MiB", file=sys.stderr)
        (directory / "build").mkdir()
        figures = {"pairs": options.pairs, "cores": len(os.sched_getaffinity(0))}
        figures |= build(corpus, directory / "build", options.way)
        figures |= leaks(directory / "build", corpus, originals)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
