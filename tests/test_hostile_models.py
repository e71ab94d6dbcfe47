"""Model directories that are damaged or mean harm: one sentence or the right result, and never any code of theirs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.decoding import translate
from mt.models.transformers_model import load_translator
from tests.spoiling import (
    MARKER,
    Spoil,
    auto_map,
    config,
    evil_distributed,
    evil_pickle,
    evil_zip,
    removed,
    replaced_by,
    sparse,
    spoilt_json,
    tokenizer_auto_map,
    truncated,
    vocabulary,
    written,
)


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Spoil:
    def spoil(directory: Path) -> None:
        tensors = {name: tensor.clone() for name, tensor in load_file(directory / "model.safetensors").items()}
        change(tensors)
        written("model.safetensors", b"")(directory)
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})

    return spoil


def pickled(directory: Path) -> None:
    """The same weights in torch's format, which is as good."""
    tensors = load_file(directory / "model.safetensors")
    torch.save(tensors, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def stretched(directory: Path) -> None:
    """A tensor of a terabyte that takes no room in the file."""
    torch.save({"model.shared.weight": torch.zeros(1).expand(2**20, 2**18)}, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def sharded(*shards: Any) -> Spoil:
    def spoil(directory: Path) -> None:
        names = load_file(directory / "model.safetensors")
        (directory / "model.safetensors").rename(directory / "whole.safetensors")
        index = {"weight_map": dict(zip(names, [*shards] * len(names), strict=False))}
        (directory / "model.safetensors.index.json").write_text(json.dumps(index))

    return spoil


def linked_outside(directory: Path) -> None:
    """As every file in the hub's cache is."""
    shutil.move(directory / "model.safetensors", directory.parent / "blob")
    (directory / "model.safetensors").symlink_to("../blob")


def set_first(value: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["model.encoder.layers.0.fc1.weight"][0, 0] = value

    return change


REFUSED: dict[str, tuple[Spoil, str]] = {
    # config.json as a file
    "config empty": (written("config.json", ""), r"config\.json: not valid JSON"),
    "config no JSON": (written("config.json", "vocab_size: 300"), r"config\.json: not valid JSON"),
    "config truncated": (truncated("config.json"), r"config\.json: not valid JSON"),
    "config list": (written("config.json", "[1]"), r"config\.json: expected a JSON object, found list"),
    "config null": (written("config.json", "null"), "found NoneType"),
    "config BOM": (written("config.json", "\ufeff{}"), "BOM"),
    "config UTF-16": (written("config.json", "{}".encode("utf-16")), "not valid JSON"),
    "config Latin-1": (written("config.json", b'{"model_type": "\xe9"}'), "not valid JSON"),
    "config huge": (replaced_by("config.json", sparse(500)), "500 MB, far more than such a file has"),
    "config deep": (written("config.json", '{"a":' * 100_000), "nested too deeply"),
    "config long number": (written("config.json", '{"vocab_size": ' + "9" * 5000 + "}"), "not valid JSON"),
    "config directory": (replaced_by("config.json", Path.mkdir), "not a regular file"),
    "config loop": (replaced_by("config.json", lambda f: f.symlink_to(f.name)), "not a regular file"),
    "config dangling": (replaced_by("config.json", lambda f: f.symlink_to("nowhere")), "broken link"),
    "config pipe": (replaced_by("config.json", os.mkfifo), "not a regular file"),
    # config.json's kind
    "kind missing": (written("config.json", "{}"), "type `None` are not supported"),
    "kind list": (config(model_type=["marian"]), "are not supported"),
    "kind other": (config(model_type="pegasus"), "type `pegasus` are not supported"),
    "kind nested": (config(model_type="encoder-decoder", encoder=[1], decoder={}), "are not supported"),
    "own code": (auto_map(model_type="evil"), r"config\.json: the model needs code of its own"),
    "own tokenizer": (tokenizer_auto_map("EvilTokenizer"), r"tokenizer_config\.json: the model needs code of its own"),
    # config.json's numbers
    "vocabulary huge": (config(vocab_size=10**12), r"vocab_size must be .* not 1000000000000"),
    "vocabulary large": (config(vocab_size=10**7), r"is 1×300, not 1×10000000"),
    "vocabulary small": (config(vocab_size=200), "pad_token_id must be one id below the vocabulary's 200"),
    "vocabulary text": (config(vocab_size="300"), "a setting is not valid"),
    "vocabulary null": (config(vocab_size=None), "a setting is not valid"),
    "vocabulary true": (config(vocab_size=True), "a setting is not valid|vocab_size must be"),
    "vocabulary list": (config(vocab_size=[300]), "a setting is not valid"),
    "width negative": (config(d_model=-1), "d_model must be a whole number from 1"),
    "width zero": (config(d_model=0), "d_model must be a whole number from 1"),
    "width huge": (config(d_model=2**40), "d_model must be a whole number from 1"),
    "width odd": (config(d_model=17), "d_model 17 is no multiple of encoder_attention_heads 2"),
    "width other": (config(d_model=32), "is 16×16, not 32×32|300×16, not 300×32|other shapes"),
    "layers many": (config(encoder_layers=10**9), "encoder_layers must be"),
    "layers more": (config(decoder_layers=2), r"lacks \d+ weights .* model\.decoder\.layers\.1"),
    "layers fewer": (config(encoder_layers=0), "encoder_layers must be"),
    "heads zero": (config(decoder_attention_heads=0), "decoder_attention_heads must be"),
    "inner huge": (config(encoder_ffn_dim=10**12), "encoder_ffn_dim must be"),
    "inner other": (config(encoder_ffn_dim=64), "other shapes"),
    "positions huge": (config(max_position_embeddings=10**12), "max_position_embeddings must be"),
    "positions for no text": (config(max_position_embeddings=1), "from 8 to 65,536, not 1"),
    "positions zero": (config(max_position_embeddings=0), "max_position_embeddings must be"),
    "dropout 7": (config(dropout=7.0), "dropout must be from 0 to 1"),
    "dropout NaN": (config(dropout=float("nan")), "dropout must be from 0 to 1"),
    "dropout text": (config(dropout="a"), "a setting is not valid"),
    "activation": (config(activation_function="os.system"), "no such activation_function"),
    "pad far": (config(pad_token_id=10**6), "pad_token_id must be one id below"),
    "pad negative": (config(pad_token_id=-1), "pad_token_id must be one id below"),
    "pad text": (config(pad_token_id="<pad>"), "a setting is not valid"),
    "start far": (config(decoder_start_token_id=10**9), "decoder_start_token_id must be one id below"),
    "eos list": (config(eos_token_id=[0, 1]), "eos_token_id must be one id below"),
    "decoder only": (config(is_encoder_decoder=False), "not a translation model"),
    # weights
    "weights missing": (removed("model.safetensors"), "no weights, neither"),
    "weights empty": (written("model.safetensors", b""), "the weights cannot be loaded"),
    "weights truncated": (truncated("model.safetensors"), "the weights cannot be loaded"),
    "weights header huge": (
        written("model.safetensors", (2**62).to_bytes(8, "little") + b"{}"),
        "the weights cannot be loaded",
    ),
    "weights header": (written("model.safetensors", (2).to_bytes(8, "little") + b"[]"), "the weights cannot be loaded"),
    "weights text": (written("model.safetensors", "version https://git-lfs"), "a pointer of Git LFS"),
    "weights directory": (replaced_by("model.safetensors", Path.mkdir), "not a regular file"),
    "weights pipe": (replaced_by("model.safetensors", os.mkfifo), "not a regular file"),
    "weights NaN": (weights(set_first(float("nan"))), r"fc1\.weight holds NaN"),
    "weights infinite": (weights(set_first(float("inf"))), "holds NaN or infinite numbers"),
    "weights of bytes": (
        weights(lambda w: w.update({"model.shared.weight": torch.zeros(300, 16, dtype=torch.int8)})),
        "quantised weights are not supported",
    ),
    "weights of more layers": (
        weights(lambda w: w.update({"model.encoder.layers.1.fc1.weight": torch.zeros(32, 16)})),
        "1 weights that its config.json has no layer for",
    ),
    "weights lacking": (weights(lambda w: w.pop("model.decoder.layers.0.fc2.bias")), "lacks 1 weight"),
    "weights without embeddings": (weights(lambda w: w.pop("model.shared.weight")), r"lacks \d+ weights"),
    "shard above": (sharded("../model.safetensors"), "which is no file of the model"),
    "shard absolute": (sharded("/etc/passwd"), "which is no file of the model"),
    "shard missing": (sharded("whole.safetensors", "gone.safetensors"), "'gone.safetensors', which is no file"),
    "shard number": (sharded(3), "no weight_map"),
    "index list": (
        lambda d: (sharded("whole.safetensors")(d), written("model.safetensors.index.json", "[]")(d))[0],
        "expected a JSON object, found list",
    ),
    "index empty": (
        lambda d: (sharded("whole.safetensors")(d), written("model.safetensors.index.json", "{}")(d))[0],
        "no weight_map",
    ),
    "pickle runs": (evil_pickle, "holds more than tensors, which could be code and is not loaded"),
    "pickle in zip runs": (evil_zip, "holds more than tensors, which could be code and is not loaded"),
    "pickle of distributed weights": (evil_distributed, "no weights, neither"),
    "pickle truncated": (lambda d: (pickled(d), truncated("pytorch_model.bin")(d))[0], "the weights cannot be loaded"),
    "pickle of a list": (
        lambda d: (removed("model.safetensors")(d), torch.save([1, 2], d / "pytorch_model.bin"))[0],
        "expected a dictionary of tensors",
    ),
    "pickle of numbers": (
        lambda d: (removed("model.safetensors")(d), torch.save({"a": 1}, d / "pytorch_model.bin"))[0],
        "expected a dictionary of tensors",
    ),
    "pickle stretched": (stretched, "expected a dictionary of tensors"),
    # tokenizer
    "tokenizer config list": (
        written("tokenizer_config.json", "[]"),
        r"tokenizer_config\.json: expected a JSON object",
    ),
    "tokenizer config truncated": (truncated("tokenizer_config.json"), r"tokenizer_config\.json: not valid JSON"),
    "tokenizer class": (spoilt_json("tokenizer_config.json", tokenizer_class="BertTokenizer"), "are not supported"),
    "tokenizer class list": (spoilt_json("tokenizer_config.json", tokenizer_class=["a"]), "are not supported"),
    "tokenizer added far": (
        spoilt_json("tokenizer_config.json", added_tokens_decoder={"10000": {"content": "<x>", "special": True}}),
        "the tokenizer has the id 10000, and the model's vocabulary ends at 299",
    ),
    "tokenizer added text": (spoilt_json("tokenizer_config.json", added_tokens_decoder={"a": 1}), "cannot be loaded"),
    "tokenizer added list": (spoilt_json("tokenizer_config.json", added_tokens_decoder=[1]), "cannot be loaded"),
    "tokenizer without unk": (
        spoilt_json("tokenizer_config.json", unk_token=None),
        "cannot be (used|loaded)|has no unk_token",
    ),
    "tokenizer unk number": (spoilt_json("tokenizer_config.json", unk_token=7), "the tokenizer cannot be"),
    "tokenizer special map": (
        lambda d: (
            spoilt_json("tokenizer_config.json", added_tokens_decoder=None)(d),
            written("special_tokens_map.json", "[")(d),
        )[0],
        r"special_tokens_map\.json: not valid JSON",
    ),
    "vocabulary file missing": (removed("vocab.json"), r"vocab\.json is missing; copy the tokenizer"),
    "vocabulary of a list": (written("vocab.json", "[]"), r"vocab\.json: expected a JSON object"),
    "vocabulary empty": (written("vocab.json", "{}"), "the tokenizer cannot be loaded"),
    "vocabulary of text": (
        vocabulary(lambda v: v.update({"</s>": "0"})),
        "token `</s>` has the id '0', which is not a number from 0",
    ),
    "vocabulary of fractions": (vocabulary(lambda v: v.update({"</s>": 0.5})), "which is not a number from 0"),
    "vocabulary negative": (vocabulary(lambda v: v.update({"</s>": -1})), "which is not a number from 0"),
    "vocabulary twice": (vocabulary(lambda v: v.update({"</s>": 7})), "two tokens have the same id"),
    "vocabulary beyond": (vocabulary(lambda v: v.update({"x": 300})), "has the id 300, and the model's vocabulary"),
    "spm missing": (removed("target.spm"), r"target\.spm is missing; copy the tokenizer"),
    "spm truncated": (truncated("source.spm"), "the tokenizer cannot be"),
    "spm empty": (written("source.spm", b""), "the tokenizer cannot be"),
    "spm of zeros": (written("target.spm", bytes(1000)), "the tokenizer cannot be"),
    # how it decodes
    "generation no JSON": (written("generation_config.json", "{"), r"generation_config\.json: not valid JSON"),
    "generation list": (written("generation_config.json", "[]"), r"generation_config\.json: expected a JSON object"),
    "generation id": (spoilt_json("generation_config.json", eos_token_id=10**6), "eos_token_id must be one id below"),
    "tokenizer input names": (
        spoilt_json("tokenizer_config.json", model_input_names=[]),
        "the tokenizer cannot be used",
    ),
    "generation text": (spoilt_json("generation_config.json", pad_token_id="a"), "pad_token_id must be one id below"),
}

# With what is told on stderr or in the log, the same translations as ever.
HARMLESS: dict[str, Spoil] = {
    "nothing": lambda directory: None,
    "code that is not needed": auto_map(),
    "tokenizer code that is not needed": tokenizer_auto_map("MarianTokenizer"),
    "dtype nonsense": config(dtype="nonsense", torch_dtype=["float99"]),
    "quantization": config(quantization_config={"quant_method": "evil", "load_in_8bit": True}),
    "kernels from the hub": config(attn_implementation="evil/kernel", _attn_implementation="evil/kernel"),
    "weights elsewhere": config(transformers_weights="../../../etc/passwd", _name_or_path="/etc"),
    "unknown settings": config(name_or_path=7, num_labels="x", id2label=[], problem_type="evil", use_cache=False),
    "generation settings": spoilt_json("generation_config.json", num_beams="x", bad_words_ids={"a": 1}, trust=[]),
    "no generation settings": removed("generation_config.json"),
    "eos in a list": spoilt_json("generation_config.json", eos_token_id=[0]),
    "chat template": spoilt_json("tokenizer_config.json", chat_template="{{ ''.__class__ }}{% for"),
    "chat template file": written("chat_template.jinja", "{% include '/etc/passwd' %}"),
    "weights through a link": linked_outside,
    "weights in shards": sharded("whole.safetensors"),
    "weights of torch": pickled,
}


@pytest.fixture
def directory(marian_directory: Path, tmp_path: Path) -> Path:
    """A model to spoil."""
    return shutil.copytree(marian_directory, tmp_path / "model")


def load(directory: Path) -> Any:
    return load_translator(ModelConfig(name=str(directory)))


@pytest.mark.parametrize("case", REFUSED)
def test_damage_is_one_sentence(case: str, directory: Path):
    spoil, message = REFUSED[case]
    spoil(directory)
    with pytest.raises(ModelError, match=message) as raised:
        load(directory)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 800
    assert not (directory / MARKER).exists()


@pytest.fixture(scope="module")
def usual(marian_directory: Path) -> list[str]:
    return translate(load(marian_directory), SOURCES, GREEDY)


SOURCES = ["The war in Syria", "Two people were killed on Monday."]
GREEDY = DecodingConfig(num_beams=1, max_length_ratio=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("case", HARMLESS)
def test_what_changes_nothing_changes_nothing(case: str, directory: Path, usual: list[str]):
    HARMLESS[case](directory)
    assert translate(load(directory), SOURCES, GREEDY) == usual
    assert not (directory / MARKER).exists()


def tokenizer_json(**changes: Any) -> Spoil:
    return spoilt_json("tokenizer.json", **changes)


SLOW_PATTERN = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
OTHER_FAMILIES: dict[str, tuple[str, Spoil, str]] = {
    "nllb no JSON": ("nllb_directory", written("tokenizer.json", "{"), r"tokenizer\.json: not valid JSON"),
    "nllb list": ("nllb_directory", written("tokenizer.json", "[]"), r"tokenizer\.json: expected a JSON object"),
    "nllb empty": ("nllb_directory", written("tokenizer.json", "{}"), "the tokenizer cannot be"),
    "nllb missing": ("nllb_directory", removed("tokenizer.json"), r"tokenizer\.json or sentencepiece.* is missing"),
    "nllb model": ("nllb_directory", tokenizer_json(model={"type": "evil"}), "the tokenizer cannot be"),
    "nllb vocabulary": (
        "nllb_directory",
        tokenizer_json(model={"type": "BPE", "vocab": {"a": -1}}),
        "cannot be|no token",
    ),
    "nllb other size": ("nllb_directory", config(vocab_size=100), "other shapes|the model's vocabulary ends at 99"),
    "nllb languages": (
        "nllb_directory",
        spoilt_json("tokenizer_config.json", extra_special_tokens=[7]),
        "the tokenizer cannot be|no token for language",
    ),
    "m2m languages": (
        "m2m_directory",
        vocabulary(lambda v: v.update({"a b": 10**9})),
        "the tokenizer has the id 1000000000",
    ),
    "m2m spm": ("m2m_directory", truncated("sentencepiece.bpe.model"), "the tokenizer cannot be"),
    "m2m start": ("m2m_directory", config(decoder_start_token_id=None), "no decoder_start_token_id"),
    "m2m positions": ("m2m_directory", config(max_position_embeddings=2**40), "max_position_embeddings must be"),
    "mbart50 vocabulary": ("mbart50_directory", tokenizer_json(model=[1]), "the tokenizer cannot be"),
    "mbart50 token": (
        "mbart50_directory",
        spoilt_json("tokenizer_config.json", pad_token=""),
        "has an empty special token|no pad_token|cannot be",
    ),
    "nllb blank token": (
        "nllb_directory",
        spoilt_json("tokenizer_config.json", unk_token=""),
        "has an empty special token|no unk_token|cannot be",
    ),
    "nllb token": ("nllb_directory", spoilt_json("tokenizer_config.json", unk_token={}), "the tokenizer cannot be"),
    "nllb start": ("nllb_directory", config(decoder_start_token_id=None), "no decoder_start_token_id"),
    "mbart50 end": ("mbart50_directory", config(eos_token_id=None), "no eos_token_id"),
    "mbart50 kind": ("mbart50_directory", config(model_type="marian"), "is missing|a setting|other shapes|lacks"),
}


@pytest.mark.parametrize("case", OTHER_FAMILIES)
def test_damage_of_other_families_is_one_sentence(case: str, tmp_path: Path, request: pytest.FixtureRequest):
    family, spoil, message = OTHER_FAMILIES[case]
    directory = shutil.copytree(request.getfixturevalue(family), tmp_path / "model")
    (directory / "generation_config.json").unlink(missing_ok=True)
    spoil(directory)
    with pytest.raises(ModelError, match=message):
        load(directory)


def test_pattern_of_a_tokenizer_is_not_followed(nllb_directory: Path, tmp_path: Path):
    """Matched against this source, it would take longer than the sun will burn."""
    directory = shutil.copytree(nllb_directory, tmp_path / "model")
    tokenizer_json(pre_tokenizer=SLOW_PATTERN, normalizer={"type": "Replace", **SLOW_PATTERN, "content": ""})(directory)
    source = "a" * 60 + "b"
    assert load(directory).encode_sources([source]) == load(nllb_directory).encode_sources([source])


def test_padding_may_stand_in_one_file_alone(nllb_directory: Path, tmp_path: Path):
    directory = shutil.copytree(nllb_directory, tmp_path / "model")
    config(pad_token_id=None)(directory)
    assert translate(load(directory), SOURCES, GREEDY) == translate(load(nllb_directory), SOURCES, GREEDY)
