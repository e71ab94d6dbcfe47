"""`benchmarks/selection.py`: what is drawn, and the figures of its page."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mt.evaluation.metrics import collect_statistics
from tests.conftest import ROOT

SETS = ("conflict", "general", "flores")


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """The benchmark's modules, which find each other as scripts of one directory do."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import adaptation
    import selection
    import selection_models
    import selection_page

    return Namespace(adaptation=adaptation, main=selection, models=selection_models, page=selection_page)


def test_pairs_are_drawn_by_length(modules: Namespace):
    pool = np.array([3, 9, 5, 5, 12, 7])
    for seed in range(5):
        drawn = modules.main.drawn_by_length(pool, np.array([5, 12, 5]), np.random.default_rng(seed))
        assert sorted(drawn.tolist()) == [2, 3, 4]
    # A third of five words is not there: the next longer one.
    drawn = modules.main.drawn_by_length(pool, np.array([5, 5, 5, 20]), np.random.default_rng(1))
    assert sorted(pool[drawn].tolist()) == [5, 5, 7, 12]


def test_auc_and_precision_by_hand(modules: Namespace):
    # Of the six comparisons the test pairs win five; of the two best pairs one is a test pair.
    auc, precision = modules.models.figures(np.array([-2.0, 0.5]), np.array([0.0, 1.0, 2.0]))
    assert (auc, precision) == (pytest.approx(5 / 6), 0.5)


def run_file(results: Path, way: str, seed: int, hypothesis: str) -> None:
    """One run with the same translation of two sentences in all test sets."""
    references = ["سقطت المدينة", "عادت العائلات"]
    measured = collect_statistics("", {"model": [hypothesis, "عادت العائلات"]}, references, ["chrF", "BLEU"])
    metrics = {
        each.metric.name: {
            "score": each.score("model"),
            "signature": each.metric.signature,
            "statistics": each.statistics["model"].tolist(),
        }
        for each in measured
    }
    facts: dict[str, Any] = {"way": way, "seed": seed, "updates": 800, "device": "cpu"}
    facts["test_sets"] = dict.fromkeys(SETS, metrics)
    (results / f"{way}-{seed}.json").write_text(json.dumps(facts), encoding="utf-8")


def test_gains_are_paired_by_seed(modules: Namespace, tmp_path: Path, capsys):
    results, splits, docs = tmp_path / "results", tmp_path / "splits", tmp_path / "docs"
    for directory in (results, splits, docs):
        directory.mkdir()
    for name in ("train", "dev", "selected", "random-1", *SETS):
        (splits / f"{name}.tsv").write_text("english\tarabic\na b\tا ب\nc\tج\n", encoding="utf-8")
    selected = {"candidates": 9, "taken": 2, "threshold": 0.5, "dev_share": 0.9, "sizes": []}
    (splits / "selected.json").write_text(json.dumps(selected), encoding="utf-8")
    run_file(results, "base", 1, "لا")
    for seed in (1, 2):
        run_file(results, "random", seed, "سقطت")
        run_file(results, "selected", seed, "سقطت المدينة" if seed == 1 else "سقطت")
    (docs / "adaptation.md").write_text("# Methods\n\nText.\n", encoding="utf-8")
    modules.page.write_results(docs, results, splits)
    content = json.loads((docs / "adaptation_selection.json").read_text(encoding="utf-8"))
    found = content["ways"]["selected"]["conflict"]["chrF"]
    # All is right with one seed, and with the other as it is with `random`.
    same = content["ways"]["random"]["conflict"]["chrF"]["score"]
    assert found["by_seed"] == {"1": 100.0, "2": pytest.approx(same, abs=1e-3)}
    gain = 100 - same
    assert found["gain"] == pytest.approx(gain / 2, abs=1e-3)
    # Two values, d and 0: the mean d / 2, the standard deviation d / sqrt(2), t(0.975, 1) = 12.7062.
    assert found["half_interval"] == pytest.approx(12.7062 * gain / 2, abs=1e-2)
    # If only the second sentence is drawn nothing is gained, if only the first one, most.
    low, high = found["gain_over_sentences"]
    assert low == 0.0
    assert high > gain / 2
    page = (docs / "adaptation.md").read_text(encoding="utf-8")
    assert page.startswith("# Methods\n\nText.\n\n## Replay, selected or drawn\n")
    assert content["words_per_pair"]["selected"] == 1.5
    assert "| the pairs most like the domain | 1.5 | " in page
    # Again: the section is replaced. The benchmark that makes the rest of the page keeps it.
    modules.page.write_results(docs, results, splits)
    assert (docs / "adaptation.md").read_text(encoding="utf-8") == page
    kept = "\n".join(modules.adaptation.other_sections(docs / "adaptation.md"))
    assert page == f"# Methods\n\nText.\n{kept}\n"
    # A section that comes after it stays.
    (docs / "adaptation.md").write_text(f"{page}\n## Last\n\nMore.\n", encoding="utf-8")
    modules.page.write_results(docs, results, splits)
    assert (docs / "adaptation.md").read_text(encoding="utf-8") == f"{page}\n## Last\n\nMore.\n"
