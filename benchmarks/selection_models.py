"""Which n-gram models find the domain among general pairs? Held-out conflict pairs, mixed into a general corpus.

    python benchmarks/selection_models.py CONFLICT --general GENERAL

Of three splits of the conflict corpus, held out in blocks of neighbouring lines, the training pairs teach a model what
the domain is like, and the test pairs are to be told from general pairs by the cross-entropy difference. AUC is how
often a test pair scores better than a general one; precision, how many of the n best are test pairs, n being their
number. The models with words and bigrams are those of `mt.data.domain_likeness`; the others are computed here, with the
same smoothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
KEYS = ("conflict-news", "a", "b")
DISCOUNT = 0.75
Ids = NDArray[np.int64]


class Way(NamedTuple):
    """What the units are, how many of them the model sees, and which of them have a number of their own."""

    name: str
    units: str
    order: int
    vocabulary: str = "both"


WAYS = (
    *(Way(f"words, {name}", "words", order) for order, name in ((1, "one"), (2, "two"), (3, "three"))),
    Way("words, two, those that the domain has twice", "words", 2, "domain"),
    *(Way(f"characters, {name}", "characters", order) for order, name in ((3, "three"), (5, "five"))),
)


class Sentences(NamedTuple):
    """Texts as numbers, one after the other."""

    ids: Ids
    counts: Ids

    def some(self, numbers: Ids) -> Sentences:
        """These sentences, in this order."""
        counts = self.counts[numbers]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = np.cumsum(self.counts) - self.counts
        return Sentences(self.ids[np.repeat(starts[numbers], counts) + inside], counts)


class Model:
    """N-grams of any order with interpolated absolute discounting; 0 is the border, 1 any unit without a number."""

    def __init__(self, text: Sentences, size: int, order: int) -> None:
        self.size, self.order = size, order
        self.tables = []
        padded, places, _ = self._padded(text)
        for length in range(1, order + 1):
            keys, counts = np.unique(self._keys(padded, places, length), return_counts=True)
            before, first = np.unique(keys // size, return_index=True)
            kinds = np.diff(np.append(first, len(keys)))
            self.tables.append((keys, counts, before, np.add.reduceat(counts, first), kinds))

    def _padded(self, text: Sentences) -> tuple[Ids, Ids, Ids]:
        lengths = text.counts + self.order
        padded, starts = np.zeros(lengths.sum(), np.int64), np.cumsum(lengths) - lengths
        inside = np.arange(text.counts.sum()) - np.repeat(np.cumsum(text.counts) - text.counts, text.counts)
        padded[np.repeat(starts + self.order - 1, text.counts) + inside] = text.ids
        is_predicted = np.ones(len(padded), bool)
        for offset in range(self.order - 1):
            is_predicted[starts + offset] = False
        return padded, np.flatnonzero(is_predicted), text.counts + 1

    def _keys(self, padded: Ids, places: Ids, length: int) -> Ids:
        keys = np.zeros(len(places), np.int64)
        for offset in range(length - 1, -1, -1):
            keys = keys * self.size + padded[places - offset]
        return keys

    def cross_entropy(self, text: Sentences) -> NDArray[np.float64]:
        """float64 (sentences,): bits per unit."""
        padded, places, counts = self._padded(text)
        found = np.full(len(places), 1 / self.size)
        for length, (keys, times, before, totals, kinds) in enumerate(self.tables, start=1):
            wanted = self._keys(padded, places, length)
            here, is_seen = _look_up(keys, wanted)
            context, is_known = _look_up(before, wanted // self.size)
            seen = np.where(is_seen, times[here] - DISCOUNT, 0)
            mixed = (seen + DISCOUNT * kinds[context] * found) / totals[context]
            found = np.where(is_known, mixed, found)
        return -np.add.reduceat(np.log2(found), np.cumsum(counts) - counts) / counts


def _look_up(known: Ids, wanted: Ids) -> tuple[Ids, NDArray[np.bool_]]:
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return places, known[places] == wanted


def differences(
    way: Way, texts: Sequence[str], domain: Ids, samples: tuple[Ids, Ids], asked: Ids
) -> NDArray[np.float64]:
    """float64 (asked,): cross-entropy difference of some of the texts."""
    from mt.text.normalise import comparison_words

    split: Callable[[str], Sequence[str]] = comparison_words if way.units == "words" else _letters
    known: dict[str, int] = {}
    units = [[known.setdefault(unit, len(known)) for unit in split(text)] for text in texts]
    flat = np.array([unit for sentence in units for unit in sentence], np.int64)
    every = Sentences(flat, np.array([len(sentence) for sentence in units], np.int64))
    learnt = [every.some(numbers) for numbers in (domain, *samples)]
    counts = [np.bincount(some.ids, minlength=len(known)) for some in learnt]
    has_number = counts[0] >= 2 if way.vocabulary == "domain" else sum(counts) > 0
    number = np.full(len(known), 1)
    number[has_number] = np.arange(has_number.sum()) + 2
    numbered = Sentences(number[every.ids], every.counts)
    size = int(has_number.sum()) + 2
    models = [Model(numbered.some(numbers), size, way.order) for numbers in (domain, *samples)]
    bits = [model.cross_entropy(numbered.some(asked)) for model in models]
    # As in mt.data.domain_likeness: no sentence is compared with a model that has seen it.
    return bits[0] - np.where(np.isin(asked, samples[0]), bits[2], bits[1])


def _letters(text: str) -> list[str]:
    from mt.text.normalise import comparison_words

    return list(" ".join(comparison_words(text)))


def figures(test: NDArray[np.float64], general: NDArray[np.float64]) -> tuple[float, float]:
    """(AUC, precision) of scores of which lower ones are better."""
    joined = np.concatenate([test, general])
    ranks = np.empty(len(joined))
    ranks[np.argsort(joined, kind="stable")] = np.arange(1, len(joined) + 1)
    above = ranks[: len(test)].sum() - len(test) * (len(test) + 1) / 2
    return 1 - above / (len(test) * len(general)), float((ranks[: len(test)] <= len(test)).mean())


def measure(way: Way, data: Any) -> list[float]:
    """AUC and precision by the source, by the target and by both."""
    train, test = data["train"], data["test"]
    corpus = np.array(train["corpus"])
    domain, general = (np.flatnonzero(corpus == name) for name in ("conflict", "general"))
    drawn = np.random.default_rng(1).permutation(general)
    size = min(len(domain), len(general) // 2)
    samples = (np.sort(drawn[:size]), np.sort(drawn[size : 2 * size]))
    asked = np.concatenate([np.arange(len(train), len(train) + len(test)), general])
    sides = [differences(way, [*train[side], *test[side]], domain, samples, asked) for side in ("source", "target")]
    found = [figures(scores[: len(test)], scores[len(test) :]) for scores in (*sides, sides[0] + sides[1])]
    return [figure for pair in found for figure in pair]


def main() -> None:
    """Print the table."""
    from datasets import load_from_disk

    from mt.commands.data import parse_data
    from mt.data.cache import cached_build

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conflict", help="sentence pairs of the domain")
    parser.add_argument("--general", required=True, help="sentence pairs to find them among")
    options = parser.parse_args()
    splits = []
    for key in KEYS:
        arguments = [str(HERE / "adaptation.yaml"), "--data.corpora.conflict", options.conflict]
        arguments += ["--data.corpora.general.path", options.general, "--data.corpora.general.split", "train"]
        arguments += ["--data.dev_share", "0.1", "--data.test_share", "0.1", "--data.split_key", key]
        config = parse_data([*arguments, "--data.workers", "1"], "selection_models.py").config
        splits.append(load_from_disk(str(cached_build(config.data, {}) / "data")))
    print("| model | English, AUC | Arabic, AUC | both, AUC | both, precision | seconds |\n|---|--:|--:|--:|--:|--:|")
    for way in WAYS:
        started = time.monotonic()
        source, _, target, _, both, precision = np.mean([measure(way, data) for data in splits], axis=0)
        cells = f"{source:.3f} | {target:.3f} | {both:.3f} | {precision:.1%}"
        print(f"| {way.name} | {cells} | {time.monotonic() - started:.0f} |", flush=True)


if __name__ == "__main__":
    main()
