"""The ids that each family makes of one pair, written down: a version of a library that changes them fails here.

The vocabularies are made on the spot, from the starter set or from the sentences of `tests.llm_models`; where one of
these changes, the ids do, too, and are to be written anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mt.config import ModelConfig
from mt.models.transformers_model import load_translator
from tests.llm_models import KINDS, make_llm

SOURCE, TARGET = "Peace.", "سلام."
SENTENCES = ["The war in Syria began in 2011.", "Peace.", "بدأت الحرب في سوريا عام 2011.", "سلام."] * 5

ENCODER_DECODER = {
    "marian": ([2, 3, 234, 5, 10, 139, 11, 0], [3, 21, 100, 15, 11, 0], [299]),
    "m2m": ([318, 3, 234, 5, 10, 139, 11, 0], [302, 3, 21, 100, 15, 11, 0], [2, 302]),
    "nllb": ([176, 4, 40, 55, 51, 53, 55, 11, 2], [140, 4, 97, 108, 85, 109, 11, 2], [2, 140]),
    "mbart": ([4, 40, 55, 51, 53, 55, 11, 2, 133], [4, 97, 108, 85, 109, 11, 2, 130], [130]),
    "mbart50": ([133, 5, 41, 56, 52, 54, 56, 12, 2], [130, 5, 98, 109, 86, 110, 12, 2], [2, 130]),
    "t5": ([8, 3, 8, 44, 59, 55, 57, 59, 15, 2], [8, 101, 112, 89, 113, 15, 2], [0]),
}
"""By fixture: the source, the target, and what decoding starts from."""

DECODER_ONLY = {
    "qwen3": ([77, 32, 201, 201, 30, 17, 86, 74, 263, 77, 32, 201], [303, 16, 2], [201]),
    "qwen2": ([77, 32, 201, 201, 30, 17, 86, 74, 263, 77, 32, 201], [303, 16, 2], [201]),
    "hunyuan": ([77, 32, 201, 201, 30, 17, 86, 74, 263, 77, 32, 201], [303, 16, 2], [201]),
    "llama": ([4, 2, 69, 87, 87, 77, 87, 88, 279, 88, 3, 203], [305, 18, 4], [203]),
    "plain": ([203, 203, 316, 18, 203, 203, 37, 86, 69, 70, 77, 71], [294, 300, 18, 1], [30]),
    "mistral": ([203, 203, 316, 18, 203, 203, 37, 86, 69, 70, 77, 71], [294, 300, 18, 1], [30]),
    "gemma": ([6, 79, 17, 7, 4, 6, 3, 5, 5, 5, 17, 5], [69, 46, 7, 4], [6]),
    "gemma3": ([6, 79, 17, 7, 4, 6, 3, 5, 5, 5, 17, 5], [69, 46, 7, 4], [6]),
}
"""By kind: the source's last twelve tokens, the target, and what decoding starts from."""


def test_every_family_is_here():
    assert DECODER_ONLY.keys() == KINDS.keys()


@pytest.mark.parametrize("family", ENCODER_DECODER)
def test_encoder_decoder(family: str, request: pytest.FixtureRequest):
    translator = load_translator(ModelConfig(name=str(request.getfixturevalue(f"{family}_directory"))))
    [source], [target] = translator.encode_sources([SOURCE]), translator.encode_targets([TARGET])
    assert (source, target, translator.decoder_prefix) == ENCODER_DECODER[family]


@pytest.mark.parametrize("kind", DECODER_ONLY)
def test_decoder_only(kind: str, tmp_path: Path):
    translator = load_translator(ModelConfig(name=str(make_llm(kind, tmp_path, SENTENCES))))
    [source], [target] = translator.encode_sources([SOURCE]), translator.encode_targets([TARGET])
    assert (source[-12:], target, translator.decoder_prefix) == DECODER_ONLY[kind]
