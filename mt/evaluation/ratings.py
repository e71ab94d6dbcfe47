"""Statistics of blind reviews: which system the reviewers prefer, and how far they agree."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, cast

import krippendorff
from scipy.stats import binomtest

from mt.errors import DataError
from mt.evaluation.blind_review import hypothesis_hash
from mt.evaluation.rating_files import Item, RatingsFile, check_reviewers, check_test_set, read_ratings_file

logger = logging.getLogger(__name__)

Verdict = Literal["system", "baseline", "both_good", "both_bad"]

_VERDICTS: tuple[Verdict, ...] = ("system", "baseline", "both_good", "both_bad")


@dataclass(frozen=True)
class Rating:
    """One reviewer's rating of one sentence, with sides resolved to systems."""

    sentence: int
    """Index in the test set, from 0."""
    reviewer: str
    verdict: Verdict
    comment: str
    saw_reference: bool


@dataclass(frozen=True)
class Preference:
    """Blind ratings of a system against the baseline on one test set.

    `system_wins`, `baseline_wins`, `both_good` and `both_bad` count ratings. Several ratings of one sentence are not
    independent, so interval and p-value count sentences: a sentence is decided for the system that more of its
    reviewers prefer, and undecided in a tie. With one reviewer, both ways of counting give the same numbers.
    """

    test_set: str
    system: str
    baseline: str
    reviewers: tuple[str, ...]
    sentences: int
    """Sentences rated by at least one reviewer."""
    system_wins: int
    baseline_wins: int
    both_good: int
    both_bad: int
    saw_reference: int
    """Ratings given while the reference was shown."""
    sentences_for_system: int
    sentences_for_baseline: int
    rate: float | None
    """Share of decided sentences that are decided for the system, 0 to 1; None if none is decided."""
    ci_low: float | None
    """Lower end of the 95 % Wilson interval of `rate`."""
    ci_high: float | None
    p_value: float
    """Exact two-sided sign test against a `rate` of one half."""
    shared_sentences: int
    """Sentences rated by at least two reviewers, on which agreement is measured."""
    agreement: float | None
    """Share of equal pairs among all pairs of ratings of the same sentence, 0 to 1."""
    alpha: float | None
    """Krippendorff's alpha: 1 for full agreement, 0 for chance; None if undefined, as when all ratings are equal."""
    ratings: tuple[Rating, ...]
    """Sorted by sentence, then reviewer."""

    def as_json(self) -> dict[str, Any]:
        """This preference as a JSON object."""
        return {**asdict(self), "ratings": [asdict(rating) for rating in self.ratings]}


_Pair = tuple[str, str]
"""(baseline, system), in the order of the hypotheses."""


def read_ratings(files: Sequence[Path], hypotheses: Mapping[str, Mapping[str, Sequence[str]]]) -> list[Preference]:
    """The preferences in ratings files, one for each test set and pair of systems.

    hypotheses: by test set, then by system; of two systems, the first is the baseline. Sides are resolved by the
    hashes of translations, so labels may have changed since the review. If several pairs of systems wrote all the
    translations of a page, it counts for each pair. If a reviewer rated a sentence on several pages, the first file
    counts, with a warning.

    Raises `DataError` for a file that is not a ratings file, for ratings of other translations, and for two files of
    one reviewer and page.
    """
    read = [read_ratings_file(path) for path in files]
    check_reviewers(read)
    hashes = _hashes({file.test_set for file in read}, hypotheses)
    found: dict[tuple[str, _Pair], list[Rating]] = defaultdict(list)
    for file in read:
        for pair, ratings in _resolve(file, hypotheses, hashes).items():
            found[file.test_set, pair] += ratings
    order = {(test_set, pair): None for test_set, systems in hypotheses.items() for pair in combinations(systems, 2)}
    return [_preference(test_set, pair, found[test_set, pair]) for test_set, pair in order if (test_set, pair) in found]


def _hashes(
    wanted: Iterable[str], hypotheses: Mapping[str, Mapping[str, Sequence[str]]]
) -> dict[str, dict[str, list[str]]]:
    """The hashes of the hypotheses of the test sets in `wanted`."""
    return {
        test_set: {system: [hypothesis_hash(line) for line in lines] for system, lines in hypotheses[test_set].items()}
        for test_set in wanted
        if test_set in hypotheses
    }


