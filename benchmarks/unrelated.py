"""Does the rule `unrelated` find pairs that do not belong together? Planted ones are counted, real ones can be read.

    python benchmarks/unrelated.py CONFLICT --general GENERAL --output_dir DIR

A twentieth of the pairs of CONFLICT get the target of another line: of any (random), of the next or the last one
(neighbour), or of one two to four lines away (document). The conflict corpus is known to have wrong pairs of its own,
which count as untouched here; so the share of untouched pairs that are dropped is no share of mistakes. Of the corpus
as it is, what the rule drops is written to DIR/dropped-WAY.tsv, to be read.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.stats import rankdata
from tabulate import tabulate

from mt.config import CleaningConfig, Config, CorpusConfig, DataConfig, ModelConfig
from mt.data.alignment_margins import AlignmentMargins
from mt.data.collecting import Collection
from mt.data.model_margins import ModelMargins
from mt.data.pair import Pair
from mt.data.readers import read_corpus
from mt.data.selection import first_of_equals
from mt.data.store import PairStore
from mt.data.strangers import Margins
from mt.data.unrelated import judge, with_doubt
from mt.models.pair_scoring import scorer_of

KINDS = ("none", "random", "neighbour", "document")
SHARE = 0.05
_AWAY = {"neighbour": (-1, 1), "document": (-4, -3, -2, 2, 3, 4)}


def main() -> None:
    """Plant, judge, count, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conflict", help="sentence pairs in document order, in any format that train.py reads")
    parser.add_argument("--general", help="a larger corpus, from which word alignment learns as well")
    parser.add_argument("--ways", nargs="+", choices=("alignment", "model"), default=["alignment", "model"])
    parser.add_argument("--model", default="tiny-en-ar", help="of the way `model`")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output_dir", type=Path, default=Path("runs/unrelated"))
    options = parser.parse_args()
    options.output_dir.mkdir(parents=True, exist_ok=True)
    rows = []
    pairs = list(read_corpus("conflict", CorpusConfig(path=options.conflict)))
    for kind in options.kinds:
        for seed in range(1, 2 if kind == "none" else options.seeds + 1):
            for way, general in _trials(options):
                row = {"way": way, "general": general is not None, "kind": kind, "seed": seed}
                rows.append(row | measure(pairs, kind, seed, way, general, options))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    (options.output_dir / "unrelated.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(rows))


def _trials(options: argparse.Namespace) -> list[tuple[str, str | None]]:
    """(way, path of the general corpus or None); a model learns nothing from it."""
    found: list[tuple[str, str | None]] = []
    for way in options.ways:
        found.append((way, None))
        found += [(way, options.general)] if way == "alignment" and options.general else []
    return found


def planted(pairs: list[Pair], kind: str, seed: int) -> tuple[list[str], set[int]]:
    """(the targets, the places of those that are another line's)."""
    rng = np.random.default_rng(seed)
    targets = [pair.target for pair in pairs]
    if kind == "none":
        return targets, set()
    places = rng.choice(np.arange(4, len(pairs) - 4), round(SHARE * len(pairs)), replace=False).tolist()
    others = [int(rng.integers(len(pairs)) if kind == "random" else p + rng.choice(_AWAY[kind])) for p in places]
    moved = {p: pairs[other].target for p, other in zip(places, others, strict=True)}
    return [moved.get(p, target) for p, target in enumerate(targets)], {p for p in places if moved[p] != targets[p]}


def measure(
    pairs: list[Pair], kind: str, seed: int, way: str, general: str | None, options: argparse.Namespace
) -> dict[str, Any]:
    """The figures of one trial."""
    targets, wrong = planted(pairs, kind, seed)
    started = time.monotonic()
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory()))
        lines = [f"{pair.source}\t{target}\n" for pair, target in zip(pairs, targets, strict=True)]
        (work / "pairs.tsv").write_text("english\tarabic\n" + "".join(lines), encoding="utf-8")
        corpora = {"conflict": CorpusConfig(path=str(work / "pairs.tsv"))}
        corpora |= {"general": CorpusConfig(path=general)} if general else {}
        cleaning = CleaningConfig(slipped_lines=False, unrelated=way)  # type: ignore[arg-type]
        config = Config(
            data=DataConfig(corpora=corpora, cleaning=cleaning, workers=1), model=ModelConfig(name=options.model)
        )
        store = stack.enter_context(PairStore(work))
        Collection(config.data, {}, config.model.languages).store_in(store)
        members = _members(store, len(corpora))
        margins = _margins(store, members, config)
        verdict = judge(margins, way, store, members[0])
        origins = store.origins(members[0]).to_pylist()
        is_wrong = np.array([int(origin.rpartition(":")[2]) - 2 in wrong for origin in origins])
        found: dict[str, Any] = {
            "pairs": len(is_wrong),
            "planted": int(is_wrong.sum()),
            "judged": verdict.account.judged,
        }
        found |= {
            "percent": verdict.account.percent,
            "threshold": round(verdict.account.threshold, 3),
            "dropped": int(verdict.dropped.sum()),
        }
        found |= {"reason": verdict.account.reason, "seconds": round(time.monotonic() - started, 1)}
        if wrong:
            shown = np.nan_to_num(with_doubt(margins, verdict.account.usual), nan=verdict.account.usual)
            found["auc"] = round(area(shown[~is_wrong], shown[is_wrong]), 4)
            found["recall"] = round(float(verdict.dropped[is_wrong].mean()), 4)
            found["untouched_dropped"] = round(float(verdict.dropped[~is_wrong].mean()), 4)
        else:
            _write_dropped(store, members[0], verdict, options.output_dir / f"dropped-{way}-{len(corpora)}.tsv")
    return found


