"""Marian models as the hub has them: translations are the library's, through training, export and CTranslate2 too."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_from_disk
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from mt.config import DecodingConfig, ModelConfig
from mt.models.ctranslate2_model import load_ctranslate2
from mt.models.decoding import translate
from mt.models.doctor import SENTENCES, check_ties, examine
from mt.models.transformers_model import load_translator
from mt.systems.export import export_model
from mt.systems.translating import open_translator
from tests.commands import forked_train, kill_in_update
from tests.conftest import news_pairs
from tests.helpers import sources
from tests.opus_models import EMBEDDED, embedded_as_opus_mt, embedded_as_tc_big, small_tc_big

LAYOUTS: dict[str, Callable[[Path], Path]] = {"2020": embedded_as_opus_mt, "2022": embedded_as_tc_big}


@pytest.fixture(scope="module", params=LAYOUTS)
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return LAYOUTS[request.param](tmp_path_factory.mktemp(f"of-{request.param}") / "model")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_tc_big(tmp_path_factory.mktemp("small") / "model", *news_pairs())


def by_the_library(directory: Path, texts: list[str], **settings: Any) -> list[str]:
    """What `generate` makes of each sentence alone, as a model's card shows it."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSeq2SeqLM.from_pretrained(directory).float().eval()
    rows = [tokenizer(f">>ara<< {text}", return_tensors="pt") for text in texts]
    with torch.inference_mode():
        found = [model.generate(**row, **settings)[0] for row in rows]
    return [tokenizer.decode(ids, skip_special_tokens=True) for ids in found]


@pytest.mark.slow
@pytest.mark.parametrize("beams", [1, 4])
def test_translations_are_those_of_generate(beams: int, directory: Path):
    texts = sources(4)
    ours = translate(load_translator(ModelConfig(name=str(directory))), texts, DecodingConfig(num_beams=beams))
    assert ours == by_the_library(directory, texts, num_beams=beams, early_stopping=beams > 1)
    # The vocabulary's order is all that is new.
    embedded = load_translator(ModelConfig(name=str(EMBEDDED)))
    assert ours == translate(embedded, texts, DecodingConfig(num_beams=beams))


@pytest.mark.slow
def test_doctor_is_content(directory: Path):
    diagnosis = examine(load_translator(ModelConfig(name=str(directory))))
    assert [finding for finding in diagnosis.findings if not finding.passed] == []


@pytest.mark.slow
def test_doctor_compares_with_a_checkpoint_that_is_no_safetensors_file(small: Path):
    translator = load_translator(ModelConfig(name=str(small)))
    assert check_ties(translator).passed
    with torch.no_grad():
        translator.model.model.shared.weight[5] += 1
    finding = check_ties(translator)
    assert not finding.passed
    assert "the loaded weights differ from the checkpoint's " in finding.detail


@pytest.mark.slow
def test_weights_are_the_checkpoints_in_float32(directory: Path):
    model = load_translator(ModelConfig(name=str(directory))).model
    stored = torch.load(directory / "pytorch_model.bin", weights_only=True)["model.shared.weight"]
    assert model.model.shared.weight.dtype == torch.float32
    assert torch.equal(model.model.shared.weight, stored.float())
    assert model.lm_head.weight is model.model.shared.weight is model.model.encoder.embed_tokens.weight


@pytest.mark.slow
def test_one_vocabulary_for_two_sentencepiece_models(small: Path):
    """Ids of each side are the library's, `</s>` in the middle of them."""
    translator = load_translator(ModelConfig(name=str(small)))
    library = AutoTokenizer.from_pretrained(small)
    tokens = json.loads((small / "vocab.json").read_text(encoding="utf-8"))
    assert len(tokens) % 2
    assert 0 < tokens["</s>"] < len(tokens) - 2
    english, arabic = news_pairs()
    assert translator.encode_sources(english[:5]) == library([f">>ara<< {text}" for text in english[:5]])["input_ids"]
    assert translator.encode_targets(arabic[:5]) == library(text_target=arabic[:5])["input_ids"]
    assert {row[-1] for row in translator.encode_targets(arabic[:5])} == {tokens["</s>"]}
    assert translator.max_tokens == 1024


@pytest.mark.slow
@pytest.mark.parametrize("form", ["transformers", "ctranslate2"])
def test_exported_in_half_precision_it_translates_alike(form: Any, directory: Path, tmp_path: Path):
    config, texts = ModelConfig(name=str(directory)), list(SENTENCES[:3])
    before = translate(load_translator(config), texts, DecodingConfig())
    precision = "float32" if form == "ctranslate2" else "float16"
    export_model(config, tmp_path / "out", precision, DecodingConfig(), form)
    assert (
        translate(open_translator(config.with_name(str(tmp_path / "out")), DecodingConfig()), texts, DecodingConfig())
        == before
    )
    if form == "transformers":
        assert load_file(tmp_path / "out" / "model.safetensors")["model.shared.weight"].dtype == torch.float16
        assert by_the_library(tmp_path / "out", texts) == before


@pytest.mark.slow
def test_untrained_model_of_1024_positions_is_converted_token_by_token(small: Path, tmp_path: Path):
    """Up to a source of 600 tokens, which the model's 1,024 positions hold and its tokenizer's 512 do not."""
    config = ModelConfig(name=str(small))
    translator = load_translator(config)
    export_model(config, tmp_path / "out", "float32", DecodingConfig(), "ctranslate2")
    converted = load_ctranslate2(config.with_name(str(tmp_path / "out")))
    assert converted.max_tokens == 1024
    search = DecodingConfig(num_beams=1, max_length_ratio=0.1)
    texts = [*sources(4), "war " * 300]
    assert len(translator.encode_sources(texts[-1:])[0]) > 512
    assert translate(converted, texts, search) == translate(translator, texts, search)


@pytest.mark.slow
def test_stopped_and_resumed_run_writes_what_the_library_writes(directory: Path, few_news: Path, tmp_path: Path):
    options = {
        "data": {"corpora": {"news": {"path": str(few_news)}}, "max_test_pairs": 3},
        "model": {"name": str(directory)},
        "training": {"max_updates": 4, "eval_every_updates": 2, "tokens_per_update": 300, "dev_sentences": 2},
        "decoding": {"num_beams": 2},
        "evaluation": {"resamples": 100},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(options), encoding="utf-8")
    run = tmp_path / "run"
    argv = [str(tmp_path / "config.yaml"), "--output_dir", str(run)]
    stopped = forked_train(*argv, prepare=partial(kill_in_update, 4))
    assert stopped.returncode == -signal.SIGKILL, stopped.stderr
    assert [path.name for path in (run / "checkpoints").glob("checkpoint-*")] == ["checkpoint-2"]
    finished = forked_train(*argv, "--resume")
    assert finished.returncode == 0, finished.stderr
    assert "going on from" in finished.stderr
    written = (run / "translations" / "test" / "finetuned.txt").read_text(encoding="utf-8").splitlines()
    texts = list(load_from_disk(str(run / "data"))["test"]["source"])
    assert written == by_the_library(run / "model", texts)
    saved = json.loads((run / "model" / "config.json").read_text(encoding="utf-8"))
    before = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    kept = ("vocab_size", "eos_token_id", "pad_token_id", "decoder_start_token_id", "max_position_embeddings")
    assert {key: saved[key] for key in kept} == {key: before[key] for key in kept}
