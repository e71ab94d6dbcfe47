"""What somebody else's model directory may hold: made from the small model, each with one thing wrong."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults import edits

Spoil = Callable[[Path], object]
CANARY = "canary"
"""A file beside the model that only code from the model would write."""


def set_in(name: str, **values: Any) -> Spoil:
    """A JSON file of the model with these values."""

    def spoil(model: Path) -> None:
        file = model / name
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(json.dumps(content | values), encoding="utf-8")

    return spoil


def file_edit(name: str, edit: Callable[[Path], object]) -> Spoil:
    """One file, changed."""
    return lambda model: edit(model / name)


def _fifo(name: str) -> Spoil:
    """A pipe in place of a file: whoever opens it waits for ever."""

    def spoil(model: Path) -> None:
        (model / name).unlink()
        os.mkfifo(model / name)

    return spoil


def _directory(name: str) -> Spoil:
    def spoil(model: Path) -> None:
        (model / name).unlink()
        (model / name).mkdir()

    return spoil


def _loop(name: str) -> Spoil:
    def spoil(model: Path) -> None:
        (model / name).unlink()
        (model / name).symlink_to(name)

    return spoil


class _Canary:
    """Pickled, it writes the canary when it is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        return os.system, (f"touch '{self.place}'",)


def _pickle(name: str, *, alone: bool) -> Spoil:
    def spoil(model: Path) -> None:
        if alone:
            (model / "model.safetensors").unlink()
        (model / name).write_bytes(pickle.dumps({"weight": _Canary((model.parent / CANARY).resolve())}))

    return spoil


def _code(config: str, key: str, **more: Any) -> Spoil:
    """Python in the directory, and a config that asks for it."""

    def spoil(model: Path) -> None:
        place = (model.parent / CANARY).resolve()
        (model / "evil.py").write_text(f"open({str(place)!r}, 'w')\nclass Evil: pass\n", encoding="utf-8")
        set_in(config, **{key: dict.fromkeys(_AUTO, "evil.Evil")}, **more)(model)

    return spoil


_AUTO = ("AutoConfig", "AutoModel", "AutoModelForSeq2SeqLM", "AutoTokenizer")


def _header(length: int, text: bytes = b"{}") -> Callable[[Path], object]:
    return lambda file: file.write_bytes(struct.pack("<Q", length) + text)


def _nan_weights(model: Path) -> None:
    file = model / "model.safetensors"
    content = file.read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    file.write_bytes(content[:end] + b"\xff" * (len(content) - end))


def _index(shard: str) -> Spoil:
    def spoil(model: Path) -> None:
        (model / "model.safetensors").unlink()
        weights = {"metadata": {}, "weight_map": {"model.shared.weight": shard}}
        (model / "model.safetensors.index.json").write_text(json.dumps(weights), encoding="utf-8")

    return spoil


def _adapter(**values: Any) -> Spoil:
    return set_in("adapter_config.json", peft_type="LORA", r=4, target_modules=["q_proj"], **values)


CONFIGS: dict[str, Spoil] = {
    "config gone": file_edit("config.json", edits.remove),
    "config emptied": file_edit("config.json", edits.empty),
    "config is a list": file_edit("config.json", edits.be("[]")),
    "config is null": file_edit("config.json", edits.be("null")),
    "config says nothing": file_edit("config.json", edits.be("{}")),
    "config truncated": file_edit("config.json", edits.truncate),
    "config is no text": file_edit("config.json", edits.be_binary),
    "config is deep": file_edit("config.json", edits.be('{"a":' * 50_000)),
    "config is a pipe": _fifo("config.json"),
    "config is a directory": _directory("config.json"),
    "config is a loop": _loop("config.json"),
    "another kind of model": set_in("config.json", model_type="bert"),
    "unknown kind of model": set_in("config.json", model_type="evil"),
    "kind of model is a list": set_in("config.json", model_type=["marian"]),
    "vocabulary below zero": set_in("config.json", vocab_size=-5),
    "vocabulary in words": set_in("config.json", vocab_size="many"),
    "vocabulary of 10^12": set_in("config.json", vocab_size=10**12),
    "vocabulary too small": set_in("config.json", vocab_size=10),
    "width of zero": set_in("config.json", d_model=0),
    "width of 10^7": set_in("config.json", d_model=10**7),
    "heads that do not divide": set_in("config.json", encoder_attention_heads=3),
    "no heads": set_in("config.json", encoder_attention_heads=0),
    "a million layers": set_in("config.json", encoder_layers=10**6),
    "layers below zero": set_in("config.json", decoder_layers=-1),
    "one position": set_in("config.json", max_position_embeddings=1),
    "10^12 positions": set_in("config.json", max_position_embeddings=10**12),
    "padding outside the vocabulary": set_in("config.json", pad_token_id=10**6),
    "start outside the vocabulary": set_in("config.json", decoder_start_token_id=10**6),
    "start is null": set_in("config.json", decoder_start_token_id=None),
    "end is null": set_in("config.json", eos_token_id=None),
    "unknown activation": set_in("config.json", activation_function="evil"),
    "dropout in words": set_in("config.json", dropout="much"),
    "unknown type of numbers": set_in("config.json", torch_dtype="evil", dtype="evil"),
    "quantised": set_in("config.json", quantization_config={"quant_method": "evil"}),
    "search of a million beams": set_in("generation_config.json", num_beams=10**6, max_length=10**9),
    "search is no text": file_edit("generation_config.json", edits.be_binary),
    "search is a list": file_edit("generation_config.json", edits.be("[]")),
    "search with words for ids": set_in("generation_config.json", eos_token_id="end", pad_token_id=[1]),
}

