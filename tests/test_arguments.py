"""YAML and command line to Config: what is read, and what is refused by the key's name."""

from pathlib import Path

import pytest
import yaml

from mt.arguments import UsageError, config_as_yaml, parse_doctor, parse_evaluate, parse_train, parse_translate
from mt.config import Config
from mt.errors import ConfigError
from tests.conftest import ROOT


def parse(tmp_path: Path, content: str, *options: str) -> Config:
    file = tmp_path / "config.yaml"
    file.write_text(content, encoding="utf-8")
    return parse_train([str(file), *options], "train.py").config


def test_yaml_and_overrides(tmp_path: Path):
    content = "name: a\ntraining:\n  learning_rate: 2e-5\n  epochs: 3\ndata:\n  corpora:\n    news: news.tsv\n"
    config = parse(
        tmp_path,
        content,
        *("--training.epochs", "5", "--data.corpora.general", "general.tsv"),
        *("--data.corpora.news.format=pairs", "--model.scratch.d_model", "64"),
    )
    assert config.training.learning_rate == 2e-5  # PyYAML reads it as text
    assert config.training.epochs == 5.0
    assert config.training.label_smoothing == 0.1
    corpora = {name: (corpus.path, corpus.format) for name, corpus in config.data.corpora.items()}
    assert corpora == {"news": ("news.tsv", "pairs"), "general": ("general.tsv", "auto")}
    assert config.model.scratch is not None
    assert (config.model.scratch.d_model, config.model.scratch.ffn_dim) == (64, 1024)


def test_overrides_reach_into_an_optional_section(tmp_path: Path):
    config = parse(tmp_path, "model: {scratch: {d_model: 64, ffn_dim: 99}}", "--model.scratch.vocabulary_size", "500")
    assert config.model.scratch is not None
    assert (config.model.scratch.vocabulary_size, config.model.scratch.ffn_dim) == (500, 99)


def test_saved_config_runs_again(tmp_path: Path):
    config = parse(tmp_path, "data: {corpora: {news: news.tsv}}\nmodel: {scratch: {}}\ntraining: {max_updates: 3}")
    assert parse(tmp_path, config_as_yaml(config)) == config


REFUSED = [
    (
        "training: {learing_rate: 1e-4}",
        r"config\.yaml: .*'training'.* 'learing_rate'.* \(did you mean learning_rate\?\)",
    ),
    ("trainin: {epochs: 1}", r"config\.yaml: .*'trainin.*\(did you mean training\?\)"),
    ("training: {learning_rate: fast}", r"config\.yaml: training\.learning_rate: expected float, got 'fast'"),
    ("training: {learning_rate: -1}", r"training\.learning_rate must be greater than 0, got -1"),
    ("training: {max_updates: x}", r"training\.max_updates: expected int or null, got 'x'"),
    (
        "training: {precision: fp8}",
        r"training\.precision: expected one of \['auto', 'bf16', 'fp32', 'fp16'\], got 'fp8'",
    ),
    ("training: 3", r"`training` is a section"),
    ("data: {dev_share: 0.6, test_share: 0.4}", r"data\.dev_share \+ data\.test_share must leave something"),
    ("data: {corpora: {a: {path: x, fromat: tsv}}}", r"'fromat' is not accepted \(did you mean format\?\)"),
    ("model: {scratch: {d_model: 30}}", r"model\.scratch\.d_model must be a multiple of attention_heads, got 30"),
    ("evaluation: {test_sets: {test: x.tsv}}", r"evaluation\.test_sets must not use the name `test`"),
    ("name: a/b", r"name: .*'a/b' holds a slash"),
    ("- a\n- b", r"config\.yaml: expected `key: value` lines, found list"),
    ("name: [a", r"config\.yaml:1: not valid YAML"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=[content for content, _ in REFUSED])
def test_refused(content: str, message: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=message) as caught:
        parse(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert "<class" not in str(caught.value)


def test_a_path_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """jsonargparse would import `spy` to see whether `spy.tsv` is a class."""
    (tmp_path / "spy.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert parse(tmp_path, "data: {corpora: {a: spy.tsv}}").data.corpora["a"].path == "spy.tsv"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--training.learing_rate", "1"], r"unrecognized .*learing_rate.*did you mean --training\.learning_rate"),
        (["surplus"], "unrecognized arguments: surplus"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--training.epochs"], "expected one argument"),
    ],
)
def test_usage(options: list[str], message: str, tmp_path: Path):
    with pytest.raises(UsageError, match=message):
        parse(tmp_path, "name: a", *options)


def test_missing_config():
    with pytest.raises(ConfigError, match=r"none\.yaml: no such config file"):
        parse_train(["none.yaml"], "train.py")
    with pytest.raises(UsageError, match="the first argument is the config"):
        parse_train([], "train.py")


def test_evaluate_arguments():
    argv = ["base=a", "b", "--test_set", "news=x=y.tsv", "--test_set", "un=un.tsv", "--decoding.num_beams", "1"]
    command = parse_evaluate(argv, "evaluate.py")
    assert command.systems == ["base=a", "b"]
    assert {name: corpus.path for name, corpus in command.test_sets.items()} == {"news": "x=y.tsv", "un": "un.tsv"}
    assert command.decoding.num_beams == 1
    assert (command.output_dir, command.fail_if_worse, command.overwrite) == ("runs/evaluation", [], False)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required"),
        (["a", "--test_set", "news.tsv"], "--test_set takes NAME=FILE, got news.tsv"),
        (["a", "--test_set", "n=x", "--test_set", "n=y"], "--test_set n is given twice"),
        (["a", "--fail_if_worse", "comet"], "takes one of BLEU, chrF, chrF"),
        (["a", "--resampels", "3"], "unrecognized"),
    ],
)
def test_evaluate_usage(argv: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        parse_evaluate(argv, "evaluate.py")


def test_doctor_and_translate_arguments():
    assert parse_doctor(["some/model", "--model.target_language", "apc_Arab"], "mt doctor").name == "some/model"
    command = parse_translate(["tiny-en-ar", "in.txt", "--decoding.num_beams", "2"], "mt translate")
    assert (command.model.name, command.file, command.decoding.num_beams) == ("tiny-en-ar", "in.txt", 2)
    assert parse_translate(["tiny-en-ar"], "mt translate").file == "-"


def shipped_configs() -> list[Path]:
    return sorted((ROOT / "configs").glob("*.yaml"))


def test_some_configs_are_shipped():
    assert {"demo", "tiny_en_ar", "conflict_news"} <= {path.stem for path in shipped_configs()}


@pytest.mark.parametrize("path", shipped_configs(), ids=lambda path: path.stem)
def test_shipped_config(path: Path):
    config = parse_train([str(path)], "train.py").config
    assert config.name == path.stem
    # A general corpus is the user's.
    assert all((ROOT / corpus.path).is_file() for key, corpus in config.data.corpora.items() if key != "general")
    assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) <= set(Config.__dataclass_fields__)
