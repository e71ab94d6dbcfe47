"""Which words translate each other, learnt from sentence pairs alone: expectation maximisation of IBM model 1.

Brown et al., 1993, "The Mathematics of Statistical Machine Translation". A cell is a source word and a target word of
one pair; a link is what all cells with the same two words have in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mt.data.fingerprints import Hashes, Words, stretches
from mt.data.selection import Indices, Mask

Floats = NDArray[np.float64]

ROUNDS = 5
UNLINKED = 3.0
"""Weight of the words that no source word explains, in source words: so much of each target is from nowhere."""

# Two words that meet in one pair only may be anything.
_FEWEST_MEETINGS = 2
_FEWEST_SENTENCES = 2


def expected_links(
    which: NDArray[np.integer],
    positions: NDArray[np.integer],
    sources: NDArray[np.integer],
    *,
    prior: Floats | float = 1.0,
    background: Floats | float = 0.0,
    rounds: int = ROUNDS,
) -> Floats:
    """How often each link is expected to be a translation: float64 (links,).

    which: int (cells,), the link of each cell. positions: int (cells,), the target position of each. sources: int
    (links,), the source word of each link. prior: float (cells,), how much a cell is expected before its words are
    known. background: float (positions,), the probability of each target word without any source word; what it takes
    is expected of no link. With none, the links of each position sum to 1.

    Pairs `a b` -> `x y` and `a` -> `x`. Round 1 divides the first pair's x and y between a and b, 1/2 each, and gives
    a-x another whole one: a-x 1.5, a-y 0.5, b-x 0.5, b-y 0.5. So a becomes x with probability 0.75, y with 0.25, and b
    either with 0.5. Round 2 gives the first pair's x to a by 0.75 / (0.75 + 0.5) = 0.6, and its y to b by 2/3.
    """
    links = len(sources)
    probability, counts = np.ones(links), np.zeros(links)
    for _ in range(rounds):
        share = probability[which] * prior
        share /= (np.bincount(positions, share, minlength=np.size(background)) + background)[positions]
        counts = np.bincount(which, share, minlength=links).astype(np.float64)
        # A source word of which everything is from nowhere has no links.
        probability = counts / np.maximum(np.bincount(sources, counts), 1e-300)[sources]
    return counts


def word_table(words: Words, known: Hashes) -> csr_array:
    """float64 (sentences, known words): 1 where a sentence has a word. known: ascending."""
    sentences = np.repeat(np.arange(len(words.counts)), words.counts)
    shape = (len(words.counts), len(known))
    if not len(known):
        return csr_array(shape)
    columns = np.minimum(np.searchsorted(known, words.hashes), len(known) - 1)
    is_known = known[columns] == words.hashes
    cells = np.unique(sentences[is_known] * np.int64(len(known)) + columns[is_known])
    rows, columns = np.divmod(cells, len(known))
    ends = np.cumsum(np.bincount(rows, minlength=shape[0]))
    return csr_array((np.ones(len(cells)), columns, np.concatenate([[0], ends])), shape=shape)


def repeated_words(words: Words) -> Hashes:
    """The words that several sentences have, ascending."""
    sentences = np.repeat(np.arange(len(words.counts)), words.counts)
    different, numbers = np.unique(words.hashes, return_inverse=True)
    cells = np.unique(sentences * np.int64(max(len(different), 1)) + numbers)
    often = np.bincount(cells % max(len(different), 1), minlength=len(different)) >= _FEWEST_SENTENCES
    return different[often]


@dataclass(frozen=True)
class Direction:
    """How the words of one side are translated by those of the other."""

    ratios: csr_array
    """float64 (source words, target words): probability of the target word after this source word, divided by that of
    the target word in any sentence."""
    is_known: Mask
    """bool (target words,): those with a link."""


@dataclass(frozen=True)
class Cells:
    """The cells of all pairs that are learnt from, but those whose two words meet in no other pair."""

    tables: tuple[csr_array, csr_array]
    """Source and target words of each pair, as `word_table` has them."""
    pairs: Indices
    """int (cells,): ascending."""
    positions: tuple[Indices, Indices]
    """int (cells,), by side: which entry of its table each cell belongs to."""
    which: Indices
    """int (cells,): the link of each cell."""
    links: tuple[Indices, Indices]
    """int (links,), by side: the word of each link."""

    @classmethod
    def of(cls, source: csr_array, target: csr_array) -> Cells:
        """The cells of these pairs. source, target: as `word_table` has them, a row per pair."""
        widths = np.diff(source.indptr).astype(np.int64)
        pair_of_target = np.repeat(np.arange(target.shape[0]), np.diff(target.indptr))
        width = widths[pair_of_target]
        on_target = np.repeat(np.arange(len(pair_of_target)), width)
        on_source = stretches(source.indptr[pair_of_target].astype(np.int64), width)
        size = np.int64(max(target.shape[1], 1))
        keys = source.indices[on_source] * size + target.indices[on_target]
        links, which, meetings = np.unique(keys, return_inverse=True, return_counts=True)
        # Most words meet once only, and would take memory.
        is_link = meetings >= _FEWEST_MEETINGS
        is_used = is_link[which]
        which, on_source, on_target = (np.cumsum(is_link) - 1)[which[is_used]], on_source[is_used], on_target[is_used]
        sources, targets = np.divmod(links[is_link], size)
        return cls((source, target), pair_of_target[on_target], (on_source, on_target), which, (sources, targets))

    def learn(self, is_learnt: Mask) -> tuple[Direction, Direction]:
        """(source to target, target to source), from some of the pairs. is_learnt: bool (pairs,)."""
        is_used = is_learnt[self.pairs]
        meetings = np.bincount(self.which[is_used], minlength=len(self.links[0]))
        is_used &= (meetings >= _FEWEST_MEETINGS)[self.which]
        both = [self._direction(is_used, is_learnt, target) for target in (1, 0)]
        return both[0], both[1]

    def _direction(self, is_used: Mask, is_learnt: Mask, target: int) -> Direction:
        table, which = self.tables[target], self.which[is_used]
        pair_of = np.repeat(is_learnt, np.diff(table.indptr))
        often = np.bincount(table.indices[pair_of], minlength=table.shape[1]).astype(np.float64)
        share = often / max(often.sum(), 1)
        sources, targets = self.links[1 - target], self.links[target]
        background = UNLINKED * share[table.indices]
        counts = expected_links(which, self.positions[target][is_used], sources, background=background)
        found = np.flatnonzero(counts)
        sources, targets, counts = sources[found], targets[found], counts[found]
        ratios = counts / np.bincount(sources, counts)[sources] / share[targets]
        is_known = np.bincount(targets, minlength=table.shape[1]) > 0
        return Direction(csr_array((ratios, (sources, targets)), shape=self._shape(target)), is_known)

    def _shape(self, target: int) -> tuple[int, int]:
        return self.tables[1 - target].shape[1], self.tables[target].shape[1]
