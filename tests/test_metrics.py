"""Scores equal those of sacreBLEU's own command line, to the last digit it prints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mt.errors import DataError
from mt.evaluation.metrics import METRICS, NORMALISED, SPBLEU, MetricStatistics, collect_statistics, segment_metric
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.significance import interval
from mt.evaluation.test_set import TestSet
from mt.evaluation.workers import InThisProcess, workers
from tests.helpers import BAD, GOOD, REFERENCES, sacrebleu_cli

CLI_OPTIONS = {
    "BLEU": ["-m", "bleu"],
    "chrF": ["-m", "chrf"],
    "chrF++": ["-m", "chrf", "--chrf-word-order", "2"],
    "TER": ["-m", "ter"],
}


def measured(metric: str, systems: dict[str, list[str]], references: list[str] = REFERENCES) -> MetricStatistics:
    return collect_statistics("news", systems, references, [metric])[0]


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
def test_scores_and_intervals_are_sacrebleus(metric: str, tmp_path: Path):
    options = ["-i", "good", *CLI_OPTIONS[metric], "--confidence", "--confidence-n", "200"]
    printed = sacrebleu_cli(tmp_path, *options)
    ours = measured(metric, {"good": GOOD})
    assert ours.score("good") == pytest.approx(printed["score"], abs=1e-6)
    mean, width = printed["confidence_mean"], printed["confidence_var"]
    assert interval(ours, "good", 200) == pytest.approx((mean - width, mean + width), abs=1e-4)
    for part in ours.metric.signature.split("|"):
        key, value = part.split(":", 1)
        names = {"nrefs": "nrefs", "case": "case", "tok": "tok", "version": "version"}
        if key in names:
            assert str(printed[names[key]]) == value


@pytest.mark.parametrize("metric", NORMALISED)
@pytest.mark.parametrize(
    "written",
    [
        "\u202bقال أحمد إن الجيش دخل المدينة.\u202c",
        "قال\u00a0أحمد إن \u200fالجيش\u200f دخل المد\u00adينة.\ufeff",
        "قال أحمد \u200f إن الجيش دخل المدينة.",
        "قال أحمد إن الجیش دخل المدینة.",
    ],
)
def test_what_is_not_seen_costs_nothing_in_normalised_scores(metric: str, written: str):
    score = measured(metric, {"s": ["قال أحمد إن الجيش دخل المدينة."]}, [written]).score("s")
    assert score == pytest.approx(0 if metric == "TER-norm" else 100)


@pytest.mark.parametrize("metric", METRICS)
def test_normalised_scores_are_sacrebleus_of_text_folded_by_hand(metric: str, tmp_path: Path):
    references = ["أعلن الجيش ٢٠ قتيلا.", "عادَ إلى آمنة."]
    hypotheses = ["اعلن الجيش 20 قتيلا.", "عاد الى امنة"]
    folded = ["اعلن الجيش 20 قتيلا.", "عاد الى امنة."]
    printed = sacrebleu_cli(tmp_path, "-i", "good", *CLI_OPTIONS[metric], good=hypotheses, references=folded)
    ours = measured(f"{metric}-norm", {"good": hypotheses}, references)
    assert "ى" in hypotheses[1]
    assert ours.score("good") != pytest.approx(measured(metric, {"good": hypotheses}, references).score("good"))
    # The second reference says إلى, folded الى: alef maqsura is a letter of its own and stays.
    assert ours.score("good") == pytest.approx(printed["score"], abs=1e-6)
    assert ours.metric.signature.endswith("|arabic:diacritics,alef,digits,keyboard,invisible")


def test_edits_after_folding_where_two_words_become_one():
    # ان and أن are one word once folded: no edit is left, where there was one of two words.
    raw, folded = (measured(name, {"s": ["ان ذهب"]}, ["أن ذهب"]) for name in ("TER", "TER-norm"))
    assert (raw.score("s"), folded.score("s")) == (50.0, 0.0)


@pytest.mark.slow
def test_further_processes_change_nothing(monkeypatch: pytest.MonkeyPatch):
    systems = {"good": GOOD, "bad": BAD}
    # On any machine: what this process may use counts, not what there is.
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    with workers(2000) as executor:
        assert isinstance(executor, InThisProcess)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    with workers(2000) as executor:
        assert not isinstance(executor, InThisProcess)
        apart = collect_statistics("news", systems, REFERENCES, ["chrF", "TER-norm"], executor)
    for each in apart:
        alone = measured(each.metric.name, systems)
        assert all(each.score(system) == alone.score(system) for system in systems)
    with workers(1999) as executor:
        assert isinstance(executor, InThisProcess)


def test_spbleu_is_sacrebleus(tmp_path: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    # Any SentencePiece model will do to see that ours takes the one that sacreBLEU takes.
    home = tmp_path / "sacrebleu" / "models"
    home.mkdir(parents=True)
    (home / "flores200sacrebleuspm").write_bytes((marian_directory / "source.spm").read_bytes())
    environment = {"SACREBLEU": str(tmp_path / "sacrebleu")}
    printed = sacrebleu_cli(tmp_path, "-i", "good", "-m", "bleu", "--tokenize", "flores200", **environment)
    code = (
        "import json,sys; from mt.evaluation.metrics import collect_statistics\n"
        "good, references = json.loads(sys.argv[1])\n"
        f"print(collect_statistics('news', {{'good': good}}, references, [{SPBLEU!r}])[0].score('good'))"
    )
    command = [sys.executable, "-c", code, json.dumps([GOOD, REFERENCES])]
    ours = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert float(ours) == pytest.approx(printed["score"], abs=1e-6)


def test_mean_of_sentence_scores():
    comet = segment_metric("COMET", "COMET|model:x", {"a": [0.5, 0.7, 0.9], "b": [0.1, 0.1, 0.4]})
    assert comet.score("a") == pytest.approx(0.7)
    assert comet.score("b") == pytest.approx(0.2)
    assert comet.of_sentences("b") == pytest.approx([0.1, 0.1, 0.4])


def test_scores_of_sentences_are_those_of_a_corpus_of_one(tmp_path: Path):
    ours = measured("chrF", {"good": GOOD}).of_sentences("good")
    first = sacrebleu_cli(tmp_path, "-i", "good", "-m", "chrf", good=GOOD[3:4], references=REFERENCES[3:4])
    assert ours[3] == pytest.approx(first["score"], abs=1e-6)
    assert ours[2] == 100.0


def test_wrong_number_of_translations():
    with pytest.raises(DataError, match="good: 5 translations for the 6 sentences of test set `news`"):
        collect_statistics("news", {"good": GOOD[:5]}, REFERENCES, METRICS)
    with pytest.raises(DataError, match="test set `news` is empty"):
        collect_statistics("news", {"good": []}, [], METRICS)


def test_names_of_metrics():
    # Other people's scripts read them in scores.json.
    evaluation = evaluate_hypotheses([TestSet("news", ["It fell."] * 6, REFERENCES)], {"news": {"good": GOOD}}, 100)
    normalised = ["BLEU-norm", "chrF-norm", "chrF++-norm", "TER-norm"]
    assert evaluation.metrics == ["BLEU", "chrF", "chrF++", "TER", *normalised]
