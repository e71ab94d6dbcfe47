"""Do the two sides of a pair belong together? By word alignment; `test_unrelated_model.py` asks a model."""

from __future__ import annotations

import logging
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from mt.config import CleaningConfig, CorpusConfig, DataConfig
from mt.data.alignment_margins import AlignmentMargins, fits, margins
from mt.data.builder import build_data
from mt.data.collecting import Collection
from mt.data.engines.local import Local
from mt.data.fingerprints import Words
from mt.data.model_margins import PairScorer
from mt.data.report import CorpusReport, DataReport
from mt.data.store import PairStore
from mt.data.strangers import Margins, folds_of, nearest_in_length, similar, windows_of
from mt.data.unrelated import MOST_WRONG, find_stretches, judge, share_of_unrelated, with_doubt
from mt.data.unrelated_report import Stretch, Unrelated
from mt.data.word_links import Cells, Direction, expected_links, repeated_words, word_table
from mt.languages import ENGLISH_TO_ARABIC
from mt.report.data_card import as_markdown, card_view
from mt.report.data_page import render_data_card
from mt.text.glossary import DEFAULT as GLOSSARY
from tests.conftest import news_pairs

BY_ALIGNMENT = CleaningConfig(unrelated="alignment")


def corpus_file(path: Path, sources: list[str], targets: list[str]) -> CorpusConfig:
    lines = [f"{source}\t{target}\n" for source, target in zip(sources, targets, strict=True)]
    path.write_text("english\tarabic\n" + "".join(lines), encoding="utf-8")
    return CorpusConfig(path=str(path))


def built(
    tmp_path: Path,
    corpora: dict[str, CorpusConfig],
    cleaning: CleaningConfig = BY_ALIGNMENT,
    workers: int = 1,
    scorer: PairScorer | None = None,
) -> tuple[DataReport, set[int]]:
    """(the report, the line numbers of the first corpus that the rule dropped)."""
    config = DataConfig(corpora=corpora, cleaning=cleaning, workers=workers)
    _, report = build_data(config, tmp_path, scorer=scorer)
    lines = [line.split("\t") for line in (tmp_path / "rejected.tsv").read_text(encoding="utf-8").splitlines()]
    path = next(iter(corpora.values())).path
    places = [line[2].rpartition(":") for line in lines if line[0] == "unrelated"]
    return report, {int(line) for file, _, line in places if file == path}


def planted(targets: list[str], share: float = 0.05) -> tuple[list[str], set[int]]:
    """(the targets, of which some are another line's; the line numbers of these in a file with a header)."""
    rng, moved = random.Random(1), list(targets)
    places = rng.sample(range(len(targets)), round(share * len(targets)))
    for place in places:
        moved[place] = targets[(place + rng.randrange(200, 1500)) % len(targets)]
    return moved, {place + 2 for place in places if moved[place] != targets[place]}


# Pairs `a b` -> `x y` and `a` -> `x`: cells a-x, b-x, a-y, b-y of the first, a-x of the second.
WHICH, POSITIONS, SOURCES = np.array([0, 1, 2, 3, 0]), np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1])


def test_expected_links_by_hand():
    assert expected_links(WHICH, POSITIONS, SOURCES, rounds=1) == pytest.approx([1.5, 0.5, 0.5, 0.5])
    assert expected_links(WHICH, POSITIONS, SOURCES, rounds=2) == pytest.approx([1.6, 0.4, 1 / 3, 2 / 3])
    # As likely from nowhere as from the source: half of each position is expected of its links.
    background = np.array([2.0, 2.0, 1.0])
    assert expected_links(WHICH, POSITIONS, SOURCES, background=background, rounds=1) == pytest.approx(
        [0.75, 0.25, 0.25, 0.25]
    )


def test_tables_hold_the_words_that_several_sentences_have():
    words = Words(np.array([7, 5, 5, 9, 7, 5], np.uint64), np.array([3, 1, 0, 2]))  # 7 5 5 / 9 / - / 7 5
    assert repeated_words(words).tolist() == [5, 7]
    assert word_table(words, repeated_words(words)).toarray().tolist() == [[1, 1], [0, 0], [0, 0], [1, 1]]
    assert word_table(words, np.empty(0, np.uint64)).shape == (4, 0)


