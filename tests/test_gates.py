"""What is refused before anything is decoded: gates that would let everything pass, ratings counted twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mt.errors import DataError
from mt.evaluation.gates import check_rated_sets, refuse_seen_gate
from mt.evaluation.overlap import Overlap, Overlaps
from mt.evaluation.reading_test_sets import check_resampling, shared_test_set
from mt.evaluation.test_set import TestSet
from mt.runs import RunDirectory

# No digits, which count as the same.
LINES = [f"Sentence {first}{second}." for first in "abcdefghij" for second in "abcdefghijklmnopqrst"]


def overlap(seen: int) -> Overlap:
    return Overlap("tuned", "news", seen, 0, 0, len(LINES), tuple(range(1, seen + 1)))


def test_a_gate_leaves_out_a_few_sentences_that_were_seen_and_refuses_more():
    news = TestSet("news", LINES, LINES)
    refuse_seen_gate([news], Overlaps([overlap(0), overlap(2)]))  # up to one in a hundred
    with pytest.raises(DataError, match="cannot judge on test set `news`: tuned has seen 3 of the 200 sentences"):
        refuse_seen_gate([news], Overlaps([overlap(3)]))


def test_two_exports_of_one_review_are_refused_early(tmp_path: Path):
    item = {"sentence": 0, "left": "0" * 64, "right": "1" * 64, "choice": "left", "comment": "", "saw_reference": False}
    content = {"format": "mt-ratings-1", "reviewer": "Amal", "test_set": "news", "page": "a page", "items": [item]}
    for name in ("first.json", "again.json"):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    files, news = [tmp_path / "first.json", tmp_path / "again.json"], TestSet("news", LINES, LINES)
    check_rated_sets(files[:1], [news])
    with pytest.raises(DataError, match="both are Amal's ratings of the same page"):
        check_rated_sets(files, [news])


@pytest.mark.parametrize(("documents", "is_enough"), [(2, True), (1, False), (0, False)])
def test_resampling_by_document_needs_two_of_them(documents: int, is_enough: bool):
    names = [f"article {number % documents}" if documents else "" for number in range(len(LINES))]
    news = TestSet("news", LINES, LINES, documents=names, resampling="document")
    if is_enough:
        check_resampling(news)
    else:
        with pytest.raises(DataError, match="needs to know the documents of test set `news`"):
            check_resampling(news)


def test_runs_with_different_test_splits_need_a_test_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    row = {"source": "It ended.", "target": "انتهى.", "corpus": "news", "group": "1"}
    splits = {"a": [row], "b": [{**row, "source": "It began."}]}
    monkeypatch.setattr("mt.evaluation.reading_test_sets.load_splits", lambda run: {"test": splits[run.root.name]})
    with pytest.raises(DataError, match="the runs hold different test splits"):
        shared_test_set([RunDirectory(tmp_path / name) for name in splits])
