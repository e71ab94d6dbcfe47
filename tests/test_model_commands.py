"""`mt translate`, `mt export` and `mt doctor` take a run: its model, and the way it was scored."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from mt.config import DecodingConfig, ModelConfig
from mt.evaluation.metrics import chrf
from mt.models.ctranslate2_model import load_ctranslate2
from mt.models.decoding import translate
from mt.models.model_files import EMBEDDED_MODELS
from mt.models.transformers_model import TransformersTranslator, load_translator
from tests.conftest import news_pairs, run_with
from tests.helpers import only_line, run

GREEDY = ["--decoding.num_beams", "1"]
SOURCE = "The Security Council called for an immediate end to the fighting in Syria."


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run whose model is `tiny-en-ar`, scored with a search and a tag of its own."""
    decoding = "decoding: {num_beams: 3, length_penalty: 0.7, no_repeat_ngram_size: 2, tag: <news>}\n"
    directory = run_with(tmp_path / "run", f"model: {{name: tiny-en-ar, target_language: ara}}\n{decoding}")
    shutil.copytree(EMBEDDED_MODELS / "tiny-en-ar", directory / "model")
    return directory


@pytest.mark.slow
def test_translate_gives_a_run_what_it_was_scored_with(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "in.txt").write_text(f"{SOURCE}\n")
    used: list[DecodingConfig] = []
    generate = TransformersTranslator.generate

    def spy(self: TransformersTranslator, sources: Any, limits: Any, config: DecodingConfig) -> Any:
        used.append(config)
        return generate(self, sources, limits, config)

    monkeypatch.setattr(TransformersTranslator, "generate", spy)
    assert run(monkeypatch, "mt", "translate", str(finished), str(tmp_path / "in.txt")) == 0
    own = DecodingConfig(num_beams=3, length_penalty=0.7, no_repeat_ngram_size=2, tag="<news>")
    assert capsys.readouterr().out.splitlines() == translate(load_translator(ModelConfig()), [SOURCE], own)
    argv = ["translate", str(finished), str(tmp_path / "in.txt"), "--decoding.num_beams", "1", "--decoding.tag", ""]
    assert run(monkeypatch, "mt", *argv) == 0
    assert [(config.num_beams, config.no_repeat_ngram_size, config.tag) for config in used] == [
        (3, 2, "<news>"),
        (3, 2, "<news>"),
        (1, 2, ""),
    ]


def test_export_of_a_run_keeps_its_search_and_says_what_it_expects(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    assert run(monkeypatch, "mt", "export", str(finished), str(tmp_path / "out")) == 0
    saved = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert (saved["num_beams"], saved["length_penalty"], saved["no_repeat_ngram_size"]) == (3, 0.7, 2)
    assert "trained to be given --decoding.tag '<news>', which mt translate gives it" in caplog.text


@pytest.mark.slow
def test_doctor_of_a_run(finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "mt", "doctor", str(finished)) == 0
    assert ">>ara<<" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["translate"], ["doctor"], ["export"]])
def test_run_without_a_model_is_one_sentence(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    directory = run_with(tmp_path / "run", "name: a\n")
    more = [str(tmp_path / "out")] if command == ["export"] else []
    assert run(monkeypatch, "mt", *command, str(directory), *more) == 1
    assert "the run has no model yet; let it finish by train.py with --resume" in only_line(capsys)


@pytest.mark.slow
def test_line_that_is_cut_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    (tmp_path / "in.txt").write_text(f"{SOURCE}\n\n{'war ' * 600}\n")
    argv = ["translate", "tiny-en-ar", str(tmp_path / "in.txt"), "--decoding.num_beams", "1"]
    assert run(monkeypatch, "mt", *argv, "--decoding.max_length_ratio", "0.01") == 0
    assert "translate: line 3 has 602 tokens and is cut to the 512 that the model can read; split it" in caplog.text


@pytest.mark.slow
def test_export_says_what_it_costs_on_a_test_set(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    pytest.importorskip("ctranslate2")
    caplog.set_level(logging.INFO)
    english, arabic = (lines[:4] for lines in news_pairs())
    lines = (f"{source}\t{target}\n" for source, target in zip(english, arabic, strict=True))
    (tmp_path / "desk.tsv").write_text("english\tarabic\n" + "".join(lines), encoding="utf-8")
    argv = ["export", "tiny-en-ar", str(tmp_path / "int8"), "--format", "ctranslate2", "--precision", "int8"]
    assert run(monkeypatch, "mt", *argv, "--test_set", f"desk={tmp_path / 'desk.tsv'}", *GREEDY) == 0
    cost, model = capsys.readouterr().out.splitlines()
    search = DecodingConfig(num_beams=1)
    before = translate(load_translator(ModelConfig()), english, search)
    after = translate(load_ctranslate2(ModelConfig(name=str(tmp_path / "int8"))), english, search)
    same = sum(one == other for one, other in zip(before, after, strict=True))
    between, *scores = (f"{chrf(*pair):.1f}" for pair in ((after, before), (before, arabic), (after, arabic)))
    assert cost.startswith(
        f"desk: {same} of 4 translations are the same, chrF between the two is {between}; against the references "
        f"chrF {scores[0]} and {scores[1]}, BLEU "
    )
    assert "On desk, no verdict: export" in cost
    assert model == f"model: {tmp_path / 'int8'}"
    assert "70 or more is usual" in caplog.text or "they translate alike" in caplog.text


def test_test_set_of_an_export_is_read_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    argv = ["export", "tiny-en-ar", str(tmp_path / "out"), "--test_set", f"desk={tmp_path / 'none.tsv'}"]
    assert run(monkeypatch, "mt", *argv) == 1
    assert "none.tsv" in only_line(capsys)
    assert not (tmp_path / "out").exists()
