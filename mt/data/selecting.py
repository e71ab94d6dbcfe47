"""Which pairs are kept, and in which split: the rules that compare pairs with each other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mt.config import CorpusConfig, DataConfig
from mt.data.decontamination import overlaps_in_parts
from mt.data.engines.engine import Engine
from mt.data.holding_out import HoldingOut
from mt.data.model_margins import PairScorer
from mt.data.neighbours import Clusters, Search, find_clusters
from mt.data.selection import Indices, Mask, combine, first_of_equals, rank_among_equals
from mt.data.splitting import (
    DEV,
    SPLITS,
    TEST,
    TRAIN,
    assign_levels,
    fill_empty_splits,
    find_leaks,
    group_names,
    group_pairs,
    held_out_few,
    over_limit,
    whole_units,
)
from mt.data.store import SIDES, PairStore, SideColumns
from mt.data.triples import Levels
from mt.data.unrelated import details, find_unrelated, mask_of
from mt.data.unrelated_report import Unrelated

logger = logging.getLogger(__name__)

DROPS = (
    *("end of the corpus", "exact duplicate", "near duplicate", "too many targets", "unrelated"),
    *("template in training", "like a held-out pair", "words of a held-out pair", "over the limit"),
)
"""Rules that compare pairs with each other, in the order in which they are applied."""

UNSETTLED = "end of the corpus"
"""The rule for the last lines of a corpus held out by block, whose split may still change as the corpus grows."""

TEMPLATE = "template in training"
"""The rule for held-out pairs of a template that much of a corpus follows."""

LEFT = -1
"""Instead of the number of a rule: nothing is wrong with the pair, but `data.corpora.NAME.select` did not take it."""

LEAKS = ("like a held-out pair", "words of a held-out pair")
"""The rules of `DROPS` that keep the splits apart."""

# If similar held-out pairs would cost a corpus more than this share of its pairs, those are dropped instead.
_MOST_LOST = 0.25
_FEWEST_ALIKE = 20


@dataclass
class Selection:
    """What happens to every pair, by its number in the store."""

    levels: Levels
    is_own: Mask
    """False for pairs of test sets, which are in no split but which training must not overlap with."""
    is_ruled: Mask
    """False for pairs of corpora with `clean: false`."""
    dropped: NDArray[np.int8]
    """0 for kept pairs, otherwise the number of the rule in `DROPS`, from 1, or `LEFT`."""
    conflicting: Indices
    """The pair because of which a pair was dropped, or -1."""
    groups: NDArray[np.uint64]
    """The names of the groups of similar pairs, as hashes."""
    details: dict[int, str] = field(default_factory=dict)
    """What else is to be said of a dropped pair."""
    unrelated: dict[str, Unrelated] = field(default_factory=dict)
    """What the rule `unrelated` did, by corpus."""

    @property
    def kept(self) -> Mask:
        """Pairs that no rule has dropped, those of test sets included."""
        is_kept: Mask = self.dropped == 0
        return is_kept

    def drop(self, pairs: Mask, rule: str, conflicting: Indices | None = None) -> None:
        """Drop those of `pairs` that are still kept; pairs of test sets stay."""
        pairs = pairs & self.kept & self.is_own
        self.dropped[pairs] = DROPS.index(rule) + 1
        if conflicting is not None:
            self.conflicting[pairs] = conflicting[pairs]


def select_pairs(
    store: PairStore,
    config: DataConfig,
    corpora: Sequence[CorpusConfig],
    holding_out: HoldingOut,
    work: Path,
    engine: Engine,
    scorer: PairScorer | None = None,
) -> Selection:
    """Apply the rules of `DROPS` and assign the splits.

    corpora: those of the store, in order; those that are not in `config` are test sets. work: for parts of the
    searches, of which those are used again that an interrupted selection of the same pairs has left there. scorer: the
    model of the rule `unrelated`. Raises `OSError` if the disk is full, and `ModelError` if that model is of no use.
    """
    sides = [store.side(name) for name in SIDES]
    positions, corpus_of = holding_out.positions, store.column("corpora", np.int32)
    selection = _everything(_levels(positions, corpus_of, config, corpora), corpus_of, config, corpora)
    levels = selection.levels
    selection.drop(holding_out.is_unsettled, UNSETTLED)
    is_divided = np.array([corpus.own_split is None for corpus in corpora])[corpus_of]
    _drop_duplicates(selection, config, is_divided, store)
    _drop_unrelated(selection, config, store, scorer, work, engine)
    logger.info("looking for neighbours among %d pairs", int(selection.kept.sum()))
    # One side after the other: a search takes a table of half a gibibyte.
    clusters = [
        find_clusters(side, levels, selection.kept, config.similarity, Search(work / name, engine))
        for name, side in zip(SIDES, sides, strict=True)
    ]
    _drop_alike(selection, config, clusters)
    _drop_templates(selection, corpus_of, is_divided, clusters)
    conflicting = find_leaks(clusters, selection.levels, selection.kept)
    selection.drop(conflicting >= 0, "like a held-out pair", conflicting)
    _drop_overlaps(selection, config, sides, work, engine)
    kept = selection.kept & selection.is_own
    alike = group_pairs(clusters, kept)
    groups = whole_units(alike, holding_out.units)
    for level, limit in ((DEV, config.max_dev_pairs), (TEST, config.max_test_pairs)):
        selection.drop(over_limit(kept & (levels == level), groups, positions, limit), "over the limit")
    groups[selection.dropped > 0] = -1
    names = group_names(groups, sides[0].keys)
    selection.groups = np.where(holding_out.units > 0, holding_out.units, names)
    selection.levels = _fill(levels, is_divided & (groups >= 0), groups, positions, config)
    return selection


def _everything(
    levels: Levels, corpus_of: NDArray[np.int32], config: DataConfig, corpora: Sequence[CorpusConfig]
) -> Selection:
    """The selection of all pairs, before any rule."""
    size = len(levels)
    return Selection(
        levels,
        corpus_of < len(config.corpora),
        np.array([corpus.clean for corpus in corpora])[corpus_of],
        dropped=np.zeros(size, np.int8),
        conflicting=np.full(size, -1, np.int64),
        groups=np.zeros(size, np.uint64),
    )


def _levels(
    positions: NDArray[np.float64], corpus_of: NDArray[np.int32], config: DataConfig, corpora: Sequence[CorpusConfig]
) -> Levels:
    levels = assign_levels(positions, config.dev_share, config.test_share)
    for index, corpus in enumerate(corpora):
        if index >= len(config.corpora):
            levels[corpus_of == index] = TEST
        elif corpus.own_split is not None:
            levels[corpus_of == index] = SPLITS.index(corpus.own_split)
    return levels


def _drop_duplicates(
    selection: Selection,
    config: DataConfig,
    is_divided: Mask,
    store: PairStore,
) -> None:
    cleaning = config.cleaning
    # The copy of a test set's pair is a leak, not a duplicate; so is a copy in a corpus pinned to another split.
    # If documents or blocks in different splits contain the same pair, the first one keeps it, so that a new article
    # never takes it away.
    split = np.where(selection.is_own, selection.levels, TEST + 1)
    corpora = np.where(selection.is_own & is_divided, TEST + 2, split)
    for rule, is_on, names in (
        ("exact duplicate", cleaning.duplicates, ["pairs"]),
        ("near duplicate", cleaning.near_duplicates != "none", [f"{side}_letters" for side in SIDES]),
    ):
        first = first_of_equals(combine(*(store.column(name, np.uint64) for name in names), corpora))
        selection.drop((first != np.arange(len(first))) & selection.is_ruled & is_on, rule, first)
    if cleaning.max_targets_per_source is not None:
        rank = np.zeros(len(split), np.int64)
        rank[selection.kept] = rank_among_equals(
            combine(store.column(f"{SIDES[0]}_letters", np.uint64), split)[selection.kept]
        )
        selection.drop((rank >= cleaning.max_targets_per_source) & selection.is_ruled, "too many targets")


def _drop_unrelated(
    selection: Selection,
    config: DataConfig,
    store: PairStore,
    scorer: PairScorer | None,
    work: Path,
    engine: Engine,
) -> None:
    if config.cleaning.unrelated == "none":
        return
    learnt = selection.kept & selection.is_own
    is_term = np.array([corpus.is_glossary for corpus in config.corpora.values()] + [False])
    corpus_of = np.minimum(store.column("corpora", np.int32), len(config.corpora))
    judged = learnt & selection.is_ruled & ~is_term[corpus_of]
    verdicts = find_unrelated(store, config, learnt, judged, scorer, work, engine)
    selection.drop(mask_of(verdicts, store.size), "unrelated")
    selection.details = details(verdicts)
    selection.unrelated = {name: verdict.account for name, (_, verdict) in verdicts.items()}


def _drop_alike(selection: Selection, config: DataConfig, clusters: Sequence[Clusters]) -> None:
    if config.cleaning.near_duplicates != "neighbours":
        return
    kept = selection.kept & selection.is_own
    groups = [group_pairs([side], kept) for side in clusters]
    members = np.flatnonzero(kept)
    first = np.arange(len(kept))
    both = combine(*(side[members] for side in groups), selection.levels[members])
    first[members] = members[first_of_equals(both)]
    selection.drop((first != np.arange(len(first))) & selection.is_ruled, "near duplicate", first)


def _drop_templates(
    selection: Selection, corpus_of: NDArray[np.int32], is_divided: Mask, clusters: Sequence[Clusters]
) -> None:
    """If similar pairs in several splits make up much of a corpus, drop the few held-out ones, not the many others.

    Daily reports from one template are all similar: nine tenths of them would be dropped because of one. No pair is
    moved. Counts the leaks among divided pairs only, `select_pairs` those of all pairs; either takes about a
    millisecond for 10,000 pairs.
    """
    divided = selection.kept & selection.is_own & is_divided
    is_lost = find_leaks(clusters, selection.levels, divided) >= 0
    lost, whole = (
        np.bincount(corpus_of[pairs], minlength=corpus_of.max(initial=0) + 1) for pairs in (is_lost, divided)
    )
    is_costly = lost > _MOST_LOST * whole
    if is_costly.any():
        members = divided & is_costly[corpus_of]
        groups = group_pairs(clusters, divided)
        too_many = held_out_few(groups, members, selection.levels, _FEWEST_ALIKE)
        selection.drop(too_many, TEMPLATE)


def _drop_overlaps(
    selection: Selection, config: DataConfig, sides: Sequence[SideColumns], work: Path, engine: Engine
) -> None:
    for name, side in zip(SIDES, sides, strict=True) if config.decontaminate_words is not None else ():
        training = selection.kept & selection.is_own & (selection.levels == TRAIN)
        held_out = selection.kept & (selection.levels > TRAIN)
        length = config.decontaminate_words or 0
        conflicting = overlaps_in_parts(side, training, held_out, length, work / name, engine)
        selection.drop(conflicting >= 0, "words of a held-out pair", conflicting)


def _fill(levels: Levels, is_free: Mask, groups: Indices, positions: NDArray[np.float64], config: DataConfig) -> Levels:
    shares = {DEV: config.dev_share, TEST: config.test_share}
    wanted = [level for level, share in shares.items() if share > 0]
    filled = fill_empty_splits(levels, is_free, groups, positions, wanted)
    if (filled != levels).any():
        logger.info("few sentences or documents: dev or test would be empty, so the nearest group was moved there")
    return filled
