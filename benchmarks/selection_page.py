"""The figures of `benchmarks/selection.py`: collected from its runs, and their part of docs/adaptation.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adaptation import DOMAIN, interval, wrapped

TITLE = "## Replay, selected or drawn"
FIGURES = "adaptation_selection.json"
REFERENCE = "random"
_RESAMPLES = 2000
_WAYS = {
    "none": "nothing",
    "random": "random pairs",
    "rotating": "random pairs, others in each epoch",
    "lengths": "random pairs as long as the selected ones",
    "selected": "the pairs most like the domain",
}


def write_results(docs: Path, results: Path, splits: Path) -> None:
    """Write `adaptation_selection.json`, and the section of `adaptation.md` that shows it."""
    content = collected(results, splits)
    docs.mkdir(parents=True, exist_ok=True)
    (docs / FIGURES).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    page = docs / "adaptation.md"
    before = page.read_text(encoding="utf-8").partition(TITLE)[0].rstrip() if page.is_file() else ""
    text = "\n".join(section(content))
    page.write_text(f"{before}\n\n{text}\n".lstrip(), encoding="utf-8")
    print(text)


def collected(results: Path, splits: Path) -> dict[str, Any]:
    """Everything the page shows: scores by way and test set, and differences from `random`, paired by seed."""
    runs = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(results.glob("*-*.json"))]
    by_way: dict[str, dict[int, Any]] = {}
    for run in runs:
        by_way.setdefault(run["way"], {})[run["seed"]] = run
    base = by_way.pop("base")[1]
    sets = list(base["test_sets"])
    selected = json.loads((splits / "selected.json").read_text(encoding="utf-8"))
    tables = {file.stem: file for file in sorted(splits.glob("*.tsv"))}
    return {
        "base": {name: {m: base["test_sets"][name][m]["score"] for m in ("chrF", "BLEU")} for name in sets},
        "signatures": {m: base["test_sets"][DOMAIN][m]["signature"] for m in ("chrF", "BLEU")},
        "seeds": sorted({run["seed"] for run in runs}),
        "updates": sorted({run["updates"] for run in runs if run["way"] != "base"}),
        "devices": sorted({run["device"] for run in runs}),
        "pairs": {name: len(_targets(file)) for name, file in tables.items()},
        "selected": {name: selected[name] for name in ("candidates", "taken", "threshold", "dev_share", "sizes")},
        "words_per_pair": {name: _mean_words(file) for name, file in tables.items()},
        "ways": {way: _way(by_way, way, sets) for way in _WAYS if way in by_way},
    }


def _targets(table: Path) -> list[str]:
    return [line.split("\t")[1] for line in table.read_text(encoding="utf-8").splitlines()[1:]]


def _mean_words(table: Path) -> float:
    return round(statistics.mean(len(target.split()) for target in _targets(table)), 1)


def _way(by_way: Mapping[str, Mapping[int, Any]], way: str, sets: Sequence[str]) -> dict[str, Any]:
    reference = by_way.get(REFERENCE, {})
    seeds = sorted({*by_way[way]} & {*reference}) if way != REFERENCE else []
    found: dict[str, Any] = {"seeds": sorted(by_way[way])}
    for name in sets:
        found[name] = {}
        for metric in ("chrF", "BLEU"):
            ours = {seed: by_way[way][seed]["test_sets"][name][metric]["score"] for seed in by_way[way]}
            found[name][metric] = {"score": round(statistics.mean(ours.values()), 3), "by_seed": ours}
            if len(seeds) > 1:
                theirs = {seed: reference[seed]["test_sets"][name][metric]["score"] for seed in seeds}
                gains = [ours[seed] - theirs[seed] for seed in seeds]
                gain, half = interval(gains)
                found[name][metric] |= {"gain": round(gain, 3), "half_interval": round(float(half), 3)}
        if seeds:
            pairs = [(by_way[way][seed]["test_sets"][name], reference[seed]["test_sets"][name]) for seed in seeds]
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
    gains = []
    for _ in range(_RESAMPLES):
        times = np.bincount(generator.integers(size, size=size), minlength=size)
        gains.append(np.mean([score_of(times @ ours) - score_of(times @ theirs) for ours, theirs in sides]))
    low, high = np.quantile(gains, [0.025, 0.975])
    return round(float(low), 3), round(float(high), 3)


def section(content: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the section of docs/adaptation.md."""
    selected, pairs, words = content["selected"], content["pairs"], content["words_per_pair"]
    yield TITLE
    yield ""
    sizes = selected["sizes"]
    chosen = " n is what `pairs: auto` chose on the conflict corpus's dev pairs." if sizes else ""
    yield from wrapped(
        "Does it help to replay the general pairs that are most like the domain (`select`, see "
        "[data.md](data.md#selecting-from-a-large-corpus)) instead of any? `tiny-en-ar` was fine-tuned on the "
        f"{pairs['train']:,} conflict pairs together with n = {selected['taken']:,} of {selected['candidates']:,} "
        f"general pairs.{chosen} All ways made {content['updates'][0]} updates of up to 1,024 target tokens from the "
        f"same base, and the checkpoint was chosen on the same {pairs['dev']} dev pairs. The test sentences come from "
        "other articles than the training pairs. The table shows chrF, the mean of "
        f"{len(content['seeds'])} seeds, and the gain over random pairs with its 95 % interval over seeds "
        "(Student's t, paired by seed); in brackets the "
        "interval if other sentences had been tested (bootstrap). `benchmarks/selection.py` made this section; "
        f"`{FIGURES}` holds all figures."
    )
    yield ""
    sets = list(content["base"])
    yield f"| replayed | words per pair | {' | '.join(f'{name} | gain' for name in sets)} |"
    yield f"|---|--:|{'--:|--:|' * len(sets)}"
    yield _base_row(content, sets)
    for way, found in content["ways"].items():
        cells = [_cell(found[name]["chrF"]) for name in sets]
        table = way if way in words else f"{way}-1"
        length = f"{words[table]:.1f}" if table in words else ""
        yield f"| {_WAYS[way]} | {length} | {' | '.join(cells)} |"


def _base_row(content: Mapping[str, Any], sets: Sequence[str]) -> str:
    cells = " | ".join(f"{content['base'][name]['chrF']:.2f} |" for name in sets)
    return f"| (the base) | | {cells} |"


def _cell(figures: Mapping[str, Any]) -> str:
    if "gain" not in figures:
        return f"{figures['score']:.2f} | "
    low, high = figures["gain_over_sentences"]
    return f"{figures['score']:.2f} | {figures['gain']:+.2f} ± {figures['half_interval']:.2f} [{low:+.2f}, {high:+.2f}]"
