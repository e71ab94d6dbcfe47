"""Scores equal those of sacreBLEU's own command line, to the last digit it prints."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mt.errors import DataError
from mt.evaluation.metrics import METRICS, NORMALISED, SPBLEU, Measured, measure, segment_metric
from mt.evaluation.significance import interval
from mt.evaluation.workers import InThisProcess, workers

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
ENDINGS = {
    "today": "اليوم",
    "tonight": "الليلة",
    "again": "مجددا",
    "there": "هناك",
    "by bus": "بالحافلة",
    "alone": "وحيدا",
}


def varied(lines: list[str], times: int, *, english: bool = False) -> list[str]:
    """`lines` up to six times over, each time with another word at the end, so that no two are the same sentence."""
    endings = list(ENDINGS if english else ENDINGS.values())[:times]
    return [f"{line} {ending}" for ending in endings for line in lines]


def sacrebleu_cli(
    tmp_path: Path, *options: str, good: list[str] = GOOD, references: list[str] = REFERENCES, **environment: str
) -> Any:
    for name, lines in (("references", references), ("good", good), ("bad", BAD)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", "references", "-w", "6", *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment or None)
    return json.loads(result.stdout) if "text" not in options else result.stdout


CLI_OPTIONS = {
    "BLEU": ["-m", "bleu"],
    "chrF": ["-m", "chrf"],
    "chrF++": ["-m", "chrf", "--chrf-word-order", "2"],
    "TER": ["-m", "ter"],
}


def measured(metric: str, systems: dict[str, list[str]], references: list[str] = REFERENCES) -> Measured:
    return measure("news", systems, references, [metric])[0]


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
    assert ours.metric.signature.endswith("|arabic:diacritics,alef,digits")


def test_edits_after_folding_where_two_words_become_one():
    # ان and أن are one word once folded: no edit is left, where there was one of two words.
    raw, folded = (measured(name, {"s": ["ان ذهب"]}, ["أن ذهب"]) for name in ("TER", "TER-norm"))
    assert (raw.score("s"), folded.score("s")) == (50.0, 0.0)


def test_further_processes_change_nothing():
    systems = {"good": GOOD, "bad": BAD}
    with workers(2000) as executor:
        assert not isinstance(executor, InThisProcess) or os.cpu_count() == 1
        apart = measure("news", systems, REFERENCES, ["chrF", "TER-norm"], executor)
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
        "import json,sys; from mt.evaluation.metrics import measure\n"
        "good, references = json.loads(sys.argv[1])\n"
        f"print(measure('news', {{'good': good}}, references, [{SPBLEU!r}])[0].score('good'))"
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
        measure("news", {"good": GOOD[:5]}, REFERENCES, METRICS)
    with pytest.raises(DataError, match="test set `news` is empty"):
        measure("news", {"good": []}, [], METRICS)


def test_names_of_metrics():
    assert METRICS == ("BLEU", "chrF", "chrF++", "TER")
    assert NORMALISED == ("BLEU-norm", "chrF-norm", "chrF++-norm", "TER-norm")
