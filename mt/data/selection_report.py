"""What a selection took from a general corpus and why: figures, examples and words for the data card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.data.fingerprints import Hashes, hash_of
from mt.data.pair import Pair
from mt.data.selection import Indices
from mt.data.selection_size import Size
from mt.data.store import PairStore
from mt.text.normalise import comparison_words
from mt.wording import shorten

GROUPS = ("dev pairs of the domain", "taken", "left")
"""What the scores are shown of."""

_EXAMPLES = 10
_EXAMPLE_CHARACTERS = 300
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BARS = 24
_WORDS = 20
# Enough to know how often a frequent word occurs.
_COUNTED_PAIRS = 20_000


class Example(NamedTuple):
    """A pair with its score."""

    score: float
    pair: Pair


class RisenWord(NamedTuple):
    """A word that is more frequent in what was taken than in the whole corpus."""

    word: str
    """Lower case; 0 is any number."""
    before: float
    """Per 10,000 words of the corpus."""
    after: float
    """Per 10,000 words of what was taken."""


@dataclass
class Selected:
    """What was taken from one corpus. Of scores the lower is the more like the domain."""

    method: str
    like: list[str]
    candidates: int
    """Training pairs that the rules left to choose from."""
    taken: int
    wanted: int | str = "auto"
    """`pairs` of the config."""
    model: str = ""
    """The encoder, for `embeddings`."""
    sizes: list[Size] = field(default_factory=list)
    """What `auto` chose from."""
    threshold: float = 0.0
    """Score of the last pair that was taken."""
    dev_share: float = 0.0
    """Share of the domain's dev pairs that score no worse than the threshold, 0 to 1."""
    quantiles: dict[str, list[float]] = field(default_factory=dict)
    """By group of `GROUPS`, if it has pairs: the scores below which 5, 25, 50, 75 and 95 % of its pairs are."""
    edges: list[float] = field(default_factory=list)
    """Of the histogram; what is outside is counted in the first and the last bar."""
    histogram: dict[str, list[float]] = field(default_factory=dict)
    """By group: the share of its pairs in each bar, in percent."""
    examples: dict[str, list[Example]] = field(default_factory=dict)
    """Ten pairs each: `most like the domain`, `last taken`, and `left`, evenly spaced among all that were left."""
    words: dict[str, list[RisenWord]] = field(default_factory=dict)
    """By side, `source` and `target`: the words whose share rose most."""

    @property
    def left(self) -> int:
        """Number of pairs that were not taken."""
        return self.candidates - self.taken

    def in_words(self) -> str:
        """One sentence: how many pairs were taken, what they are like, and where the threshold is."""
        taken = f"{self.taken:,} of {self.candidates:,} training pairs"
        by = self.method.replace("_", " ") + (f" of {self.model}" if self.model else "")
        said = f"took {taken}, those most like {', '.join(self.like)} by {by}"
        if not self.quantiles:
            return f"{said}."
        own = f"; {self.dev_share:.0%} of the domain's dev pairs score as low" if GROUPS[0] in self.quantiles else ""
        return f"{said}: scores up to {self.threshold:.3f}{own}."

    def as_json(self) -> dict[str, Any]:
        """What `data_report.json` holds of this selection."""
        content = asdict(self)
        content["left"] = self.left
        content["sizes"] = [size._asdict() for size in self.sizes]
        content["words"] = {side: [word._asdict() for word in words] for side, words in self.words.items()}
        content["examples"] = {
            group: [
                {"score": each.score, "place": each.pair.origin, "source": each.pair.source, "target": each.pair.target}
                for each in examples
            ]
            for group, examples in self.examples.items()
        }
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Selected:
        """The selection that `as_json` wrote."""
        found = cls(**{name: value for name, value in content.items() if name != "left"})
        found.sizes = [Size(**size) for size in found.sizes]  # type: ignore[arg-type]
        found.words = {side: [RisenWord(**word) for word in words] for side, words in content["words"].items()}
        found.examples = {
            group: [Example(each["score"], Pair(each["source"], each["target"], each["place"])) for each in examples]
            for group, examples in content["examples"].items()
        }
        return found


