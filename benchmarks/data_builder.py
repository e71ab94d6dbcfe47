"""Time and memory of a whole build on synthetic pairs, and what it finds of the duplicates planted in them.

    python benchmarks/data_builder.py --pairs 1000000 --json data_builder.json
    taskset -c 0,1 python benchmarks/data_builder.py --pairs 1000000 3000000 10000000 --json data_builder.json
    python benchmarks/data_builder.py --pairs 300000 --engine local ray

With several numbers of pairs it builds one after the other, smallest first, and makes a table; ten million pairs take 4
GB for the corpus and four times that for the build, in the directory for temporary files (TMPDIR).

The pairs are made on the spot: sentences of 8 to 35 words drawn from a Zipf distribution over 60,000 words, the most
frequent ones real and all others invented. One in five is a near-duplicate of an earlier pair: on both sides one
word in twelve, at least one, is replaced, dropped or moved, and case and punctuation are changed. The file carries no
hint of which; the benchmark remembers. Memory is that of all processes together (PSS) at its highest, disk the largest
sum of the sizes of all files of the build. CPU time is for comparisons on a machine that does something else, too.
`--way plain` builds with the library `datasets` alone, as `benchmarks/data_plain.py` says.

With several engines each builds the same corpus; `data` is a hash of the splits and the rejected pairs. The time of Ray
includes its start and its end.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64_intdigest

VOCABULARY = 60_000
PLANTED_SHARE = 0.2
CHUNK = 20_000
LOOKS_PER_LOOK_AT_DISK = 8
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


def build(corpus: Path, work: Path, way: str, engine: str) -> dict[str, Any]:
    """Build in a process of its own; returns its times, the largest memory of it and its workers, and its disk."""
    code = (
        "import json, resource, sys, time\n"
        "from pathlib import Path\n"
        "from mt.config import CleaningConfig, CorpusConfig, DataConfig\n"
        "from mt.data.builder import build_data\n"
        "if __name__ == '__main__':\n"
        "    import datasets; datasets.disable_progress_bars()\n"
        "    started = time.monotonic()\n"
        f"    corpora = {{'made': CorpusConfig(path={str(corpus)!r})}}\n"
        f"    _, report = build_data(DataConfig(corpora=corpora, engine={engine!r}), Path({str(work)!r}))\n"
        "    print(json.dumps({'seconds': time.monotonic() - started, 'dropped': report.dropped,\n"
        "                      'kept': report.corpora['made'].kept}))\n"
    )
    script = work / "build.py"
    script.write_text(code, encoding="utf-8")
    command = [str(script)] if way == "mt" else [str(PLAIN), str(corpus), str(work)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    peak, disk, seen = watch(process, work)
    assert process.stdout is not None
    if process.returncode:
        sys.exit(f"the build failed with exit status {process.returncode}")
    result, after = json.loads(process.stdout.read()), resource.getrusage(resource.RUSAGE_CHILDREN)
    # Ray's processes are not waited for by the build, so they are in the second figure only.
    cpu = max(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seen)
    sizes = {"peak_gib": round(peak / 2**30, 3), "disk_gib": round(disk / 2**30, 3)}
    return {**result, "engine": engine, "cpu_seconds": round(cpu, 1), **sizes, "data": hash_of_build(work)}


def hash_of_build(work: Path) -> str:
    """The beginning of a SHA-256 of all splits and, if there are any, of the rejected pairs."""
    digest = hashlib.sha256()
    for file in sorted([*(work / "data").rglob("*.arrow"), *work.glob("rejected.tsv")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def watch(process: subprocess.Popen[str], work: Path) -> tuple[int, int, float]:
    """Until a process ends: (largest memory of it and its children, largest size of its files, their CPU time).

    In bytes and seconds; what a process does after the last look at it is not in the latter.
    """
    peak, disk, looks = 0, 0, 0
    seconds: dict[int, float] = {}
    while process.poll() is None:
        peak = max(peak, resident(process.pid, seconds))
        if looks % LOOKS_PER_LOOK_AT_DISK == 0:
            disk = max(disk, size_of(work))
        looks += 1
        time.sleep(0.25)
    return peak, max(disk, size_of(work)), sum(seconds.values())


def size_of(directory: Path) -> int:
    """Bytes of all files below a directory, some of which may go in this moment."""
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total


def resident(pid: int, seconds: dict[int, float]) -> int:
    """Bytes of memory that a process and its children hold, shared pages divided among them (PSS).

    seconds: gets the CPU time of each of them.
    """
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        own = next(line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if "Pss:" in line)
        # After the name in parentheses, the 12th and 13th field are ticks in user and system mode.
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        seconds[pid] = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        of_children = sum(resident(int(child), seconds) for child in children.read_text().split())
        return int(own.split()[1]) * 1024 + of_children
    except (OSError, StopIteration):
        return 0


def leaks(work: Path, corpus: Path, originals: dict[int, int]) -> dict[str, int]:
    """How many planted duplicates are in another split than their original, and how many unrelated pairs went."""
    split_of_line = splits_of_lines(work, corpus)
    duplicates = np.fromiter(originals, np.int64, len(originals))
    firsts = np.fromiter(originals.values(), np.int64, len(originals))
    one, other = split_of_line[duplicates - 1], split_of_line[firsts - 1]
    across = int(((one >= 0) & (other >= 0) & (one != other)).sum())
    if not (work / "rejected.tsv").exists():
        return {"planted": len(originals), "across_splits": across}
    is_related = np.zeros(len(split_of_line) + 1, bool)
    is_related[duplicates] = is_related[firsts] = True
    false_merges = 0
    with (work / "rejected.tsv").open(encoding="utf-8") as file:
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if "held-out" in row[0]:
                false_merges += not is_related[int(row[2].rpartition(":")[2])]
    return {"planted": len(originals), "across_splits": across,
            "unrelated": len(split_of_line) - int(is_related.sum()), "false_merges": false_merges}  # fmt: skip


def splits_of_lines(work: Path, corpus: Path) -> np.ndarray:
    """int (lines,): the number of the split that the source of each line is in, -1 for none.

    Hashes stand for the sources: the texts of ten million pairs would take more memory than the build.
    """
    from datasets import load_from_disk

    data, hashes, numbers = load_from_disk(str(work / "data")), [], []
    for number, split in enumerate(("train", "dev", "test")):
        for batch in data[split].with_format("arrow").iter(50_000):
            hashes.append(hashes_of(batch["source"].to_pylist()))
            numbers.append(np.full(batch.num_rows, number, np.int8))
    known, split_of = np.concatenate(hashes), np.concatenate(numbers)
    order = np.argsort(known, kind="stable")
    known, split_of = known[order], split_of[order]
    with corpus.open(encoding="utf-8") as file:
        sources = (line.partition("\t")[0] for line in file)
        lines = np.concatenate([hashes_of(chunk) for chunk in iter(lambda: list(islice(sources, 50_000)), [])])
    index = np.searchsorted(known, lines, side="right") - 1
    return np.where(known[index] == lines, split_of[index], -1)


def hashes_of(texts: list[str]) -> np.ndarray:
    """uint64 (texts,): equal for equal texts."""
    return np.array([xxh3_64_intdigest(text.encode()) for text in texts], np.uint64)


def measure(pairs: int, seed: int, way: str, engines: list[str]) -> list[dict[str, Any]]:
    """All figures of one build per engine, which are made in a temporary directory."""
    directory = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        corpus = directory / "made.tsv"
        originals = write_corpus(corpus, pairs, seed)
        print(f"{pairs} pairs, {corpus.stat().st_size / 2**20:.0f} MiB", file=sys.stderr)
        rows = []
        for engine in engines:
            work = directory / f"build-{engine}"
            work.mkdir()
            figures = {"pairs": pairs, "cores": len(os.sched_getaffinity(0)), **build(corpus, work, way, engine)}
            rows.append(figures | leaks(work, corpus, originals))
            shutil.rmtree(work)
        return rows
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table of several builds."""
    cores = rows[0]["cores"]
    lines = [
        f"| pairs | engine | build, {cores} cores | per million pairs | CPU time | memory | disk | planted | "
        "across splits | merged wrongly |",
        "|--:|---" + "|--:" * 8 + "|",
    ]
    for row in rows:
        merged = f"{row['false_merges']:,} of {row['unrelated']:,}" if "unrelated" in row else ""
        lines.append(
            f"| {row['pairs']:,} | {row['engine']} | {row['seconds']:,.0f} s | "
            f"{row['seconds'] / row['pairs'] * 1e6:,.0f} s | "
            f"{row['cpu_seconds']:,.0f} s | {row['peak_gib']:.1f} GiB | {row['disk_gib']:.1f} GiB | "
            f"{row['planted']:,} | {row['across_splits']:,} | {merged} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Make, build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1_000_000], help="several make a table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", choices=("mt", "plain"), default="mt", help="what builds")
    parser.add_argument("--engine", choices=("local", "ray"), nargs="+", default=["local"], help="several: one by one")
    parser.add_argument("--json", type=Path, help="write the figures here too: an object, or a list of several")
    options = parser.parse_args()
    rows = []
    for pairs in sorted(options.pairs):
        rows += measure(pairs, options.seed, options.way, options.engine)
        # One by one, so that what is done is there if a later one fails.
        text = json.dumps(rows if len(rows) > 1 else rows[0], indent=2)
        if options.json:
            options.json.write_text(text + "\n", encoding="utf-8")
    print(table(rows) if len(rows) > 1 else text)


if __name__ == "__main__":
    main()
