"""`benchmarks/training_pairs.py`: the halves, what each way is trained on, and the figures of its section."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_selection_benchmark import SETS, run_file


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """The benchmark's modules, which find each other as scripts of one directory do."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "argv", ["training_pairs.py"])
    import training_pairs
    import training_pairs_page

    return Namespace(main=training_pairs, page=training_pairs_page)


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """Five training pairs and one pair for everything else."""
    directory = tmp_path / "splits"
    directory.mkdir()
    for name in ("dev", "pool", *SETS):
        (directory / f"{name}.tsv").write_text("english\tarabic\na b\tا ب\n", encoding="utf-8")
    rows = "".join(f"word {i}\tكلمة {i}\n" for i in range(5))
    (directory / "train.tsv").write_text(f"english\tarabic\n{rows}", encoding="utf-8")
    (directory / "reverse.json").write_text('{"chrF": 39.84, "BLEU": 14.19}')
    return directory


def test_halves_and_what_each_way_is_trained_on(
    modules: Namespace, splits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(modules.main, "cut_splits", lambda _: None)
    options = Namespace(output_dir=tmp_path, ways=["half"], updates=8)
    modules.main.cut(options)
    assert (splits / "half.tsv").read_text(encoding="utf-8") == "english\tarabic\nword 0\tكلمة 0\nword 1\tكلمة 1\n"
    assert (splits / "archive.ar.txt").read_text(encoding="utf-8") == "كلمة 2\nكلمة 3\nكلمة 4\n"
    (splits / "archive.backtranslated.tsv").write_text("source\ttarget\tdocument\tline\nc\tج\ta\t1\n", encoding="utf-8")
    (splits / "related.tsv").write_text("english\tarabic\nd\tد\n", encoding="utf-8")
    tables = {}
    for way in modules.main.WAYS:
        config = modules.main.told(options, way, 1)
        corpora = config.data.corpora
        tables[way] = {name: (Path(corpus.path).name, corpus.training_tag) for name, corpus in corpora.items()}
        assert corpora["general"].weight == 3906
        assert config.training.max_updates == 8
    same = {"general": ("pool.tsv", ""), "dev": ("dev.tsv", "")}
    back = "archive.backtranslated.tsv"
    assert tables == {
        "half": {"conflict": ("half.tsv", ""), **same},
        "back": {"conflict": ("half.tsv", ""), "archive": (back, "<BT>"), **same},
        "untagged": {"conflict": ("half.tsv", ""), "archive": (back, ""), **same},
        "all": {"conflict": ("train.tsv", ""), **same},
        "related": {"conflict": ("related.tsv", ""), **same},
    }


def test_each_way_is_compared_with_its_own(modules: Namespace, splits: Path, tmp_path: Path, capsys):
    results, docs = tmp_path / "results", tmp_path / "docs"
    for directory in (results, docs):
        directory.mkdir()
    (splits / "half.tsv").write_text("english\tarabic\na\tا\n", encoding="utf-8")
    run_file(results, "base", 1, "لا")
    for seed in (1, 2):
        run_file(results, "half", seed, "سقطت")
        run_file(results, "all", seed, "سقطت المدينة")
        run_file(results, "related", seed, "سقطت المدينة")
    modules.page.write_results(docs, results, splits)
    content = json.loads((docs / "adaptation_training_pairs.json").read_text(encoding="utf-8"))
    half, all_pairs, related = (content["ways"][way]["conflict"]["chrF"] for way in ("half", "all", "related"))
    assert "gain" not in half
    assert all_pairs["gain"] == pytest.approx(100 - half["score"], abs=1e-3)
    # All right already: nothing is gained over `all`.
    assert related["gain"] == 0.0
    assert content["sentences"] == dict.fromkeys(SETS, 2)
    page = (docs / "adaptation.md").read_text(encoding="utf-8")
    assert page.startswith("## Other training pairs\n\nWhat do [back-translation]")
    assert "39.8 chrF and 14.2 BLEU" in " ".join(page.split())
    assert "| half of the pairs | 1 | 2 | " in page
    assert "| all pairs: both halves with people's sources | 5 | 2 | 100.00 | " in page
