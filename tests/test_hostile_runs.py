"""Run directories and names of systems that are damaged or mean harm: one sentence before anything is decoded."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mt import cli
from mt.config import DecodingConfig, ModelConfig
from mt.errors import DataError, ModelError, RunError, UserError
from mt.models.run_settings import read_run_settings
from mt.systems.streaming import translate_file
from mt.systems.system import resolve_systems
from mt.systems.translating import open_translator
from tests.conftest import run_with
from tests.spoiling import Spoil, removed, replaced_by, sparse, truncated, written


@pytest.fixture
def run(marian_directory: Path, tmp_path: Path) -> Path:
    """As much of a run directory as a system needs, to spoil."""
    config = "name: run\nmodel:\n  source_language: en\n  target_language: ara\ndecoding:\n  tag: <news>\n"
    run_with(tmp_path / "run", config)
    shutil.copytree(marian_directory, tmp_path / "run" / "model")
    return tmp_path / "run"


def config(text: str | bytes) -> Spoil:
    return written("config.yaml", text)


# Nine levels of nine: 387 million keys.
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 10))
ALIASES = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))

CASES: dict[str, tuple[Spoil, str]] = {
    "gone": (removed("config.yaml"), "config.yaml: the config does not exist"),
    "empty": (config(""), r"config\.yaml: holds no options but nothing"),
    "list": (config("- a\n- b\n"), "holds no options but list"),
    "text": (config("hello"), "holds no options but str"),
    "number": (config("7"), "holds no options but int"),
    "no YAML": (config("a: [1"), "cannot be read .did not find expected"),
    "tabs": (config("model:\n\tname: x"), "cannot be read .found character"),
    "Latin-1": (config(b"name: caf\xe9\n"), "config.yaml:1: byte 0xe9 is not UTF-8"),
    "UTF-16": (config("name: run\n".encode("utf-16")), "byte 0xff is not UTF-8"),
    "zeros": (config(bytes(100)), "cannot be read"),
    "huge": (replaced_by("config.yaml", sparse(100)), "config.yaml: .*longer than 131072 bytes"),
    "deep": (config("[" * 50_000), "cannot be read"),
    "python": (
        config("model: !!python/object/apply:os.system ['touch was-run']\n"),
        "cannot be read .the tag !!python/object/apply:os.system has no meaning",
    ),
    "aliases": (config(ALIASES), "cannot be read .more than 20000 values once its aliases"),
    "merges": (config(MERGES), "cannot be read .more than 20000 values once its aliases"),
    "list as key": (config("? [a, b]\n: 1\n"), "cannot be read .a list or section where a key belongs"),
    "endless anchor": (config("model: &a\n  name: *a\n  target_language: *a\n"), "an alias inside its own anchor"),
    "model text": (config("model: x\n"), "model must hold options, not 'x'"),
    "model list": (config("model: [1]\n"), "model must hold options"),
    "decoding number": (config("decoding: 3\n"), "decoding must hold options, not 3"),
    "language number": (config("model: {target_language: 7}\n"), "model.target_language must be text, not 7"),
    "language list": (config("model: {source_language: [en]}\n"), "model.source_language must be text"),
    "language no": (config("model: {source_language: no}\n"), "model.source_language must be text, not False"),
    "tag number": (config("decoding: {tag: 1.5}\n"), "decoding.tag must be text, not 1.5"),
    "beams list": (config("decoding: {num_beams: [4]}\n"), r"decoding.num_beams must be a whole number, not \[4\]"),
    "beams yes": (config("decoding: {num_beams: yes}\n"), "decoding.num_beams must be a whole number, not True"),
    "beams none": (config("decoding: {num_beams: 0}\n"), "decoding.num_beams must be greater than 0, got 0"),
    "phrases of one": (config("decoding: {no_repeat_ngram_size: 1}\n"), "must be 0 or at least 2, got 1"),
    "penalty text": (
        config("decoding: {length_penalty: high}\n"),
        "decoding.length_penalty must be a number, not 'high'",
    ),
    "ratio without end": (config("decoding: {max_length_ratio: .inf}\n"), "decoding.max_length_ratio must be a number"),
    "ratio is no number": (
        config("decoding: {max_length_ratio: .nan}\n"),
        "decoding.max_length_ratio must be a number",
    ),
    "terms list": (config("decoding: {terminology: [a]}\n"), "decoding.terminology must be text"),
    "terms no path": (config('decoding: {terminology: "a\\0b"}\n'), "decoding.terminology is not a path"),
    "terms long": (config(f"decoding: {{terminology: {'x' * 5000}}}\n"), "decoding.terminology is not a path"),
    "no model": (lambda run: shutil.rmtree(run / "model"), "the run has no model yet; let it finish"),
    "model a file": (
        lambda run: (shutil.rmtree(run / "model"), (run / "model").touch())[0],
        "the run has no model yet",
    ),
    "model a loop": (
        lambda run: (shutil.rmtree(run / "model"), (run / "model").symlink_to("model"))[0],
        "the run has no model yet",
    ),
    "model's weights gone": (removed("model/model.safetensors"), "no weights, neither"),
    "model's config damaged": (truncated("model/config.json"), r"config\.json: not valid JSON"),
    "model's config a directory": (replaced_by("model/config.json", Path.mkdir), "not a regular file"),
    "model's config a pipe": (replaced_by("model/config.json", os.mkfifo), "not a regular file"),
}


@pytest.mark.parametrize("case", CASES)
def test_damaged_run_is_one_sentence(case: str, run: Path):
    spoil, message = CASES[case]
    spoil(run)
    with pytest.raises((RunError, ModelError), match=message) as raised:
        resolve_systems([str(run)])
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 800
    assert str(run) in str(raised.value)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("name: run\n", None),
        ("model: null\ndecoding: ~\n", None),
        ("decoding: {tag: ''}\n", None),
        ("decoding: {tag: <a>}\nother: {x: [1, 2, {y: 3}]}\nname: 2026-99-99\n", "<a>"),
        ("\ufeffdecoding: {tag: <a>}\n", "<a>"),
        ("decoding: {tag: <a>, of_a_later_version: [x]}\nmodel: {dropout: high}\n", "<a>"),
    ],
)
def test_what_translating_does_not_need_is_not_looked_at(text: str, tag: str | None, run: Path):
    config(text)(run)
    assert read_run_settings(run / "config.yaml").decoding.tag == (tag or "")


def test_missing_terms_are_told_before_anything_is_loaded(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    config("decoding: {terminology: gone.tsv}\n")(run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evaluate.py", str(run)])
    monkeypatch.setattr("mt.systems.translating.open_translator", None)
    assert cli.evaluate_main() == 1
    assert "gone.tsv: no such glossary" in capsys.readouterr().err


LABELS = {
    "long": ("x" * 300, "is longer than 100 bytes"),
    "long in bytes": ("م" * 60, "is longer than 100 bytes"),
    "slash": ("a/b", "holds a slash"),
    "up": ("..", "begins with a dot"),
    "here": (".", "begins with a dot"),
    "absolute": ("/etc", "holds a slash"),
    "away": ("../../x", "begins with a dot|holds a slash"),
    "line": ("a\nb", "holds control or invisible"),
    "escape": ("a\x1b[31mb", "holds control or invisible"),
    "direction": ("a\u202eb", "holds control or invisible"),
    "no UTF-8": ("a\udce9", "holds control or invisible"),
    "blank": ("  ", "is empty"),
    "reference": ("reference", "is taken by the test set's own"),
    "Reference": ("Reference", "would be the same file on some disks"),
}


@pytest.mark.parametrize("case", LABELS)
def test_label_that_is_no_name(case: str, run: Path):
    label, message = LABELS[case]
    with pytest.raises(UserError, match=message) as raised:
        resolve_systems([f"{label}={run}"])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("pair", [("base", "Base"), ("caf\u00e9", "cafe\u0301"), ("straße", "STRASSE")])
def test_labels_that_are_one_file_on_some_disks(pair: tuple[str, str], run: Path):
    with pytest.raises(RunError, match="would be the same file on some disks"):
        resolve_systems([f"{label}={run}" for label in pair])


@pytest.mark.parametrize(
    "name",
    ["x" * 300, "a/" + "x" * 300, "x" * 5000, "x/" * 3000, "caf\udce9", "a\nb/c", "\x1b[31m", "x" * 300 + ".txt", ""],
)
def test_name_that_is_no_path(name: str):
    functions: list[Callable[[str], object]] = [
        lambda name: resolve_systems([f"label={name}"]),
        lambda name: open_translator(ModelConfig(name=name), DecodingConfig()),
        lambda name: translate_file(ModelConfig(), DecodingConfig(), name),
    ]
    for function in functions:
        with pytest.raises((DataError, ModelError), match=r"neither a path nor a hub name|no such") as raised:
            function(name)
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 600


def test_directory_of_texts_with_names_that_are_no_utf8(tmp_path: Path):
    (tmp_path / "texts").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/texts/caf\xe9.txt")).write_text("a\n")
    (tmp_path / "texts" / "news.txt").write_text("a\n")
    [system] = resolve_systems([str(tmp_path / "texts")])
    assert system.is_text
