"""The rule `unrelated`: a pair is dropped if its two sides fit each other no better than they fit strangers.

How well sides fit is judged by word alignment or by a model. Either way a pair is compared with its own sentences in
other company: its source with the targets of other lines, its target with their sources. So no number of one corpus is
held against another's, and what is hard to translate is hard for the strangers, too. The threshold is what 19 in 20
strangers do not exceed, or fewer where that would drop too many good pairs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mt.config import DataConfig
from mt.data.alignment_margins import AlignmentMargins
from mt.data.engines.engine import Engine
from mt.data.model_margins import ModelMargins, PairScorer
from mt.data.parts import make_part
from mt.data.selection import Indices, Mask
from mt.data.store import PairStore
from mt.data.strangers import Floats, Margins
from mt.data.unrelated_report import Stretch, Unrelated

logger = logging.getLogger(__name__)

PERCENT = range(95, 49, -1)
"""Of strangers, so many percent do not exceed the threshold: the first number that drops few good pairs is taken."""

MOST_WRONG = 0.02
"""Share of the judged pairs that may be dropped although they belong together, by estimate; or a third of the drops."""

# A pair has the benefit of the doubt: it is judged as if it had one more word, which fits as usual.
_WORDS_OF_DOUBT = 1.0
_FEWEST_JUDGED = 100
_MANY_WORDS = 6
# Where more is low, outside of stretches, it is not known what good pairs look like.
_MOST_LOW = 0.25
# In a stretch of unrelated pairs at least this share is low, elsewhere between these; the log-likelihood that must tell
# them apart is that of ten low ones in a row, or sixteen in forty: chance does not do this in a million pairs.
_MIN_SHARE = 0.4
_ELSEWHERE = (0.05, _MOST_LOW)
_MIN_GAIN = 20.0
_MOST_STRETCHES = 5
# A stretch that ends this near the end of the corpus goes on to it.
_OPEN_PAIRS = 3


_PIECE_PAIRS = 50_000
_FILE = "margins.npy"


class Verdict(NamedTuple):
    """What is dropped from one corpus, and why."""

    dropped: Mask
    """bool (pairs,)."""
    margins: Floats
    """float64 (pairs,): what is compared with the threshold; NaN for pairs that are not judged."""
    account: Unrelated


def find_unrelated(
    store: PairStore,
    config: DataConfig,
    learnt: Mask,
    judged: Mask,
    scorer: PairScorer | None,
    work: Path,
    engine: Engine,
) -> dict[str, tuple[Indices, Verdict]]:
    """By corpus, its judged pairs and the verdict on them.

    learnt, judged: bool (pairs of the store,): which pairs word alignment learns from, and which may be dropped.
    scorer: for `data.cleaning.unrelated: model`. work: for margins, of which those are used again that an interrupted
    build has left there. Raises `ModelError` if the model does not tell pairs from strangers.
    """
    way = config.cleaning.unrelated
    corpus_of, names = store.column("corpora", np.int32), list(config.corpora)
    logger.info("looking for pairs that do not belong together, by %s", way)
    members = [np.flatnonzero(judged & (corpus_of == number)).astype(np.int64) for number in range(len(names))]
    source: AlignmentMargins | ModelMargins
    if way == "model":
        assert scorer is not None, "data.cleaning.unrelated is model, but the caller gave no model"
        source = ModelMargins(store, members, scorer)
    else:
        corpora = [np.flatnonzero(learnt & (corpus_of == number)).astype(np.int64) for number in range(len(names))]
        source = AlignmentMargins(store, corpora, store.column("pairs", np.uint64))
    found = {}
    for number, (name, pairs) in enumerate(zip(names, members, strict=True)):
        if len(pairs):
            verdict = judge(_margins(source, pairs, work / f"margins-{number}", engine), way, store, pairs)
            found[name] = pairs, verdict
            _log(name, verdict.account)
    return found


def _margins(source: AlignmentMargins | ModelMargins, pairs: Indices, part: Path, engine: Engine) -> Margins:
    """Those of the pairs of a corpus, piece by piece, because a model takes long. part: how names of parts begin."""
    found = []
    for number, piece in enumerate(np.array_split(pairs, -(-len(pairs) // _PIECE_PAIRS))):
        name = part.with_name(f"{part.name}-{number}")
        make_part(name, partial(_write_margins, source, piece, engine))
        found.append(np.load(name / _FILE))
    return Margins(*np.concatenate(found, axis=1))


def _write_margins(source: AlignmentMargins | ModelMargins, pairs: Indices, engine: Engine, directory: Path) -> None:
    np.save(directory / _FILE, np.stack(source.of(pairs, engine).rounded()))


def judge(margins: Margins, way: str, store: PairStore, pairs: Indices) -> Verdict:
    """Which of the pairs do not belong together. pairs: of one corpus, in file order."""
    places = np.flatnonzero(~(np.isnan(margins.own) | np.isnan(margins.strangers)))
    known = Margins(*(column[places] for column in margins))
    low, shown = np.zeros(len(pairs), bool), np.full(len(pairs), np.nan)
    if len(places) < _FEWEST_JUDGED:
        reason = f"words of {len(places)} pairs only are known, and {_FEWEST_JUDGED} are needed to judge"
        return Verdict(low, shown, Unrelated(way, len(places), 0, reason=reason))
    is_low = known.own <= np.quantile(known.strangers, PERCENT[0] / 100)
    stretches = find_stretches(is_low)
    outside = _outside(stretches, len(places))
    if outside.sum() < _FEWEST_JUDGED or is_low[outside].mean() > _MOST_LOW:
        reason = (
            f"{np.mean(is_low):.0%} of {len(places)} pairs fit no better than {PERCENT[0]} % of strangers do, so too "
            "little is known of its words, or most of its sides do not belong together"
        )
        return Verdict(low, shown, Unrelated(way, len(places), 0, reason=reason))
    told = [_told(store, pairs[places], stretch, is_low) for stretch in stretches[:_MOST_STRETCHES]]
    usual = float(np.median(known.own[outside]))
    shown[places] = own = with_doubt(known, usual)
    strangers = with_doubt(known._replace(own=known.strangers), usual)
    unrelated = share_of_unrelated(Margins(*(column[outside] for column in known)), known.strangers)
    for percent in PERCENT:
        threshold = float(np.quantile(known.strangers, percent / 100))
        # What is low beyond the unrelated pairs that are expected to be low belongs together.
        found = float(np.mean(strangers <= threshold)) * unrelated
        share_low = float(np.mean(own[outside] <= threshold))
        wrong = max(0.0, share_low - found)
        if wrong <= max(MOST_WRONG, share_low / 3):
            low[places] = own <= threshold
            account = Unrelated(way, len(places), int(low.sum()), percent, threshold, usual, wrong, "", told)
            return Verdict(low, shown, account)
    reason = f"by estimate, it would be more than {MOST_WRONG:.0%} of its pairs although they belong together"
    return Verdict(low, shown, Unrelated(way, len(places), 0, reason=reason, stretches=told))


def _outside(stretches: list[tuple[int, int]], size: int) -> Mask:
    found = np.ones(size, bool)
    for first, last in stretches:
        found[first : last + 1] = False
    return found


def with_doubt(margins: Margins, usual: float) -> Floats:
    """float64 (pairs,): the margins as if each pair had one more word, which fits as usual.

    Of two words with margin 0 and a usual one of 6: (2 * 0 + 6) / 3 = 2; of ten words 6 / 11 = 0.55.
    """
    found: Floats = (margins.words * margins.own + _WORDS_OF_DOUBT * usual) / (margins.words + _WORDS_OF_DOUBT)
    return found


def share_of_unrelated(margins: Margins, strangers: Floats) -> float:
    """Share of the pairs that do not belong together, about: 0 to 1. strangers: the margins of strangers.

    A quarter of the unrelated pairs have a margin in the strangers' lowest quarter, which few others have, if they have
    more than a few words. Unrelated pairs that are of one document are more alike, so this may be too low.
    """
    own = margins.own[margins.words >= _MANY_WORDS]
    if len(own) < _FEWEST_JUDGED:
        own = margins.own
    return min(4 * float(np.mean(own <= np.quantile(strangers, 0.25))), 1.0) if len(own) else 0.0


def find_stretches(is_low: Mask) -> list[tuple[int, int]]:
    """(first, last) of each stretch in which at least half of the pairs are low, far beyond chance, in order."""
    found: list[tuple[int, int]] = []
    elsewhere = float(np.clip(is_low.mean(), *_ELSEWHERE)) if len(is_low) else 0.05
    gain, loss = np.log(_MIN_SHARE / elsewhere), np.log((1 - _MIN_SHARE) / (1 - elsewhere))
    total, best, start, end = 0.0, 0.0, 0, -1
    for place, low in enumerate([*is_low.tolist(), None]):
        if low is not None:
            total += gain if low else loss
            if total > best:
                best, end = total, place
        if low is None or total <= 0 or total < best - _MIN_GAIN:
            if best >= _MIN_GAIN and np.mean(is_low[start : end + 1]) >= _MIN_SHARE:
                found.append((start, end))
            total, best, start = 0.0, 0.0, place + 1
    return found


def _told(store: PairStore, judged: Indices, stretch: tuple[int, int], is_low: Mask) -> Stretch:
    first, last = stretch
    ends = store.pairs(judged[[first, last]])
    inside, is_open = is_low[first : last + 1], last >= len(judged) - 1 - _OPEN_PAIRS
    until = "" if is_open else ends[int(judged[last])].origin
    return Stretch(ends[int(judged[first])].origin, until, len(inside), int(inside.sum()))


def _log(name: str, account: Unrelated) -> None:
    if account.reason:
        logger.warning("%s: data.cleaning.unrelated drops nothing: %s", name, account.reason)
    for stretch in account.stretches:
        logger.warning("%s: %s", name, stretch.in_words())


def details(verdicts: Mapping[str, tuple[Indices, Verdict]]) -> dict[int, str]:
    """By dropped pair, its margin beside the threshold, for rejected.tsv."""
    found = {}
    for pairs, verdict in verdicts.values():
        for place in np.flatnonzero(verdict.dropped).tolist():
            margin, threshold = verdict.margins[place], verdict.account.threshold
            found[int(pairs[place])] = f"margin {margin:.2f}, strangers up to {threshold:.2f}"
    return found


def mask_of(verdicts: Mapping[str, tuple[Indices, Verdict]], size: int) -> Mask:
    """bool (size,): the pairs of the store that are dropped."""
    found = np.zeros(size, bool)
    for pairs, verdict in verdicts.values():
        found[pairs[verdict.dropped]] = True
    return found