def test_links_are_learnt_in_both_directions_and_only_from_words_that_meet_twice():
    # Words 0 and 1 become 0 and 1; 2 meets its translation once.
    table = csr_array(np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1]], float))
    forward, backward = Cells.of(table, table).learn(np.ones(4, bool))
    for learnt in (forward, backward):
        ratios = learnt.ratios.toarray()
        assert ratios[0, 0] > ratios[0, 1]
        assert ratios[1, 1] > ratios[1, 0]
        assert not ratios[2].any()
        assert learnt.is_known.tolist() == [True, True, False]
    # What is left out teaches nothing: now 0 and 0 meet once.
    forward, _ = Cells.of(table, table).learn(np.array([True, False, True, True]))
    assert forward.is_known.tolist() == [False, True, False]


def test_how_well_sides_fit_by_hand():
    ratios = csr_array(np.array([[9.0, 0.0], [0.0, 0.0]]))
    sources = csr_array(np.array([[1.0, 1.0], [0.0, 1.0]]))  # a b / b
    targets = csr_array(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))  # x / x y / nothing known
    expected = [
        [np.log(12 / 5), (np.log(12 / 5) + np.log(3 / 5)) / 2, 0],
        [np.log(3 / 4), np.log(3 / 4), 0],
    ]
    found = fits(sources, targets, Direction(ratios, np.ones(2, bool)))
    assert found == pytest.approx(np.array(expected))


def test_margins_by_hand():
    scores = np.array([[5.0, 1, 2], [0, 4, 1], [1, 2, 6]])
    words = np.array([3, 3, 3])
    found = margins(scores, words, words, ~np.eye(3, dtype=bool))
    # The strangers of the first pair: its source with the other targets, 1 and 2, its target with the other sources,
    # 0 and 1.
    assert found.own.tolist() == [5 - 1, 4 - 1, 6 - 1.5]
    assert found.strangers == pytest.approx([1 - (2 + 0 + 1) / 3, 0 - (1 + 1 + 2) / 3, 1 - (2 + 2 + 1) / 3])
    assert found.words.tolist() == [3, 3, 3]
    # Without a known word, or without strangers, nothing is known.
    assert np.isnan(margins(scores, np.array([0, 3, 3]), words, ~np.eye(3, dtype=bool)).own[0])
    assert np.isnan(margins(scores, words, words, np.zeros((3, 3), bool)).own).all()


def test_strangers_are_nearby_and_about_as_long():
    assert folds_of(140)[[0, 31, 32, 64, 96, 127, 128]].tolist() == [0, 0, 1, 2, 3, 3, 0]
    assert [len(window) for window in windows_of(np.arange(700))] == [234, 233, 233]
    assert [len(window) for window in windows_of(np.arange(300))] == [300]
    assert not list(windows_of(np.arange(0)))
    near = nearest_in_length(np.array([5, 1, 2, 6]), 2)
    assert near[0].tolist() == [0, 3, 2]
    assert sorted(near[1].tolist()) == [0, 1, 2]
    # Two of three words in common are enough to have each other's translation.
    table = csr_array(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], float))
    assert similar(table).tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_the_benefit_of_the_doubt_by_hand():
    found = with_doubt(Margins(np.array([0.0, 0.0]), np.zeros(2), np.array([2.0, 10.0])), 6.0)
    assert found == pytest.approx([2.0, 6 / 11])


def test_the_share_of_unrelated_pairs_by_hand():
    strangers = np.array([-1.0, 0.0, 1.0, 2.0, 3.0])  # a quarter is at most 0
    own, words = np.concatenate([np.full(3, -2.0), np.full(117, 5.0), np.full(80, -2.0)]), np.full(200, 6.0)
    words[120:] = 5
    # Of those with six words and more, three in 120 are in the strangers' lowest quarter.
    assert share_of_unrelated(Margins(own, own, words), strangers) == pytest.approx(4 * 3 / 120)
    # Too few of them say nothing, so all pairs do.
    words[:21] = 5
    assert share_of_unrelated(Margins(own, own, words), strangers) == 1
    assert share_of_unrelated(Margins.unknown(0), strangers) == 0


def test_stretches():
    def lows(*runs: tuple[bool, int]) -> np.ndarray:
        return np.concatenate([np.full(count, low) for low, count in runs])

    # ln(0.4 / 0.05) = 2.08 for each that is low, and 20 are needed: ten in a row, but not nine.
    assert find_stretches(lows((False, 500), (True, 10), (False, 500))) == [(500, 509)]
    assert find_stretches(lows((False, 500), (True, 9), (False, 500))) == []
    assert find_stretches(np.tile([False, False, True, False], 100)) == []
    every_second = np.concatenate([np.zeros(1000, bool), np.tile([True, False], 30), np.zeros(1000, bool)])
    assert find_stretches(every_second) == [(1000, 1058)]
    two = lows((True, 15), (False, 1000), (True, 15))
    assert find_stretches(two) == [(0, 14), (1015, 1029)]
    # Half of everything is a stretch too.
    assert find_stretches(lows((False, 100), (True, 100))) == [(100, 199)]
    assert find_stretches(np.zeros(0, bool)) == []


