"""Loading: whole weights, whole text, savable settings, clear refusals."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.transformers_model import TransformersTranslator, load_translator

LITERAL_TOKENS = [
    ">>fra<< The city fell.",
    "The post read >>free<< and <<free>>.",
    "He wrote </s> and <pad> and <unk> there.",
]


@pytest.mark.parametrize("text", LITERAL_TOKENS)
def test_text_that_looks_like_a_token_reaches_marian_whole(
    text: str, marian: TransformersTranslator, marian_directory: Path
):
    spm = sentencepiece.SentencePieceProcessor(model_file=str(marian_directory / "source.spm"))
    pieces = spm.encode(text, out_type=str)
    source = marian.tokenizer.convert_ids_to_tokens(marian.encode_sources([text])[0])
    target = marian.tokenizer.convert_ids_to_tokens(marian.encode_targets([text])[0])
    known = json.loads((marian_directory / "vocab.json").read_text(encoding="utf-8"))
    expected = [piece if piece in known else "<unk>" for piece in pieces]
    assert source == [">>ara<<", *expected, "</s>"]
    assert target == [*expected, "</s>"]


@pytest.mark.parametrize("fixture", ["nllb_directory", "m2m_directory", "mbart50_directory"])
def test_text_that_looks_like_a_token_stays_text_elsewhere(fixture: str, request: pytest.FixtureRequest):
    translator = load_translator(ModelConfig(name=str(request.getfixturevalue(fixture))))
    tokenizer = translator.tokenizer
    ids = translator.encode_sources(["He wrote </s> and arb_Arab and <pad> there."])[0]
    special = {tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.convert_tokens_to_ids("arb_Arab")}
    special.discard(tokenizer.unk_token_id)
    assert not special & set(ids[1:-1])


WAYS_TO_ADD: dict[str, Callable[[Any], object]] = {
    "words": lambda tokenizer: tokenizer.add_tokens(["Qamishli", "<news>"]),
    "special words": lambda tokenizer: tokenizer.add_tokens(["Qamishli", "<news>"], special_tokens=True),
    "extra special words": lambda tokenizer: tokenizer.add_special_tokens(
        {"additional_special_tokens": ["Qamishli", "<news>"]}
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS_TO_ADD)
@pytest.mark.parametrize("fixture", ["marian_directory", "m2m_directory", "nllb_directory", "mbart50_directory"])
def test_added_words_are_encoded_as_the_library_does(
    fixture: str, way: str, tmp_path: Path, request: pytest.FixtureRequest
):
    directory = request.getfixturevalue(fixture)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSeq2SeqLM.from_pretrained(directory)
    WAYS_TO_ADD[way](tokenizer)
    model.resize_token_embeddings(max(len(tokenizer), model.config.vocab_size, *tokenizer.added_tokens_decoder) + 1)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    translator = load_translator(ModelConfig(name=str(tmp_path)))
    languages = translator.languages
    added = translator.tokenizer.convert_tokens_to_ids(["Qamishli", "<news>"])
    library = AutoTokenizer.from_pretrained(tmp_path)
    library.src_lang, library.tgt_lang = languages.source_code, languages.target_code
    source, target = "<news> The army entered Qamishli.", "دخل الجيش Qamishli"
    ids = translator.encode_sources([source])[0]
    assert ids == library(languages.source_prefix + source)["input_ids"]
    assert set(added) < set(ids)
    assert translator.encode_targets([target])[0] == library(text_target=target)["input_ids"]
    # A special token that is written in a sentence is text all the same.
    end = translator.tokenizer.eos_token_id
    assert translator.encode_sources(["Qamishli </s> fell"])[0].count(end) == 1


def test_half_precision_checkpoint_is_trained_in_float32(marian_directory: Path, tmp_path: Path):
    AutoModelForSeq2SeqLM.from_pretrained(marian_directory).half().save_pretrained(tmp_path)
    for name in ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json"):
        shutil.copy(marian_directory / name, tmp_path)
    assert load_file(tmp_path / "model.safetensors")["model.shared.weight"].dtype == torch.float16
    model = load_translator(ModelConfig(name=str(tmp_path))).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_every_trainable_weight_gets_a_gradient(marian: TransformersTranslator):
    """DDP waits for all of them."""
    ids = torch.tensor([[2, 5, 0]])
    marian.model(input_ids=ids, decoder_input_ids=ids).logits.sum().backward()
    trainable = {name for name, parameter in marian.model.named_parameters() if parameter.requires_grad}
    assert trainable == {name for name, parameter in marian.model.named_parameters() if parameter.grad is not None}
    assert "model.encoder.embed_positions.weight" not in trainable


def test_settings_that_cannot_be_saved_are_mended_at_load(marian_directory: Path, tmp_path: Path):
    directory = tmp_path / "model"
    shutil.copytree(marian_directory, directory)
    settings = json.loads((directory / "generation_config.json").read_text())
    settings |= {"do_sample": False, "temperature": 0.5, "num_beams": 1, "early_stopping": True, "max_length": 20}
    (directory / "generation_config.json").write_text(json.dumps(settings))
    # The library itself refuses to write them again once anything in them was set ...
    model = AutoModelForSeq2SeqLM.from_pretrained(directory)
    model.generation_config.forced_bos_token_id = 7
    with pytest.raises(ValueError, match=r"[Gg]eneration"):
        model.save_pretrained(tmp_path / "library")
    # ... and we write them with our own search.
    decoding = DecodingConfig(no_repeat_ngram_size=3)
    load_translator(ModelConfig(name=str(directory)), decoding).save(tmp_path / "ours")
    saved = json.loads((tmp_path / "ours" / "generation_config.json").read_text())
    assert saved["num_beams"] == 4
    assert saved["no_repeat_ngram_size"] == 3
    assert saved["max_length"] == 512
    assert saved["bad_words_ids"] == [[299]]
    assert "temperature" not in saved


def test_saved_model_loads_with_the_library_and_decodes_alike(marian: TransformersTranslator, tmp_path: Path):
    marian.save(tmp_path)
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    ids = torch.tensor(marian.encode_sources(["The war in Syria"]))
    settings = {"max_length": 12}
    assert again.generate(ids, **settings).tolist() == marian.model.generate(ids, **settings).tolist()


def test_missing_weights_are_refused(marian_directory: Path, tmp_path: Path):
    directory = tmp_path / "model"
    shutil.copytree(marian_directory, directory)
    weights = load_file(directory / "model.safetensors")
    del weights["model.encoder.layers.0.fc1.weight"]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weight .* model\.encoder\.layers\.0\.fc1\.weight"):
        load_translator(ModelConfig(name=str(directory)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./no/such/model", "no such model directory"),
        ("someone/no-such-model", "neither a directory here nor a model that could be fetched .* revision `main`"),
    ],
)
def test_missing_model_is_one_sentence(name: str, message: str):
    with pytest.raises(ModelError, match=message):
        load_translator(ModelConfig(name=name))


def test_directory_without_a_model_is_one_sentence(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no config\.json in the directory"):
        load_translator(ModelConfig(name=str(tmp_path)))


def test_model_without_its_tokenizer_is_one_sentence(marian_directory: Path, tmp_path: Path):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(marian_directory / name, tmp_path)
    with pytest.raises(ModelError, match=r"source\.spm, target\.spm and vocab\.json are missing; copy the tokenizer"):
        load_translator(ModelConfig(name=str(tmp_path)))


def test_other_architectures_are_refused(marian_directory: Path, tmp_path: Path):
    directory = tmp_path / "model"
    shutil.copytree(marian_directory, directory)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"model_type": "pegasus"}))
    with pytest.raises(ModelError, match="type `pegasus` are not supported"):
        load_translator(ModelConfig(name=str(directory)))


def test_damaged_weights_are_one_sentence(marian_directory: Path, tmp_path: Path):
    directory = tmp_path / "model"
    shutil.copytree(marian_directory, directory)
    weights = (directory / "model.safetensors").read_bytes()
    (directory / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="the weights cannot be loaded"):
        load_translator(ModelConfig(name=str(directory)))