def _members(store: PairStore, corpora: int) -> list[Any]:
    corpus_of, first = store.column("corpora", np.int32), first_of_equals(store.column("pairs", np.uint64))
    is_first = first == np.arange(store.size)
    return [np.flatnonzero(is_first & (corpus_of == number)) for number in range(corpora)]


def _margins(store: PairStore, members: list[Any], config: Config) -> Margins:
    scorer = scorer_of(config)
    if scorer is None:
        return AlignmentMargins(store, members, store.column("pairs", np.uint64)).of(members[0])
    with scorer.loaded() or nullcontext():
        return ModelMargins(store, members[:1], scorer).of(members[0])


def area(good: Any, bad: Any) -> float:
    """The area under the ROC curve: how often a good pair has a higher margin than a bad one, 0 to 1."""
    ranks = rankdata(np.concatenate([good, bad]))[: len(good)]
    return float((ranks.sum() - len(good) * (len(good) + 1) / 2) / (len(good) * len(bad)))


def _write_dropped(store: PairStore, pairs: Any, verdict: Any, file: Path) -> None:
    places = np.flatnonzero(verdict.dropped)
    texts = store.pairs(pairs[places])
    order = places[np.argsort(verdict.margins[places])]
    lines = [(verdict.margins[place], texts[int(pairs[place])]) for place in order]
    text = "".join(f"{margin:.2f}\t{pair.origin}\t{pair.source}\t{pair.target}\n" for margin, pair in lines)
    file.write_text(text, encoding="utf-8")


def table(rows: list[dict[str, Any]]) -> str:
    """Means over the seeds, as Markdown."""
    found = []
    for key in dict.fromkeys((row["way"], row["general"], row["kind"]) for row in rows):
        same = [row for row in rows if (row["way"], row["general"], row["kind"]) == key]
        figures = [
            f"{np.mean([row[name] for row in same]):.3f}" if name in same[0] else "" for name in ("auc", "recall")
        ]
        lost = f"{np.mean([row['untouched_dropped'] for row in same]):.2%}" if key[2] != "none" else ""
        found.append([*key, *figures, lost, round(np.mean([row["dropped"] for row in same]))])
    headers = ["way", "with general", "planted", "AUC", "recall", "untouched dropped", "dropped"]
    return str(tabulate(found, headers, tablefmt="pipe"))


if __name__ == "__main__":
    main()
