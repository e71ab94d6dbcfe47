"""Arabic to English and English to French through the real commands: built, trained, compared, translated, reviewed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from datasets import load_from_disk

from mt import cli
from mt.languages import LanguagePair
from tests.pairs import ARABIC_TO_ENGLISH, ENGLISH_TO_FRENCH, arabic_pairs, french_pairs, write_tsv

pytestmark = pytest.mark.slow

PAIRS = {ARABIC_TO_ENGLISH: arabic_pairs, ENGLISH_TO_FRENCH: french_pairs}
TOKENS = {ARABIC_TO_ENGLISH: ">>eng<<", ENGLISH_TO_FRENCH: ">>fra<<"}
SIDES = {ARABIC_TO_ENGLISH: ("ar", "rtl", "en", "ltr"), ENGLISH_TO_FRENCH: ("en", "ltr", "fr", "ltr")}
SCRATCH = {"vocabulary_size": 110, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "ffn_dim": 32}


def run(entry: str, *argv: str) -> int:
    before, sys.argv = sys.argv, [entry, *argv]
    try:
        return {"train": cli.train_main, "evaluate": cli.evaluate_main, "mt": cli.main}[entry]()
    finally:
        sys.argv = before


@pytest.fixture(scope="module", params=PAIRS, ids=str)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LanguagePair, Path]:
    """(the pair, a directory with the run of a new model and the tables `news.tsv` and `new.tsv`)."""
    pair, directory = request.param, tmp_path_factory.mktemp("pair")
    rows = PAIRS[pair](150)
    write_tsv(directory / "news.tsv", rows[:120])
    write_tsv(directory / "new.tsv", rows[120:])
    config = {
        "name": "pair",
        "output_dir": str(directory / "run"),
        # Sentences from templates are all alike.
        "data": {"corpora": {"news": {"path": str(directory / "news.tsv")}}, "similarity": 1.0},
        "model": {
            "source_language": pair.source.code,
            "target_language": pair.target.code,
            "scratch": SCRATCH,
        },
        "training": {"max_updates": 8, "eval_every_updates": 4, "tokens_per_update": 400, "report_to": []},
        "decoding": {"num_beams": 1, "max_length_ratio": 1},
        "evaluation": {"resamples": 100},
    }
    file = directory / "pair.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert run("train", str(file)) == 0
    return pair, directory


def test_a_run_of_another_pair_is_complete(trained: tuple[LanguagePair, Path]):
    pair, directory = trained
    root = directory / "run"
    splits = load_from_disk(str(root / "data"))
    assert min(len(splits[split]) for split in ("train", "dev", "test")) > 0
    assert set(zip(*(splits["train"][side] for side in ("source", "target")), strict=True)) <= {*PAIRS[pair](120)}
    vocabulary = json.loads((root / "base" / "vocab.json").read_text(encoding="utf-8"))
    assert vocabulary[TOKENS[pair]] == 2
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["base_model"]["target_code"] == TOKENS[pair].strip("<>")
    assert f"Sentence pairs, {pair}." in (root / "data_card.md").read_text(encoding="utf-8")
    card = (root / "model" / "README.md").read_text(encoding="utf-8")
    assert f"{pair} translation, fine-tuned with `mt`." in card


def test_its_report_has_what_can_be_measured(trained: tuple[LanguagePair, Path]):
    pair, directory = trained
    scores = json.loads((directory / "run" / "scores.json").read_text(encoding="utf-8"))
    assert {score["metric"] for score in scores["scores"]} == {"BLEU", "chrF", "chrF++", "TER"}
    checks = {result["check"] for result in scores["fidelity"]}
    assert checks - {"untranslated"} == {"repetition", "length", "characters", "quotes", "punctuation"}
    assert ("untranslated" in checks) == pair.has_two_scripts
    assert any(note.startswith(f"Not checked for {pair}: numbers, names,") for note in scores["notes"])
    page = (directory / "run" / "report.html").read_text(encoding="utf-8")
    source, source_direction, target, target_direction = SIDES[pair]
    assert f'"source":{{"lang":"{source}","dir":"{source_direction}"}}' in page
    assert f'"target":{{"lang":"{target}","dir":"{target_direction}"}}' in page
    assert set(re.findall(r'<p lang="(\w+)" dir="(\w+)">', page)) == {(source, source_direction)}
    found = set(re.findall(r'<p class="target" lang="(\w+)" dir="(\w+)">', page))
    assert found == {(target, target_direction)}


def test_it_is_compared_on_a_new_test_set(trained: tuple[LanguagePair, Path]):
    pair, directory = trained
    model, lines = directory / "run" / "model", directory / "other.txt"
    lines.write_text("".join(f"{target}\n" for _, target in PAIRS[pair](150)[120:]), encoding="utf-8")
    output, table = directory / "evaluation", directory / "new.tsv"
    options = ["--test_set", f"new={table}", "--output_dir", str(output), "--resamples", "100"]
    # The run, its model as it lies there, and a file: none of them says which languages but the run.
    assert run("evaluate", str(directory / "run"), f"model={model}", f"file={lines}", *options) == 0
    scores = json.loads((output / "scores.json").read_text(encoding="utf-8"))["scores"]
    chrf = {score["system"]: score["score"] for score in scores if score["metric"] == "chrF"}
    assert chrf["run"] == chrf["model"]
    assert chrf["file"] == 100
    assert f"{pair}. Systems are compared" in (output / "report.html").read_text(encoding="utf-8")


def test_it_translates_and_is_reviewed(trained: tuple[LanguagePair, Path], capsys: pytest.CaptureFixture[str]):
    pair, directory = trained
    text = directory / "sources.txt"
    text.write_text("".join(f"{source}\n" for source, _ in PAIRS[pair](3)), encoding="utf-8")
    assert run("mt", "translate", str(directory / "run"), str(text)) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    page = directory / "review.html"
    other = directory / "other.txt"
    other.write_text("".join(f"{target}\n" for _, target in PAIRS[pair](150)[120:]), encoding="utf-8")
    options = ["--test_set", f"new={directory / 'new.tsv'}", "--output", str(page), "--overwrite"]
    assert run("mt", "review", str(directory / "run"), str(other), *options) == 0
    assert f"which {pair.target.name} translation is better" in page.read_text(encoding="utf-8")


def test_systems_of_different_pairs_are_not_compared(
    trained: tuple[LanguagePair, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pair, directory = trained
    twin = tmp_path / "twin"
    (twin / "model").mkdir(parents=True)
    for file in (directory / "run" / "model").iterdir():
        (twin / "model" / file.name).symlink_to(file)
    config = yaml.safe_load((directory / "run" / "config.yaml").read_text(encoding="utf-8"))
    config["model"] |= {"source_language": "en", "target_language": "ar"}
    (twin / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    options = ["--test_set", f"new={directory / 'new.tsv'}", "--output_dir", str(tmp_path / "evaluation")]
    assert run("evaluate", str(directory / "run"), str(twin), *options) == 1
    error = capsys.readouterr().err
    assert f"run translates {pair}, twin English to Arabic; compare systems for the same two languages" in error
