"""Code that comes with a model is never run, and nobody is asked whether it may be."""

from __future__ import annotations

import ast
import io
import shutil
import sys
from pathlib import Path

import pytest

from mt import cli
from tests.conftest import ROOT
from tests.spoiling import MARKER, Spoil, auto_map, tokenizer_auto_map


@pytest.fixture
def directory(marian_directory: Path, tmp_path: Path) -> Path:
    """A model to spoil."""
    return shutil.copytree(marian_directory, tmp_path / "model")


@pytest.mark.parametrize("command", ["translate", "doctor", "export"])
@pytest.mark.parametrize("spoil", [auto_map(model_type="evil"), tokenizer_auto_map("EvilTokenizer")])
def test_code_is_neither_run_nor_asked_about(
    command: str,
    spoil: Spoil,
    directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    spoil(directory)
    (tmp_path / "in.txt").write_text("The war")
    rest = {"translate": [str(tmp_path / "in.txt")], "doctor": [], "export": [str(tmp_path / "exported")]}
    monkeypatch.setattr(sys, "argv", ["mt", command, str(directory), *rest[command]])
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    assert cli.main() == 1
    captured = capsys.readouterr()
    assert "config.json: the model needs code of its own (`auto_map`), and code that comes with a" in captured.err
    assert "[y/N]" not in captured.out + captured.err
    assert not (directory / MARKER).exists()
    assert not (tmp_path / "exported").exists()


CODE = [*sorted((ROOT / "mt").rglob("*.py")), *sorted((ROOT / "benchmarks").glob("*.py")), *ROOT.glob("*.py")]
# By the name that is called: what must stand among its arguments.
REFUSALS = {
    "from_pretrained": {"trust_remote_code": False},
    "load": {"weights_only": True},
    "load_dataset": {"trust_remote_code": False},
    "pipeline": {"trust_remote_code": False},
}
# Of modules that run what they read.
FORBIDDEN = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
# What it unpickles was pickled by the same program on another node of its cluster, where Ray pickles everything anyway;
# no file and nothing that a person sends gets there.
PICKLES = ROOT / "mt" / "data" / "engines" / "ray_nodes.py"


def calls_of(tree: ast.AST) -> list[tuple[str, str, ast.Call]]:
    """(module or object, function, call) of every call."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            target = node.func
            owner = ast.unparse(target.value) if isinstance(target, ast.Attribute) else ""
            found.append((owner, target.attr if isinstance(target, ast.Attribute) else ast.unparse(target), node))
    return found


def lacks_refusal(owner: str, name: str, call: ast.Call) -> bool:
    wanted = REFUSALS.get(name, {})
    if name == "load" and owner != "torch":
        return False
    said = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg in wanted}
    return said != wanted


def may_run(node: ast.ImportFrom) -> bool:
    """Whether more than an exception is imported."""
    return [alias.name for alias in node.names] != ["UnpicklingError"]


@pytest.mark.slow
def test_every_call_that_could_run_code_refuses_to():
    guarded = 0
    for file in CODE:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for owner, name, call in calls_of(tree):
            assert not lacks_refusal(owner, name, call), f"{file}:{call.lineno}: {ast.unparse(call)}"
            guarded += name in REFUSALS and bool(REFUSALS[name])
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and may_run(node)}
        assert imported & FORBIDDEN == ({"pickle"} if file == PICKLES else set()), file
    assert guarded >= 4  # a tokenizer's, a model's, weights, data sets


@pytest.mark.parametrize(
    ("call", "lacks"),
    [
        ("AutoConfig.from_pretrained(path)", True),
        ("AutoConfig.from_pretrained(path, trust_remote_code=True)", True),
        ("AutoConfig.from_pretrained(path, trust_remote_code=False)", False),
        ("torch.load(path)", True),
        ("torch.load(path, weights_only=False)", True),
        ("torch.load(path, weights_only=True)", False),
        ("json.load(file)", False),
        ("pipeline('translation')", True),
    ],
)
def test_the_search_for_such_calls_finds_them(call: str, lacks: bool):
    assert [lacks_refusal(*found) for found in calls_of(ast.parse(call))] == [lacks]
