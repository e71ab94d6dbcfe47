"""T5 in MADLAD-400's layout: every weight in its place, `<2ar>` before the source, bf16, no limit of positions."""

from __future__ import annotations

import json
import logging
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, T5ForConditionalGeneration

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.ctranslate2_model import load_ctranslate2
from mt.models.decoding import encode_within_limits
from mt.models.doctor import check_language_tokens, check_ties, refuse_unhealthy
from mt.models.families.t5 import T5
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.systems.export import export_model
from tests.conftest import save_t5
from tests.spoiling import Spoil, config

LETTERS = [*"TWadehmnorstw.", *"ابتحرقلنهي"]
GREEDY_IDS = [
    [15, 20, 24, 20, 24, 20, 24, 20],
    [31, 24, 28, 10, 19, 31, 25, 24],
    [31, 8, 25, 12, 31, 25, 12, 31],
]


@pytest.fixture
def t5(t5_directory: Path) -> TransformersTranslator:
    return load_translator(ModelConfig(name=str(t5_directory)))


@pytest.fixture(scope="module")
def tied_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_t5(tmp_path_factory.mktemp("tied"), is_tied=True)


@pytest.fixture(scope="module")
def plain_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of known letters, its weights the same in every version of torch: its ids can be written down."""
    directory = save_t5(tmp_path_factory.mktemp("plain"), letters=LETTERS)
    draw = random.Random(21)

    def change(weights: dict[str, Tensor]) -> None:
        for name, weight in sorted(weights.items()):
            middle = 2 * name.endswith("layer_norm.weight")
            values = [middle + draw.uniform(-1, 1) for _ in range(weight.numel())]
            weights[name] = torch.tensor(values).view(weight.shape)

    change_weights(directory, change)
    return directory


def change_weights(directory: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    weights = load_file(directory / "model.safetensors")
    change(weights)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        # <unk> 0, <s> 1, </s> 2, <2ar> 3, <2ar_Latn> 4, <2arz> 5, <2en> 6, <2fr> 7, an empty word 8, letters from 9.
        ("The war", [8, 3, 8, 9, 14, 13, 8, 21, 11, 18, 2]),
        ("war €", [8, 3, 8, 21, 11, 18, 8, 0, 2]),
        ("a <2en> a", [8, 3, 8, 11, 8, 0, 8, 0, 13, 16, 0, 8, 11, 2]),
        ("a </s> <s>", [8, 3, 8, 11, 8, 0, 8, 0, 19, 0, 8, 0, 8, 19, 0, 2]),
    ],
)
def test_sources_by_id(source: str, ids: list[int], plain_directory: Path):
    translator = load_translator(ModelConfig(name=str(plain_directory)))
    assert translator.encode_sources([source]) == [ids]


def test_ids_of_the_plain_model(plain_directory: Path):
    """If a version of transformers changes these, its T5 computes something else."""
    translator = load_translator(ModelConfig(name=str(plain_directory)))
    assert translator.encode_targets(["حرب"]) == [[8, 26, 27, 24, 2]]
    assert translator.decoder_prefix == [0]
    sources = translator.encode_sources(["The war", "We met", "two"])
    # The best two logits are at least 0.18 apart. CTranslate2 computes the same, see below.
    assert translator.generate(sources, [9] * 3, DecodingConfig(num_beams=1)) == GREEDY_IDS
    assert translator.generate(sources, [9] * 3, DecodingConfig(num_beams=3)) == [
        *GREEDY_IDS[:1],
        [31, 24, 28, 10, 19, 31, 8, 24],
        [31, 22, 10, 10, 10, 10, 10, 10],
    ]


def test_ctranslate2_computes_the_same_ids(plain_directory: Path, tmp_path: Path):
    """Another implementation of T5; it converts without the scaling of the first T5, whose embeddings are tied."""
    export_model(ModelConfig(name=str(plain_directory)), tmp_path / "out", "float32", DecodingConfig(), "ctranslate2")
    converted = load_ctranslate2(ModelConfig(name=str(tmp_path / "out")))
    sources = converted.encode_sources(["The war", "We met", "two"])
    assert converted.generate(sources, [9] * 3, DecodingConfig(num_beams=1)) == GREEDY_IDS
    assert converted.max_tokens == 1024


def test_every_weight_is_the_checkpoints(t5_directory: Path, t5: TransformersTranslator, tmp_path: Path):
    stored = load_file(t5_directory / "model.safetensors")
    assert "shared.weight" not in stored
    state = t5.model.state_dict()
    inputs = stored.pop("decoder.embed_tokens.weight")
    for name in ("shared", "encoder.embed_tokens", "decoder.embed_tokens"):
        assert torch.equal(state.pop(f"{name}.weight"), inputs)
    assert state.keys() == stored.keys()
    assert all(torch.equal(state[name], weight) for name, weight in stored.items())
    # And again after saving, here and in transformers itself.
    t5.save(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["tie_word_embeddings"] is False
    loaded = load_translator(ModelConfig(name=str(tmp_path)))
    assert check_ties(loaded).passed
    for other in (loaded.model, AutoModelForSeq2SeqLM.from_pretrained(tmp_path)):
        assert torch.equal(other.lm_head.weight, stored["lm_head.weight"])
        assert torch.equal(other.get_encoder().embed_tokens.weight, inputs)


def test_nothing_ties_the_output_layer_later(t5: TransformersTranslator):
    """As accelerate does under FSDP, and we do after loading a checkpoint."""
    own = t5.model.lm_head.weight
    t5.model.tie_weights()
    assert t5.model.lm_head.weight is own
    assert check_ties(t5).passed


def test_loading_gives_no_advice_on_ties(t5_directory: Path, caplog: pytest.LogCaptureFixture):
    logging.getLogger("transformers").addHandler(caplog.handler)
    load_translator(ModelConfig(name=str(t5_directory)))
    assert "tie" not in caplog.text


DAMAGES: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "no output layer": (
        lambda weights: weights.pop("lm_head.weight"),
        "lacks lm_head.weight, although its config.json",
    ),
    "no embeddings": (
        lambda weights: weights.pop("decoder.embed_tokens.weight"),
        r"lacks shared\.weight; it is damaged",
    ),
    "no layer": (
        lambda weights: weights.pop("encoder.block.1.layer.1.DenseReluDense.wo.weight"),
        r"lacks 1 weight of its architecture, such as encoder\.block\.1\.layer\.1\.DenseReluDense\.wo\.weight",
    ),
    "a layer too many": (
        lambda weights: weights.update({"decoder.block.2.layer.0.layer_norm.weight": torch.ones(16)}),
        r"1 weights that its config\.json has no layer for, such as decoder\.block\.2",
    ),
    "NaN": (lambda weights: weights["lm_head.weight"].fill_(float("nan")), r"lm_head\.weight holds NaN"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_weights_that_are_not_all_there_are_refused(damage: str, t5_directory: Path, tmp_path: Path):
    directory = shutil.copytree(t5_directory, tmp_path / "model")
    change, message = DAMAGES[damage]
    change_weights(directory, change)
    with pytest.raises(ModelError, match=message):
        load_translator(ModelConfig(name=str(directory)))


def test_a_bias_that_no_layer_uses_may_be_there(t5_directory: Path, tmp_path: Path):
    """Old checkpoints have it."""
    directory = shutil.copytree(t5_directory, tmp_path / "model")
    name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    change_weights(directory, lambda weights: weights.update({name: torch.ones(32, 2)}))
    assert check_ties(load_translator(ModelConfig(name=str(directory)))).passed


def test_the_doctor_sees_the_output_layer_in_place_of_the_embeddings(
    t5_directory: Path, monkeypatch: pytest.MonkeyPatch
):
    """transformers#48154, made again: our renaming is left out, and the library ties in the order of 5.15."""
    keys = ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
    monkeypatch.setattr(T5ForConditionalGeneration, "_tied_weights_keys", dict.fromkeys(keys, "shared.weight"))
    monkeypatch.setattr(T5, "arranged", lambda self, name, weights, config: weights)
    translator = load_translator(ModelConfig(name=str(t5_directory)))
    model = translator.model
    assert model.encoder.embed_tokens.weight is model.lm_head.weight
    assert torch.equal(
        model.decoder.embed_tokens.weight, load_file(t5_directory / "model.safetensors")["decoder.embed_tokens.weight"]
    )
    finding = check_ties(translator)
    assert not finding.passed
    assert finding.detail == "the architecture says tied, but encoder and decoder embeddings are separate"
    with pytest.raises(ModelError, match=f"does not translate properly .*ties: {finding.detail}"):
        refuse_unhealthy(translator)


