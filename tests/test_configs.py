"""`mt configs`: recipes listed, and copied with the data that they name; nothing is ever written over."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mt.commands import configs
from tests.conftest import ROOT
from tests.helpers import only_line, run

DATA = Path("data") / "conflict_news"
RECIPES = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with nothing in it."""
    directory = tmp_path / "empty"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def files_in(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def test_every_recipe_is_listed_in_a_line(empty: Path, monkeypatch, capsys):
    assert run(monkeypatch, "mt", "configs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-2]] == RECIPES
    assert lines[-2:] == ["", "mt configs NAME writes one to the current directory, together with the data it names"]
    assert files_in(empty) == []


@pytest.mark.parametrize(
    ("recipe", "summary"),
    [
        ("# A base of 29.7 BLEU (Chu et al., 2017).\n# More.\nname: a\n", "A base of 29.7 BLEU (Chu et al., 2017)."),
        ("# Two lines make\n# one sentence. Another.\n#\n# A command.\nname: a\n", "Two lines make one sentence."),
        ("# No full stop\nname: a\n# of a key\n", "No full stop"),
        ("name: a\n", ""),
    ],
)
def test_summary_is_the_first_sentence(recipe: str, summary: str):
    assert configs.summary_of(recipe) == summary


def test_demo_comes_with_its_data(empty: Path, monkeypatch, capsys):
    assert run(monkeypatch, "mt", "configs", "demo") == 0
    data = [f"data/conflict_news/{name}" for name in ("seed_pairs.txt", "starter.tsv", "glossary.tsv")]
    assert capsys.readouterr().out.splitlines() == [*(f"wrote {path}" for path in data), "wrote demo.yaml"]
    assert files_in(empty) == sorted([*data, "demo.yaml"])
    for path in data:
        assert (empty / path).read_bytes() == (ROOT / path).read_bytes()


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_written_is_the_recipe(name: str, empty: Path, monkeypatch):
    assert run(monkeypatch, "mt", "configs", name, "--output", "jobs/mine.yaml") == 0
    text = (empty / "jobs" / "mine.yaml").read_text(encoding="utf-8")
    recipe = (ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == yaml.safe_load(recipe)
    # An installed package has neither of them.
    assert "train.py" not in text
    assert "configs/" not in text
    # A config's paths are seen from the current directory, wherever it lies itself.
    named = [path for path in files_in(empty) if path.startswith("data/")]
    assert named == sorted(path for path in set(recipe.replace(",", " ").split()) if path.startswith("data/"))
    assert named


def test_name_may_have_its_ending(empty: Path, monkeypatch):
    assert run(monkeypatch, "mt", "configs", "demo.yaml") == 0
    assert (empty / "demo.yaml").is_file()


@pytest.mark.parametrize("kind", ["file", "directory", "link to nothing"])
def test_nothing_is_written_over(kind: str, empty: Path, monkeypatch, capsys):
    taken = empty / "demo.yaml"
    if kind == "file":
        taken.write_text("name: mine\n")
    elif kind == "directory":
        taken.mkdir()
    else:
        taken.symlink_to(empty / "elsewhere.yaml")
    assert run(monkeypatch, "mt", "configs", "demo") == 1
    assert only_line(capsys) == ("mt configs: demo.yaml: already exists; choose another file with --output FILE\n")
    assert files_in(empty) == (["demo.yaml"] if kind == "file" else [])
    if kind == "file":
        assert taken.read_text() == "name: mine\n"


def test_data_that_is_there_is_kept(empty: Path, monkeypatch, capsys):
    assert run(monkeypatch, "mt", "configs", "demo") == 0
    (empty / DATA / "starter.tsv").write_text("mine\n")
    (empty / DATA / "seed_pairs.txt").unlink()
    capsys.readouterr()
    assert run(monkeypatch, "mt", "configs", "conflict_news") == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote data/conflict_news/seed_pairs.txt",
        "kept data/conflict_news/starter.tsv, which differs from the file that comes with mt",
        "wrote conflict_news.yaml",
    ]
    assert (empty / DATA / "starter.tsv").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dmeo", "mt configs: dmeo: no such recipe (did you mean demo?); there are conflict_news, "),
        ("../demo", "mt configs: ../demo: no such recipe (did you mean demo?); there are conflict_news, "),
        ("x", "mt configs: x: no such recipe; there are conflict_news, "),
    ],
)
def test_no_such_recipe(name: str, message: str, empty: Path, monkeypatch, capsys):
    assert run(monkeypatch, "mt", "configs", name) == 1
    assert only_line(capsys).startswith(message)
    assert files_in(empty) == []


def test_output_without_a_name_is_a_matter_of_usage(empty: Path, monkeypatch, capsys):
    assert run(monkeypatch, "mt", "configs", "--output", "a.yaml") == 2
    assert "--output needs the NAME of a recipe, as in: mt configs demo --output a.yaml" in only_line(capsys)


def test_a_directory_that_cannot_be_made_is_one_sentence(empty: Path, monkeypatch, capsys):
    (empty / "data").write_text("a file\n")
    assert run(monkeypatch, "mt", "configs", "demo") == 1
    assert "data/conflict_news/seed_pairs.txt: cannot be written (" in only_line(capsys)
    assert files_in(empty) == ["data"]
