"""`mt translate`, `mt export` and `mt doctor` take a run: its model, and the way it was scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mt.config import DecodingConfig, ModelConfig
from mt.decoding import translate
from mt.model import Translator, load_translator
from mt.model_files import EMBEDDED_MODELS
from tests.conftest import run_with
from tests.helpers import only_line, run

SOURCE = "The Security Council called for an immediate end to the fighting in Syria."


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run whose model is `tiny-en-ar`, scored with a search and a tag of its own."""
    decoding = "decoding: {num_beams: 3, length_penalty: 0.7, no_repeat_ngram_size: 2, tag: <news>}\n"
    directory = run_with(tmp_path / "run", f"model: {{name: tiny-en-ar, target_language: ara}}\n{decoding}")
    shutil.copytree(EMBEDDED_MODELS / "tiny-en-ar", directory / "model")
    return directory


def test_translate_gives_a_run_what_it_was_scored_with(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "in.txt").write_text(f"{SOURCE}\n")
    used: list[DecodingConfig] = []
    search = Translator.search

    def spy(self: Translator, sources: Any, limits: Any, config: DecodingConfig) -> Any:
        used.append(config)
        return search(self, sources, limits, config)

    monkeypatch.setattr(Translator, "search", spy)
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


def test_line_that_is_cut_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    (tmp_path / "in.txt").write_text(f"{SOURCE}\n\n{'war ' * 600}\n")
    argv = ["translate", "tiny-en-ar", str(tmp_path / "in.txt"), "--decoding.num_beams", "1"]
    assert run(monkeypatch, "mt", *argv, "--decoding.max_length_ratio", "0.01") == 0
    assert "translate: line 3 has 602 tokens and is cut to the 512 that the model can read; split it" in caplog.text
