"""Configs on top of each other: `extends`, `--config`, mappings and null on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mt.commands.data import parse_data
from mt.commands.sweep import parse_sweep
from mt.commands.train import parse_train
from mt.config import Config
from mt.config.config_files import config_as_yaml
from mt.errors import ConfigError, UsageError

FILES = {
    "ground.yaml": """
name: ground
model: {scratch: {d_model: 64, ffn_dim: 99}}
training: {learning_rate: 1e-3, general_dev: general.tsv, report_to: [tensorboard, wandb]}
data: {corpora: {seed: seed.tsv, news: {path: news.tsv, weight: 2}}}
evaluation: {test_sets: {un: un.tsv}}
""",
    "recipes/middle.yaml": "extends: ../ground.yaml\nname: middle\ntraining: {epochs: 3, report_to: []}\n",
    "mine.yaml": "extends: recipes/middle.yaml\ndata: {corpora: {seed: null, tm: desk.tmx}}\n",
    "over.yaml": """
name: over
data: {corpora: {news: {weight: 5}, more: more.csv}}
evaluation: {test_sets: {un: null}}
""",
    "wrong.yaml": "training: {epoch: 3}\n",
    "negative.yaml": "training: {learning_rate: fast}\n",
    "on_wrong.yaml": "extends: wrong.yaml\nname: fine\n",
    "circle.yaml": "extends: recipes/circle.yaml\n",
    "recipes/circle.yaml": "extends: ../circle.yaml\n",
    "itself.yaml": "extends: ./itself.yaml\n",
    "lost.yaml": "extends: none.yaml\n",
    "two.yaml": "extends: [ground.yaml, over.yaml]\n",
    "removes.yaml": "data: {corpora: {other: null}}\n",
    "typo.yaml": "extend: ground.yaml\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "recipes").mkdir()
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


def parse(place: Path, *arguments: str) -> Config:
    return parse_train([part.replace("@", f"{place}/") for part in arguments], "train.py").config


def corpora(config: Config) -> dict[str, tuple[str, float]]:
    return {name: (corpus.path, corpus.weight) for name, corpus in config.data.corpora.items()}


def test_a_chain_of_configs(place: Path):
    config = parse(place, "@mine.yaml")
    assert (config.name, config.training.epochs, config.training.learning_rate) == ("middle", 3, 1e-3)
    assert config.training.report_to == []  # a list is replaced
    assert config.model.scratch is not None
    assert (config.model.scratch.d_model, config.model.scratch.ffn_dim) == (64, 99)
    assert corpora(config) == {"news": ("news.tsv", 2), "tm": ("desk.tmx", 1)}


def test_what_is_saved_runs_alone(place: Path, tmp_path: Path):
    config = parse(place, "@mine.yaml", "--config", "@over.yaml")
    saved = tmp_path / "elsewhere"
    saved.mkdir()
    (saved / "config.yaml").write_text(config_as_yaml(config), encoding="utf-8")
    assert parse(saved, "@config.yaml") == config
    assert "extends" not in (saved / "config.yaml").read_text(encoding="utf-8")


def test_further_configs_override_in_their_order_and_options_override_them(place: Path):
    config = parse(place, "@mine.yaml", "--training.epochs", "7", "--config", "@over.yaml", "--config=@ground.yaml")
    assert (config.name, config.training.epochs) == ("ground", 7)
    assert corpora(config) == {
        "seed": ("seed.tsv", 1),
        "news": ("news.tsv", 2),
        "tm": ("desk.tmx", 1),
        "more": ("more.csv", 1),
    }
    config = parse(place, "@mine.yaml", "--config", "@over.yaml")
    assert corpora(config) == {"news": ("news.tsv", 5), "tm": ("desk.tmx", 1), "more": ("more.csv", 1)}
    assert config.evaluation.test_sets == {}


def test_every_command_with_a_config_takes_further_ones(place: Path):
    argv = [str(place / "mine.yaml"), "--config", str(place / "over.yaml")]
    assert parse_data(argv, "mt data").config.name == "over"
    assert parse_sweep([*argv, "--grid", "seed=1,2"], "mt sweep").config({"seed": "2"}).name == "over"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--data.corpora", "{tm: desk.tmx}"], {"tm": ("desk.tmx", 1)}),
        (["--data.corpora={tm: desk.tmx, b: {path: b.csv, weight: 3}}"], {"tm": ("desk.tmx", 1), "b": ("b.csv", 3)}),
        (["--data.corpora", '{"tm": "desk.tmx"}', "--data.corpora.tm.weight", "4"], {"tm": ("desk.tmx", 4)}),
        (["--data.corpora.seed", "null"], {"news": ("news.tsv", 2)}),
        (["--data.corpora.seed=null", "--data.corpora.b", "b.csv"], {"news": ("news.tsv", 2), "b": ("b.csv", 1)}),
        (["--data.corpora.news", "{weight: 7}"], {"seed": ("seed.tsv", 1), "news": ("news.tsv", 7)}),
        (["--data", "{corpora: {seed: null}, dev_share: 0.2}"], {"news": ("news.tsv", 2)}),
    ],
)
def test_corpora_typed(options: list[str], expected: dict[str, tuple[str, float]], place: Path):
    assert corpora(parse(place, "@ground.yaml", *options)) == expected


def test_other_sections_typed(place: Path):
    config = parse(
        place,
        *("@ground.yaml", "--training.general_dev", "null", "--evaluation.test_sets", "{a: a.tsv, b: b.tmx}"),
        *("--model.scratch", "{d_model: 32}", "--adaptation.lora", "{}"),
    )
    assert config.training.general_dev is None
    assert {name: corpus.path for name, corpus in config.evaluation.test_sets.items()} == {"a": "a.tsv", "b": "b.tmx"}
    assert config.model.scratch is not None
    assert (config.model.scratch.d_model, config.model.scratch.ffn_dim) == (32, 99)
    assert config.adaptation.lora is not None
    assert parse(place, "@ground.yaml", "--model.scratch", "null").model.scratch is None
    assert parse(place, "@ground.yaml", "--training.general_dev", "other.tsv").training.general_dev is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["@circle.yaml"], r"`extends` goes in a circle: \S*/circle\.yaml -> \S*/circle\.yaml -> \S*/circle\.yaml$"),
        (["@itself.yaml"], r"`extends` goes in a circle: \S*/itself\.yaml -> \S*/itself\.yaml$"),
        (["@lost.yaml"], r"none\.yaml: no such config file \(named by `extends` in \S*/lost\.yaml\)"),
        (["@two.yaml"], r"two\.yaml: `extends` must name one config file, got \['ground\.yaml', 'over\.yaml'\]"),
        (["@typo.yaml"], r"typo\.yaml: .*'extend' is not accepted \(did you mean extends\?\)"),
        (["@on_wrong.yaml"], r"/wrong\.yaml: .*'epoch' \(did you mean epochs\?\)"),
        (["@ground.yaml", "--config", "@wrong.yaml"], r"/wrong\.yaml: .*'epoch' \(did you mean epochs\?\)"),
        (["@mine.yaml", "--config", "@negative.yaml"], r"negative\.yaml: training\.learning_rate: expected float"),
        (["@removes.yaml"], r"removes\.yaml: data\.corpora\.other must not be null: no `other` .*, there is none$"),
        (
            ["@mine.yaml", "--config", "@removes.yaml"],
            r"removes\.yaml: .* no `other` to take away, there are news, tm$",
        ),
        (["@mine.yaml", "--data.corpora.other", "null"], r"no `other` to take away, there are news, tm$"),
        (["@mine.yaml", "--config", "none.yaml"], r"none\.yaml: no such config file \(seen from "),
        (["@mine.yaml", "--data.corpora", "{a: b"], r"--data\.corpora: not valid YAML"),
    ],
)
def test_refused(arguments: list[str], message: str, place: Path):
    with pytest.raises(ConfigError, match=message) as caught:
        parse(place, *arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", [["--config"], ["--config", "--resume"]])
def test_a_config_without_its_file(arguments: list[str], place: Path):
    with pytest.raises(UsageError, match="--config takes a file"):
        parse(place, "@mine.yaml", *arguments)