def test_our_renaming_withstands_the_order_of_5_15(t5_directory: Path, monkeypatch: pytest.MonkeyPatch):
    keys = ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
    monkeypatch.setattr(T5ForConditionalGeneration, "_tied_weights_keys", dict.fromkeys(keys, "shared.weight"))
    assert check_ties(load_translator(ModelConfig(name=str(t5_directory)))).passed


def test_the_doctor_sees_other_faults_of_the_embeddings(t5: TransformersTranslator):
    own = t5.model.lm_head.weight
    t5.model.lm_head.weight = t5.model.shared.weight
    assert check_ties(t5).detail == "the config says separate, but output layer and decoder embeddings are tied"
    t5.model.lm_head.weight = own
    with torch.no_grad():
        t5.model.shared.weight[5] += 1
    detail = "the loaded weights differ from the checkpoint's decoder.embed_tokens.weight"
    assert check_ties(t5).detail == detail


def test_a_tied_t5_with_an_output_layer_of_its_own_is_seen(tied_directory: Path, tmp_path: Path):
    directory = shutil.copytree(tied_directory, tmp_path / "model")
    assert check_ties(load_translator(ModelConfig(name=str(directory)))).detail == "tied"
    change_weights(directory, lambda weights: weights.update({"lm_head.weight": weights["shared.weight"] + 1}))
    finding = check_ties(load_translator(ModelConfig(name=str(directory))))
    assert finding.detail == "the config says tied, but output layer and decoder embeddings are separate"


