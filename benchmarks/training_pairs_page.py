"""The figures of `benchmarks/training_pairs.py`: collected from its runs, and their part of docs/adaptation.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adaptation import wrapped
from seeded_page import base_cells, cells, facts_of, gains, head, put_section, read_runs

TITLE = "## Other training pairs"
FIGURES = "adaptation_training_pairs.json"
_WAYS = {
    "half": ("half of the pairs", None),
    "back": ("and the other half, back-translated, tagged", "half"),
    "untagged": ("the same without the tag", "half"),
    "all": ("all pairs: both halves with people's sources", "half"),
    "related": ("all pairs but those that do not belong together", "all"),
}
"""By way: what it is trained on, and the way that it is compared with."""
_TABLES = ("half", "other_half", "train", "related", "dev")


def write_results(docs: Path, results: Path, splits: Path) -> None:
    """Write `adaptation_training_pairs.json`, and the section of `adaptation.md` that shows it."""
    base, runs = read_runs(results)
    sets = list(base["test_sets"])
    content = {
        **facts_of(base, runs),
        "pairs": {name: _pairs(splits / f"{name}.tsv") for name in _TABLES if (splits / f"{name}.tsv").is_file()},
        "ways": {way: gains(runs, way, other, sets) for way, (_, other) in _WAYS.items() if way in runs},
    }
    content["reverse"] = json.loads((splits / "reverse.json").read_text(encoding="utf-8"))
    docs.mkdir(parents=True, exist_ok=True)
    (docs / FIGURES).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    put_section(docs / "adaptation.md", TITLE, list(section(content)))


def _pairs(table: Path) -> int:
    return sum(1 for _ in table.open(encoding="utf-8")) - 1


def section(content: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the section of docs/adaptation.md, without its title."""
    pairs, ways, reverse = content["pairs"], content["ways"], content["reverse"]
    tested = ", ".join(f"{count:,} {name}" for name, count in content["sentences"].items())
    yield from wrapped(
        "What do [back-translation](data.md#back-translation) and the rule on [pairs that do not belong "
        "together](data.md#unrelated) do to a model? `tiny-en-ar` was fine-tuned in the same way each time, with "
        f"{content['updates'][0]} updates of up to 1,024 target tokens and the same replay of general pairs; the "
        f"checkpoint was chosen on the same {pairs['dev']} dev pairs. The domain's {pairs['train']:,} training pairs "
        "were cut into two halves, which are of different articles. A model from Arabic to English, trained on the "
        "general corpus and the first half, wrote sources for the Arabic of the second half; its own translations of "
        f"the conflict test set have {reverse['chrF']:.1f} chrF and {reverse['BLEU']:.1f} BLEU. The table shows chrF, "
        f"the mean over seeds, of {tested} sentences, and the gain with its 95 % interval over seeds (Student's t, "
        "paired by seed); in brackets the interval if other sentences had been tested (bootstrap). Gains are over half "
        "of the pairs, for the last way over all pairs. `benchmarks/training_pairs.py` made this section; "
        f"`{FIGURES}` holds all figures."
    )
    yield ""
    sets = list(content["base"])
    yield from head("trained on | pairs | seeds", sets)
    yield f"| (the base) | | | {base_cells(content)} |"
    counts = {"half": pairs["half"], "all": pairs["train"], "related": pairs.get("related", 0)}
    for way, found in ways.items():
        count = f"{counts.get(way, pairs['train']):,} | {len(found['seeds'])}"
        yield f"| {_WAYS[way][0]} | {count} | {cells(found, sets)} |"
