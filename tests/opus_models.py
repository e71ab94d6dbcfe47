"""Marian models laid out as those on the hub, made on the spot: of 2020 (opus-mt-en-ar) and 2022 (opus-mt-tc-big)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from torch import Tensor
from transformers import MarianConfig, MarianMTModel

from mt.models.model_files import EMBEDDED_MODELS

EMBEDDED = EMBEDDED_MODELS / "tiny-en-ar"
# As transformers 4 wrote them: settings of the search among those of the model.
_OLD_SETTINGS: dict[str, Any] = {
    "architectures": ["MarianMTModel"],
    "is_encoder_decoder": True,
    "model_type": "marian",
    "normalize_before": False,
    "normalize_embedding": False,
    "num_beams": 4,
    "max_length": 512,
    "scale_embedding": True,
    "static_position_embeddings": True,
    "add_bias_logits": False,
    "add_final_layer_norm": False,
    "classif_dropout": 0.0,
    "classifier_dropout": 0.0,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"},
    "label2id": {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2},
    "extra_pos_embeddings": 2,
    "use_cache": True,
}


def embedded_as_tc_big(directory: Path) -> Path:
    """`tiny-en-ar` with its vocabulary as of opus-mt-tc-big-en-ar: other ids, the same translations."""
    model = MarianMTModel.from_pretrained(EMBEDDED)
    before: dict[str, int] = json.loads((EMBEDDED / "vocab.json").read_text(encoding="utf-8"))
    tokens = _as_in_2022(before)
    order = torch.tensor([before.get(token, before["<unk>"]) for token in tokens])
    _write_tokenizer(directory, EMBEDDED, tokens, {"separate_vocabs": False, "special_tokens_map_file": None})
    _write_2022(directory, _reordered(model, order), model.config, tokens)
    return directory


def embedded_as_opus_mt(directory: Path) -> Path:
    """`tiny-en-ar` in the files of opus-mt-en-ar."""
    model = MarianMTModel.from_pretrained(EMBEDDED)
    tokens = list(json.loads((EMBEDDED / "vocab.json").read_text(encoding="utf-8")))
    directory.mkdir(parents=True)
    for name in ("source.spm", "target.spm", "vocab.json"):
        shutil.copy(EMBEDDED / name, directory)
    # It says no class of tokenizer.
    _write_json(directory / "tokenizer_config.json", {"target_lang": "ara", "source_lang": "eng"})
    settings = _settings(model.config, tokens) | {
        "max_position_embeddings": 512,
        "bos_token_id": 0,
        "bad_words_ids": [[len(tokens) - 1]],
        "forced_eos_token_id": 0,
        "_num_labels": 3,
    }
    _write_json(directory / "config.json", settings)
    weights = _tied(model.state_dict()) | {
        f"model.{part}.embed_positions.weight": getattr(model.model, part).embed_positions.weight
        for part in ("encoder", "decoder")
    }
    # Older than torch's files in ZIP.
    torch.save(weights, directory / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    return directory


def small_tc_big(directory: Path, sources: Sequence[str], targets: Sequence[str]) -> Path:
    """An untrained model as opus-mt-tc-big-en-ar is: one SentencePiece model for each side, ReLU, 1,024 positions."""
    directory.mkdir(parents=True)
    english = _learn_pieces(directory / "source.spm", sources)
    arabic = _learn_pieces(directory / "target.spm", targets)
    known = {token: index for index, token in enumerate(dict.fromkeys([">>ara<<", *english, *arabic]))}
    tokens = _as_in_2022(known)
    size = len(tokens)
    config = MarianConfig(
        vocab_size=size,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        scale_embedding=True,
        activation_function="relu",
        max_position_embeddings=1024,
        pad_token_id=size - 1,
        decoder_start_token_id=size - 1,
        eos_token_id=tokens.index("</s>"),
    )
    torch.manual_seed(1)
    _write_tokenizer(directory, None, tokens, {"separate_vocabs": False, "special_tokens_map_file": None})
    _write_2022(directory, MarianMTModel(config).state_dict(), config, tokens)
    return directory


def _as_in_2022(tokens: dict[str, int]) -> list[str]:
    """Sorted, `</s>` and `<unk>` in the middle, an odd number of them, <pad> last."""
    pieces = sorted(tokens.keys() - {"</s>", "<unk>", "<pad>"})
    if len(pieces) % 2:
        pieces.append("▁unused")
    middle = len(pieces) // 2
    return [*pieces[:middle], "</s>", "<unk>", *pieces[middle:], "<pad>"]


def _reordered(model: MarianMTModel, order: Tensor) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = model.state_dict()
    for name in ("model.shared.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"):
        weights[name] = weights[name][order]
    weights["lm_head.weight"] = weights["model.shared.weight"]
    weights["final_logits_bias"] = weights["final_logits_bias"][:, order]
    return weights


def _tied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """All four names of the embeddings, for one tensor, and no positions."""
    names = ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight")
    kept = {name: tensor for name, tensor in weights.items() if not name.endswith("embed_positions.weight")}
    return kept | dict.fromkeys(names, weights["model.shared.weight"])


def _write_2022(directory: Path, weights: dict[str, Tensor], config: MarianConfig, tokens: list[str]) -> None:
    pad, end = len(tokens) - 1, tokens.index("</s>")
    settings = _settings(config, tokens) | {
        "_name_or_path": "marian-models/en-ar",
        "max_position_embeddings": 1024,
        "decoder_vocab_size": len(tokens),
        "share_encoder_decoder_embeddings": True,
        "bad_words_ids": [[pad]],
        "bos_token_id": 0,
        "eos_token_id": end,
        "forced_eos_token_id": end,
        "torch_dtype": "float16",
        "transformers_version": "4.18.0.dev0",
    }
    _write_json(directory / "config.json", settings)
    torch.save({name: tensor.half() for name, tensor in _tied(weights).items()}, directory / "pytorch_model.bin")


def _settings(config: MarianConfig, tokens: list[str]) -> dict[str, Any]:
    taken = ("d_model", "activation_function", "dropout", "init_std", "attention_dropout", "activation_dropout")
    sizes = [f"{part}_{size}" for part in ("encoder", "decoder") for size in ("layers", "attention_heads", "ffn_dim")]
    pad = len(tokens) - 1
    ids = {"eos_token_id": tokens.index("</s>"), "pad_token_id": pad, "decoder_start_token_id": pad}
    counts = {"vocab_size": len(tokens), "num_hidden_layers": config.encoder_layers}
    return _OLD_SETTINGS | {key: getattr(config, key) for key in [*taken, *sizes]} | ids | counts


def _write_tokenizer(directory: Path, spm: Path | None, tokens: list[str], more: dict[str, Any]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if spm is not None:
        for name in ("source.spm", "target.spm"):
            shutil.copy(spm / name, directory)
    _write_json(directory / "vocab.json", {token: index for index, token in enumerate(tokens)})
    special = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    _write_json(directory / "special_tokens_map.json", special)
    settings = {"source_lang": "en", "target_lang": "ar", "model_max_length": 512, "sp_model_kwargs": {}}
    named = {"name_or_path": "marian-models/en-ar", "tokenizer_class": "MarianTokenizer"}
    _write_json(directory / "tokenizer_config.json", settings | special | named | more)


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def _learn_pieces(file: Path, sentences: Sequence[str]) -> list[str]:
    with file.open("wb") as writer:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences), model_writer=writer, vocab_size=200, minloglevel=2
        )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(file))
    return [processor.id_to_piece(i) for i in range(len(processor)) if not processor.is_control(i)]
