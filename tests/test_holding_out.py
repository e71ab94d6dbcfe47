"""Held out means another document: by name where there is one, by blocks of lines where they stand in order."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mt.config import CleaningConfig, CorpusConfig, DataConfig
from mt.data.blocks import Blocks, Likeness, block_size, cut_blocks, likeness_at_gaps, measure_likeness
from mt.data.builder import build_data
from mt.data.fingerprints import fingerprint
from mt.data.holding_out import HeldOut, how_held_out, too_easy
from mt.data.report import DataReport
from mt.data.splitting import DEV, TEST, TRAIN, held_out_few, whole_units
from mt.data.store import SideColumns
from mt.errors import ConfigError, DataError

NO_RULES = CleaningConfig(language=False, max_repeats=None)
SYLLABLES = ["ba", "ko", "mi", "tur", "len", "sa", "fro", "ped", "gal", "nu", "rix", "dom"]
LETTERS = ["با", "كو", "مي", "تر", "لن", "سا", "فر", "بد", "جل", "نو", "رك", "دم"]


def word(number: int, parts: list[str]) -> str:
    return parts[number % 12] + parts[number // 12 % 12] + parts[number // 144 % 12]


def articles(count: int, sentences: int, seed: int = 1) -> list[tuple[str, str, str]]:
    """(source, target, document) of articles, each of which has six words of its own among common ones."""
    generator = np.random.default_rng(seed)
    rows = []
    for document in range(count):
        own = generator.integers(200, 1700, 6)
        for _ in range(sentences):
            numbers = [*generator.choice(own, 2, replace=False), *generator.integers(0, 200, 7)]
            generator.shuffle(numbers)
            texts = (" ".join(word(int(number), parts) for number in numbers) for parts in (SYLLABLES, LETTERS))
            rows.append((*texts, f"article {document}"))
    return rows


def build(directory: Path, rows: list[tuple[str, ...]], **options: object) -> tuple[dict[str, str], DataReport]:
    """(the split of each source, the account) of a corpus with a header."""
    directory.mkdir(exist_ok=True)
    file = directory / "news.tsv"
    header = "\t".join(("english", "arabic", "document")[: len(rows[0])])
    file.write_text("\n".join([header, *map("\t".join, rows)]) + "\n", encoding="utf-8")
    config = DataConfig(corpora={"news": CorpusConfig(path=str(file))}, cleaning=NO_RULES, **options)  # type: ignore[arg-type]
    data, report = build_data(config, directory)
    return {row["source"]: split for split in data for row in data[split].to_list()}, report


def side(sources: list[str]) -> SideColumns:
    words = (prints := fingerprint(sources, sources, "key").source).words
    return SideColumns(prints.keys, words.counts, np.cumsum(words.counts) - words.counts, words.hashes)


def test_likeness_of_lines_by_hand():
    # Forty lines in pairs: line 0 and 1 share `aaa`, 2 and 3 share `bbb` and so on; nothing else is shared.
    sources = [f"{word(number // 2, SYLLABLES)} {word(300 + number, SYLLABLES)}" for number in range(40)]
    found = measure_likeness(side(sources), np.arange(40))
    # Of 39 pairs of neighbours 20 share a word; of the 38 and 37 pairs at two and three lines none do.
    assert found == Likeness(20 / (39 + 38 + 37), 0.0, 4)
    assert measure_likeness(side(sources[:38]), np.arange(38)).reach == 0


def test_order_is_seen_and_its_absence_too():
    rows = articles(30, 20)
    sources = [source for source, _, _ in rows]
    assert measure_likeness(side(sources), np.arange(600)).reach in (16, 24)
    np.random.default_rng(3).shuffle(rows)
    assert measure_likeness(side([source for source, _, _ in rows]), np.arange(600)).reach == 0


def test_near_duplicates_in_a_row_are_no_order():
    # They are kept together in any order.
    bases = [
        " ".join(word(int(n), SYLLABLES) for n in np.random.default_rng(seed).integers(0, 1700, 9))
        for seed in range(60)
    ]
    sources = [f"{base} {tail}" for base in bases for tail in ("one", "two")]
    assert measure_likeness(side(sources), np.arange(len(sources))).reach == 0


@pytest.mark.parametrize(
    ("reach", "lines", "size"),
    [
        (5, 1000, 16),
        (24, 1000, 16),
        (25, 1000, 64),
        (96, 5000, 64),
        (97, 5000, 256),
        (97, 3000, 64),
        (64, 700, 16),
        (64, 50, 16),
    ],
)
def test_size_of_blocks(reach: int, lines: int, size: int):
    assert block_size(Likeness(0.3, 0.01, reach), lines) == size


def blocks_of(sources: list[str], size: int = 16) -> Blocks:
    return cut_blocks(side(sources), np.arange(len(sources)), size, "key")


def test_likeness_at_gaps_by_hand():
    sources = ["alpha beta", "alpha gamma", "delta epsilon", "delta zeta"]
    found = likeness_at_gaps(side(sources), np.arange(4), 1)
    # Weights: ln(lines seen + 1 over lines with the word) squared. Before line 1 stand alpha and beta, ln(2/1)² each;
    # behind it alpha, ln(3/2)², and gamma, ln(3/1)². They share alpha.
    alpha, gamma = math.log(3 / 2) ** 2, math.log(3) ** 2
    assert found[1] == pytest.approx(alpha / math.sqrt(2 * math.log(2) ** 2 * (alpha + gamma)), abs=1e-6)
    assert found[2] == pytest.approx(0)
    # delta: in two of four lines by then.
    delta, zeta = math.log(5 / 2) ** 2, math.log(5) ** 2
    assert found[3] == pytest.approx(delta / math.sqrt(2 * math.log(4) ** 2 * (delta + zeta)), abs=1e-6)


def test_likeness_at_gaps_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch):
    sources = [source for source, _, _ in articles(100, 20)]
    whole = likeness_at_gaps(side(sources), np.arange(2000), 4)
    monkeypatch.setattr("mt.data.blocks._CHUNK", 300)
    assert likeness_at_gaps(side(sources), np.arange(2000), 4) == pytest.approx(whole, abs=1e-9)


def test_blocks_begin_where_articles_do():
    starts = blocks_of([source for source, _, _ in articles(100, 20)]).starts
    assert (np.diff(starts) >= 12).all()
    assert (np.diff(starts) <= 24).all()
    assert (starts % 20 == 0).mean() > 0.8


def test_blocks_of_a_corpus_that_grows_at_its_end_stay():
    sources = [source for source, _, _ in articles(100, 20)]
    before, after = blocks_of(sources[:1300]), blocks_of(sources)
    count = len(before.starts)
    assert after.starts[:count].tolist() == before.starts.tolist()
    assert after.positions[: count + 1].tolist() == [*before.positions, before.next_position]
    assert before.unsettled <= after.starts[count]


@pytest.mark.slow
def test_lines_put_in_shift_only_the_blocks_around_them():
    sources = [source for source, _, _ in articles(600, 20)]
    grown = [*sources[:50], *(source for source, _, _ in articles(2, 20, seed=9)), *sources[50:]]
    splits = []
    for each in (sources, grown):
        blocks = blocks_of(each)
        splits.append(dict(zip(each, blocks.positions[blocks.of_lines(len(each))] < 0.1, strict=True)))
    assert sum(splits[0][source] != splits[1][source] for source in sources) < 0.15 * len(sources)


@pytest.mark.parametrize("blocks", [50, 500])
@pytest.mark.slow
def test_shares_are_kept_in_few_blocks_too(blocks: int):
    positions = blocks_of([source for source, _, _ in articles(blocks, 20)]).positions
    assert abs((positions < 0.1).mean() - 0.1) < 0.05


def test_documents_are_held_out_whole(tmp_path: Path):
    rows = articles(30, 20)
    np.random.default_rng(3).shuffle(rows)
    splits, report = build(tmp_path, rows)
    assert report.corpora["news"].held_out is not None
    assert (report.corpora["news"].held_out.by, report.corpora["news"].held_out.documents) == ("document", 30)
    for document in {document for _, _, document in rows}:
        assert len({splits[source] for source, _, d in rows if d == document and source in splits}) == 1
    assert {*splits.values()} == {"train", "dev", "test"}


def test_rows_of_a_held_out_document_have_one_group(tmp_path: Path):
    build(tmp_path, articles(30, 20))
    from datasets import load_from_disk

    test = load_from_disk(str(tmp_path / "data"))["test"]
    assert test.column_names == ["source", "target", "corpus", "group"]
    assert min(Counter(test["group"]).values()) > 10


def test_an_ordered_corpus_is_held_out_by_block(tmp_path: Path):
    rows = [row[:2] for row in articles(40, 20)]
    splits, report = build(tmp_path, rows)
    held_out = report.corpora["news"].held_out
    assert held_out is not None
    assert (held_out.by, held_out.block_lines) == ("block", 16)
    of_lines = [splits.get(source) for source, _ in rows]
    changes = sum(one != other for one, other in pairwise(of_lines) if one and other)
    # Sentence by sentence there are about 270.
    assert changes < 40
    again, _ = build(tmp_path / "again", rows)
    assert again == splits


@pytest.mark.slow
@pytest.mark.parametrize("lines", [900, 1000, 1010, 1020, 1030, 1040])
def test_growth_at_the_end_moves_no_pair(tmp_path: Path, lines: int):
    rows = [row[:2] for row in articles(80, 20)]
    before, report = build(tmp_path / "before", rows[:lines])
    after, _ = build(tmp_path / "after", rows)
    assert [source for source, split in before.items() if after.get(source, split) != split] == []
    # Lines that may yet begin a block of another split wait for it.
    assert report.dropped["end of the corpus"] <= 16


def test_a_new_article_takes_no_sentence_from_an_old_one(tmp_path: Path):
    rows = articles(60, 20)
    said_again = [(*rows[number][:2], f"new article {number}") for number in range(0, 600, 5)]
    old = [row[:3] for row in rows[:600]]
    before, _ = build(tmp_path / "before", old)
    after, _ = build(tmp_path / "after", [*old, *said_again, *said_again])
    assert {*before} == {*after}
    assert after == before


def test_new_documents_and_new_sentences_of_old_ones_move_no_pair(tmp_path: Path):
    rows = articles(60, 20)
    old = [row for number, row in enumerate(rows[:600]) if number % 20 < 12]
    before, _ = build(tmp_path / "before", old)
    np.random.default_rng(2).shuffle(rows)
    after, _ = build(tmp_path / "after", rows)
    assert [source for source, split in before.items() if after.get(source, split) != split] == []


def test_an_article_put_in_at_the_top_moves_no_pair_of_the_others(tmp_path: Path):
    rows = articles(40, 12)

    def separated(rows: list[tuple[str, str, str]]) -> str:
        ends = [before != here for (*_, before), (*_, here) in pairwise(rows)]
        lines = [f"{source}\t{target}\n" for source, target, _ in rows]
        return lines[0] + "".join("\n" * end + line for end, line in zip(ends, lines[1:], strict=True))

    splits = []
    for text in (separated(rows[12:]), separated(rows)):
        (tmp_path / "news.tsv").write_text(text, encoding="utf-8")
        corpora = {"news": CorpusConfig(path=str(tmp_path / "news.tsv"))}
        data, report = build_data(DataConfig(corpora=corpora, cleaning=NO_RULES), tmp_path)
        assert report.corpora["news"].held_out is not None
        assert report.corpora["news"].held_out.by == "document"
        splits.append({row["source"]: split for split in data for row in data[split].to_list()})
    assert [source for source, split in splits[0].items() if splits[1].get(source, split) != split] == []


def test_stricter_cleaning_moves_few_blocks(tmp_path: Path):
    rows = [row[:2] for row in articles(60, 20)]
    before, _ = build(tmp_path / "before", rows, blocks=16)
    bad = [
        (f"{source} <br> <br>", target) if number % 9 == 0 else (source, target)
        for number, (source, target) in enumerate(rows)
    ]
    after, _ = build(tmp_path / "after", bad, blocks=16)
    moved = [source for source, split in before.items() if after.get(source, split) != split]
    assert len(moved) < 0.25 * len(before)


def test_blocks_off_divides_by_sentence_and_says_so(tmp_path: Path):
    rows = [row[:2] for row in articles(40, 20)]
    _, report = build(tmp_path, rows, blocks="off")
    held_out = report.corpora["news"].held_out
    assert held_out is not None
    assert held_out.is_too_easy
    assert "set data.blocks to auto" in held_out.in_words()


def test_few_documents_are_divided_by_block(tmp_path: Path):
    rows = [(source, target, f"{n // 200}.tmx") for n, (source, target, _) in enumerate(articles(40, 20))]
    _, report = build(tmp_path, rows)
    held_out = report.corpora["news"].held_out
    assert held_out is not None
    assert (held_out.by, held_out.documents) == ("block", 4)
    assert "it names 4 documents, too few to divide" in held_out.in_words()


def test_what_holds_most_of_a_corpus_is_no_document(tmp_path: Path):
    rows = [(source, target, "memory.tmx") for source, target, _ in articles(40, 20)]
    splits, report = build(tmp_path, [*rows, *articles(10, 12, seed=5)])
    held_out = report.corpora["news"].held_out
    assert held_out is not None
    assert (held_out.by, held_out.documents) == ("block", 10)
    assert sum(split == "test" for split in splits.values()) < 250
    # Those that are documents are held out whole, all the same.
    small = [{splits[source] for source, _, d in articles(10, 12, seed=5) if d == f"article {n}"} for n in range(10)]
    assert [len(found) for found in small] == [1] * 10


def test_a_number_of_lines_where_every_pair_has_a_document(tmp_path: Path):
    _, report = build(tmp_path, articles(30, 20), blocks=10)
    assert report.corpora["news"].held_out == HeldOut("document", 30)


def test_too_few_blocks_are_told_as_such(tmp_path: Path):
    with pytest.raises(DataError, match=r"held out in blocks of about 5000 lines, too few of them: set data.blocks"):
        build(tmp_path, [row[:2] for row in articles(10, 20)], blocks=5000)


def test_numbers_for_blocks():
    assert DataConfig(blocks=100).blocks == 100
    with pytest.raises(ConfigError, match=r"data.blocks must be auto, off or a number of lines .* got 0"):
        DataConfig(blocks=0)


def test_a_document_is_not_joined_to_another_by_a_line_they_share():
    groups = np.array([0, 0, 1, 2, -1])
    units = np.array([7, 9, 7, 0, 7], np.uint64)
    assert whole_units(groups, units).tolist() == [3, 4, 3, 2, -1]


def test_held_out_few_of_a_large_group():
    groups = np.array([0, 0, 0, 0, 1, 1, -1])
    levels = np.array([TRAIN, TRAIN, DEV, TEST, TRAIN, TEST, TEST], np.int8)
    members = groups >= 0
    assert held_out_few(groups, members, levels, 3).tolist() == [False, False, True, True, False, False, False]
    assert not held_out_few(groups, members, np.where(levels == TRAIN, TEST, levels).astype(np.int8), 3).any()


def reports(count: int) -> list[tuple[str, str]]:
    """Daily reports of one template."""
    towns = [word(number, SYLLABLES) for number in range(20)]
    names = [word(number, LETTERS) for number in range(20)]
    return [
        (
            f"On day {n} regime warplanes shelled the city of {towns[n % 20]} in the north and killed {n} civilians.",
            f"في اليوم {n} من الشهر قصفت طائرات النظام مدينة {names[n % 20]} في الشمال ما أدى إلى مقتل {n} مدنيا.",
        )
        for n in range(1, 201)
    ]


def test_reports_of_one_template_are_kept_for_training(tmp_path: Path):
    splits, report = build(tmp_path, [*reports(200), *(row[:2] for row in articles(40, 10))])
    assert report.dropped["like a held-out pair"] < 20
    assert {splits.get(source, "none") for source, _ in reports(200)} == {"train", "none"}
    assert sum(splits.get(source) == "train" for source, _ in reports(200)) > 130


def test_a_corpus_of_one_template_alone_names_what_helps(tmp_path: Path):
    with pytest.raises(DataError, match=r"`news` are too similar to be divided: set data.corpora.news.split to train"):
        build(tmp_path, reports(200))


def test_what_the_card_and_the_report_say():
    block = HeldOut("block", 0, 64, 0.229, 0.018, 64)
    assert block.in_words() == (
        "by block: about 64 consecutive lines at a time; 23% of neighbouring lines share a rare word, "
        "2% of distant ones, up to 64 lines apart"
    )
    easy = HeldOut("sentence", 0, 0, 0.229, 0.018, 64)
    assert how_held_out({"news": block, "web": HeldOut("document", 37)}) == (
        f"Held out: news {block.in_words()}; web by document: each of its 37 documents is in one split."
    )
    assert too_easy({"news": block}) == ""
    assert too_easy({"news": block, "web": easy}).startswith("its sentences from web were held out one by one")


def test_the_account_is_read_back(tmp_path: Path):
    _, report = build(tmp_path, [row[:2] for row in articles(40, 20)])
    again = DataReport.from_json(json.loads(json.dumps(report.as_json())))
    assert again.corpora["news"].held_out == report.corpora["news"].held_out
    old = json.loads(json.dumps(report.as_json()))
    del old["corpora"]["news"]["held_out"]
    assert DataReport.from_json(old).corpora["news"].held_out is None