def test_planted_mismatches_are_found_in_every_split(tmp_path: Path):
    sources, targets = news_pairs()
    moved, wrong = planted(targets)
    report, dropped = built(tmp_path, {"news": corpus_file(tmp_path / "news.tsv", sources, moved)})
    others = {int(line.split("\t")[2].rpartition(":")[2]) for line in _rejected(tmp_path) if "unrelated" not in line}
    assert len(dropped & wrong) >= 0.8 * len(wrong - others)
    assert len(dropped - wrong) <= 0.005 * len(sources)
    account = report.corpora["news"].unrelated
    assert account is not None
    assert account.dropped == report.corpora["news"].dropped["unrelated"] == len(dropped)
    assert account.wrong <= MOST_WRONG


def _rejected(directory: Path) -> list[str]:
    return (directory / "rejected.tsv").read_text(encoding="utf-8").splitlines()[1:]


def test_a_sound_corpus_loses_nothing(tmp_path: Path):
    report, dropped = built(tmp_path, {"news": corpus_file(tmp_path / "news.tsv", *news_pairs())})
    assert not dropped
    assert report.corpora["news"].unrelated is not None
    assert not report.corpora["news"].unrelated.reason


@pytest.mark.parametrize("pairs", [30, 150])
def test_of_a_corpus_too_small_to_learn_from_nothing_is_dropped_and_the_card_says_so(
    tmp_path: Path, pairs: int, caplog: pytest.LogCaptureFixture
):
    sources, targets = (side[:: len(side) // pairs][:pairs] for side in news_pairs())
    if pairs > 100:
        # Nothing can be learnt of translations that are all another line's.
        targets = [*targets[40:], *targets[:40]]
    with caplog.at_level(logging.WARNING):
        report, dropped = built(
            tmp_path,
            {"news": corpus_file(tmp_path / "news.tsv", sources, targets)},
            replace(BY_ALIGNMENT, numbers="none"),
        )
    assert not dropped
    account = report.corpora["news"].unrelated
    assert account is not None
    assert account.reason
    assert f"but no pair was dropped: {account.reason}." in as_markdown(report)
    assert "news: data.cleaning.unrelated drops nothing: " in caplog.text


def test_what_a_large_corpus_teaches_helps_a_small_one(tmp_path: Path):
    sources, targets = news_pairs()
    wrong = [targets[300 + i] if i % 10 == 0 else targets[i] for i in range(150)]
    small = corpus_file(tmp_path / "small.tsv", sources[:150], wrong)
    large = corpus_file(tmp_path / "large.tsv", sources[150:], targets[150:])
    _, alone = built(tmp_path, {"small": small})
    _, together = built(tmp_path, {"small": small, "large": large})
    planted_lines = {i + 2 for i in range(0, 150, 10)}
    assert len(together & planted_lines) > len(alone & planted_lines)
    assert len(together & planted_lines) >= 10
    assert not together - planted_lines


def test_workers_change_nothing(tmp_path: Path):
    sources, targets = news_pairs()
    file = corpus_file(tmp_path / "news.tsv", sources, planted(targets)[0])
    found = []
    for workers in (1, 3):
        (tmp_path / str(workers)).mkdir()
        report, dropped = built(tmp_path / str(workers), {"news": file}, workers=workers)
        found.append((dropped, report.as_json()))
    assert found[0] == found[1]


def test_a_sample_is_enough_to_learn_from_and_small_corpora_are_in_it(tmp_path: Path):
    sources, targets = news_pairs()
    config = DataConfig(corpora={"news": corpus_file(tmp_path / "news.tsv", sources, targets)}, workers=1)
    with PairStore(tmp_path) as store:
        Collection(config, {}, ENGLISH_TO_ARABIC).store_in(store, Local(1))
        keys = store.column("pairs", np.uint64)
        parts = [np.arange(30), np.arange(30, store.size)]
        few = AlignmentMargins(store, parts, keys, max_cells=50_000)
        cells = store.column("source_counts", np.int64) * store.column("target_counts", np.int64)
        assert few.sample[:30].tolist() == list(range(30))
        assert 45_000 < cells[few.sample].sum() <= 50_000
        assert np.nanmedian(few.of(parts[1]).own) > 1


def test_clean_false_is_left_alone_and_pinned_corpora_are_not(tmp_path: Path):
    sources, targets = news_pairs()
    moved, wrong = planted(targets)
    file = corpus_file(tmp_path / "news.tsv", sources, moved)
    report, dropped = built(tmp_path, {"news": replace(file, clean=False, split="train")} | _held_out(tmp_path))
    assert not dropped
    assert report.corpora["news"].unrelated is None
    # What is pinned to a split is cleaned all the same, as by every rule.
    _, dropped = built(
        tmp_path, {"news": replace(file, split="test"), "more": CorpusConfig(path=str(tmp_path / "m.tsv"))}
    )
    assert len(dropped & wrong) > 0.6 * len(wrong)


def _held_out(tmp_path: Path) -> dict[str, CorpusConfig]:
    sources = [f"Sentence {letter} of several words." for letter in "abcdefghi"]
    targets = [f"جملة {'ن' * place} من كلمات" for place in range(1, 10)]
    return {"more": corpus_file(tmp_path / "m.tsv", sources, targets)}


def test_test_sets_are_neither_learnt_from_nor_judged(tmp_path: Path):
    sources, targets = news_pairs()
    config = DataConfig(
        corpora={"news": corpus_file(tmp_path / "news.tsv", sources[:800], targets[:800])},
        cleaning=BY_ALIGNMENT,
        workers=1,
    )
    wrong = {"other": corpus_file(tmp_path / "other.tsv", sources[800:1600], targets[900:1600] + targets[800:900])}
    found = []
    for name, test_sets in (("with", wrong), ("without", {})):
        (tmp_path / name).mkdir()
        _, report = build_data(config, tmp_path / name, test_sets)
        found.append(report.corpora["news"].unrelated)
    assert found[0] == found[1]
    assert "other.tsv\t" not in (tmp_path / "with" / "rejected.tsv").read_text(encoding="utf-8")


def test_terms_are_not_judged(tmp_path: Path):
    corpora = {"news": corpus_file(tmp_path / "news.tsv", *news_pairs())}
    corpora["terms"] = CorpusConfig(path=str(GLOSSARY), format="glossary")
    report, _ = built(tmp_path, corpora)
    assert report.corpora["news"].unrelated is not None
    assert report.corpora["terms"].unrelated is None


def test_nothing_is_dropped_where_bad_pairs_are_everywhere(tmp_path: Path):
    # Every third pair fits like a stranger, and no line is where it begins.
    own = np.where(np.arange(300) % 3 == 0, 0.0, 6.0)
    margins = Margins(own, np.linspace(-2, 2, 300), np.full(300, 20.0))
    with PairStore(tmp_path) as store:
        verdict = judge(margins, "alignment", store, np.arange(300))
    assert not verdict.dropped.any()
    assert verdict.account.reason.startswith("33% of 300 pairs fit no better than 95 % of strangers do, so too little")


def test_off_by_default(tmp_path: Path):
    sources, targets = news_pairs()
    file = corpus_file(tmp_path / "news.tsv", sources, planted(targets)[0])
    report, dropped = built(tmp_path, {"news": file}, CleaningConfig())
    assert not dropped
    assert report.corpora["news"].unrelated is None


def test_where_bad_pairs_begin_is_said_in_the_card_and_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    sources, targets = news_pairs()
    half = len(targets) // 2
    moved = [*targets[:half], *random.Random(1).sample(targets[half:], len(targets) - half)]
    file = corpus_file(tmp_path / "news.tsv", sources, moved)
    with caplog.at_level(logging.WARNING):
        report, dropped = built(tmp_path, {"news": file})
    account = report.corpora["news"].unrelated
    assert account is not None
    (stretch,) = account.stretches
    assert int(stretch.first.rpartition(":")[2]) == pytest.approx(half + 2, abs=15)
    assert stretch.last == ""
    assert sum(line < half - 15 for line in dropped) <= 5
    assert f"news: from about {stretch.first} on, " in caplog.text
    number = stretch.first.rpartition(":")[2]
    assert re.search(rf"\*\*Warning:\*\* from about \S+news\.tsv:{number} on, ", as_markdown(report))
    page = render_data_card("Data", card_view(report))
    assert f'<p class="bad">Warning: from about {stretch.first} on, ' in page


def test_the_account_survives_its_file():
    account = Unrelated("model", 200, 3, 95, 1.5, 6.0, 0.01, "", [Stretch("a.tsv:7", "", 30, 20)])
    report = CorpusReport(read=1, unrelated=account)
    assert CorpusReport.from_json(report.as_json()) == report
    assert CorpusReport.from_json({**report.as_json(), "unrelated": None}).unrelated is None
