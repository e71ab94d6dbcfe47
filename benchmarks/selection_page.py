"""The figures of `benchmarks/selection.py`: collected from its runs, and their part of docs/adaptation.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adaptation import wrapped
from seeded_page import base_cells, cells, facts_of, gains, head, put_section, read_runs

TITLE = "## Replay, selected or drawn"
FIGURES = "adaptation_selection.json"
REFERENCE = "random"
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
    put_section(docs / "adaptation.md", TITLE, list(section(content)))


def collected(results: Path, splits: Path) -> dict[str, Any]:
    """Everything the page shows: scores by way and test set, and differences from `random`, paired by seed."""
    base, runs = read_runs(results)
    selected = json.loads((splits / "selected.json").read_text(encoding="utf-8"))
    tables = {file.stem: file for file in sorted(splits.glob("*.tsv"))}
    return {
        **facts_of(base, runs),
        "pairs": {name: len(_targets(file)) for name, file in tables.items()},
        "selected": {name: selected[name] for name in ("candidates", "taken", "threshold", "dev_share", "sizes")},
        "words_per_pair": {name: _mean_words(file) for name, file in tables.items()},
        "ways": {way: gains(runs, way, REFERENCE, list(base["test_sets"])) for way in _WAYS if way in runs},
    }


def _targets(table: Path) -> list[str]:
    return [line.split("\t")[1] for line in table.read_text(encoding="utf-8").splitlines()[1:]]


def _mean_words(table: Path) -> float:
    return round(statistics.mean(len(target.split()) for target in _targets(table)), 1)


def section(content: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the section of docs/adaptation.md, without its title."""
    selected, pairs, words = content["selected"], content["pairs"], content["words_per_pair"]
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
    yield from head("replayed | words per pair", sets)
    yield f"| (the base) | | {base_cells(content)} |"
    for way, found in content["ways"].items():
        table = way if way in words else f"{way}-1"
        length = f"{words[table]:.1f}" if table in words else ""
        yield f"| {_WAYS[way]} | {length} | {cells(found, sets)} |"
