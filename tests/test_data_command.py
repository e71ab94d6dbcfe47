"""`mt data` and `mt doctor` as commands: what they print, write, keep and say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import load_from_disk

from mt.config import CorpusConfig
from mt.config.parsing import read_config
from mt.data import saved, vocabulary
from mt.data.readers import read_corpus
from mt.data.saved import load_splits, write_tables
from mt.errors import RunError
from mt.experiment import data
from mt.experiment.splits import prepare_data
from mt.experiment.start import claim_directory
from mt.runs import RunDirectory
from tests.conftest import ROOT
from tests.helpers import run

CONFIG = """
name: small
data: {{corpora: {{news: {news}}}, dev_share: 0.1, test_share: 0.1, cache_dir: {cache}}}
model: {{name: tiny-en-ar}}
"""


@pytest.fixture
def config(tmp_path: Path, few_news: Path) -> str:
    file = tmp_path / "small.yaml"
    file.write_text(CONFIG.format(news=few_news, cache=tmp_path / "cache"), encoding="utf-8")
    return str(file)


def test_data_writes_splits_and_card(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert run(monkeypatch, "mt", "data", config, "--output_dir", str(out)) == 0
    lines = capsys.readouterr().out.splitlines()
    counts = re.match(r"(\d+) train, (\d+) dev, (\d+) test", lines[0])
    assert counts is not None
    splits = load_from_disk(str(out / "data"))
    assert [len(splits[split]) for split in ("train", "dev", "test")] == [int(count) for count in counts.groups()]
    assert lines[1:] == [f"card:     {out}/data_card.html", f"rejected: {out}/rejected.tsv"]
    report = json.loads((out / "data_report.json").read_text())
    assert report["tokenizer"] == "tiny-en-ar"
    assert not list((out / "data").glob("*.tsv"))


@pytest.mark.slow
def test_an_estimate_follows_and_is_that_of_a_dry_run(config: str, tmp_path: Path, marian_directory: Path):
    out = tmp_path / "out"
    code = "import sys; from mt import cli; sys.argv[0] = 'mt'; sys.exit(cli.main())"
    argv = [sys.executable, "-c", code, "data", config, "--estimate", "--output_dir", str(out)]
    argv += ["--model.name", str(marian_directory), "--model.skip_doctor", "true", "--decoding.num_beams", "1"]
    argv += ["--training.dev_sentences", "4", "--training.tokens_per_update", "400"]
    result = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    lines = result.stdout.splitlines()
    assert lines[1:4] == [f"card:     {out}/data_card.html", f"rejected: {out}/rejected.tsv", ""]
    assert [line.split()[0] for line in lines[4:9]] == ["weights", "memory", "micro-batch", "training", "time"]
    # It was measured on the data that were built.
    train = lines[0].split()[0]
    assert lines[7].startswith(f"training     {train} pairs; ")
    # Nothing of a run is left.
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml", "cache", "out"}
    assert not (out / "checkpoints").exists()


def test_what_a_training_would_refuse_is_refused_before_the_data_are_built(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    options = ["--data.dev_share", "0", "--output_dir", str(out)]
    assert run(monkeypatch, "mt", "data", config, "--estimate", *options) == 1
    assert "data.dev_share is 0, so no checkpoint could be chosen; raise it\n" in capsys.readouterr().err
    assert not out.exists()
    assert run(monkeypatch, "mt", "data", config, *options) == 0


@pytest.mark.slow
def test_the_report_is_written_once_by_either_command_and_measured_once_for_both(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written: list[str] = []
    measured: list[str] = []
    monkeypatch.setattr(data, "write_report", _noting(written, data.write_report))
    monkeypatch.setattr(vocabulary, "measure_vocabulary", _noting(measured, vocabulary.measure_vocabulary))
    train, inspected = RunDirectory(tmp_path / "train"), RunDirectory(tmp_path / "inspected")
    options = replace(read_config(Path(config)), output_dir=str(train.root))
    with claim_directory(options, resume=False, overwrite=False) as claimed:
        prepare_data(options, claimed)
    assert run(monkeypatch, "mt", "data", config, "--output_dir", str(inspected.root)) == 0
    assert (len(written), len(measured)) == (2, 1)
    assert train.data_report.read_bytes() == inspected.data_report.read_bytes()
    assert json.loads(train.data_report.read_text())["vocabulary"]["news"]["source"]["unknown_share"] < 0.5


def _noting(calls: list[str], function: Callable[..., object]) -> Callable[..., object]:
    def noted(*arguments: object) -> object:
        calls.append(function.__name__)
        return function(*arguments)

    return noted


@pytest.mark.slow
def test_a_second_time_nothing_is_built_or_measured_or_imported(config: str, tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    code = "import sys; from mt import cli; sys.argv[0] = 'mt'; status = cli.main(); "
    code += "print(status, [name for name in ('torch', 'transformers', 'datasets') if name in sys.modules])"
    outputs = []
    for out in (first, second):
        argv = [sys.executable, "-c", code, "data", config, "--output_dir", str(out)]
        outputs.append(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True))
    assert "data: built before, taken from" in outputs[1].stderr
    assert outputs[1].stdout.splitlines()[-1] == "0 []"
    for name in ("data_report.json", "data_card.html", "data_card.md", "rejected.tsv", "data/checksums.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.slow
def test_splits_as_tables_are_read_as_they_are(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "out"
    assert run(monkeypatch, "mt", "data", config, "--export", "tsv", "--output_dir", str(out)) == 0
    splits = load_splits(RunDirectory(out))
    for split in ("train", "dev", "test"):
        file = out / "data" / f"{split}.tsv"
        assert file.read_text(encoding="utf-8").startswith("english\tarabic\tcorpus\tgroup\n")
        read = [(pair.source, pair.target) for pair in read_corpus("x", CorpusConfig(path=str(file)))]
        assert read == list(zip(splits[split]["source"], splits[split]["target"], strict=True))
    # Written again, without them.
    assert run(monkeypatch, "mt", "data", config, "--output_dir", str(out)) == 0
    assert not list((out / "data").glob("*.tsv"))


def test_quotes_tabs_and_line_ends_in_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [
        {"source": '"Stop," he said.', "target": "«قف»\tقال\r\nهو", "corpus": "a", "group": "1"},
        {"source": 'A "quoted" word', "target": '"كلمة"', "corpus": "a\u2028b", "group": "2"},
    ]
    monkeypatch.setattr("datasets.load_from_disk", lambda _: {"train": rows, "dev": [], "test": rows[:1]})
    write_tables(tmp_path)
    assert (tmp_path / "train.tsv").read_text(encoding="utf-8").split("\n") == [
        "english\tarabic\tcorpus\tgroup",
        '"Stop," he said.\t«قف» قال هو\ta\t1',
        'A "quoted" word\t"كلمة"\ta b\t2',
        "",
    ]
    assert (tmp_path / "dev.tsv").read_text() == "english\tarabic\tcorpus\tgroup\n"
    pairs = [(p.source, p.target) for p in read_corpus("x", CorpusConfig(path=str(tmp_path / "train.tsv")))]
    assert pairs == [('"Stop," he said.', "«قف» قال هو"), ('A "quoted" word', '"كلمة"')]


def test_only_tables_can_be_exported(config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "mt", "data", config, "--export", "xml") == 1
    assert "export: expected one of ['tsv'] or null, got 'xml'" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_no_reason_to_stop(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    out = tmp_path / "out"
    assert run(monkeypatch, "mt", "data", config, "--model.name", "./none", "--output_dir", str(out)) == 0
    assert json.loads((out / "data_report.json").read_text())["tokenizer"].startswith("not measured: ./none: no such")


@pytest.mark.slow
def test_splits_are_looked_through_once_until_they_change(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = RunDirectory(tmp_path / "out")
    assert run(monkeypatch, "mt", "data", config, "--output_dir", str(out.root)) == 0
    checked: list[Path] = []
    damage = saved.find_split_damage

    def counted(run: RunDirectory) -> str | None:
        checked.append(run.root)
        return damage(run)

    monkeypatch.setattr(saved, "find_split_damage", counted)
    saved._load.cache_clear()
    assert load_splits(out) is load_splits(out)
    assert len(checked) == 1
    (arrow,) = (out.data / "test").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:-1] + b"x")
    os.utime(arrow, ns=(1, 1))
    with pytest.raises(RunError, match=r"arrow is not as it was written; restore it"):
        load_splits(out)


@pytest.mark.slow
def test_doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], marian_directory: Path):
    assert run(monkeypatch, "mt", "doctor", "tiny-en-ar") == 0
    captured = capsys.readouterr()
    assert "ok    " in captured.out
    assert "FAIL" not in captured.out
    assert "The city is in the north of the country.\n" in captured.out
    assert run(monkeypatch, "mt", "doctor", str(marian_directory)) == 1
    assert "FAIL  " in capsys.readouterr().out
