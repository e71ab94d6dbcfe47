"""Every recipe runs as it stands, but for the model, a small one of the same class, and the number of updates."""

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_from_disk
from safetensors import safe_open

from mt import cli
from tests.conftest import ROOT, news_pairs, news_sentences
from tests.llm_models import make_llm

pytestmark = pytest.mark.slow

FAMILIES = {
    "conflict_news": "marian_directory",
    "conflict_news_opus_mt": "marian_directory",
    "conflict_news_lora": "marian_directory",
    "conflict_news_mixed": "marian_directory",
    "conflict_news_nllb": "nllb_directory",
    "conflict_news_madlad": "t5_directory",
    "conflict_news_llm": "hunyuan_directory",
    "conflict_news_llm_4b": "gemma3_directory",
}

# The prompt that the final model keeps. TranslateGemma's chat template asks for the translation by itself.
PROMPTS = {
    "conflict_news_llm": "Translate the following text into {target_language}. Note that you should only output the "
    "translated result without any additional explanation:\n\n{source}",
    "conflict_news_llm_4b": None,
}

# The layers that LoRA changes, as the models call them.
LAYERS = {
    "conflict_news_lora": {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"},
    "conflict_news_madlad": {"q", "k", "v", "o", "wi_0", "wi_1", "wo"},
    "conflict_news_llm": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
    "conflict_news_llm_4b": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
}


@pytest.fixture(scope="session")
def hunyuan_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of the class of Hy-MT2."""
    return make_llm("hunyuan", tmp_path_factory.mktemp("hunyuan"), news_sentences())


@pytest.fixture(scope="session")
def gemma3_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of the class of TranslateGemma, with its kind of chat template."""
    return make_llm("gemma3", tmp_path_factory.mktemp("gemma3"), news_sentences())


def test_every_recipe_is_here():
    assert {path.stem for path in (ROOT / "configs").glob("conflict_news*.yaml")} == set(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_recipe_trains(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    general = tmp_path / "general.tsv"
    lines = [
        f"Birds number {n} sing in the tree {n} times\tتغرد الطيور رقم {n} على الشجرة {n} مرات\n" for n in range(200)
    ]
    general.write_text("".join(lines), encoding="utf-8")
    news = tmp_path / "news.tsv"
    draw = random.Random(1)
    english, arabic = (sorted(set(filter(str.isalpha, " ".join(side).split()))) for side in news_pairs())
    rows = [f"{' '.join(draw.sample(english, 8))}\t{' '.join(draw.sample(arabic, 7))}\n" for _ in range(200)]
    news.write_text("".join(rows), encoding="utf-8")
    options = ["--data.corpora.news", str(news), "--model.name", str(request.getfixturevalue(FAMILIES[name]))]
    options += ["--model.skip_doctor", "true"]
    options += ["--training.max_updates", "2", "--training.eval_every_updates", "1", "--training.dev_sentences", "8"]
    options += ["--training.tokens_per_update", "400", "--training.micro_batch_tokens", "400"]
    options += ["--training.report_to", "[]", "--output_dir", str(tmp_path / "run"), "--evaluation.resamples", "100"]
    options += ["--decoding.num_beams", "1", "--decoding.max_length_ratio", "0.05"]
    # What so few updates do to the scores is not looked at.
    options += ["--data.max_test_pairs", "10", "--data.max_dev_pairs", "20"]
    if name == "conflict_news_mixed":
        options += ["--data.corpora.general.path", str(general)]
    if name == "conflict_news_llm_4b":
        # 4 bits need a GPU.
        options += ["--adaptation.lora.base_precision", "bf16"]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["train.py", f"configs/{name}.yaml", *options])
    assert cli.train_main() == 0
    data = load_from_disk(str(tmp_path / "run" / "data"))
    assert {"seed", "starter"} <= set(data["train"]["corpus"])
    # Scored are a person's own sentences, and the best checkpoint is chosen by them.
    assert set(data["test"]["corpus"]) == set(data["dev"]["corpus"]) == {"news"}
    manifest = read_json(tmp_path / "run" / "manifest.json")
    assert manifest["updates"] == 2
    assert (tmp_path / "run" / "model" / "config.json").is_file()
    if name == "conflict_news_mixed":
        assert [tried["share"] for tried in manifest["tried_shares"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    if name == "conflict_news_nllb":
        assert manifest["base_model"]["target_code"] == "arb_Arab"
    if name in {"conflict_news_madlad", "conflict_news_llm", "conflict_news_llm_4b"}:
        assert manifest["base_model"]["target_code"] == "ar"
    if name in LAYERS:
        adapter = read_json(tmp_path / "run" / "checkpoints" / "checkpoint-2" / "adapter_config.json")
        assert set(adapter["target_modules"]) == LAYERS[name]
        assert (tmp_path / "run" / "checkpoints" / "checkpoint-2" / "adapter_model.safetensors").is_file()
    if name.startswith("conflict_news_llm"):
        assert_saved_as_published(tmp_path / "run" / "model", PROMPTS[name])


def assert_saved_as_published(model: Path, prompt: str | None) -> None:
    """Assert that all weights are saved in bf16, and the prompt beside them."""
    config = read_json(model / "config.json")
    assert config.get("translation_prompt") == prompt
    assert config["dtype"] == "bfloat16"
    with safe_open(model / "model.safetensors", framework="pt") as weights:
        assert {weights.get_slice(key).get_dtype() for key in weights.keys()} == {"BF16"}  # noqa: SIM118 - no mapping


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_four_bits_need_a_gpu(
    gemma3_directory: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    options = ["--data.corpora.news", "data/conflict_news/starter.tsv", "--model.name", str(gemma3_directory)]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["train.py", "configs/conflict_news_llm_4b.yaml", *options])
    assert cli.train_main() == 1
    told = "adaptation.lora.base_precision 4bit needs an NVIDIA GPU, and this machine has none: set it to bf16\n"
    assert capfd.readouterr().err.endswith(told)


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"conflict_news_mixed"}))
def test_recipe_asks_for_sentences_of_your_own(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["train.py", f"configs/{name}.yaml"])
    assert cli.train_main() == 1
    error = capfd.readouterr().err
    told = "`seed` and `starter` have a split of their own, so no sentence is left to choose a checkpoint by: add your"
    assert told in error
    assert error.count("\n") == 1
