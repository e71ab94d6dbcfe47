"""The check that a corpus yields pairs, and pairs that their file does not offer for use."""

import logging
from pathlib import Path

import pytest

from mt.config import CorpusConfig, DataConfig
from mt.data.builder import build_data, read_test_set
from mt.data.pair import Pair, Rejection
from mt.data.report import CorpusReport, DataReport
from mt.data.yield_check import check_yield
from mt.errors import DataError


def report(read: int, **dropped: int) -> CorpusReport:
    found = CorpusReport(read=read)
    for rule, count in dropped.items():
        for number in range(count):
            fault = Rejection(rule.replace("_", " "), "no target")
            found.drop(Pair("حرب.", f"A war {number}.", f"a.tsv:{number}", fault=fault))
    return found


def check(*reports: CorpusReport, **options: str) -> None:
    names = [f"corpus{number}" for number in range(len(reports))]
    corpora = {name: CorpusConfig(path=f"{name}.tsv", **options) for name in names}  # type: ignore[arg-type]
    check_yield(DataConfig(corpora=corpora), DataReport(dict(zip(names, reports, strict=True))))


GOOD = CorpusReport(read=100)


@pytest.mark.parametrize(
    "lost", [report(20, wrong_script=20), report(100, wrong_script=60, numbers=36), report(5, not_approved=5)]
)
def test_a_corpus_of_which_next_to_nothing_passes_stops_the_build(lost: CorpusReport):
    with pytest.raises(DataError, match=r"^corpus1\.tsv: of the \d+ pairs of corpus `corpus1`, (none|4) can be used"):
        check(GOOD, lost)


@pytest.mark.parametrize(
    "kept",
    [
        report(20, wrong_script=19),
        report(100, wrong_script=95),
        report(4, wrong_script=4),
        report(1000, exact_duplicate=600, near_duplicate=400),
        report(1000, wrong_script=500, near_duplicate=500),
    ],
)
def test_a_dirty_or_small_corpus_and_one_of_duplicates_are_let_pass(kept: CorpusReport):
    check(GOOD, kept)


def test_the_only_corpus_may_not_be_lost_however_small_it_is():
    with pytest.raises(DataError, match="of the 2 pairs of corpus `corpus0`, none can be used"):
        check(report(2, wrong_script=2))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_pinned_sets_are_not_looked_at(split: str):
    check(report(100, wrong_script=100), split=split)


def test_the_message_names_rule_examples_and_remedy():
    with pytest.raises(DataError) as caught:
        check(report(30, wrong_script=28, numbers=2))
    message = str(caught.value)
    assert "(28 wrong script, 2 numbers), as in a.tsv:0: حرب. / A war 0.; a.tsv:1: حرب. / A war 1.; a.tsv:2:" in message
    assert "The sides are exchanged: set source_column to the English and target_column to the Arabic" in message
    with pytest.raises(DataError, match=r"No target: complete the side that is missing, or name the columns"):
        check(report(30, empty_side=30))
    with pytest.raises(DataError, match=r"Set the corpus's keep_unapproved to true"):
        check(report(30, not_approved=30))


XLIFF = (
    '<xliff version="1.2"><file original="a" source-language="en" target-language="ar"><body>{}</body></file></xliff>'
)
UNIT = '<trans-unit id="{0}" approved="{1}"><source>{2}</source><target>{3}</target></trans-unit>'
PAIRS = [("The army took the northern hills.", "سيطر الجيش على التلال الشمالية."), ("A city burned.", "احترقت مدينة.")]


def xliff(path: Path, *approved: str) -> CorpusConfig:
    units = "".join(UNIT.format(n, state, *PAIRS[n]) for n, state in enumerate(approved))
    path.write_text(XLIFF.format(units), encoding="utf-8")
    return CorpusConfig(path=str(path))


def test_what_is_not_approved_is_counted_and_listed(tmp_path: Path):
    corpus = xliff(tmp_path / "a.xlf", "yes", "no")
    config = DataConfig(corpora={"news": corpus}, dev_share=0.0, test_share=0.0, workers=1)
    (tmp_path / "out").mkdir()
    splits, account = build_data(config, tmp_path / "out", {"more": xliff(tmp_path / "b.xlf", "no")})
    assert splits["train"]["source"] == [PAIRS[0][0]]
    assert account.dropped == {"not approved": 1}
    assert '\nnot approved\tapproved="no"\t' in (tmp_path / "out" / "rejected.tsv").read_text(encoding="utf-8")


def test_a_test_set_leaves_out_what_is_not_approved_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    corpus = xliff(tmp_path / "a.xlf", "no", "yes")
    with caplog.at_level(logging.WARNING):
        pairs = read_test_set("news", corpus, DataConfig())
    assert [pair.source for pair in pairs] == [PAIRS[1][0]]
    assert "test set `news`: 1 of 2 pairs is left out (1 not approved); the first is" in caplog.text


def test_a_table_read_by_the_wrong_columns(tmp_path: Path):
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{arabic}\t{english}\n" for english, arabic in PAIRS), encoding="utf-8")
    corpus = CorpusConfig(path=str(path), source_column="1", target_column="2")
    config = DataConfig(corpora={"news": corpus}, dev_share=0.0, test_share=0.0, workers=1)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"none can be used \(2 wrong script\), .*a\.tsv:1: .* sides are exchanged"):
        build_data(config, tmp_path / "out")
