"""The real commands, on the CPU, as a person types them."""

import json
import logging
import shutil
import sys
from pathlib import Path

import pytest
import torch
from datasets import load_from_disk
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from mt import cli
from mt.config import CorpusConfig, DecodingConfig, ModelConfig
from mt.data.readers import read_corpus
from mt.evaluation.metrics import chrf
from mt.models.decoding import translate
from mt.models.transformers_model import load_translator
from tests.commands import command, write_small_config
from tests.conftest import ROOT, SEED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of the demo, by its command.

    Its own data, model and search; a few updates and sentences, for what it learns is not looked at.
    """
    directory = tmp_path_factory.mktemp("runs") / "demo"
    options = ["--output_dir", str(directory), "--training.max_updates", "6", "--training.eval_every_updates", "3"]
    options += ["--adaptation.average", "1", "--data.max_dev_pairs", "20", "--training.dev_sentences", "8"]
    # At the demo's own rate so few updates spoil the model, and the base would be taken.
    options += ["--data.max_test_pairs", "10", "--training.learning_rate", "1e-4"]
    result = command("train.py", "configs/demo.yaml", *options, "--evaluation.resamples", "200")
    assert result.returncode == 0, result.stderr
    assert f"report: {directory / 'report.html'}" in result.stdout
    assert "Traceback" not in result.stderr
    assert "Warning" not in result.stderr
    return directory


def test_run_directory_is_complete(demo: Path):
    present = {path.name for path in demo.iterdir()}
    assert present >= {
        *("config.yaml", "manifest.json", "data", "data_card.md", "data_report.json", "checkpoints"),
        *("metrics.jsonl", "tensorboard", "model", "translations", "scores.json", "report.html"),
    }
    assert any(path.name.startswith("events.out.tfevents") for path in (demo / "tensorboard").iterdir())
    assert (demo / "model" / "README.md").read_text(encoding="utf-8").startswith("---\nlanguage:\n- en\n- ar\n")
    data = load_from_disk(str(demo / "data"))
    assert set(data) == {"train", "dev", "test"}
    assert set(data["train"].column_names) == {"source", "target", "corpus", "group"}
    assert {"seed", "starter", "terms"} == set(data["train"]["corpus"])


def test_scores_belong_to_the_translations(demo: Path):
    scores = json.loads((demo / "scores.json").read_text(encoding="utf-8"))
    assert {(s["system"], s["test_set"]) for s in scores["scores"]} == {("base", "test"), ("finetuned", "test")}
    references = list(load_from_disk(str(demo / "data"))["test"]["target"])
    for system in ("base", "finetuned"):
        lines = (demo / "translations" / "test" / f"{system}.txt").read_text(encoding="utf-8").splitlines()
        stated = next(s for s in scores["scores"] if s["system"] == system and s["metric"] == "chrF")
        assert stated["score"] == pytest.approx(chrf(lines, references), abs=1e-9)
        assert stated["sentences"] == len(references)
    assert {c["metric"] for c in scores["comparisons"]} >= {"BLEU", "chrF", "chrF++", "TER", "chrF-norm"}


def test_manifest(demo: Path):
    manifest = json.loads((demo / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["base_model"]["name"] == "tiny-en-ar"
    assert manifest["base_model"]["target_code"] == "ara"
    files = ("seed_pairs.txt", "starter.tsv", "glossary.tsv")
    assert set(manifest["inputs"]) == {f"data/conflict_news/{name}" for name in files}
    assert set(manifest["splits"]) == {"train", "dev", "test"}
    assert manifest["updates"] > 0
    assert manifest["tokens_seen"]["target"] > 1000
    assert manifest["wall_seconds"] > 0


def test_metrics_are_logged(demo: Path):
    lines = [json.loads(line) for line in (demo / "metrics.jsonl").read_text().splitlines()]
    assert any("loss" in line and "learning_rate" in line for line in lines)
    base, *dev_scores = [line for line in lines if "eval_chrF" in line]
    assert base["update"] == 0
    assert dev_scores
    best = max(dev_scores, key=lambda line: line["eval_chrF"])
    assert json.loads((demo / "manifest.json").read_text())["best_update"] == best["update"]


def test_chosen_model_is_the_best_checkpoint(demo: Path):
    best = json.loads((demo / "manifest.json").read_text())["best_update"]
    chosen = load_file(demo / "model" / "model.safetensors")
    kept = load_file(demo / "checkpoints" / f"checkpoint-{best}" / "model.safetensors")
    assert all(torch.equal(chosen[name], kept[name]) for name in chosen)
    AutoModelForSeq2SeqLM.from_pretrained(demo / "model")


def test_evaluate_finds_the_same_scores(demo: Path, tmp_path: Path):
    output = tmp_path / "comparison"
    texts = demo / "translations" / "test" / "finetuned.txt"
    checkpoint = next((demo / "checkpoints").iterdir())
    systems = ["base=tiny-en-ar", f"run={demo}", f"text={texts}", f"checkpoint={checkpoint}"]
    result = command("evaluate.py", *systems, "--output_dir", str(output), "--resamples", "200")
    assert result.returncode == 0, result.stderr
    # What training has translated is not translated again.
    assert [line.split(" ", 1)[1] for line in result.stderr.splitlines() if "taken from the cache" in line] == [
        "base on test: translated before, taken from the cache",
        "run on test: translated before, taken from the cache",
    ]
    assert "decoding of base: beam 4, no 3 tokens in a row twice, at most 2 target tokens per source" in result.stdout
    ours = json.loads((output / "scores.json").read_text(encoding="utf-8"))["scores"]
    trained = json.loads((demo / "scores.json").read_text(encoding="utf-8"))["scores"]
    names = {"base": "base", "finetuned": "run"}
    for score in trained:
        same = next(s for s in ours if (s["system"], s["metric"]) == (names[score["system"]], score["metric"]))
        assert same == score | {"system": names[score["system"]]}
    by_system = {s["system"]: s["score"] for s in ours if s["metric"] == "chrF"}
    assert by_system["text"] == by_system["run"]
    assert "checkpoint" in by_system
    assert (output / "report.html").is_file()


def train_here(monkeypatch: pytest.MonkeyPatch, config: Path, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["train.py", str(config), *options])
    return cli.train_main()


def test_the_directory_is_now_taken(demo: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    assert train_here(monkeypatch, ROOT / "configs" / "demo.yaml", "--output_dir", str(demo)) == 1
    errors = capfd.readouterr().err
    assert errors.count("\n") == 1
    assert "holds an earlier training run" in errors


def test_translate_keeps_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    (tmp_path / "in.txt").write_text("The war in Syria.\n\nThe Security Council met.\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["mt", "translate", "tiny-en-ar", str(tmp_path / "in.txt")])
    assert cli.main() == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1] == ""


def test_mt_as_a_module():
    result = command("-m", "mt.cli", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: mt COMMAND")


@pytest.fixture
def small_config(tmp_path: Path, marian_directory: Path, few_news: Path) -> Path:
    return write_small_config(tmp_path, marian_directory, few_news, max_updates=4)


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory, marian_directory: Path, few_news: Path) -> Path:
    """The run of `small_config`: to look at, and not to change."""
    directory = tmp_path_factory.mktemp("small")
    config = write_small_config(directory, marian_directory, few_news, max_updates=4)
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert train_here(monkeypatch, config) == 0
    return directory / "run"


def test_a_resumed_run_ends_with_the_same_weights(small_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert train_here(monkeypatch, small_config) == 0
    run = tmp_path / "run"
    whole = (run / "model" / "model.safetensors").read_bytes()
    metrics = (run / "metrics.jsonl").read_text()
    # As if it had been stopped while it wrote its second checkpoint.
    (run / "checkpoints" / "checkpoint-4" / "trainer_state.json").unlink()
    for name in ("model", "translations"):
        shutil.rmtree(run / name)
    (run / "scores.json").unlink()
    assert train_here(monkeypatch, small_config, "--resume") == 0
    assert (run / "model" / "model.safetensors").read_bytes() == whole
    assert (run / "metrics.jsonl").read_text() == metrics
    assert (run / "scores.json").is_file()


def dev_metrics_of(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "eval_chrF" in line]


def test_what_is_forgotten_is_seen(small_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    general = list(read_corpus("seed", CorpusConfig(path=str(SEED))))
    (tmp_path / "leak.tsv").write_text(f"{general[0].source}\t{general[0].target}\n", encoding="utf-8")
    leak = ["--data.corpora.leak.path", str(tmp_path / "leak.tsv"), "--data.corpora.leak.split", "train"]
    options = [*leak, "--training.general_dev", str(SEED), "--adaptation.interpolate=[0.5]", "--adaptation.average=2"]
    assert train_here(monkeypatch, small_config, *options) == 0
    dev_scores = dev_metrics_of(tmp_path / "run")
    assert [entry["update"] for entry in dev_scores] == [0, 2, 4]
    assert all({"eval_general_chrF", "eval_general_BLEU", "eval_general_loss"} <= set(entry) for entry in dev_scores)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["averaged_updates"] == [2, 4]
    assert [tried["share"] for tried in manifest["tried_shares"]] == [0.0, 0.5, 1.0]
    assert str(SEED) in manifest["inputs"]
    # Nothing like the general set is trained on.
    data = load_from_disk(str(tmp_path / "run" / "data"))
    assert "leak" not in data["train"]["corpus"]
    assert "like a held-out pair\t" in (tmp_path / "run" / "rejected.tsv").read_text(encoding="utf-8")


def weights_before(config: Path) -> torch.Tensor:
    base = json.loads(config.read_text(encoding="utf-8"))["model"]["name"]
    return load_translator(ModelConfig(name=base)).model.state_dict()["model.encoder.layers.0.fc1.weight"]


def test_lora_from_the_command_line(small_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert train_here(monkeypatch, small_config, "--adaptation.lora.rank", "2", "--training.compile", "false") == 0
    kept = {path.name for path in (tmp_path / "run" / "checkpoints" / "checkpoint-4").iterdir()}
    assert "adapter_model.safetensors" in kept
    assert "model.safetensors" not in kept
    AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "run" / "model")
    assert not (tmp_path / "run" / "model" / "adapter_config.json").exists()
    # A checkpoint can be compared like any other model; here it is the one that was chosen.
    best = json.loads((tmp_path / "run" / "manifest.json").read_text())["best_update"]
    checkpoint = load_translator(ModelConfig(name=str(tmp_path / "run" / "checkpoints" / f"checkpoint-{best}")))
    chosen = load_translator(ModelConfig(name=str(tmp_path / "run" / "model"))).model.state_dict()
    for name, weight in checkpoint.model.state_dict().items():
        torch.testing.assert_close(weight, chosen[name])
    assert not torch.equal(chosen["model.encoder.layers.0.fc1.weight"], weights_before(small_config))


def test_patience_ends_a_run_that_gets_no_better(
    small_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    # At this rate no weight changes enough for another hypothesis.
    options = ["--training.max_updates", "40", "--training.patience", "2", "--training.learning_rate", "1e-12"]
    assert train_here(monkeypatch, small_config, *options) == 0
    assert [entry["update"] for entry in dev_metrics_of(tmp_path / "run")] == [0, 2, 4, 6]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["best_update"], manifest["updates"], manifest["updates_planned"]) == (2, 6, 40)
    sentence = (
        "Training stopped early, after update 6 of 40: the last 2 evaluations were no better than that of update 2, by "
        "chrF on the dev split (training.patience 2)."
    )
    assert manifest["stopped_early"] == sentence
    # Of a base and a checkpoint that are equally good, the checkpoint is taken.
    assert manifest["model_is_base"] is False
    for name in ("scores.json", "report.html", "report.md", "model/README.md"):
        assert sentence in (tmp_path / "run" / name).read_text(encoding="utf-8").replace("\\", ""), name
    assert f"note: {sentence}" in capfd.readouterr().out
    # Where it was killed after that, it does not go on training.
    shutil.rmtree(tmp_path / "run" / "model")
    whole = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert train_here(monkeypatch, small_config, *options, "--resume") == 0
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == whole
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["stopped_early"] == sentence


def test_a_base_that_training_spoils_stays_the_model(
    small_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    options = ["--model.name", "tiny-en-ar", "--training.learning_rate", "1", "--adaptation.lora.rank", "2"]
    assert train_here(monkeypatch, small_config, *options) == 0
    run = tmp_path / "run"
    assert json.loads((run / "manifest.json").read_text())["model_is_base"] is True
    base = load_translator(ModelConfig(name="tiny-en-ar")).model.state_dict()
    chosen = load_translator(ModelConfig(name=str(run / "model"))).model.state_dict()
    assert all(torch.equal(weight, chosen[name]) for name, weight in base.items())
    texts = [(run / "translations" / "test" / f"{name}.txt").read_text() for name in ("base", "finetuned")]
    assert texts[0] == texts[1]
    printed = capfd.readouterr().out
    files = [run / name for name in ("scores.json", "report.html", "report.md", "model/README.md")]
    for text in (printed, *(file.read_text(encoding="utf-8") for file in files)):
        assert "as good as the base on the dev split (chrF " in text.replace("\\", "")
        assert "the model is the base as it was: try a lower training.learning" in text.replace("\\", "")


def test_runs_of_one_base_translate_with_it_once(
    small_run: Path, small_config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    assert train_here(monkeypatch, small_config, "--training.learning_rate", "1e-4") == 0
    assert "base on test: translated before, taken from the cache" in caplog.messages
    base = "translations/test/base.txt"
    assert (small_config.parent / "run" / base).read_bytes() == (small_run / base).read_bytes()
    caplog.clear()
    assert train_here(monkeypatch, small_config, "--training.learning_rate", "1e-4", "--overwrite", "--no_cache") == 0
    assert "taken from the cache" not in caplog.text
    assert "no_cache" not in (small_config.parent / "run" / "config.yaml").read_text()


def test_saved_config_repeats_the_run(small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    again = tmp_path / "again"
    assert train_here(monkeypatch, small_run / "config.yaml", "--output_dir", str(again)) == 0
    weights = [(root / "model" / "model.safetensors").read_bytes() for root in (small_run, again)]
    assert weights[0] == weights[1]


def test_a_model_from_scratch_memorises_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = {
        "name": "memory",
        "output_dir": str(tmp_path / "run"),
        "data": {"corpora": {"seed": {"path": str(SEED)}}},
        "model": {
            "scratch": {
                "vocabulary_size": 220,
                "d_model": 64,
                "encoder_layers": 1,
                "decoder_layers": 1,
                "attention_heads": 4,
                "ffn_dim": 128,
            },
            "dropout": 0.0,
        },
        "training": {
            # An update an epoch, with all pairs in it.
            "epochs": 150,
            "tokens_per_update": 400,
            "micro_batch_tokens": 2000,
            "learning_rate": 5e-3,
            "warmup_updates": 20,
            "label_smoothing": 0.0,
            "eval_every_updates": 75,
            "report_to": [],
        },
        "evaluation": {"resamples": 100},
    }
    (tmp_path / "memory.yaml").write_text(json.dumps(config), encoding="utf-8")
    assert train_here(monkeypatch, tmp_path / "memory.yaml") == 0
    train = load_from_disk(str(tmp_path / "run" / "data"))["train"]
    translator = load_translator(ModelConfig(name=str(tmp_path / "run" / "model")))
    hypotheses = translate(translator, list(train["source"]), DecodingConfig(num_beams=1))
    assert chrf(hypotheses, list(train["target"])) > 95
