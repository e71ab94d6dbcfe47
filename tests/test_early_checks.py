"""What can be refused without torch, transformers and datasets is refused before any of them is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mt
from mt.config import Config, CorpusConfig, DataConfig
from mt.errors import ConfigError
from mt.experiment.early_checks import check_held_out
from tests.conftest import ROOT, SEED, STARTER, run_with

ENTRY = """
import json, sys
entry, *sys.argv = json.loads(sys.argv[1])
from mt import cli
try:
    status = getattr(cli, entry)()
except SystemExit as error:
    status = error.code
heavy = [name for name in ("torch", "transformers", "datasets") if name in sys.modules]
print("\\n" + json.dumps([status, heavy]))
"""


def started(entry: str, *argv: str) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a command in an interpreter of its own, which imported nothing heavy."""
    command = [sys.executable, "-c", ENTRY, json.dumps([entry, "program", *argv])]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    output, _, last = result.stdout.rstrip().rpartition("\n")
    status, heavy = json.loads(last)
    assert heavy == []
    return status, output, result.stderr


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A config, a run with a checkpoint, an evaluation, a table that is none, a page and a text."""
    (tmp_path / "good.yaml").write_text(f"data: {{corpora: {{news: {STARTER}}}}}\nmodel: {{name: tiny-en-ar}}\n")
    run_with(tmp_path / "run", "name: a\n")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"update": 0}\n')
    (tmp_path / "evaluation").mkdir()
    mark = {"made_by": "mt 0", "kind": "evaluation", "files": ["scores.json"]}
    (tmp_path / "evaluation" / ".mt-output.json").write_text(json.dumps(mark))
    (tmp_path / "evaluation" / "scores.json").write_text("{}")
    (tmp_path / "page.html").write_text("<p>")
    (tmp_path / "a.txt").write_text("سلام\n", encoding="utf-8")
    return tmp_path


CASES = [
    ("train_main", "{config} --data.corpora.x none.tsv", "none.tsv: corpus `x` does not exist"),
    ("train_main", "{config} --evaluation.test_sets.x none.tsv", "none.tsv: corpus `x` does not exist"),
    ("train_main", "{config} --training.general_dev none.tsv", "corpus `training.general_dev` does not exist"),
    ("train_main", "{config} --decoding.terminology none.tsv", "none.tsv: no such glossary"),
    ("train_main", "{config} --evaluation.glossary none.tsv", "none.tsv: no such glossary"),
    ("train_main", "{config} --model.name ./none", "./none: no such model directory"),
    ("train_main", "{config} --output_dir {tmp}/run", "holds an earlier training run; continue it with --resume"),
    ("train_main", "{config} --output_dir {tmp}/new --resume", "no run to resume here"),
    ("train_main", "{config} --output_dir {tmp}", "holds files that mt did not write"),
    ("train_main", "{config} --training.epochs few", "training.epochs: expected float, got 'few'"),
    ("train_main", "{config} --training.epochs 0", "training.epochs must be greater than 0"),
    ("train_main", "{config} --trainin.epochs 1", "unrecognized arguments: --trainin.epochs"),
    ("train_main", "none.yaml", "none.yaml: no such config file"),
    ("main", "data {config} --data.corpora.x none.tsv", "none.tsv: corpus `x` does not exist"),
    ("main", "data {config} --output_dir {tmp}/run", "holds a training run"),
    ("main", "sweep {config} --grid seed=1,2 --data.corpora.x none.tsv", "none.tsv: corpus `x` does not exist"),
    ("main", "sweep {config} --grid seed=1,2 --output_dir {tmp}/run", "holds a training run"),
    ("evaluate_main", "{tmp}/a.txt --test_set x=none.tsv", "none.tsv: corpus `x` does not exist"),
    ("evaluate_main", "none.txt --test_set x={starter}", "none.txt: no such file or directory"),
    ("evaluate_main", "m=./none --test_set x={starter}", "./none: no such file or directory"),
    ("evaluate_main", "{tmp}/a.txt --test_set x={starter} --glossary none.tsv", "none.tsv: no such glossary"),
    ("evaluate_main", "{tmp}/a.txt --test_set x={starter} --ratings none.json", "none.json: "),
    ("evaluate_main", "{tmp}/a.txt --output_dir {tmp}/evaluation", "holds an earlier evaluation; replace it"),
    ("main", "review {tmp}/a.txt none.txt", "none.txt: no such file or directory"),
    ("main", "review {tmp}/a.txt {tmp}/a.txt --output {tmp}/page.html", "exists, and may be under review"),
    ("main", "translate tiny-en-ar none.txt", "none.txt: no such text file"),
    ("main", "translate ./none", "./none: no such model directory"),
    ("main", "translate tiny-en-ar {tmp}/a.txt --decoding.terminology none.tsv", "none.tsv: no such glossary"),
    ("main", "export ./none {tmp}/new", "./none: no such model directory"),
    ("main", "doctor ./none", "./none: no such model directory"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "line", "message"), CASES, ids=[f"{entry} {line}" for entry, line, _ in CASES])
def test_refused_before_anything_heavy_is_imported(entry: str, line: str, message: str, place: Path):
    names = {"config": place / "good.yaml", "tmp": place, "starter": STARTER}
    status, output, errors = started(entry, *(part.format(**names) for part in line.split()))
    assert status in (1, 2)
    assert output == ""
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["train_main", "evaluate_main", "main"])
def test_help_and_version_import_nothing_heavy(entry: str):
    assert started(entry, "--help")[0] == 0
    assert started(entry, "--version") == (0, f"mt {mt.__version__}\n", "")


def corpora(**splits: Any) -> dict[str, CorpusConfig]:
    """Corpora of the seed, each with this split."""
    return {name: CorpusConfig(path=str(SEED), split=split) for name, split in splits.items()}


def test_corpora_of_their_own_for_dev_and_test_need_no_shares():
    data = DataConfig(corpora=corpora(news="train", held="dev", final="test"), dev_share=0.0, test_share=0.0)
    check_held_out(Config(name="news", data=data))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"news": "auto", "final": "test"}, "data.dev_share is 0, so no checkpoint could be chosen; raise it"),
        ({"news": "auto", "held": "dev"}, "nothing to test on: raise data.test_share above 0 or name a file in"),
        ({"news": "train", "final": "test"}, "so no sentence is left to choose a checkpoint by"),
        ({"news": "train", "held": "dev"}, "so no sentence is left to test on"),
    ],
)
def test_what_is_missing_without_shares(splits: dict[str, str], message: str):
    data = DataConfig(corpora=corpora(**splits), dev_share=0.0, test_share=0.0)
    with pytest.raises(ConfigError, match=message):
        check_held_out(Config(name="news", data=data))