SPOILT: dict[str, tuple[Spoil, str]] = {
    "layers": (config(num_layers=10**9), "num_layers must be a whole number from 1 to 1,000"),
    "heads": (config(num_heads=0), "num_heads must be"),
    "head width": (config(d_kv="wide"), "a setting is not valid|d_kv must be"),
    "buckets": (config(relative_attention_num_buckets=2), "relative_attention_num_buckets must be .* from 4"),
    "distance": (config(relative_attention_max_distance=32), "must exceed the 32 buckets: 32"),
    "dropout": (config(dropout_rate=2.0), "dropout_rate must be from 0 to 1"),
    "activation": (config(feed_forward_proj="gated-none"), "no such dense_act_fn: 'none'"),
    "no projection": (config(feed_forward_proj="a-b-c"), "a setting is not valid"),
    "other width": (config(d_ff=64), "the checkpoint has other shapes"),
    "pad": (config(pad_token_id=10**6), "pad_token_id must be one id below"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_damaged_config_is_one_sentence(fault: str, t5_directory: Path, tmp_path: Path):
    directory = shutil.copytree(t5_directory, tmp_path / "model")
    spoil, message = SPOILT[fault]
    spoil(directory)
    with pytest.raises(ModelError, match=message) as raised:
        load_translator(ModelConfig(name=str(directory)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("code", ["ar", "arz"])
def test_the_language_is_a_token_before_the_source(code: str, t5_directory: Path):
    translator = load_translator(ModelConfig(name=str(t5_directory), target_language=code))
    token = AutoTokenizer.from_pretrained(t5_directory).convert_tokens_to_ids(f"<2{code}>")
    assert token == {"ar": 3, "arz": 5}[code]
    assert translator.encode_sources(["war"])[0][:2] == [8, token]
    assert translator.model.generation_config.forced_bos_token_id is None
    finding = check_language_tokens(translator)
    assert (finding.passed, finding.detail) == (True, f"<2{code}>")


def test_a_language_token_that_does_not_arrive(t5: TransformersTranslator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TransformersTranslator, "encode_sources", lambda self, sources: [[8, 9, 2] for _ in sources])
    assert check_language_tokens(t5).detail == "the source is marked by id 9, not by 3 of <2ar>"


def test_a_language_that_it_does_not_have_is_refused(t5_directory: Path):
    with pytest.raises(ModelError) as raised:
        load_translator(ModelConfig(name=str(t5_directory), target_language="ary"))
    assert str(raised.value) == (
        "the tokenizer has no token `<2ary>` for the target language; it has <2ar>, <2ar_Latn>, <2arz>"
    )


def test_a_t5_that_is_no_translation_model_is_refused(t5_directory: Path, tmp_path: Path):
    directory = shutil.copytree(t5_directory, tmp_path / "model")
    content = (directory / "tokenizer.json").read_text(encoding="utf-8").replace("<2", "<3")
    (directory / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(
        ModelError, match=r"no token `<2ar>` for the target language; it has none for any other; .*/madlad400-3b-mt"
    ):
        load_translator(ModelConfig(name=str(directory)))


@pytest.mark.parametrize("is_special", [False, True])
def test_a_language_added_to_the_tokenizer(is_special: bool, t5_directory: Path, tmp_path: Path):
    tokenizer = AutoTokenizer.from_pretrained(t5_directory)
    tokenizer.add_tokens(["<2apd>", "<news>"], special_tokens=is_special)
    model = load_translator(ModelConfig(name=str(t5_directory))).model
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    translator = load_translator(ModelConfig(name=str(tmp_path), target_language="apd"))
    language, word = tokenizer.convert_tokens_to_ids(["<2apd>", "<news>"])
    # An added word is found in a text; a language is not.
    ids = translator.encode_sources(["<news> war <2apd>"])[0]
    assert ids[:2] == [language, word]
    assert language not in ids[1:]
    assert check_language_tokens(translator).passed


def test_sentinels_of_the_first_t5_are_text(t5_directory: Path, tmp_path: Path):
    tokenizer = AutoTokenizer.from_pretrained(t5_directory)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<extra_id_0>"]})
    model = load_translator(ModelConfig(name=str(t5_directory))).model
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    sentinel = tokenizer.convert_tokens_to_ids("<extra_id_0>")
    assert tokenizer("a <extra_id_0>")["input_ids"].count(sentinel) == 1
    assert sentinel not in load_translator(ModelConfig(name=str(tmp_path))).encode_sources(["a <extra_id_0>"])[0]


def test_unknown_letters_do_not_end_a_sentence(t5_directory: Path, t5: TransformersTranslator, tmp_path: Path):
    """transformers' T5Tokenizer takes id 2 for unknown letters, whatever the vocabulary has there."""
    assert AutoTokenizer.from_pretrained(t5_directory)("€")["input_ids"] == [8, 2, 2]
    assert t5.encode_sources(["€"]) == [[8, 3, 8, 0, 2]]
    t5.save(tmp_path)
    assert load_translator(ModelConfig(name=str(tmp_path))).encode_sources(["€"]) == [[8, 3, 8, 0, 2]]


def test_unknown_letters_as_bytes_where_the_vocabulary_has_them(t5_directory: Path, tmp_path: Path):
    directory = shutil.copytree(t5_directory, tmp_path / "model")
    content = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["byte_fallback"] = True
    # The three bytes of €, in place of three letters.
    euro = ["<0xE2>", "<0x82>", "<0xAC>"]
    for offset, piece in enumerate(euro):
        content["model"]["vocab"][20 + offset][0] = piece
    (directory / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    translator = load_translator(ModelConfig(name=str(directory)))
    assert translator.encode_targets(["€"]) == [[8, 20, 21, 22, 2]]
    assert translator.decode([[8, 20, 21, 22, 2]]) == ["€"]


def test_dropout_is_set_under_its_own_name(t5_directory: Path):
    model = load_translator(ModelConfig(name=str(t5_directory), dropout=0.3)).model
    assert model.encoder.dropout.p == model.decoder.block[0].layer[0].dropout.p == 0.3


def test_only_a_stated_limit_cuts_long_texts(t5: TransformersTranslator, caplog: pytest.LogCaptureFixture):
    assert not hasattr(t5.model.config, "max_position_embeddings")
    assert t5.model.generation_config.max_length == t5.max_tokens == 1024
    encoded, _ = encode_within_limits(t5, ["war " * 500], DecodingConfig())
    assert len(encoded[0]) == 1024
    assert encoded[0][-1] == 2
    assert "longer than the model's limit of 1024 tokens" in caplog.text
    ids = torch.tensor(encoded)
    assert torch.isfinite(t5.model(input_ids=ids, decoder_input_ids=ids).logits).all()
