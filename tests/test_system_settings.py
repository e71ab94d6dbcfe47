"""How systems are decoded when they are compared: as their runs were scored, until the command line says otherwise."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mt.commands.evaluate import parse_evaluate
from mt.commands.review import parse_review
from mt.config import DecodingConfig
from mt.errors import DataError, RunError
from mt.evaluation.searches import describe_searches, search_as_json, unlike_searches
from mt.models import run_settings
from mt.models.identity import model_identity
from mt.models.run_settings import TranslationSettings
from mt.runs import RunDirectory, remarks_on
from mt.systems.system import resolve_model, resolve_systems
from tests.conftest import run_with

LOOPS = "decoding: {num_beams: 2, no_repeat_ngram_size: 3, length_penalty: 1.5, max_length_ratio: 1.2, tag: <news>}\n"
SEARCH = DecodingConfig(num_beams=2, no_repeat_ngram_size=3, length_penalty=1.5, max_length_ratio=1.2)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run `a` that started from the hub's `owner/base`, and `b`, from it too, that translates greedily."""
    monkeypatch.chdir(tmp_path)
    # Nothing is loaded here, and no name is looked up on the hub.
    monkeypatch.setattr("mt.systems.system.check_model", lambda name: None)
    finished(tmp_path / "a", f"model: {{name: owner/base, target_language: ara, revision: v2, scratch: null}}\n{LOOPS}")
    finished(tmp_path / "b", "model: {name: owner/base, scratch: null}\ndecoding: {num_beams: 1}\n")
    return tmp_path


def finished(root: Path, config: str) -> None:
    run_with(root, config)
    (root / "model").mkdir()
    (root / "model" / "config.json").write_text("{}", encoding="utf-8")


def settled(*paths: str, model: Any = None, decoding: Any = None) -> dict[str, TranslationSettings]:
    systems = resolve_systems([f"{number}={path}" for number, path in enumerate(paths)], model, decoding)
    return {system.path: system.settings for system in systems if system.settings is not None}


def searches(*paths: str, decoding: Any = None) -> list[DecodingConfig]:
    return [each.decoding for each in settled(*paths, decoding=decoding).values()]


def test_a_run_is_decoded_as_it_was_scored(there: Path):
    found = settled("a")["a"]
    assert found.decoding == replace(SEARCH, tag="<news>")
    assert (found.model.name, found.model.target_language) == ("a/model", "ara")
    assert resolve_model("a", {}, {}) == found


def test_what_is_typed_holds_for_all_systems(there: Path):
    typed = {"num_beams": 4, "tag": ""}
    run, base, other = searches("a", "owner/base", "owner/other", decoding=typed)
    assert run == base == other == replace(SEARCH, num_beams=4)
    assert [s.model.target_language for s in settled("a", "owner/base", model={"target_language": "ar"}).values()] == [
        "ar",
        "ar",
    ]


def test_an_option_that_is_typed_at_its_default_is_typed(there: Path):
    command = parse_evaluate(["a", "owner/base", "--decoding.num_beams", "4", "--decoding.terminology=null"], "x")
    assert (command.model, command.decoding) == ({}, {"num_beams": 4, "terminology": None})
    assert parse_review(["a", "b", "--model.target_language", "ar"], "x").model == {"target_language": "ar"}
    assert searches("a", decoding=command.decoding)[0].num_beams == 4


def test_the_base_is_decoded_as_in_the_report_of_its_run(there: Path):
    base = settled("owner/base", "a")["owner/base"]
    assert base.decoding == SEARCH
    assert (base.model.name, base.model.target_language, base.model.revision) == ("owner/base", "ara", "v2")
    assert settled("owner/base", "a", model={"revision": "v3"})["owner/base"].model.revision == "v3"


def test_the_base_is_known_by_its_content_wherever_it_lies(there: Path, marian_directory: Path):
    shutil.copytree(marian_directory, there / "first")
    finished(there / "c", f"model: {{name: {there}/first, target_language: ara}}\n{LOOPS}")
    # Another spelling of the path, which needs no manifest.
    assert settled("first", "b", "c")["first"].decoding == SEARCH
    facts = {"base_model": {"identity": model_identity(str(there / "first"), "main")}}
    (there / "c" / "manifest.json").write_text(json.dumps(facts))
    (there / "first").rename(there / "moved")
    moved = settled("moved", "b", "c")["moved"]
    assert (moved.decoding, moved.model.target_language) == (SEARCH, "ara")
    (there / "moved" / "generation_config.json").write_text('{"num_beams": 7}')
    assert settled("moved", "b", "c")["moved"].decoding == DecodingConfig(
        num_beams=1
    )  # another model: as `b`, the first
    (there / "c" / "manifest.json").write_text("damaged")
    assert settled("moved", "c")["moved"].model.target_language == "ar"


def test_a_directory_of_texts_holds_no_model(there: Path):
    for name in ("texts", "model"):
        (there / name).mkdir()
        (there / name / "news.txt").write_text("لا\n", encoding="utf-8")
    (there / "model" / "config.json").write_text("{}", encoding="utf-8")
    assert [system.is_text for system in resolve_systems(["texts", "model"])] == [True, False]


