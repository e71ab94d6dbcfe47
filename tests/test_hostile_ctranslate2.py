"""CTranslate2 directories that are damaged: one sentence, no traceback, and the process lives."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.ctranslate2_export import convert
from mt.models.ctranslate2_model import load_ctranslate2
from mt.models.decoding import translate
from mt.models.transformers_model import load_translator
from mt.systems.system import resolve_systems
from tests.spoiling import Spoil, removed, replaced_by, sparse, spoilt_json, truncated, vocabulary, written

GREEDY = DecodingConfig(num_beams=1, max_length_ratio=0.5)


@pytest.fixture(scope="module")
def converted(marian_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("converted") / "marian"
    convert(load_translator(ModelConfig(name=str(marian_directory))), directory, "float32")
    return directory


@pytest.fixture
def directory(converted: Path, tmp_path: Path) -> Path:
    """A converted Marian model, to spoil."""
    return shutil.copytree(converted, tmp_path / "converted")


def patched(before: bytes, offset: int, content: bytes) -> Spoil:
    """Overwrite `content` at `offset` behind the first `before` in model.bin."""

    def spoil(directory: Path) -> None:
        data = bytearray((directory / "model.bin").read_bytes())
        place = data.index(before) + len(before) + offset
        data[place : place + len(content)] = content
        (directory / "model.bin").write_bytes(data)

    return spoil


def shortened_vocabulary(directory: Path) -> None:
    file = directory / "shared_vocabulary.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8"))[:-3]), encoding="utf-8")


def repeated_token(directory: Path) -> None:
    file = directory / "shared_vocabulary.json"
    tokens = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps([*tokens[:-1], tokens[0]]), encoding="utf-8")


BIAS = b"decoder/projection/bias\0"
HEADS = b"encoder/num_heads\0"
CASES: dict[str, tuple[Spoil, str]] = {
    "model empty": (written("model.bin", b""), r"model\.bin: the CTranslate2 model is damaged"),
    "model text": (written("model.bin", "version https://git-lfs"), "a pointer of Git LFS"),
    "model truncated": (truncated("model.bin"), "is damaged .*another size than it declares"),
    "model a byte short": (truncated("model.bin", 0.99999), "is damaged"),
    "model longer": (lambda d: (d / "model.bin").open("ab").write(b"abc") and None, "is damaged .3 bytes too many"),
    "model of zeros": (replaced_by("model.bin", sparse(1)), "cannot be loaded"),
    "model of another version": (written("model.bin", struct.pack("<I", 99) + bytes(50)), "cannot be loaded"),
    "rank": (patched(BIAS, 0, b"\xff"), "has 255 dimensions"),
    "dimensions": (patched(BIAS, 1, struct.pack("<I", 2**31)), "projection/bias has another size than it declares"),
    "type": (patched(BIAS, 5, b"\x63"), "another size than it declares"),
    "bytes": (patched(BIAS, 6, struct.pack("<I", 2**32 - 1)), "another size than it declares"),
    "NaN": (patched(BIAS, 10, struct.pack("<f", float("nan"))), "projection/bias holds NaN"),
    "no heads": (patched(HEADS, 6, struct.pack("<h", 0)), "num_heads is 0"),
    "negative heads": (patched(HEADS, 6, struct.pack("<h", -3)), "num_heads is -3"),
    "name": (patched(b"TransformerSpec", 1, b"\xff"), "is damaged|cannot be loaded"),
    "vocabulary missing": (removed("shared_vocabulary.json"), r"no shared_vocabulary\.json"),
    "vocabulary no JSON": (written("shared_vocabulary.json", "["), "the vocabulary cannot be read"),
    "vocabulary Latin-1": (written("shared_vocabulary.json", b'["\xe9"]'), "the vocabulary cannot be read"),
    "vocabulary deep": (written("shared_vocabulary.json", "[" * 100_000), "the vocabulary cannot be read"),
    "vocabulary object": (written("shared_vocabulary.json", "{}"), "the vocabulary is not a list of tokens"),
    "vocabulary of numbers": (written("shared_vocabulary.json", "[1, 2]"), "the vocabulary is not a list of tokens"),
    "vocabulary empty": (written("shared_vocabulary.json", "[]"), "the vocabulary is not a list of tokens"),
    "vocabulary directory": (replaced_by("shared_vocabulary.json", Path.mkdir), "not a regular file"),
    "vocabulary short": (shortened_vocabulary, "and the vocabulary beside it has 297 tokens"),
    "vocabulary twice": (repeated_token, "contains a token twice|is another model's"),
    "config no JSON": (written("config.json", "{"), r"config\.json: not valid JSON"),
    "config list": (written("config.json", "[]"), r"config\.json: expected a JSON object"),
    "config loop": (replaced_by("config.json", lambda f: f.symlink_to(f.name)), "not a regular file"),
    "no tokenizer": (removed("source.spm", "target.spm", "vocab.json"), "a CTranslate2 model without its tokenizer"),
    "tokenizer truncated": (truncated("source.spm"), "the tokenizer cannot be"),
    "tokenizer vocabulary": (vocabulary(lambda v: v.update({"</s>": "0"})), "which is not a number from 0"),
    "tokenizer shifted": (vocabulary(lambda v: v.update({k: (i + 1) % 300 for k, i in v.items()})), "another model's"),
    "tokenizer class": (spoilt_json("tokenizer_config.json", tokenizer_class="Evil"), "are not supported"),
}


@pytest.mark.parametrize("case", CASES)
def test_damage_is_one_sentence(case: str, directory: Path):
    spoil, message = CASES[case]
    spoil(directory)
    with pytest.raises(ModelError, match=message) as raised:
        translate(load_ctranslate2(ModelConfig(name=str(directory))), ["The war"], GREEDY)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("length", [-5, 0, 1e300, None])
def test_length_that_is_none_is_not_taken(length: object, directory: Path):
    usual = translate(load_ctranslate2(ModelConfig(name=str(directory))), ["The war"], GREEDY)
    spoilt_json("tokenizer_config.json", model_max_length=length)(directory)
    translator = load_ctranslate2(ModelConfig(name=str(directory)))
    assert translator.max_tokens == 512
    assert translate(translator, ["The war"], GREEDY) == usual


def test_directory_without_config_is_refused_before_anything_is_decoded(directory: Path):
    (directory / "config.json").unlink()
    with pytest.raises(ModelError, match=r"no config\.json in the directory"):
        resolve_systems([str(directory)])
