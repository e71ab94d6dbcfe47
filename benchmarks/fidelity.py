"""What the fidelity checks find of translations that were broken by rule, and how often they err on right ones.

    python benchmarks/fidelity.py data/conflict_news/starter.tsv UN.tsv --names NAMES.tsv --control google=UN.tsv:3

PAIRS are tab-separated: English, Arabic, and in more columns, if there are any, what a control names by its number. In
each correct translation `breaking/` breaks one thing at a time. Half of the pairs, by the hash of the source, were
there to write the checks with; `--part held-back`, the default, measures on the others. NAMES lists English and Arabic
names, of which one is dropped or exchanged. Prints two tables in Markdown, with 95 % Wilson intervals.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from breaking import RULES, Broken, Case, Names, names_in
from scipy.stats import binomtest

from mt.evaluation.fidelity import CHECKS
from mt.report.markdown import table
from mt.text.glossary import Glossary

PARTS: dict[str, Callable[[int], bool]] = {
    "tuning": lambda hashed: hashed % 2 == 0,
    "held-back": lambda hashed: hashed % 2 == 1,
    "all": lambda hashed: True,
}
Pairs = list[tuple[str, str]]


def main() -> None:
    """Print what is found of the broken, by what was broken, and what is flagged of the right, by check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", type=Path, metavar="PAIRS")
    parser.add_argument("--names", nargs="*", type=Path, default=[])
    parser.add_argument("--control", nargs="*", default=[], metavar="NAME=FILE:COLUMN")
    parser.add_argument("--part", choices=PARTS, default="held-back")
    parser.add_argument("--show", metavar="BROKEN", help="print the sentences of this rule that its check misses")
    arguments = parser.parse_args()
    names = [pair for path in arguments.names for pair in read_pairs(path)]
    sets = {path.stem: part_of(read_pairs(path), arguments.part) for path in arguments.pairs}
    if arguments.show:
        show_missed(sets, names, arguments.show)
        return
    print_lines(table(["broken", "check", *(f"found, {name}" for name in sets), "by any check"], recall(sets, names)))
    controls = {name: part_of(pairs, arguments.part) for name, pairs in read_controls(arguments.control)}
    print_lines(table(["check", *sets, *controls], false_alarms({**sets, **controls})))


def read_pairs(path: Path, column: int = 2) -> Pairs:
    """(English, what stands in the column, counted from 1), without rows that lack either, and without a header."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [(row[0].strip(), row[column - 1].strip()) for row in rows if len(row) >= column]
    return [pair for pair in pairs if all(pair) and pair[0] != "english"]


def read_controls(texts: Sequence[str]) -> Iterator[tuple[str, Pairs]]:
    for text in texts:
        name, _, rest = text.partition("=")
        path, _, column = rest.rpartition(":")
        yield name, read_pairs(Path(path), int(column))


def part_of(pairs: Pairs, part: str) -> Pairs:
    return [pair for pair in pairs if PARTS[part](hashlib.sha256(pair[0].encode()).digest()[0])]


def broken(pairs: Pairs, names: Names, rule: str) -> Iterator[Broken]:
    """Every pair with one thing broken by the rule, where it can be; the same ones whenever it is asked."""
    for i, (source, target) in enumerate(pairs):
        chance = random.Random(f"{rule} {source}")
        case = Case(source, target, pairs[(i + 1) % len(pairs)], names_in(source, target, names), names, chance)
        result = RULES[rule][1](case)
        if result is not None and result.hypothesis != target:
            yield result


def recall(sets: dict[str, Pairs], names: Names) -> Iterator[list[str]]:
    glossary = Glossary.read()
    for rule, (check, _) in RULES.items():
        cells, found_by_any, everything = [], 0, 0
        for pairs in sets.values():
            cases = list(broken(pairs, names, rule))
            cells.append(share(sum(bool(CHECKS[check](*case, glossary)) for case in cases), len(cases)))
            found_by_any += sum(any(test(*case, glossary) for test in CHECKS.values()) for case in cases)
            everything += len(cases)
        yield [rule, check, *cells, share(found_by_any, everything)]


def false_alarms(sets: dict[str, Pairs]) -> Iterator[list[str]]:
    glossary = Glossary.read()
    for check, test in CHECKS.items():
        cells = []
        for pairs in sets.values():
            verdicts = Counter(bool(found) for pair in pairs if (found := test(*pair, glossary)) is not None)
            cells.append(share(verdicts[True], verdicts.total()))
        yield [check, *cells]


def share(count: int, total: int) -> str:
    """`45 of 50: 90.0 (78.6–95.7)`, in per cent with the 95 % Wilson interval."""
    if not total:
        return "none"
    low, high = binomtest(count, total).proportion_ci(0.95, method="wilson")
    return f"{count} of {total}: {100 * count / total:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def show_missed(sets: dict[str, Pairs], names: Names, rule: str) -> None:
    test = CHECKS[RULES[rule][0]]
    for pairs in sets.values():
        for case in broken(pairs, names, rule):
            if not test(*case, Glossary.read()):
                print(f"{case.source}\n    {case.hypothesis}")


def print_lines(lines: Iterable[str]) -> None:
    print("\n".join(lines), end="\n\n")


if __name__ == "__main__":
    main()