def test_of_several_runs_each_has_its_own_and_the_base_that_of_the_first(there: Path):
    assert searches("owner/base", "a", "b") == [SEARCH, replace(SEARCH, tag="<news>"), DecodingConfig(num_beams=1)]
    assert searches("owner/base", "b", "a")[0] == DecodingConfig(num_beams=1)


def test_any_other_model_is_decoded_as_the_first_run(there: Path):
    other = settled("owner/other", "b", "a")["owner/other"]
    assert other.decoding == DecodingConfig(num_beams=1)
    assert (other.model.target_language, other.model.revision) == ("ar", "main")
    assert searches("owner/other", "owner/base") == [DecodingConfig(), DecodingConfig()]


def test_a_model_in_a_run_is_decoded_as_the_run_but_for_tag_and_terms(there: Path):
    for name in ("a/model", "a/checkpoints/checkpoint-4"):
        Path(name).mkdir(parents=True, exist_ok=True)
        found = settled(name, "b")[name]
        assert (found.decoding, found.model.target_language, found.model.name) == (SEARCH, "ara", name)
    # As the base of another run, it is decoded as in the report of that one.
    finished(there / "d", "model: {name: a/model}\ndecoding: {num_beams: 3}\n")
    assert searches("a/model", "d")[0] == DecodingConfig(num_beams=3)
    (there / "a" / "config.yaml").write_text("damaged", encoding="utf-8")
    assert searches("a/model") == [DecodingConfig()]
    with pytest.raises(RunError, match="holds no options but str"):
        settled("a")


def test_a_text_has_no_settings(there: Path):
    (there / "vendor.txt").write_text("سقطت\n", encoding="utf-8")
    assert list(settled("vendor.txt", "a")) == ["a"]


def test_a_run_that_started_from_nothing_has_no_base(there: Path):
    finished(there / "e", f"model: {{name: tiny-en-ar, target_language: ara, scratch: {{d_model: 8}}}}\n{LOOPS}")
    assert settled("tiny-en-ar", "e")["tiny-en-ar"].model.target_language == "ar"


def test_terms_that_are_gone_are_named(there: Path):
    finished(there / "f", "decoding: {terminology: gone.tsv}\n")
    with pytest.raises(DataError, match=r"gone\.tsv: no such glossary"):
        settled("f")
    assert searches("f", decoding={"terminology": None}) == [DecodingConfig()]


PLAIN = "beam 2, length penalty 1.5, no 3 tokens in a row twice, at most 1.2 target tokens per source token plus 10"
GREEDY = "greedy, at most 2 target tokens per source token plus 10"


def test_what_is_said_of_searches(there: Path):
    tagged = replace(SEARCH, tag="<news>", terminology="terms.tsv", batch_tokens=7)
    own = f"{PLAIN.replace(', at', ', sources tagged <news>, the terms of terms.tsv given inline, at')}"
    assert describe_searches({"base": SEARCH, "tuned": tagged}) == {"decoding of base": PLAIN, "decoding of tuned": own}
    assert describe_searches({"base": SEARCH, "same": replace(SEARCH, batch_tokens=9)}) == {"decoding": PLAIN}
    assert describe_searches({}) == {}
    # A tag is no other search: one model was trained for it and the other was not.
    assert unlike_searches({"base": SEARCH, "tuned": tagged}) == ""
    assert unlike_searches({"a": SEARCH, "b": DecodingConfig(num_beams=1), "base": SEARCH}) == (
        f"The systems were decoded by different searches (a, base: {PLAIN}; b: {GREEDY}), so a difference may be one "
        "of searches rather than of models; an option such as --decoding.num_beams holds for all of them."
    )
    assert search_as_json(tagged) == {
        "num_beams": 2, "length_penalty": 1.5, "no_repeat_ngram_size": 3, "max_length_ratio": 1.2, "tag": "<news>",
        "terminology": "terms.tsv", "mbr": 0,
    }  # fmt: skip


def test_a_run_whose_model_is_its_base_is_named(there: Path):
    runs = {name: RunDirectory(there / name) for name in ("a", "b")}
    assert remarks_on(runs) == []
    for content, remarks in (('{"model_is_base": true}', 1), ('{"model_is_base": false}', 0), ("damaged", 0)):
        (there / "b" / "manifest.json").write_text(content, encoding="utf-8")
        assert (
            remarks_on(runs)
            == ["The model of b is its unchanged base: nothing that was trained was as good."][:remarks]
        )


def test_the_config_of_a_run_is_read_once_for_its_systems(there: Path, monkeypatch: pytest.MonkeyPatch):
    read, files = run_settings.read_small, []
    monkeypatch.setattr(run_settings, "read_small", lambda file, *rest: files.append(str(file)) or read(file, *rest))
    Path("a/checkpoints/checkpoint-4").mkdir(parents=True)
    resolve_systems(["a", "owner/base", "again=a/model", "early=a/checkpoints/checkpoint-4", "b"])
    assert files == ["a/config.yaml", "b/config.yaml"]
    files.clear()
    # Of a run that is not compared itself: once for both of its models.
    resolve_systems(["a/model", "early=a/checkpoints/checkpoint-4"])
    assert files == [str(there / "a" / "config.yaml")]
