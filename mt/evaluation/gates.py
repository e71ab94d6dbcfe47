"""Checks of what `--fail_if_worse` and ratings need, before anything is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mt.errors import DataError
from mt.evaluation.overlap import Overlaps, overlap_caution
from mt.evaluation.rating_files import check_reviewers, check_test_set, read_ratings_file
from mt.evaluation.results import MIN_SENTENCES
from mt.evaluation.test_set import TestSet


def refuse_small_gate(test_sets: Sequence[TestSet]) -> None:
    """Refuse a test set that is too small for a verdict, on which every system would pass."""
    for test_set in test_sets:
        if test_set.distinct < MIN_SENTENCES:
            size, distinct = len(test_set.sources), test_set.distinct
            counted = f"{size}" if size == distinct else f"{distinct} distinct ones, repeated to {size}"
            raise DataError(
                f"--fail_if_worse needs at least {MIN_SENTENCES} sentences in a test set, and `{test_set.name}` has "
                f"{counted}; add sentences or leave out the option"
            )


def refuse_seen_gate(test_sets: Sequence[TestSet], overlaps: Overlaps) -> None:
    """Refuse a test set that a system was trained on, on which it would pass whatever it forgot."""
    named = {test_set.name: test_set for test_set in test_sets}
    cautions = (overlap_caution(overlap, named[overlap.test_set]) for overlap in overlaps.found)
    for caution in filter(None, cautions):
        if caution.forbids:
            raise DataError(
                f"--fail_if_worse cannot judge on test set `{caution.test_set}`: {caution.text}; take a test set "
                "that no system was trained on, or leave out the option and look up the sentences in scores.json"
            )


def check_rated_sets(ratings: Sequence[Path], test_sets: Sequence[TestSet]) -> None:
    """Refuse ratings of other test sets, before anything is decoded."""
    files = [read_ratings_file(file) for file in ratings]
    check_reviewers(files)
    names = [test_set.name for test_set in test_sets]
    for file in files:
        check_test_set(file, names)
