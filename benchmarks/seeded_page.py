"""The figures of `benchmarks/seeded_runs.py`: gains paired by seed with their intervals, and sections of a page."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adaptation import DOMAIN, interval

METRICS = ("chrF", "BLEU")
_RESAMPLES = 2000
Runs = Mapping[str, Mapping[int, Any]]
"""What each run left, by way and seed."""


def read_runs(results: Path) -> tuple[dict[str, Any], dict[str, dict[int, Any]]]:
    """(the base's figures, those of all other runs by way and seed)."""
    by_way: dict[str, dict[int, Any]] = {}
    for file in sorted(results.glob("*-*.json")):
        run = json.loads(file.read_text(encoding="utf-8"))
        by_way.setdefault(run["way"], {})[run["seed"]] = run
    return by_way.pop("base")[1], by_way


def facts_of(base: Mapping[str, Any], runs: Runs) -> dict[str, Any]:
    """What the runs have in common, and the base's scores."""
    sets, tuned = base["test_sets"], [run for seeds in runs.values() for run in seeds.values()]
    return {
        "base": {name: {metric: sets[name][metric]["score"] for metric in METRICS} for name in sets},
        "sentences": {name: len(sets[name]["chrF"]["statistics"]) for name in sets},
        "signatures": {metric: sets[DOMAIN][metric]["signature"] for metric in METRICS},
        "seeds": sorted({run["seed"] for run in tuned}),
        "updates": sorted({run["updates"] for run in tuned}),
        "devices": sorted({run["device"] for run in (base, *tuned)}),
    }


def gains(runs: Runs, way: str, reference: str | None, sets: Sequence[str]) -> dict[str, Any]:
    """Scores of a way by test set, and what it gains over another way, paired by seed."""
    others = {} if reference in (None, way) else runs.get(reference or "", {})
    seeds = sorted({*runs[way]} & {*others})
    found: dict[str, Any] = {"seeds": sorted(runs[way])}
    for name in sets:
        found[name] = {}
        for metric in METRICS:
            ours = {seed: runs[way][seed]["test_sets"][name][metric]["score"] for seed in runs[way]}
            found[name][metric] = {"score": round(statistics.mean(ours.values()), 3), "by_seed": ours}
            if len(seeds) > 1:
                gain, half = interval([ours[seed] - others[seed]["test_sets"][name][metric]["score"] for seed in seeds])
                found[name][metric] |= {"gain": round(gain, 3), "half_interval": round(float(half), 3)}
        if seeds:
            pairs = [(runs[way][seed]["test_sets"][name], others[seed]["test_sets"][name]) for seed in seeds]
            found[name]["chrF"]["gain_over_sentences"] = over_sentences(pairs)
    return found


def over_sentences(pairs: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
    """95 % interval of the mean gain in chrF over these runs if other sentences had been tested, by bootstrap.

    pairs: by seed, the figures of both ways on a test set; the same sentences are drawn for all of them.
    """
    import numpy as np

    from mt.evaluation.metrics import collect_statistics

    score_of = collect_statistics("", {"any": ["a"]}, ["a"], ["chrF"])[0].metric.score_of
    sides = [[np.array(side["chrF"]["statistics"]) for side in pair] for pair in pairs]
    size = len(sides[0][0])
    generator = np.random.default_rng(1)
    found = []
    for _ in range(_RESAMPLES):
        times = np.bincount(generator.integers(size, size=size), minlength=size)
        found.append(np.mean([score_of(times @ ours) - score_of(times @ theirs) for ours, theirs in sides]))
    low, high = np.quantile(found, [0.025, 0.975])
    return round(float(low), 3), round(float(high), 3)


def base_cells(content: Mapping[str, Any]) -> str:
    """The base's cells of a row of the table."""
    return " | ".join(f"{scores['chrF']:.2f} |" for scores in content["base"].values())


def cells(found: Mapping[str, Any], sets: Sequence[str]) -> str:
    """A way's cells of a row of the table: for each test set its chrF and its gain."""
    return " | ".join(_cell(found[name]["chrF"]) for name in sets)


def _cell(figures: Mapping[str, Any]) -> str:
    if "gain" not in figures:
        return f"{figures['score']:.2f} | "
    low, high = figures["gain_over_sentences"]
    return f"{figures['score']:.2f} | {figures['gain']:+.2f} ± {figures['half_interval']:.2f} [{low:+.2f}, {high:+.2f}]"


def head(first: str, sets: Sequence[str]) -> list[str]:
    """The two lines at the top of such a table. first: the head of the columns before the scores, with their bars."""
    columns = first.count("|") + 1
    return [
        f"| {first} | {' | '.join(f'{name} | gain' for name in sets)} |",
        f"|---|{'--:|' * (columns - 1)}{'--:|--:|' * len(sets)}",
    ]


def put_section(page: Path, title: str, lines: Sequence[str]) -> None:
    """Replace the section of a page that has this title, or add it at its end. lines: without the title."""
    before = page.read_text(encoding="utf-8") if page.is_file() else ""
    section = "\n".join([title, "", *lines]) + "\n"
    found = _section(title, before)
    if found is None:
        text = f"{before.rstrip()}\n\n{section}".lstrip()
    else:
        rest = before[found.end() :]
        text = before[: found.start()] + section + (f"\n{rest}" if rest else "")
    page.write_text(text, encoding="utf-8")
    print("\n".join(lines))


def section_of(page: Path, title: str) -> list[str]:
    """The lines of a section, title included; none if the page has none with this title."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    found = _section(title, text)
    return found.group().rstrip().split("\n") if found else []


def _section(title: str, text: str) -> re.Match[str] | None:
    return re.search(rf"^{re.escape(title)}\n.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
