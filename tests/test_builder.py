"""From corpora to splits, with every drop counted."""

from pathlib import Path

import pytest

from mt.config import CorpusConfig, DataConfig
from mt.data.builder import build_data, check_data, read_test_set
from mt.data.card import as_markdown
from mt.errors import ConfigError, DataError
from tests.conftest import SEED, STARTER


def config(path: Path, **options: object) -> DataConfig:
    return DataConfig(corpora={"news": CorpusConfig(path=str(path))}, **options)  # type: ignore[arg-type]


def test_seed_and_starter_make_splits_without_overlap(tmp_path: Path):
    corpora = {"seed": CorpusConfig(path=str(SEED)), "starter": CorpusConfig(path=str(STARTER))}
    data, report = build_data(DataConfig(corpora=corpora, dev_share=0.1, test_share=0.25), tmp_path)
    assert {name: corpus.read for name, corpus in report.corpora.items()} == {"seed": 8, "starter": 120}
    assert sum(len(data[split]) for split in data) == 128
    assert data["train"].column_names == ["source", "target", "corpus", "group"]
    groups = {split: set(data[split]["group"]) for split in data}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["dev"]
    assert not groups["dev"] & groups["test"]
    assert all(len(data[split]) > 0 for split in data)


def test_drops_are_counted_by_rule(tmp_path: Path):
    lines = ["A war.\tحرب.", "A war. \tحرب.", "A city.\t \u200f", *(f"Day {i} of {i}.\tاليوم {i} ك" for i in range(3))]
    lines += [f"Word {letter}.\tكلمة {letter}" for letter in "abcdefgh"]
    path = tmp_path / "news.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")
    data, report = build_data(config(path), tmp_path)
    news = report.corpora["news"]
    assert news.read == 14
    assert dict(news.dropped) == {"exact duplicate": 1, "empty side": 1}
    assert sum(news.kept.values()) == sum(len(data[split]) for split in data) == 12
    assert "| news | 14 | 1 empty side, 1 exact duplicate |" in as_markdown(report)


def test_training_targets_are_normalised_and_references_are_not(tmp_path: Path):
    path = tmp_path / "news.tsv"
    path.write_text("".join(f"Word {c}.\tكلـــمة {c}\n" for c in "abcdefghijkl"), encoding="utf-8")
    data, _ = build_data(config(path), tmp_path)
    assert all(target.startswith("كلمة") for target in data["train"]["target"])
    assert all(target.startswith("كلـــمة") for target in [*data["dev"]["target"], *data["test"]["target"]])


def test_digits_and_diacritics_on_request(tmp_path: Path):
    path = tmp_path / "news.tsv"
    path.write_text("".join(f"Word {c}.\tكَلمة {c} ٢٠\n" for c in "abcdefghijkl"), encoding="utf-8")
    data, _ = build_data(config(path, remove_diacritics=True, western_digits=True), tmp_path)
    assert all(target.startswith("كلمة") and target.endswith("20") for target in data["train"]["target"])


def test_one_pair_cannot_be_split(tmp_path: Path):
    path = tmp_path / "news.tsv"
    path.write_text("A war.\tحرب.\n", encoding="utf-8")
    with pytest.raises(DataError, match="split is empty: the corpora hold 1 usable pair"):
        build_data(config(path), tmp_path)


def test_no_corpus():
    with pytest.raises(ConfigError, match=r"data\.corpora is empty"):
        check_data(DataConfig())


def test_test_set_refuses_an_empty_side(tmp_path: Path):
    path = tmp_path / "test.tsv"
    path.write_text("A war.\tحرب.\nA city.\t\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"test\.tsv:2: an empty side in test set `news`"):
        read_test_set("news", CorpusConfig(path=str(path)), DataConfig())