def describe(
    selected: Selected, store: PairStore, pairs: Indices, scores: NDArray[np.float32], dev: NDArray[np.float32]
) -> None:
    """Fill in all that follows from the scores.

    pairs, scores: all candidates from the most to the least like the domain, of which the first `selected.taken` were
    taken. dev: scores of the domain's dev pairs.
    """
    taken = selected.taken
    selected.threshold = round(float(scores[taken - 1]), 4)
    groups = {
        name: found for name, found in zip(GROUPS, (dev, scores[:taken], scores[taken:]), strict=True) if len(found)
    }
    selected.dev_share = round(float((dev <= scores[taken - 1]).mean()), 4) if len(dev) else 0.0
    selected.quantiles = {
        name: [round(float(value), 4) for value in np.quantile(found, _QUANTILES)] for name, found in groups.items()
    }
    ends = np.array([np.quantile(found, [0.01, 0.99]) for found in groups.values()])
    edges = np.linspace(ends.min(), max(ends.max(), ends.min() + 1e-3), _BARS + 1)
    selected.edges = [round(float(edge), 3) for edge in edges]
    selected.histogram = {name: _shares(found, edges) for name, found in groups.items()}
    selected.examples = _examples(store, pairs, scores, taken)
    some, all_of_them = (spread(numbers, _COUNTED_PAIRS) for numbers in (pairs[:taken], pairs))
    selected.words = {side: _risen(store, side, some, all_of_them) for side in ("source", "target")}


def _shares(scores: NDArray[np.float32], edges: NDArray[np.float64]) -> list[float]:
    counts = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)[0]
    return [round(float(100 * count / len(scores)), 2) for count in counts]


def spread(numbers: Indices, count: int) -> Indices:
    """At most `count` of `numbers`, evenly spaced, in their order."""
    if len(numbers) <= count:
        return numbers
    return numbers[np.arange(count) * len(numbers) // count]


def _examples(store: PairStore, pairs: Indices, scores: NDArray[np.float32], taken: int) -> dict[str, list[Example]]:
    places = np.arange(len(pairs))
    groups = {
        "most like the domain": places[: min(_EXAMPLES, taken)],
        "last taken": places[max(0, taken - _EXAMPLES) : taken],
        "left": spread(places[taken:], _EXAMPLES),
    }
    texts = store.pairs(np.unique(pairs[np.concatenate(list(groups.values()))]))
    return {
        group: [Example(round(float(scores[place]), 4), _shown(texts[int(pairs[place])])) for place in found.tolist()]
        for group, found in groups.items()
        if len(found)
    }


def _shown(pair: Pair) -> Pair:
    source, target = shorten(pair.source, _EXAMPLE_CHARACTERS), shorten(pair.target, _EXAMPLE_CHARACTERS)
    return Pair(source, target, pair.origin)


def _risen(store: PairStore, name: str, taken: Indices, everything: Indices) -> list[RisenWord]:
    """The words that tell most of what was taken: by share there times the logarithm of how much that share rose."""
    side = store.side(name)
    words, counts = np.unique(side.words_at(taken).hashes, return_counts=True)
    others, before = np.unique(side.words_at(everything).hashes, return_counts=True)
    after_share = counts / counts.sum()
    found = np.minimum(np.searchsorted(others, words), len(others) - 1)
    # Half an occurrence for a word that the sample of the corpus lacks.
    before_share = np.where(others[found] == words, before[found], 0.5) / before.sum()
    told = after_share * np.log(after_share / before_share)
    best = np.argsort(-told, kind="stable")[:_WORDS]
    best = best[told[best] > 0]
    spelt = _spellings(store, name, taken, words[best])
    return [
        RisenWord(spelt[int(words[i])], round(float(1e4 * before_share[i]), 2), round(float(1e4 * after_share[i]), 2))
        for i in best.tolist()
    ]


def _spellings(store: PairStore, name: str, pairs: Indices, wanted: Hashes) -> dict[int, str]:
    """The words with these hashes, which must all occur in `pairs`."""
    missing, found = set(wanted.tolist()), {}
    for pair in store.pairs(np.sort(pairs)).values() if missing else ():
        text = getattr(pair, name)
        for word in comparison_words(text) or [text]:
            key = hash_of(word)
            if key in missing:
                missing.discard(key)
                found[key] = word
        if not missing:
            break
    return found


def sizes_in_words(sizes: Sequence[Size]) -> str:
    """`1,000 pairs 310.2, 2,000 pairs 295.7`: the perplexities that `auto` chose from."""
    return ", ".join(f"{size.pairs:,} pairs {size.perplexity:,.1f}" for size in sizes)
