"""Training pairs that contain a long piece of a held-out sentence."""

from __future__ import annotations

import numpy as np

from mt.data.fingerprints import Hashes
from mt.data.selection import Indices, Mask
from mt.data.store import SideColumns

_CHUNK_PAIRS = 50_000
# Many slots, so that few n-grams that are in no held-out pair hit one that is taken.
_SLOTS_PER_NGRAM = 8


def find_overlaps(side: SideColumns, training: Mask, held_out: Mask, length: int) -> Indices:
    """Training pairs that share `length` words in a row with a held-out pair, on this side (Brown et al., 2020).

    Returns int (pairs,): the index of that held-out pair, -1 if there is none. Case, punctuation and diacritics do not
    count, and all numbers are equal.
    """
    conflicting = np.full(len(training), -1, np.int64)
    owners, known = _ngrams(side, np.flatnonzero(held_out), length)
    if not len(known):
        return conflicting
    order = np.argsort(known, kind="stable")
    owners, known = owners[order], known[order]
    # Most n-grams are in no held-out pair; here one memory access says so, in a binary search twenty do.
    may_be_known = LookUp(known)
    members = np.flatnonzero(training)
    for start in range(0, len(members), _CHUNK_PAIRS):
        pairs, ngrams = _ngrams(side, members[start : start + _CHUNK_PAIRS], length)
        worth_a_search = may_be_known.may_hold(ngrams)
        pairs, ngrams = pairs[worth_a_search], ngrams[worth_a_search]
        index = np.minimum(np.searchsorted(known, ngrams), len(known) - 1)
        is_shared = known[index] == ngrams
        conflicting[pairs[is_shared]] = owners[index[is_shared]]
    return conflicting


class LookUp:
    """A set of scrambled hashes with quick membership tests; wrongly says yes to about one in eight non-members."""

    def __init__(self, known: Hashes) -> None:
        self._table = np.zeros(1 << (_SLOTS_PER_NGRAM * len(known)).bit_length(), bool)
        self._table[self._slots(known)] = True

    def may_hold(self, hashes: Hashes) -> Mask:
        """bool (hashes,): False for hashes that are certainly not in the set."""
        found: Mask = self._table[self._slots(hashes)]
        return found

    def _slots(self, hashes: Hashes) -> Indices:
        return (hashes & np.uint64(len(self._table) - 1)).astype(np.int64)


def _ngrams(side: SideColumns, pairs: Indices, length: int) -> tuple[Indices, Hashes]:
    """(pair of each n-gram, hash of each n-gram) of the given pairs."""
    pairs = pairs[side.counts[pairs] >= length]
    ngrams = side.words_at(pairs).ngrams(length)
    return np.repeat(pairs, ngrams.counts), ngrams.hashes
