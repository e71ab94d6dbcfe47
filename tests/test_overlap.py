"""A run that is asked what it was taught gets no verdict, whatever door it comes by."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from mt.errors import RunError
from mt.evaluation.overlap import find_overlaps, overlap_caution, training_runs
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.test_set import TestSet
from mt.evaluation.verdicts import advice, verdict
from tests.conftest import news_pairs, run_with

SOURCES, TARGETS = news_pairs()


def make_run(root: Path, train: slice, dev: slice = slice(300, 303), config: str = "name: run\n") -> Path:
    """What of a run matters here: its config, its splits, and a model that is never loaded."""
    run_with(root, config)
    (root / "model").mkdir()
    (root / "model" / "config.json").write_text("{}", encoding="utf-8")
    parts = {"train": train, "dev": dev, "test": slice(310, 350)}
    splits = {
        name: Dataset.from_dict(
            {
                "source": SOURCES[rows],
                "target": TARGETS[rows],
                "corpus": ["x"] * len(SOURCES[rows]),
                "group": TARGETS[rows],
            }
        )
        for name, rows in parts.items()
    }
    DatasetDict(splits).save_to_disk(str(root / "data"))
    return root


def test_set(rows: slice) -> TestSet:
    return TestSet("news", SOURCES[rows], TARGETS[rows])


test_set.__test__ = False  # type: ignore[attr-defined]


def counts(model: Path, rows: slice) -> tuple[int, int, int, int]:
    (overlap,) = find_overlaps({"tuned": str(model)}, [test_set(rows)]).found
    assert (overlap.system, overlap.test_set) == ("tuned", "news")
    return overlap.exact, overlap.near, overlap.ngram, overlap.sentences


def test_training_and_dev_pairs_are_found(tmp_path: Path):
    run = make_run(tmp_path / "run", slice(0, 100))
    assert counts(run, slice(0, 60)) == (60, 0, 0, 60)
    assert counts(run, slice(299, 305))[0] == 3
    assert counts(run, slice(310, 350)) == (0, 0, 0, 40)


def test_whatever_path_leads_to_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = make_run(tmp_path / "run", slice(0, 100))
    for inside in ("model", "checkpoints/checkpoint-10", "exported"):
        (run / inside).mkdir(parents=True, exist_ok=True)
        assert counts(run / inside, slice(0, 60))[0] == 60
    monkeypatch.chdir(run)
    assert counts(Path("model"), slice(0, 60))[0] == 60
    # The model that a run from scratch starts from has seen nothing, nor has what lies elsewhere.
    (run / "base").mkdir()
    (tmp_path / "other").mkdir()
    for path in (run / "base", tmp_path / "other", Path("Helsinki-NLP/opus-mt-en-ar")):
        assert training_runs(str(path)) == []


def test_the_run_before_counts_too(tmp_path: Path):
    first = make_run(tmp_path / "first", slice(0, 50))
    second = make_run(tmp_path / "second", slice(50, 100), config=f"model: {{name: {first / 'model'}}}\n")
    assert [run.root.name for run in training_runs(str(second))] == ["second", "first"]
    assert counts(second, slice(20, 80))[0] == 60
    # Runs that name each other are no endless chain.
    (first / "config.yaml").write_text(f"model: {{name: {second / 'model'}}}\n", encoding="utf-8")
    assert len(training_runs(str(first))) == 2


def test_a_model_that_is_its_base_has_seen_nothing_of_its_run(tmp_path: Path):
    first = make_run(tmp_path / "first", slice(0, 50))
    run = make_run(tmp_path / "run", slice(50, 100), config=f"model: {{name: {first / 'model'}}}\n")
    (run / "checkpoints" / "checkpoint-10").mkdir(parents=True)
    (run / "manifest.json").write_text('{"model_is_base": true}', encoding="utf-8")
    names = {path: [each.root.name for each in training_runs(str(run / path))] for path in ("", "model")}
    # What the base itself was trained on counts.
    assert names == {"": ["first"], "model": ["first"]}
    assert [each.root.name for each in training_runs(str(run / "checkpoints/checkpoint-10"))] == ["run", "first"]
    assert counts(run, slice(40, 60))[0] == 10
    assert counts(run / "checkpoints" / "checkpoint-10", slice(40, 60))[0] == 20
    (run / "manifest.json").write_text('{"model_is_base": false}', encoding="utf-8")
    assert counts(run, slice(40, 60))[0] == 20


def test_data_that_is_gone_or_broken(tmp_path: Path):
    run = make_run(tmp_path / "run", slice(0, 100))
    (run / "data" / "dataset_dict.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match="run/data: it cannot be read"):
        find_overlaps({"tuned": str(run)}, [test_set(slice(0, 60))])
    (run / "data").rename(tmp_path / "elsewhere")
    overlaps = find_overlaps({"tuned": str(run)}, [test_set(slice(0, 60))])
    assert overlaps.found == []
    (caution,) = overlaps.unknown
    assert caution.text.startswith("what tuned has seen is not known: ")
    assert not caution.forbids


def evaluated(run: Path, rows: slice) -> Any:
    news = test_set(rows)
    overlaps = find_overlaps({"tuned": str(run)}, [news])
    base = [" ".join(target.split()[::2]) for target in news.references]
    tuned = [" ".join(target.split()[:-1]) for target in news.references]
    lines = {"news": {"base": base, "tuned": tuned}}
    return evaluate_hypotheses([news], lines, 200, metrics=["chrF"], overlaps=overlaps)


def test_no_verdict_where_much_was_seen(tmp_path: Path):
    evaluation = evaluated(make_run(tmp_path / "run", slice(0, 10)), slice(0, 100))
    sentence = "tuned has seen 10 of the 100 sentences in its training data (10 the same)"
    assert verdict(evaluation, "tuned", "news").endswith(f"chrF better than base, but {sentence}.")
    assert verdict(evaluation, "tuned", "news").startswith("On news, no verdict: tuned is ")
    assert advice(evaluation) == f"No advice: on news, {sentence}."
    assert not any(comparison.is_significant for comparison in evaluation.comparisons)
    assert [c.refused for c in evaluation.without_verdict("chrF")] == [sentence]


@pytest.mark.slow
def test_the_little_that_was_seen_is_left_out(tmp_path: Path):
    evaluation = evaluated(make_run(tmp_path / "run", slice(0, 2)), slice(0, 240))
    (overlap,) = evaluation.overlaps
    assert overlap.rows == (1, 2)
    comparison = evaluation.comparison("tuned", "news", "chrF")
    assert (comparison.sentences, comparison.refused) == (238, "")
    without = evaluated(make_run(tmp_path / "other", slice(400, 410)), slice(2, 240))
    assert comparison.difference == pytest.approx(without.comparison("tuned", "news", "chrF").difference)
    assert comparison.p_value == without.comparison("tuned", "news", "chrF").p_value
    # The score itself stays that of the whole file.
    assert evaluation.score("tuned", "news", "chrF").sentences == 240
    text = "tuned has seen 2 of the 240 sentences in its training data (2 the same); comparisons leave them out"
    assert [each.text for each in evaluation.cautions] == [text]
    assert advice(evaluation).startswith("Take tuned")


def test_repeats_do_not_thin_the_overlap(tmp_path: Path):
    """One seen sentence of fifty different ones is two in a hundred, though the others come ten times."""
    run = make_run(tmp_path / "run", slice(0, 1))
    news = TestSet("news", [SOURCES[0], *SOURCES[1:50] * 10], [TARGETS[0], *TARGETS[1:50] * 10])
    (overlap,) = find_overlaps({"tuned": str(run)}, [news]).found
    caution = overlap_caution(overlap, news)
    assert caution is not None
    assert caution.forbids


def test_json_of_an_overlap(tmp_path: Path):
    from mt.report.scores_json import as_json

    content = json.loads(json.dumps(as_json(evaluated(make_run(tmp_path / "run", slice(0, 10)), slice(0, 40)))))
    (overlap,) = content["overlap"]
    assert {key: overlap[key] for key in ("system", "test_set", "exact", "near", "ngram", "sentences")} == {
        "system": "tuned", "test_set": "news", "exact": 10, "near": 0, "ngram": 0, "sentences": 40,
    }  # fmt: skip
    assert overlap["rows"] == list(range(1, 11))
    assert content["cautions"][0]["forbids"] is True
    assert content["notes"][0].startswith("news: tuned has seen 10 of the 40 sentences")
    assert content["distinct_sentences"] == {"news": 40}
