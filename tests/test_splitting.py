"""Splits that cannot leak, for any order and any growth of the corpora."""

from collections import Counter

from mt.config import CorpusConfig
from mt.data.readers import Pair, read_corpus
from mt.data.splitting import assign_splits, group_pairs
from tests.conftest import SEED


def pair(source: str, target: str) -> Pair:
    return Pair(source, target, "news", "news.tsv:1")


def test_same_sentence_same_group():
    groups = group_pairs(
        [
            pair("Five men died.", "قتل خمسة رجال."),
            pair("FIVE men died", "لقي خمسة رجال حتفهم"),  # same English
            pair("Five people perished.", "لقي خمسة رجال حتفهم."),  # same Arabic as the second
            pair("The city fell.", "سقطت المدينة."),
        ]
    )
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_groups_do_not_depend_on_order():
    pairs = [pair(f"Sentence {word}.", f"جملة {word}") for word in ("one", "two", "three", "One")]
    assert dict(zip(pairs, group_pairs(pairs), strict=True)) == dict(
        zip(reversed(pairs), group_pairs(pairs[::-1]), strict=True)
    )


def test_shares_are_kept_on_many_groups():
    splits = assign_splits((f"group {i}" for i in range(20_000)), 0.1, 0.2, "key")
    share = {split: count / 20_000 for split, count in Counter(splits.values()).items()}
    assert abs(share["test"] - 0.2) < 0.01
    assert abs(share["dev"] - 0.1) < 0.01


def test_new_groups_move_no_old_one():
    before = assign_splits((f"group {i}" for i in range(500)), 0.1, 0.1, "key")
    after = assign_splits((f"group {i}" for i in range(5000)), 0.1, 0.1, "key")
    assert {group: after[group] for group in before} == before


def test_another_key_gives_another_split():
    groups = [f"group {i}" for i in range(500)]
    assert assign_splits(groups, 0.1, 0.1, "one") != assign_splits(groups, 0.1, 0.1, "two")


def test_eight_pairs_fill_all_three_splits():
    pairs = list(read_corpus("seed", CorpusConfig(path=str(SEED))))
    for key in ("conflict-news", "a", "b", "c"):
        splits = assign_splits(group_pairs(pairs), 0.1, 0.1, key)
        assert set(splits.values()) == {"train", "dev", "test"}
        assert splits == assign_splits(group_pairs(pairs), 0.1, 0.1, key)


def test_a_share_of_zero_takes_nothing():
    assert set(assign_splits(["a", "b", "c"], 0.0, 0.0, "key").values()) == {"train"}
