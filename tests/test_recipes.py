"""Every recipe runs as it stands, but for the model, a small one of the same class, and the number of updates."""

import json
import random
import sys
from pathlib import Path

import pytest
from datasets import load_from_disk

from mt import cli
from tests.conftest import ROOT, news_pairs

pytestmark = pytest.mark.slow

FAMILIES = {
    "conflict_news": "marian_directory",
    "conflict_news_opus_mt": "marian_directory",
    "conflict_news_lora": "marian_directory",
    "conflict_news_mixed": "marian_directory",
    "conflict_news_nllb": "nllb_directory",
    "conflict_news_madlad": "t5_directory",
}


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
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["train.py", f"configs/{name}.yaml", *options])
    assert cli.train_main() == 0
    data = load_from_disk(str(tmp_path / "run" / "data"))
    assert {"seed", "starter"} <= set(data["train"]["corpus"])
    # Scored are a person's own sentences, and the best checkpoint is chosen by them.
    assert set(data["test"]["corpus"]) == set(data["dev"]["corpus"]) == {"news"}
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["updates"] == 2
    assert (tmp_path / "run" / "model" / "config.json").is_file()
    if name == "conflict_news_mixed":
        assert [tried["share"] for tried in manifest["tried_shares"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    if name == "conflict_news_nllb":
        assert manifest["base_model"]["target_code"] == "arb_Arab"
    if name == "conflict_news_madlad":
        assert manifest["base_model"]["target_code"] == "ar"
        adapter = json.loads((tmp_path / "run" / "checkpoints" / "checkpoint-2" / "adapter_config.json").read_text())
        assert set(adapter["target_modules"]) == {"q", "k", "v", "o", "wi_0", "wi_1", "wo"}


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
