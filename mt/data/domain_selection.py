"""Which training pairs of a general corpus are used: the n most like the domain.

This comes after all rules of `mt.data.selecting`: what is cleaned away, a duplicate, or like a dev or test pair is no
longer there to be taken. What the domain is like is learnt from its training pairs only; a selection that knew the test
pairs would fit the training to the test. The dev pairs choose how many to take, as they choose the checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from mt.config import DataConfig
from mt.config.select import SelectConfig, liked_by
from mt.data.domain_likeness import CrossEntropyDifference, Scores
from mt.data.embedding_likeness import EmbeddingDistance
from mt.data.fingerprints import Hashes
from mt.data.selecting import LEFT, Selection
from mt.data.selection import Indices, combine
from mt.data.selection_report import Selected, describe
from mt.data.selection_size import Size, best_size, perplexities
from mt.data.sentence_encoder import SentenceEncoder
from mt.data.splitting import DEV, TRAIN
from mt.data.store import PairStore
from mt.errors import DataError
from mt.wording import counted

logger = logging.getLogger(__name__)

# Fewer pairs say little of a domain's words.
_FEW_PAIRS = 500


def select_like_domain(store: PairStore, config: DataConfig, selection: Selection) -> dict[str, Selected]:
    """Leave all training pairs of a corpus with `select` but those most like the domain; changes `selection`.

    Returns what was taken and why, by corpus. Every selection is from what the rules left, whatever other corpora
    select. Raises `DataError` if a domain has no training pairs, or no dev pairs to choose the number by.
    """
    members = _Members(store, config, selection)
    found: dict[str, Selected] = {}
    for name, corpus in config.corpora.items():
        if corpus.select is not None:
            logger.info("selecting pairs of %s", name)
            found[name] = _select(store, name, corpus.select, members, selection)
    return found


class _Members:
    """The pairs of each corpus and split that the rules have kept."""

    def __init__(self, store: PairStore, config: DataConfig, selection: Selection) -> None:
        self.config, self.names, self.selection = config, list(config.corpora), selection
        self.corpora = store.column("corpora", np.int32)
        self.kept = selection.kept & selection.is_own

    def of(self, names: Sequence[str], level: int) -> Indices:
        """Numbers of the pairs of some corpora in one split, ascending."""
        corpora = [self.names.index(name) for name in names]
        here = self.kept & np.isin(self.corpora, corpora) & (self.selection.levels == level)
        return np.flatnonzero(here).astype(np.int64)


def _select(store: PairStore, name: str, select: SelectConfig, members: _Members, selection: Selection) -> Selected:
    like = liked_by(name, members.config.corpora)
    candidates, domain = members.of([name], TRAIN), members.of(like, TRAIN)
    dev = members.of(like, DEV)
    _check(name, select, like, domain, dev)
    keys = store.column("pairs", np.uint64)
    if len(candidates) < 2:
        return Selected(select.method, like, len(candidates), len(candidates))
    likeness = _likeness(store, select, domain, candidates, keys)
    scores = likeness.scores(candidates)
    order = in_order(scores, keys[candidates])
    sizes: list[Size] = []
    if select.pairs == "auto":
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
        sizes = perplexities(store, candidates, ranks, dev, domain)
    wanted = best_size(sizes) if sizes else int(select.pairs)
    if wanted > len(candidates):
        logger.warning(
            "data.corpora.%s.select.pairs is %d, but only %s can be taken: taking all of them",
            *(name, wanted, counted(len(candidates), "training pair")),
        )
    taken, left = candidates[order[:wanted]], candidates[order[wanted:]]
    selection.dropped[left] = LEFT
    selected = Selected(select.method, like, len(candidates), len(taken), select.pairs, select.encoder, sizes)
    describe(selected, store, candidates[order], scores[order], likeness.scores(dev))
    logger.info("%s: %s", name, selected.in_words())
    return selected


def _likeness(
    store: PairStore, select: SelectConfig, domain: Indices, candidates: Indices, keys: Hashes
) -> CrossEntropyDifference | EmbeddingDistance:
    if select.method == "cross_entropy":
        return CrossEntropyDifference(store, domain, candidates, keys)
    assert select.model is not None
    return EmbeddingDistance(store, domain, keys, SentenceEncoder(select.model, select.revision))


def _check(name: str, select: SelectConfig, like: Sequence[str], domain: Indices, dev: Indices) -> None:
    key = f"data.corpora.{name}.select"
    if not len(domain):
        raise DataError(
            f"{key}: no training pair of {', '.join(like)} is left to resemble; see rejected.tsv of the build"
        )
    if select.pairs == "auto" and not len(dev):
        raise DataError(
            f"{key}.pairs is auto, but {', '.join(like)} has no dev pairs to choose the number by; "
            "set it, or raise data.dev_share"
        )
    if len(domain) < _FEW_PAIRS:
        logger.warning("%s: what it should be like is learnt from %s only", key, counted(len(domain), "pair"))


def in_order(scores: Scores, keys: Hashes) -> Indices:
    """int (pairs,): the pairs from the most to the least like the domain.

    Equal scores are ordered by the content of the pairs, not by where they are, then by their place.
    """
    return np.lexsort((combine(keys), scores)).astype(np.int64)
