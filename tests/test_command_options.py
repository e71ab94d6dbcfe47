"""YAML and command line to Config: what is read, and what is refused by the key's name."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from jsonargparse import ArgumentParser

from mt.commands.comet_setup import parse_comet_setup
from mt.commands.data import parse_data
from mt.commands.doctor import parse_doctor
from mt.commands.evaluate import parse_evaluate
from mt.commands.export import parse_export
from mt.commands.review import parse_review
from mt.commands.sweep import parse_sweep
from mt.commands.train import parse_train
from mt.commands.translate import parse_translate
from mt.config import CleaningConfig, Config, ModelConfig
from mt.config.config_files import config_as_yaml, off_value
from mt.errors import ConfigError, RunError, UsageError
from mt.languages import ENGLISH_TO_ARABIC
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


def test_a_config_is_parsed_once_and_a_sweep_once_per_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counts: Counter[str] = Counter()

    def counted(name: str) -> Callable[..., object]:
        original = getattr(ArgumentParser, name)

        def count(*arguments: object, **options: object) -> object:
            counts[name] += 1
            return original(*arguments, **options)

        return count

    for name in ("parse_args", "parse_string"):
        monkeypatch.setattr(ArgumentParser, name, counted(name))
    parse(tmp_path, "name: a", "--training.epochs", "3")
    assert counts == {"parse_args": 1, "parse_string": 1}
    counts.clear()
    sweep = parse_sweep([str(tmp_path / "config.yaml"), "--grid", "training.learning_rate=1e-5,2e-5,3e-5"], "mt sweep")
    assert sweep.config({"training.learning_rate": "2e-5"}).training.learning_rate == 2e-5
    assert counts == {"parse_args": 4, "parse_string": 4}  # the config itself, and with each value


def test_a_mistake_is_blamed_on_the_file_or_the_command_line(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"^\S*config\.yaml: training\.epochs: expected float, got 'x'$"):
        parse(tmp_path, "training: {epochs: x}", "--training.epochs", "y")
    with pytest.raises(ConfigError, match=r"^training\.epochs: expected float, got 'y'$"):
        parse(tmp_path, "training: {epochs: 3}", "--training.epochs", "y")


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
    (
        "data: {corpora: {a: {path: x, split: tst}}}",
        r"data\.corpora: split: expected one of \['auto', 'train', 'dev', 'test'\], got 'tst'",
    ),
    ("data: {corpora: {a: {path: x, weight: much}}}", r"data\.corpora: weight: expected float, got 'much'"),
    ("training: {general_dev: {path: x, weight: much}}", r"training\.general_dev: weight: expected float, got 'much'$"),
    ("data: {dev_share: 0.6, test_share: 0.4}", r"data\.dev_share \+ data\.test_share must leave something"),
    ("data: {corpora: {a: {path: x, fromat: tsv}}}", r"'fromat' is not accepted \(did you mean format\?\)"),
    ("model: {scratch: {d_model: 30}}", r"model\.scratch\.d_model must be a multiple of attention_heads, got 30"),
    ("evaluation: {test_sets: {test: x.tsv}}", r"evaluation\.test_sets must not use the name `test`"),
    ("name: a/b", r"name: .*'a/b' holds a slash"),
    ("name: a\nseed: 1\nname: b", r"config\.yaml:3: .*the key `name` is already in line 1; remove one"),
    ("name: !!set {a}", r"config\.yaml:1: .*the tag !!set has no meaning in a config"),
    ("name: !!python/name:os.system x", r"config\.yaml:1: .*the tag !!python/name:os\.system has no meaning"),
    ("data: &a [*a]", r"config\.yaml:1: .*more than 30 levels deep \(an alias inside its own anchor\?\)"),
    ("[" * 5000, r"config\.yaml:1: .*more than 30 levels deep"),
    ("# " + "x" * 200_000, r"config\.yaml: is longer than 131072 bytes, too long for a config"),
    ("seed: " + "9" * 400, r"config\.yaml:1: .*a number of 400 digits, which no option accepts"),
    ("training: {compile: maybe}", r"training\.compile: expected true, false or auto, got 'maybe'"),
    ("seed: 1:30", r"config\.yaml: seed: expected int, got '1:30'"),
    ("seed: 0x1F", r"config\.yaml: seed: expected int, got '0x1F'"),
    ("seed: 1_000", r"config\.yaml: seed: expected int, got '1_000'"),
    ("seed: true", r"config\.yaml: seed: expected int, got 'True'"),
    ("seed: null", r"config\.yaml: seed must not be null; leave it out to get its default"),
    ("seed: 4294967296", r"seed must be at least 0 and below 4294967296, got 4294967296"),
    ("name: 2026", r"config\.yaml: name: expected str, got '2026'; put it in quotes"),
    ('name: "a\\0b"', r"config\.yaml: name holds a NUL or half a character"),
    ("training: {learning_rate: .nan}", r"config\.yaml: training\.learning_rate must be a finite number, got nan"),
    ("training: {learning_rate: 1e999}", r"config\.yaml: training\.learning_rate must be a finite number, got inf"),
    ("decoding: {length_penalty: .inf}", r"config\.yaml: decoding\.length_penalty must be a finite number, got inf"),
    ("data: {cleaning: null}", r"config\.yaml: data\.cleaning must not be null"),
    ("data: {corpora: {a: null}}", r"config\.yaml: data\.corpora\.a must not be null"),
    ("data: {corpora: {a: [1]}}", r"config\.yaml: `data\.corpora\.a` is a section, .* got \[1\]"),
    ("adaptation: {lora: true}", r"config\.yaml: `adaptation\.lora` is a section, .* got True"),
    ("data: {corpora: {../a: x}}", r"data\.corpora: the name '\.\./a' begins with a dot"),
    ("evaluation: {test_sets: {../../x: a}}", r"evaluation\.test_sets .* the name '\.\./\.\./x' begins with a dot"),
    ("evaluation: {general: {/abs/x: a}}", r"the name '/abs/x' holds a slash"),
    ("evaluation: {test_sets: {News: a}, general: {news: b}}", r"'News' and 'news' would be the same file on"),
    ("- a\n- b", r"config\.yaml: expected `key: value` lines, found list"),
    ("name: [a", r"config\.yaml:1: not valid YAML"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=[content for content, _ in REFUSED])
def test_refused(content: str, message: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=message) as caught:
        parse(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert "<class" not in str(caught.value)


def test_aliases_that_unfold_are_refused(tmp_path: Path):
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    with pytest.raises(ConfigError, match=r"config\.yaml:5: .*more than 20000 values once its aliases are written out"):
        parse(tmp_path, bomb)


def test_plain_values_and_aliases(tmp_path: Path):
    content = "name: 2026-11-26\nseed: 010\ndata: {corpora: {a: &a {path: x.tsv, tag: 😀}, b: {<<: *a, weight: 2}}}\n"
    config = parse(tmp_path, content)
    assert (config.name, config.seed) == ("2026-11-26", 10)  # YAML 1.1 has them as a date and as 8
    assert [(c.path, c.weight, c.tag) for c in config.data.corpora.values()] == [("x.tsv", 1, "😀"), ("x.tsv", 2, "😀")]


@pytest.mark.parametrize("off", ["null", "none", "false"])
def test_what_switches_a_rule_off_does_so_for_every_rule(off: str, tmp_path: Path):
    rules = list(CleaningConfig.__dataclass_fields__)
    expected = CleaningConfig(**{name: off_value(name) for name in rules})  # type: ignore[arg-type]
    written = parse(tmp_path, "data: {cleaning: {" + ", ".join(f"{name}: {off}" for name in rules) + "}}")
    typed = parse(tmp_path, "name: a", *(part for name in rules for part in (f"--data.cleaning.{name}", off)))
    assert written.data.cleaning == typed.data.cleaning == expected
    assert (expected.max_copied_share, expected.numbers, expected.duplicates) == (None, "none", False)


@pytest.mark.parametrize(
    "content",
    [
        "data: {corpora: {a: {class_path: spy.Spy}}}",
        "model: {scratch: {class_path: spy.Spy, init_args: {}}}",
        "name: typed",
    ],
)
def test_a_class_is_never_imported(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "spy.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    options = ["--data.corpora", "{a: {class_path: spy.Spy}}"] if content == "name: typed" else []
    with pytest.raises(ConfigError, match="expected `key: value` options, got 'spy"):
        parse(tmp_path, content, *options)


def test_a_path_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """jsonargparse would import `spy` to see whether `spy.tsv` is a class."""
    (tmp_path / "spy.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert parse(tmp_path, "data: {corpora: {a: spy.tsv}}").data.corpora["a"].path == "spy.tsv"
    assert parse(tmp_path, "name: a", "--data.corpora", "{a: spy.tsv}").data.corpora["a"].path == "spy.tsv"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--training.learing_rate", "1"], r"unrecognized .*learing_rate.*did you mean --training\.learning_rate"),
        (["surplus"], "unrecognized arguments: surplus"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--training.epochs"], "expected one argument"),
        (["--training.learning_rat", "1"], r"unrecognized .*did you mean --training\.learning_rate\?"),
        (["--see", "9"], r"unrecognized .*did you mean --seed\?"),
        (["--over"], r"unrecognized .*did you mean --overwrite\?"),
        (["--model.scratch.d_mod", "64"], r"unrecognized .*did you mean --model\.scratch\.d_model\?"),
        (["--data.corpora.news.form=tsv"], r"unrecognized .*did you mean --data\.corpora\.news\.format\?"),
    ],
)
def test_usage(options: list[str], message: str, tmp_path: Path):
    with pytest.raises(UsageError, match=message):
        parse(tmp_path, "name: a", *options)


@pytest.mark.parametrize(
    ("parse_command", "argv", "meant"),
    [
        (parse_evaluate, ["a", "--test_se", "n=x"], "--test_set"),
        (parse_evaluate, ["a", "--decoding.num_beam", "2"], "--decoding.num_beams"),
        (parse_doctor, ["m", "--model.revisio", "x"], "--model.revision"),
        (parse_translate, ["m", "--decoding.ta", "x"], "--decoding.tag"),
        (parse_review, ["a", "b", "--sent", "3"], "--sentences"),
        (parse_export, ["m", "d", "--form", "ctranslate2"], "--format"),
        (parse_comet_setup, ["--over"], "--overwrite"),
    ],
)
def test_no_prefix_is_an_option_in_any_command(
    parse_command: Callable[[list[str], str], object], argv: list[str], meant: str
):
    with pytest.raises(UsageError, match=f"unrecognized arguments: .* \\(did you mean {meant}\\?\\)"):
        parse_command(argv, "mt")


def test_no_prefix_is_an_option_of_a_sweep(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("name: a")
    with pytest.raises(UsageError, match=r"unrecognized .*--gri .*did you mean --grid"):
        parse_sweep([str(tmp_path / "config.yaml"), "--gri", "training.epochs=1,2"], "mt sweep")
    with pytest.raises(UsageError, match=r"unrecognized .*did you mean --training\.learning_rate"):
        parse_sweep([str(tmp_path / "config.yaml"), "--grid", "training.learning_rat=1,2"], "mt sweep")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--training.learning_rate", "9" * 400], "a number of 400 characters, which no option accepts"),
        (["--seed", "9" * 25], "seed must fit 64 bits, got a number of 25 digits"),
        (["--seed", "²"], "seed: expected int, got '²'"),
        (["--training.learning_rate", ".nan"], r"training\.learning_rate must be a finite number, got nan"),
        (["--name", "\udcff"], r"\\xff: is not UTF-8, so files would get another name than this"),
        (["--name", "a\0b"], r"name holds a NUL or half a character"),
    ],
)
def test_values_that_no_option_takes(options: list[str], message: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=message):
        parse(tmp_path, "name: a", *options)


def test_a_config_that_is_no_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match=r"pipe\.yaml: the config is a pipe, socket or device, not a file"):
        parse_train([str(tmp_path / "pipe.yaml")], "train.py")
    with pytest.raises(ConfigError, match=r"the config cannot be read \(File name too long\)"):
        parse_train(["a" * 300], "train.py")


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
    assert command.decoding == {"num_beams": 1}
    assert (command.output_dir, command.fail_if_worse, command.overwrite) == ("runs/evaluation", [], False)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required"),
        (["a", "--test_set", "news.tsv"], "--test_set takes NAME=FILE, got news.tsv"),
        (["a", "--test_set", "n=x", "--test_set", "n=y"], "--test_set n is given twice"),
        (["a", "--test_set", "news=x", "--general", "news=y"], "has the name of a --test_set"),
        (["a", "--fail_if_worse", "comet"], "takes one of BLEU, chrF, chrF"),
        (["a", "--resampels", "3"], "unrecognized"),
    ],
)
def test_evaluate_usage(argv: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        parse_evaluate(argv, "evaluate.py")


@pytest.mark.parametrize("name", ["../../x", "..", "/abs/x", "a/b", "a\\b", "a" * 101, "a\nb", "\u202ea", "con"])
@pytest.mark.parametrize("option", ["--test_set", "--general"])
def test_a_test_set_is_named_as_a_file_may_be(option: str, name: str):
    with pytest.raises(RunError, match=f"{option}: the name .* and files are named after it"):
        parse_evaluate(["a", option, f"{name}=x.tsv"], "evaluate.py")


def test_doctor_and_translate_arguments():
    assert parse_doctor(["some/model", "--model.target_language", "apc_Arab"], "mt doctor").name == "some/model"
    command = parse_translate(["tiny-en-ar", "in.txt", "--decoding.num_beams", "2"], "mt translate")
    assert (command.name, command.files, command.decoding) == ("tiny-en-ar", ["in.txt"], {"num_beams": 2})
    assert parse_translate(["tiny-en-ar"], "mt translate").files == ["-"]


@pytest.mark.parametrize("language", ["", "arabic", "xx", "zh", "zho_Hans"])
@pytest.mark.parametrize("parse_command", [parse_train, parse_data])
def test_languages_that_cannot_be_scored_are_refused(
    parse_command: Callable[[list[str], str], object], language: str, tmp_path: Path
):
    config = tmp_path / "config.yaml"
    config.write_text(f"model: {{target_language: '{language}'}}\n", encoding="utf-8")
    message = rf"model\.target_language must be the code of a language with spaces .*; got {language!r}"
    for argv in ([], ["--model.target_language", language]):
        with pytest.raises(ConfigError, match=message):
            parse_command([str(config), *argv], "train.py")


def test_a_language_is_not_translated_into_itself():
    with pytest.raises(ConfigError, match="target_language must not be the source's language, English"):
        parse_evaluate(["a", "b", "--model.target_language", "eng_Latn"], "evaluate.py")


def test_languages_are_refused_where_translations_are_scored():
    with pytest.raises(ConfigError, match=r"target_language must be the code .*; got 'zh'"):
        parse_evaluate(["a", "b", "--model.target_language", "zh"], "evaluate.py")
    with pytest.raises(ConfigError, match=r"source_language must be the code .*; got 'jpn_Jpan'"):
        parse_review(["a", "b", "--model.source_language", "jpn_Jpan"], "mt review")
    # Nothing is scored.
    assert parse_translate(["m", "--model.target_language", "zh"], "mt translate").model == {"target_language": "zh"}


@pytest.mark.parametrize(
    "language", ["ar", "ara", "arb", "arb_Arab", "apc_Arab", "apd_Arab", "ar_AR", "ar-SY", "AR", "arz"]
)
def test_arabic_has_many_codes(language: str):
    assert ModelConfig(target_language=language).languages == ENGLISH_TO_ARABIC


@pytest.mark.parametrize("language", ["en", "eng", "eng_Latn", "en_XX", "en-GB"])
def test_english_has_a_few(language: str):
    assert ModelConfig(source_language=language).languages == ENGLISH_TO_ARABIC


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


def test_a_section_that_is_off_by_default_is_said_to_take_options(tmp_path: Path):
    with pytest.raises(ConfigError) as error:
        parse(tmp_path, "name: a", "--adaptation.lora", "true")
    assert str(error.value) == (
        "adaptation.lora: expected options ('{key: value}', or '{}' for the defaults) or null, got 'true'"
    )