def _resolve(
    file: RatingsFile,
    hypotheses: Mapping[str, Mapping[str, Sequence[str]]],
    hashes: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[_Pair, list[Rating]]:
    """A file's ratings for every pair of systems that wrote all its translations."""
    check_test_set(file, hypotheses)
    systems = hashes[file.test_set]
    found = {}
    for pair in combinations(systems, 2):
        verdicts = [_verdict(item, pair, systems) for item in file.items]
        if None not in verdicts:
            found[pair] = [_rating(file, x, v) for x, v in zip(file.items, verdicts, strict=True) if v is not None]
    if not found:
        raise DataError(_unknown(file, systems))
    return found


def _verdict(item: Item, pair: _Pair, hashes: Mapping[str, Sequence[str]]) -> Verdict | None:
    """The item's choice in terms of baseline and system; None if they did not write its translations."""
    if not 0 <= item.sentence < len(hashes[pair[0]]):
        return None
    baseline, system = (hashes[name][item.sentence] for name in pair)
    if baseline == system or {item.left, item.right} != {baseline, system}:
        return None
    if item.choice in ("both_good", "both_bad"):
        return cast(Verdict, item.choice)
    preferred = item.left if item.choice == "left" else item.right
    return "system" if preferred == system else "baseline"


def _rating(file: RatingsFile, item: Item, verdict: Verdict) -> Rating:
    return Rating(item.sentence, file.reviewer, verdict, item.comment, item.saw_reference)


def _unknown(file: RatingsFile, hashes: Mapping[str, Sequence[str]]) -> str:
    """Why a file matches no two systems; names the first translation that no system wrote, if there is one."""
    remedy = "evaluate the translations that were reviewed, preferably as text files"
    for item in file.items:
        written = {lines[item.sentence] for lines in hashes.values() if 0 <= item.sentence < len(lines)}
        for side, value in (("left", item.left), ("right", item.right)):
            if value not in written:
                return (
                    f"{file.path}: of sentence {item.sentence + 1}, the {side} translation (SHA-256 {value[:12]}...) "
                    f"is not by any of {', '.join(hashes)}; {remedy}"
                )
    return f"{file.path}: no two of {', '.join(hashes)} wrote all the translations that were rated; {remedy}"


def _preference(test_set: str, pair: _Pair, given: Sequence[Rating]) -> Preference:
    ratings = sorted(_first_only(test_set, given), key=lambda rating: (rating.sentence, rating.reviewer))
    counts = Counter(rating.verdict for rating in ratings)
    by_sentence: dict[int, Counter[Verdict]] = defaultdict(Counter)
    for rating in ratings:
        by_sentence[rating.sentence][rating.verdict] += 1
    ahead = [votes["system"] - votes["baseline"] for votes in by_sentence.values()]
    wins, losses = sum(lead > 0 for lead in ahead), sum(lead < 0 for lead in ahead)
    rate, low, high, p_value = _sign_test(wins, wins + losses)
    shared = [votes for votes in by_sentence.values() if votes.total() > 1]
    return Preference(
        test_set=test_set,
        system=pair[1],
        baseline=pair[0],
        reviewers=tuple(sorted({rating.reviewer for rating in ratings})),
        sentences=len(by_sentence),
        system_wins=counts["system"],
        baseline_wins=counts["baseline"],
        both_good=counts["both_good"],
        both_bad=counts["both_bad"],
        saw_reference=sum(rating.saw_reference for rating in ratings),
        sentences_for_system=wins,
        sentences_for_baseline=losses,
        rate=rate,
        ci_low=low,
        ci_high=high,
        p_value=p_value,
        shared_sentences=len(shared),
        agreement=_percentage_agreement(shared),
        alpha=_alpha(shared),
        ratings=tuple(ratings),
    )


def _first_only(test_set: str, ratings: Sequence[Rating]) -> list[Rating]:
    first: dict[tuple[int, str], Rating] = {}
    for rating in ratings:
        first.setdefault((rating.sentence, rating.reviewer), rating)
    if len(first) < len(ratings):
        logger.warning(
            "ratings of %s: %d were left out because the same reviewer rated the sentence on another page, too",
            test_set,
            len(ratings) - len(first),
        )
    return list(first.values())


def _sign_test(wins: int, decided: int) -> tuple[float | None, float | None, float | None, float]:
    """(rate, lower and upper end of the Wilson interval, p-value); (None, None, None, 1) without decided sentences."""
    if decided == 0:
        return None, None, None, 1.0
    test = binomtest(wins, decided, 0.5)
    interval = test.proportion_ci(0.95, method="wilson")
    return wins / decided, float(interval.low), float(interval.high), float(test.pvalue)


def _percentage_agreement(shared: Sequence[Counter[Verdict]]) -> float | None:
    if not shared:
        return None
    agreeing = sum(votes * (votes - 1) for counts in shared for votes in counts.values())
    return agreeing / sum(counts.total() * (counts.total() - 1) for counts in shared)


def _alpha(shared: Sequence[Counter[Verdict]]) -> float | None:
    """Nominal alpha of the four verdicts (Hayes & Krippendorff, 2007; Krippendorff, 2011)."""
    if len(set().union(*shared)) < 2:
        return None  # if all ratings are equal, chance agreement is undefined
    value_counts = [[votes[verdict] for verdict in _VERDICTS] for votes in shared]
    return float(krippendorff.alpha(value_counts=value_counts, level_of_measurement="nominal"))
