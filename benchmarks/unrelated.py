"""Does the rule `unrelated` find pairs that do not belong together? Planted ones are counted, real ones can be read.

    python benchmarks/unrelated.py CONFLICT --general GENERAL --output_dir DIR

A twentieth of the pairs of CONFLICT get the target of another line: of any (random), of the next or the last one
(neighbour), or of one two to four lines away (document). Or, in the middle of the file, five targets are lost (slip),
all that follow are shuffled (half), 60 are shuffled (shuffled), or 40 are moved by one line (moved). The conflict
corpus is known to have wrong pairs of its own, which count as untouched here; so the share of untouched pairs that are
dropped is no share of mistakes. Of the corpus as it is (none), what the rule drops is written to
DIR/dropped-WAY-CORPORA.tsv, to be read.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.stats import rankdata
from tabulate import tabulate

from mt.config import CleaningConfig, Config, CorpusConfig, DataConfig, ModelConfig
from mt.data.alignment_margins import AlignmentMargins
from mt.data.collecting import Collection
from mt.data.engines.local import Local
from mt.data.model_margins import ModelMargins
from mt.data.pair import Pair
from mt.data.readers import read_corpus
from mt.data.selection import first_of_equals
from mt.data.store import PairStore
from mt.data.strangers import Margins
from mt.data.unrelated import Verdict, judge, with_doubt
from mt.models.pair_scoring import scorer_of

PLANTED = ("random", "neighbour", "document")
STRETCHES = ("slip", "half", "shuffled", "moved")
KINDS = ("none", *PLANTED, *STRETCHES)
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
        for seed in range(1, options.seeds + 1 if kind in PLANTED else 2):
            for way, general in _trials(options):
                row = {"way": way, "general": general is not None, "kind": kind, "seed": seed}
                rows.append(row | measure(pairs, kind, seed, way, general, options))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    (options.output_dir / "unrelated.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"{table(rows)}\n\n{table_of_stretches(rows)}")


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
    size, middle = len(targets), len(targets) // 2
    if kind in PLANTED:
        places = rng.choice(np.arange(4, size - 4), round(SHARE * size), replace=False).tolist()
        others = [int(rng.integers(size) if kind == "random" else p + rng.choice(_AWAY[kind])) for p in places]
        moved = {p: targets[other] for p, other in zip(places, others, strict=True)}
        found = [moved.get(p, target) for p, target in enumerate(targets)]
    elif kind == "slip":
        found = [*targets[:middle], *targets[middle + 5 :], *targets[:5]]
    elif kind == "half":
        found = [*targets[:middle], *rng.permutation(targets[middle:]).tolist()]
    elif kind == "shuffled":
        found = [*targets[:middle], *rng.permutation(targets[middle : middle + 60]).tolist(), *targets[middle + 60 :]]
    elif kind == "moved":
        found = [*targets[:middle], targets[middle + 39], *targets[middle : middle + 39], *targets[middle + 40 :]]
    else:
        found = targets
    return found, {p for p in range(size) if found[p] != targets[p]}


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
        data, model = DataConfig(corpora=corpora, cleaning=cleaning, workers=1), ModelConfig(name=options.model)
        config = Config(data=data, model=model)
        store = stack.enter_context(PairStore(work))
        Collection(data, {}, config.model.languages).store_in(store, Local(1))
        members = _members(store, len(corpora))
        # Of the general corpus only what the rule drops from it, once.
        margins = _margins(store, members, config, 2 if kind == "none" else 1)
        verdicts = [judge(each, way, store, member) for each, member in zip(margins, members, strict=False)]
        numbers = [int(place.rpartition(":")[2]) - 2 for place in store.origins(members[0]).to_pylist()]
        found = figures(margins[0], verdicts[0], np.isin(numbers, list(wrong)))
        if kind == "none":
            _write_dropped(store, members[0], verdicts[0], options.output_dir / f"dropped-{way}-{len(corpora)}.tsv")
        if len(verdicts) > 1:
            account = verdicts[1].account
            found |= {"general_judged": account.judged, "general_dropped": account.dropped}
        if kind in STRETCHES:
            found["first_planted"], found["last_planted"] = min(wrong) + 2, max(wrong) + 2
        return found | {"seconds": round(time.monotonic() - started, 1)}


def figures(margins: Margins, verdict: Verdict, is_wrong: Any) -> dict[str, Any]:
    """What a verdict is worth. is_wrong: bool (pairs,)."""
    account = verdict.account
    found: dict[str, Any] = {"pairs": len(is_wrong), "planted": int(is_wrong.sum()), "judged": account.judged}
    found |= {"percent": account.percent, "threshold": round(account.threshold, 3), "dropped": account.dropped}
    found |= {"estimate_wrong": round(account.wrong, 4), "reason": account.reason}
    found["stretches"] = [
        [each.first.rpartition(":")[2], each.last.rpartition(":")[2], each.pairs, each.unrelated]
        for each in account.stretches
    ]
    if is_wrong.any():
        shown = np.nan_to_num(with_doubt(margins, account.usual), nan=account.usual)
        found["auc"] = round(area(shown[~is_wrong], shown[is_wrong]), 4)
        found["recall"] = round(float(verdict.dropped[is_wrong].mean()), 4)
        found["untouched_dropped"] = round(float(verdict.dropped[~is_wrong].mean()), 4)
    return found


def _members(store: PairStore, corpora: int) -> list[Any]:
    corpus_of, first = store.column("corpora", np.int32), first_of_equals(store.column("pairs", np.uint64))
    is_first = first == np.arange(store.size)
    return [np.flatnonzero(is_first & (corpus_of == number)) for number in range(corpora)]


def _margins(store: PairStore, members: list[Any], config: Config, corpora: int) -> list[Margins]:
    """Those of the first few corpora; by a model, of the first one."""
    scorer = scorer_of(config)
    if scorer is None:
        source = AlignmentMargins(store, members, store.column("pairs", np.uint64))
        return [source.of(pairs).rounded() for pairs in members[:corpora]]
    with scorer.loaded():
        return [ModelMargins(store, members[:1], scorer).of(members[0]).rounded()]


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
    """What was found of pairs that were planted one by one, means over the seeds, as Markdown."""
    found = []
    singles = [row for row in rows if row["kind"] not in STRETCHES]
    for key in dict.fromkeys((row["way"], row["general"], row["kind"]) for row in singles):
        same = [row for row in singles if (row["way"], row["general"], row["kind"]) == key]
        auc = [f"{np.mean([row['auc'] for row in same]):.3f}" if key[2] != "none" else ""]
        shares = ["recall", "untouched_dropped"] if key[2] != "none" else []
        means = [f"{np.mean([row[name] for row in same]):.1%}" for name in shares] or ["", ""]
        found.append([*key, *auc, *means, round(float(np.mean([row["dropped"] for row in same])))])
    headers = ["way", "with general", "planted", "AUC", "recall", "untouched dropped", "dropped"]
    return str(tabulate(found, headers, tablefmt="pipe", disable_numparse=True))


def table_of_stretches(rows: list[dict[str, Any]]) -> str:
    """Where stretches were planted and where they were found, as Markdown."""
    found = []
    for row in (row for row in rows if row["kind"] in STRETCHES):
        told = "; ".join(f"{first} {f'to {last}' if last else 'on'}" for first, last, _, _ in row["stretches"])
        places = [f"{row['first_planted']} to {row['last_planted']}", told or "not found"]
        found.append([row["way"], row["general"], row["kind"], *places, row["dropped"]])
    headers = ["way", "with general", "planted", "lines", "found", "dropped"]
    return str(tabulate(found, headers, tablefmt="pipe", disable_numparse=True))


if __name__ == "__main__":
    main()
