"""The language-token contract of each family, against ids read off the tokenizers themselves."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from mt.config import ModelConfig
from mt.errors import ModelError
from mt.models.doctor import check_language_tokens
from mt.models.languages import agree_on_languages
from mt.models.transformers_model import TransformersTranslator, load_translator


class Vocabulary:
    """A Marian tokenizer as far as the contract looks at it."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = tokens

    def get_vocab(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens)}


def test_opus_mt_gets_its_target_token():
    opus = Vocabulary("</s>", "<unk>", ">>ara<<", ">>arz<<", ">>apc<<", "▁the", "<pad>")
    assert agree_on_languages(opus, "marian", "en", "ar").source_prefix == ">>ara<< "
    assert agree_on_languages(opus, "marian", "en", "apc").source_prefix == ">>apc<< "


def test_marian_of_one_language_needs_no_token():
    contract = agree_on_languages(Vocabulary("</s>", "▁the"), "marian", "en", "ar")
    assert (contract.source_prefix, contract.forced_bos_token_id) == (" ", None)


def test_unknown_language_is_refused_with_what_is_known():
    with pytest.raises(ModelError, match="no token for language `ar`; it knows deu, fra"):
        agree_on_languages(Vocabulary(">>fra<<", ">>deu<<"), "marian", "en", "ar")


def test_marian_source_begins_with_the_token(marian: TransformersTranslator):
    # </s> 0, <unk> 1, >>ara<< 2: the order in which a new model's vocabulary is written.
    ids = marian.encode_sources(["The war"])[0]
    assert ids[0] == 2
    assert ids[-1] == 0
    assert marian.model.config.pad_token_id == marian.model.config.decoder_start_token_id == 299
    assert check_language_tokens(marian).passed


@pytest.mark.parametrize("fixture", ["nllb_directory", "m2m_directory", "mbart50_directory"])
def test_multilingual_models_mark_both_sides(fixture: str, request: pytest.FixtureRequest):
    directory: Path = request.getfixturevalue(fixture)
    source_token, target_token = {
        "nllb_directory": ("eng_Latn", "arb_Arab"),
        "m2m_directory": ("__en__", "__ar__"),
        "mbart50_directory": ("en_XX", "ar_AR"),
    }[fixture]
    tokenizer = AutoTokenizer.from_pretrained(directory)
    english, arabic = tokenizer.convert_tokens_to_ids([source_token, target_token])
    assert english != arabic
    assert tokenizer.unk_token_id not in (english, arabic)

    translator = load_translator(ModelConfig(name=str(directory)))
    assert translator.encode_sources(["war"])[0][0] == english
    assert translator.encode_targets(["حرب"])[0][0] == arabic
    assert translator.model.generation_config.forced_bos_token_id == arabic
    assert check_language_tokens(translator).passed


def test_the_first_mbart_ends_with_the_language_and_starts_decoding_from_arabic(mbart_directory: Path):
    tokenizer = AutoTokenizer.from_pretrained(mbart_directory)
    english, arabic = tokenizer.convert_tokens_to_ids(["en_XX", "ar_AR"])
    assert tokenizer.unk_token_id not in (english, arabic)

    translator = load_translator(ModelConfig(name=str(mbart_directory)))
    assert translator.encode_sources(["war"])[0][-2:] == [tokenizer.eos_token_id, english]
    assert translator.encode_targets(["حرب"])[0][-2:] == [tokenizer.eos_token_id, arabic]
    settings = translator.model.generation_config
    assert (settings.decoder_start_token_id, settings.forced_bos_token_id) == (arabic, None)
    output = translator.model.generate(**translator.tokenizer(["war"], return_tensors="pt"), max_length=4)
    assert output[0][0] == arabic
    assert check_language_tokens(translator).passed


def test_nllb_takes_a_dialect_by_its_own_code(nllb_directory: Path):
    translator = load_translator(ModelConfig(name=str(nllb_directory), target_language="apc_Arab"))
    expected = AutoTokenizer.from_pretrained(nllb_directory).convert_tokens_to_ids("apc_Arab")
    assert translator.model.generation_config.forced_bos_token_id == expected


def test_nllb_refuses_a_language_it_does_not_know(nllb_directory: Path):
    with pytest.raises(ModelError, match="no token for language `tlh`"):
        load_translator(ModelConfig(name=str(nllb_directory), target_language="tlh"))


def test_every_hypothesis_of_nllb_begins_with_arabic(nllb_directory: Path):
    translator = load_translator(ModelConfig(name=str(nllb_directory)))
    ids = translator.tokenizer(["war"], return_tensors="pt")
    arabic = translator.tokenizer.convert_tokens_to_ids("arb_Arab")
    output = translator.model.generate(**ids, max_length=4)[0].tolist()
    assert output[:2] == [2, arabic]


@pytest.mark.parametrize("fixture", ["nllb_directory", "mbart50_directory"])
@pytest.mark.parametrize(
    "add",
    [
        lambda tokenizer: tokenizer.add_tokens(["apd_Arab"]),
        lambda tokenizer: tokenizer.add_tokens(["apd_Arab"], special_tokens=True),
        lambda tokenizer: tokenizer.add_special_tokens({"additional_special_tokens": ["apd_Arab"]}),
    ],
)
def test_model_with_a_language_added_knows_all(
    add: Callable[[Any], object], fixture: str, tmp_path: Path, request: pytest.FixtureRequest
):
    """As the library's API adds one; the last way leaves the others out of the extra special tokens."""
    directory = request.getfixturevalue(fixture)
    english, arabic = {"nllb_directory": ("eng_Latn", "arb_Arab")}.get(fixture, ("en_XX", "ar_AR"))
    tokenizer = AutoTokenizer.from_pretrained(directory)
    add(tokenizer)
    model = AutoModelForSeq2SeqLM.from_pretrained(directory)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    for code in ("ar", "apd_Arab"):
        translator = load_translator(ModelConfig(name=str(tmp_path), target_language=code))
        expected = tokenizer.convert_tokens_to_ids({"ar": arabic}.get(code, code))
        assert translator.model.generation_config.forced_bos_token_id == expected
        assert translator.encode_sources(["war"])[0][0] == tokenizer.convert_tokens_to_ids(english)
        assert translator.encode_targets(["حرب"])[0][0] == expected


def test_tokenizer_without_languages_is_told_so(nllb_directory: Path, tmp_path: Path):
    """As the library makes one of a SentencePiece model alone."""
    directory = shutil.copytree(nllb_directory, tmp_path / "model")
    content = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))
    content["added_tokens"] = [token for token in content["added_tokens"] if "_" not in token["content"]]
    (directory / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "NllbTokenizer", "extra_special_tokens": []}')
    with pytest.raises(ModelError, match=r"files name no languages; copy tokenizer\.json"):
        load_translator(ModelConfig(name=str(directory)))


def test_m2m_word_with_the_id_of_a_language_is_found(m2m_directory: Path, tmp_path: Path):
    """Some versions of its tokenizer count no languages, and give a new word the id of one of them."""
    translator = load_translator(ModelConfig(name=str(m2m_directory)))
    arabic = translator.languages.forced_bos_token_id
    translator.tokenizer._added_tokens_encoder["Qamishli"] = arabic
    finding = check_language_tokens(translator)
    assert not finding.passed
    assert finding.detail == f"__ar__ and Qamishli, which was added to the tokenizer, have one id, {arabic}"
