"""Models with random weights in the shapes of three pretrained ones, and the work that a training pair makes for them.

How fast a model trains depends on its shape, not on what it knows. The tokenizer is learnt from the corpus, so that
sentences have as many tokens as they would have; pieces that never occur fill up the vocabulary.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration, MarianConfig, MarianMTModel, NllbTokenizer

from mt.config import ScratchConfig
from mt.errors import DataError
from mt.models.from_scratch import create_marian


@dataclass(frozen=True)
class Shape:
    """The sizes of a model; `layers` each in encoder and decoder."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    ffn: int
    activation: str
    positions: int = 512


SHAPES = {
    "opus": Shape(62_802, 512, 6, 8, 2048, "swish"),
    "big": Shape(61_247, 1024, 6, 16, 4096, "relu"),
    "nllb": Shape(256_206, 1024, 12, 16, 4096, "relu", positions=1024),
}
"""opus-mt-en-ar, opus-mt-tc-big-en-ar and nllb-200-distilled-600M."""
NAMES = {"opus": "opus-mt-en-ar", "big": "opus-mt-tc-big-en-ar", "nllb": "nllb-200-distilled-600M"}

_PIECES = 16_000
_TINY_PIECES = 400


def shape_of(kind: str, tiny: bool) -> Shape:
    """The shape of one kind of model; `tiny` keeps nothing of it but what the tokenizer needs."""
    shape = SHAPES[kind]
    return replace(shape, vocabulary=1001, width=16, layers=1, heads=2, ffn=32) if tiny else shape


def training_flops(shape: Shape, source: int, target: int) -> float:
    """Floating-point operations of one forward and backward pass on a pair, a multiply-add counted as two.

    The backward pass takes twice as many as the forward pass. Counted are the matrix products, attention included.
    Width 2, feed-forward 3, vocabulary 5, one layer each, 1 token per side: encoder 32 + 24 + 8, decoder 48 + 24 + 16 +
    8 + 8, output 20, together 188; so 564.
    """
    d, f = shape.width, shape.ffn
    encoder = source * (8 * d * d + 4 * d * f) + 4 * source * source * d
    # Self-attention and the queries of the attention to the source, whose keys and values are counted per source token.
    decoder = target * (12 * d * d + 4 * d * f) + source * 4 * d * d + 4 * target * (target + source) * d
    return 3.0 * (shape.layers * (encoder + decoder) + 2 * target * d * shape.vocabulary)


def make_tokenizer(directory: Path, sources: Sequence[str], targets: Sequence[str], tiny: bool) -> None:
    """A Marian tokenizer learnt from the sentences, with fewer pieces if they are too few for as many as usual.

    A model comes with it, of the smallest size, so that the directory can be loaded.
    """
    pieces = _TINY_PIECES if tiny else _PIECES
    while True:
        small = ScratchConfig(
            vocabulary_size=pieces,
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            attention_heads=1,
            ffn_dim=16,
            lexical_start=False,
        )
        try:
            create_marian(small, sources, targets, directory, seed=1)
        except DataError:
            pieces //= 2
            if pieces < 200:
                raise
        else:
            return


def make_model(kind: str, directory: Path, tokenizer: Path, tiny: bool) -> Path:
    """The directory of a model, made unless it is there. tokenizer: a directory that `make_tokenizer` has filled."""
    if directory.exists():
        return directory
    torch.manual_seed(1)
    shape, new = shape_of(kind, tiny), directory.with_name(f"{directory.name}.new")
    if kind == "nllb":
        _make_nllb(shape, new)
    else:
        _make_marian(shape, new, tokenizer)
    # A model that is there is whole.
    new.rename(directory)
    return directory


def _sizes(shape: Shape) -> dict[str, float | int | bool | str]:
    return {
        "vocab_size": shape.vocabulary,
        "d_model": shape.width,
        "encoder_layers": shape.layers,
        "decoder_layers": shape.layers,
        "encoder_attention_heads": shape.heads,
        "decoder_attention_heads": shape.heads,
        "encoder_ffn_dim": shape.ffn,
        "decoder_ffn_dim": shape.ffn,
        "activation_function": shape.activation,
        "max_position_embeddings": shape.positions,
        "init_std": shape.width**-0.5,
        "scale_embedding": True,
        "dropout": 0.1,
    }


def _make_marian(shape: Shape, directory: Path, tokenizer: Path) -> None:
    shutil.copytree(tokenizer, directory, dirs_exist_ok=True)
    file, last = directory / "vocab.json", shape.vocabulary - 1
    learnt = {piece: index for piece, index in json.loads(file.read_text("utf-8")).items() if piece != "<pad>"}
    unused = {f"▁unused{index}": index for index in range(len(learnt), last)}
    file.write_text(json.dumps({**learnt, **unused, "<pad>": last}, ensure_ascii=False), encoding="utf-8")
    special = {"pad_token_id": last, "decoder_start_token_id": last, "eos_token_id": 0, "forced_eos_token_id": None}
    MarianMTModel(MarianConfig(**_sizes(shape), **special)).save_pretrained(directory)


def _make_nllb(shape: Shape, directory: Path) -> None:
    """Its tokenizer knows letters only: the model is trained on random ids."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *map(chr, range(ord("!"), ord("~") + 1))]
    NllbTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[]).save_pretrained(directory)
    no_drop = {"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}
    config = M2M100Config(**_sizes(shape), **no_drop, decoder_start_token_id=2)
    M2M100ForConditionalGeneration(config).save_pretrained(directory)
