"""What is held out as a whole: documents if a corpus names them, blocks of lines if its lines are in document order.

A held-out sentence must come from another document than the training pairs: sentences of an article that training has
seen are easier to translate than those of a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mt.config import CorpusConfig, DataConfig
from mt.data.blocks import Blocks, Likeness, block_size, cut_blocks, measure_likeness
from mt.data.fingerprints import Hashes, hash_of
from mt.data.selection import Indices, Mask
from mt.data.splitting import assign_levels
from mt.data.store import PairStore
from mt.wording import counted

_FEWEST_DOCUMENTS = 5
_FEWEST_PAIRS_PER_DOCUMENT = 1.5
_LARGEST_SHARE = 0.5


@dataclass(frozen=True)
class HeldOut:
    """How dev and test pairs of a corpus were chosen."""

    by: Literal["document", "block", "sentence", "pinned"]
    """`pinned`: all of it is in one split."""
    documents: int = 0
    """How many documents the corpus names; fewer than five cannot be divided."""
    block_lines: int = 0
    """Average lines per block; 0 if the corpus was not cut into blocks."""
    near: float = 0.0
    """Share of neighbouring lines with a rare word in common, 0 to 1 (`mt.data.blocks.Likeness`)."""
    far: float = 0.0
    """The same for distant lines."""
    reach: int = 0
    """Distance at which lines are as unlike as any two; 0 if the lines are in no order."""

    @property
    def is_too_easy(self) -> bool:
        """Whether sentences of one document are in several splits."""
        return self.by == "sentence" and self.reach > 0

    def in_words(self) -> str:
        """How the corpus was held out, and why, as a clause without subject and full stop."""
        alike = f"{self.near:.0%} of neighbouring lines share a rare word, {self.far:.0%} of distant ones"
        if self.by == "pinned":
            return "not divided: all of it is in one split"
        if self.by == "document":
            return f"by document: each of its {self.documents} documents is in one split"
        few = f" (it names {counted(self.documents, 'document')}, too few to divide)" if self.documents else ""
        if self.by == "block":
            order = f"; {alike}, up to {self.reach} lines apart" if self.reach else ""
            return f"by block: about {self.block_lines} consecutive lines at a time{order}{few}"
        if self.is_too_easy:
            return (
                f"sentence by sentence, although the lines are in document order: {alike}. Scores on its held-out "
                "pairs are higher than a new document would get; set data.blocks to auto"
            )
        return f"sentence by sentence; the lines show no document order ({alike}){few}"


def how_held_out(accounts: Mapping[str, HeldOut]) -> str:
    """How a test split was held out, by corpus, as a sentence; empty if unknown."""
    said = [f"{name} {account.in_words()}" for name, account in accounts.items() if not account.is_too_easy]
    return f"Held out: {'; '.join(said)}." if said else ""


def too_easy(accounts: Mapping[str, HeldOut]) -> str:
    """A caution for the score of a test split with sentences from documents that training has seen; may be empty."""
    names = [name for name, account in accounts.items() if account.is_too_easy]
    if not names:
        return ""
    return (
        f"its sentences from {', '.join(names)} were held out one by one, and training has seen others of the same "
        "documents: a new document will score lower (data.blocks: auto holds out blocks of lines)"
    )


@dataclass(frozen=True)
class HoldingOut:
    """What decides the split of every pair in the store, and how each corpus was held out."""

    positions: NDArray[np.float64]
    """float64 (pairs,), 0 to 1: equal for pairs of one unit."""
    units: Hashes
    """uint64 (pairs,): hash of the document or block; 0 for a pair whose own words decide."""
    is_unsettled: Mask
    """bool (pairs,): last lines of a corpus, whose block, and so their split, may change when the corpus grows."""
    accounts: list[HeldOut]


def hold_out(store: PairStore, config: DataConfig, corpora: Sequence[CorpusConfig]) -> HoldingOut:
    """Choose for each corpus of `config` what is held out as a whole.

    corpora: those of the store, in order; those of `config` come first.
    """
    positions, units = store.column("positions", np.float64), np.zeros(store.size, np.uint64)
    corpus_of, is_unsettled = store.column("corpora", np.int32), np.zeros(store.size, bool)
    found = HoldingOut(positions, units, is_unsettled, [])
    for index, corpus in enumerate(corpora[: len(config.corpora)]):
        if corpus.own_split is not None:
            found.accounts.append(HeldOut("pinned"))
            continue
        chooser = _Chooser(store, config, np.flatnonzero(corpus_of == index), found)
        found.accounts.append(chooser.choose())
    return found


class _Chooser:
    """Chooses for the lines of one corpus and writes the result into `found`."""

    def __init__(self, store: PairStore, config: DataConfig, lines: Indices, found: HoldingOut) -> None:
        self._store, self._config, self._lines, self._found = store, config, lines, found

    def choose(self) -> HeldOut:
        """Set the positions and units of pairs that belong to a document or block."""
        documents = self._store.column("documents", np.uint64)[self._lines]
        names, sizes = np.unique(documents, return_counts=True)
        # What contains most of a corpus is not one of its documents.
        names = names[(names > 0) & (sizes <= _LARGEST_SHARE * len(documents))]
        has_one = np.isin(documents, names)
        if len(names) < _FEWEST_DOCUMENTS or has_one.sum() < _FEWEST_PAIRS_PER_DOCUMENT * len(names):
            has_one[:] = False
        if has_one.any():
            self._by_document(documents, names, has_one)
        rest = self._lines[~has_one]
        if has_one.sum() > len(rest):
            self._by_block(rest)
            return HeldOut("document", len(names))
        return self._by_block(rest, len(names))

    def _by_document(self, documents: Hashes, names: Hashes, has_one: Mask) -> None:
        numbers = (hash_of(f"{self._config.split_key}\0{name}") / 2**64 for name in names)
        by_name = np.fromiter(numbers, np.float64, len(names))
        here = self._lines[has_one]
        self._found.positions[here] = by_name[np.searchsorted(names, documents[has_one])]
        self._found.units[here] = documents[has_one]

    def _by_block(self, lines: Indices, documents: int = 0) -> HeldOut:
        source = self._store.side("source")
        likeness = measure_likeness(source, lines)
        size = self._size(likeness, len(lines)) if len(lines) else 0
        if size:
            blocks = cut_blocks(source, lines, size, self._config.split_key)
            numbers = blocks.of_lines(len(lines))
            self._found.positions[lines] = blocks.positions[numbers]
            self._found.units[lines] = blocks.names[numbers]
            self._found.is_unsettled[lines[blocks.unsettled :]] = self._may_move(blocks)
        by: Literal["block", "sentence"] = "block" if size else "sentence"
        return HeldOut(by, documents, size, round(likeness.near, 4), round(likeness.far, 4), likeness.reach)

    def _may_move(self, blocks: Blocks) -> bool:
        """Whether the last lines would be in another split if they began a block of their own."""
        ends = np.array([blocks.positions[-1], blocks.next_position])
        last, following = assign_levels(ends, self._config.dev_share, self._config.test_share)
        return bool(last != following)

    def _size(self, likeness: Likeness, lines: int) -> int:
        """Lines per block; 0 for no blocks."""
        wanted = self._config.blocks
        if not isinstance(wanted, str):
            return wanted
        return block_size(likeness, lines) if wanted == "auto" and likeness.is_ordered else 0
