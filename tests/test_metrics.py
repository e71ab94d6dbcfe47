"""Scores equal those of sacreBLEU's own command line, to the last digit it prints."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mt.errors import DataError
from mt.evaluation.metrics import METRICS, score_systems
from mt.evaluation.scoring import Evaluation, TestSet, as_table, evaluate_hypotheses, is_better, verdict

REFERENCES = [
    "سقطت المدينة في تموز/يوليو 2014.",
    "قتل خمسة مدنيين في غارة جوية قرب الميادين.",
    "دعا مجلس الأمن إلى وقف القتال في سوريا.",
    "عادت آلاف العائلات إلى قراها.",
    "قال متحدث باسم الأمم المتحدة إن القافلة وصلت؟",
    "انفجر لغم أرضي قرب الحدود.",
]
GOOD = [
    "سقطت المدينة في يوليو 2014.",
    "قتل خمسة مدنيين في غارة قرب الميادين.",
    "دعا مجلس الأمن إلى وقف القتال في سوريا.",
    "عادت آلاف الأسر إلى قراها.",
    "قال متحدث باسم الأمم المتحدة إن القافلة وصلت؟",
    "انفجر لغم قرب الحدود.",
]
BAD = ["سقطت", "خمسة في غارة", "مجلس الأمن", "عادت إلى", "متحدث باسم", "الحدود لغم"]


def sacrebleu_cli(tmp_path: Path, *options: str) -> Any:
    for name, lines in (("references", REFERENCES), ("good", GOOD), ("bad", BAD)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", "references", "-w", "6", *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    return json.loads(result.stdout) if "text" not in options else result.stdout


CLI_OPTIONS = {
    "BLEU": ["-m", "bleu"],
    "chrF": ["-m", "chrf"],
    "chrF++": ["-m", "chrf", "--chrf-word-order", "2"],
    "TER": ["-m", "ter"],
}


@pytest.mark.parametrize("metric", METRICS)
def test_scores_and_intervals_are_sacrebleus(metric: str, tmp_path: Path):
    options = ["-i", "good", *CLI_OPTIONS[metric], "--confidence", "--confidence-n", "200"]
    printed = sacrebleu_cli(tmp_path, *options)
    ours = next(s for s in score_systems("news", {"good": GOOD}, REFERENCES, 200)[0] if s.metric == metric)
    assert ours.score == pytest.approx(printed["score"], abs=1e-6)
    mean, width = printed["confidence_mean"], printed["confidence_var"]
    assert (ours.ci_low, ours.ci_high) == pytest.approx((mean - width, mean + width), abs=1e-4)
    for part in ours.signature.split("|"):
        key, value = part.split(":", 1)
        names = {"nrefs": "nrefs", "bs": "bs", "seed": "seed", "case": "case", "tok": "tok", "version": "version"}
        if key in names:
            assert str(printed[names[key]]) == value
    assert ours.sentences == 6


def test_p_values_are_sacrebleus(tmp_path: Path):
    # As text: sacreBLEU 2.6 cannot write chrF's float32 as JSON.
    options = ["-i", "good", "bad", "-m", "bleu", "chrf", "ter", "--paired-bs", "--paired-bs-n", "300"]
    printed = sacrebleu_cli(tmp_path, *options, "--format", "text")
    scores = re.findall(r"(\d+\.\d+) \(\d", printed)
    p_values = re.findall(r"\(p = (\d\.\d+)\)", printed)
    ours = {c.metric: c for c in score_systems("news", {"good": GOOD, "bad": BAD}, REFERENCES, 300)[1]}
    for column, metric in enumerate(("BLEU", "chrF", "TER")):
        assert f"{ours[metric].p_value:.4f}" == p_values[column]
        difference = float(scores[3 + column]) - float(scores[column])
        assert ours[metric].difference == pytest.approx(difference, abs=2e-6)


def test_equal_translations_are_no_evidence():
    # sacreBLEU itself gives p = 1 / (resamples + 1) to systems that never differ.
    comparisons = score_systems("news", {"good": GOOD, "twin": list(GOOD)}, REFERENCES, 200)[1]
    assert [(c.difference, c.p_value) for c in comparisons] == [(0.0, 1.0)] * 4


def test_direction_of_metrics():
    evaluation = evaluated()
    assert evaluation.comparison("bad", "news", "chrF").difference < 0
    assert evaluation.comparison("bad", "news", "TER").difference > 0
    assert not any(is_better(comparison) for comparison in evaluation.comparisons)
    assert [comparison.system for comparison in evaluation.significantly_worse("chrF")] == ["bad"]
    assert evaluation.significantly_worse("TER")


def evaluated() -> Evaluation:
    test_set = TestSet("news", ["source"] * 6, REFERENCES)
    return evaluate_hypotheses([test_set], {"news": {"good": GOOD, "bad": BAD}}, 200)


def test_verdict_in_words():
    evaluation = evaluated()
    assert verdict(evaluation, "bad", "news").startswith("On news, bad is ")
    assert " chrF worse than good (p = 0.0" in verdict(evaluation, "bad", "news")
    same = evaluate_hypotheses(evaluation.test_sets, {"news": {"good": GOOD, "twin": list(GOOD)}}, 200)
    assert "twin and good cannot be told apart" in verdict(same, "twin", "news")
    alone = evaluate_hypotheses(evaluation.test_sets, {"news": {"good": GOOD}}, 200)
    assert verdict(alone, "good", "news").endswith("chrF on news (6 sentences).")


def test_scores_json_keeps_its_keys():
    content = json.loads(json.dumps(evaluated().as_json()))
    assert list(content) == ["scores", "comparisons", "fidelity"]
    score_keys = ["system", "test_set", "metric", "score", "ci_low", "ci_high", "signature", "sentences"]
    assert list(content["scores"][0]) == score_keys
    comparison_keys = ["system", "baseline", "test_set", "metric", "difference", "p_value", "method"]
    assert list(content["comparisons"][0]) == comparison_keys
    assert {score["metric"] for score in content["scores"]} == {"BLEU", "chrF", "chrF++", "TER"}


def test_table_for_the_terminal():
    lines = as_table(evaluated()).splitlines()
    assert lines[0].split() == ["test", "set", "system", "BLEU", "chrF", "chrF++", "TER"]
    assert lines[2].startswith("news      good")
    assert len(lines) == 4


def test_wrong_number_of_translations():
    with pytest.raises(DataError, match="good: 5 translations for the 6 sentences of test set `news`"):
        score_systems("news", {"good": GOOD[:5]}, REFERENCES, 100)
    with pytest.raises(DataError, match="test set `news` is empty"):
        score_systems("news", {"good": []}, [], 100)