WEIGHTS: dict[str, Spoil] = {
    "weights gone": file_edit("model.safetensors", edits.remove),
    "weights emptied": file_edit("model.safetensors", edits.empty),
    "weights truncated": file_edit("model.safetensors", edits.truncate),
    "weights with a header of 2^62 bytes": file_edit("model.safetensors", _header(2**62)),
    "weights with a header that is no JSON": file_edit("model.safetensors", _header(4, b"evil")),
    "weights without any": file_edit("model.safetensors", _header(2)),
    "weights are no numbers": _nan_weights,
    "weights are a directory": _directory("model.safetensors"),
    "weights are a pipe": _fifo("model.safetensors"),
    "pickle that runs code": _pickle("pytorch_model.bin", alone=True),
    "pickle beside the weights": _pickle("pytorch_model.bin", alone=False),
    "pickle called safetensors": _pickle("model.safetensors", alone=True),
    "shard above the directory": _index("../../../etc/passwd"),
    "shard that is missing": _index("model-00001-of-00001.safetensors"),
    "code of its own": _code("config.json", "auto_map"),
    "code of its own for an unknown kind": _code("config.json", "auto_map", model_type="evil"),
    "code of its own for the tokenizer": _code("tokenizer_config.json", "auto_map", tokenizer_class="Evil"),
    "adapter for a place above": _adapter(base_model_name_or_path="../.."),
    "adapter for the system's files": _adapter(base_model_name_or_path="/etc"),
    "adapter for itself": _adapter(base_model_name_or_path="model"),
    "adapter for nothing": _adapter(),
    "adapter for a number": _adapter(base_model_name_or_path=7),
    "adapter is a list": file_edit("adapter_config.json", edits.be("[]")),
    "adapter with a pickle": lambda model: (
        _adapter(base_model_name_or_path="other_model")(model),
        _pickle("adapter_model.bin", alone=True)(model),
    ),
}

TOKENIZERS: dict[str, Spoil] = {
    "vocabulary gone": file_edit("vocab.json", edits.remove),
    "vocabulary emptied": file_edit("vocab.json", edits.be("{}")),
    "vocabulary is a list": file_edit("vocab.json", edits.be("[]")),
    "vocabulary with words for ids": file_edit(
        "vocab.json", edits.be('{"</s>": "zero", "<unk>": "one", "<pad>": "x"}')
    ),
    "vocabulary with ids below zero": file_edit("vocab.json", edits.be('{"</s>": -1, "<unk>": -2, "<pad>": -3}')),
    "vocabulary with ids of 400 digits": file_edit(
        "vocab.json", edits.be(f'{{"</s>": {"9" * 400}, "<unk>": 1, "<pad>": 2}}')
    ),
    "pieces gone": file_edit("source.spm", edits.remove),
    "pieces emptied": file_edit("source.spm", edits.empty),
    "pieces flipped": file_edit("source.spm", edits.truncate),
    "pieces are text": file_edit("source.spm", edits.be("not a model")),
    "settings gone": file_edit("tokenizer_config.json", edits.remove),
    "settings are a list": file_edit("tokenizer_config.json", edits.be("[]")),
    "settings are no text": file_edit("tokenizer_config.json", edits.be_binary),
    "unknown class": set_in("tokenizer_config.json", tokenizer_class="Evil"),
    "class is a number": set_in("tokenizer_config.json", tokenizer_class=7),
    "length below zero": set_in("tokenizer_config.json", model_max_length=-1),
    "languages are numbers": set_in("tokenizer_config.json", source_lang=1, target_lang=[2]),
    "added token outside the vocabulary": set_in(
        "tokenizer_config.json", added_tokens_decoder={"99999999": {"content": "<evil>", "special": True}}
    ),
    "added tokens are no text": file_edit("added_tokens.json", edits.be_binary),
    "special tokens are numbers": set_in("special_tokens_map.json", eos_token=7, pad_token=[]),
}
