"""What the tests of back-translation share: a translator without weights, a small model, and the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mt.config import DecodingConfig, ScratchConfig
from mt.languages import ARABIC, ENGLISH, LanguagePair
from mt.systems import backtranslation
from tests.conftest import news_pairs
from tests.document_cases import Shouting
from tests.helpers import run

_LETTERS = dict(zip("ابتثجحخدذرزسشصضطظعغفقكلمنهويةىأإآؤئء", "abttjhkddrzsssdtzagfqklmnhuyhaaaauye", strict=True))


class Romanising(Shouting):
    """Translates Arabic into English by writing its letters in Latin ones; all else stays."""

    def __init__(self) -> None:
        """Without a tokenizer."""
        self.translated: list[str] = []

    def generate(
        self,
        batch: list[list[int]],
        limits: list[int],
        config: DecodingConfig,  # type: ignore[override]
    ) -> list[list[int]]:
        self.translated += [bytes(ids).decode() for ids in batch]
        return super().generate(batch, limits, config)

    def decode(self, token_ids: list[list[int]]) -> list[str]:
        return ["".join(_LETTERS.get(letter, letter) for letter in bytes(ids).decode()) for ids in token_ids]


def backtranslate(monkeypatch: pytest.MonkeyPatch, *argv: str, model: str = "tiny-en-ar") -> int:
    """The command with a model by name, on torch."""
    return run(monkeypatch, "mt", "backtranslate", *argv, "--model", model, "--decoding.engine", "torch")


def use_windows_of(monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    monkeypatch.setattr(backtranslation, "WINDOW", lines)


def rows_of(table: Path) -> list[list[str]]:
    """Cells of a table of which no cell is quoted."""
    return [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]


def numbered(count: int) -> list[str]:
    """Lines of Arabic words, no two of them equal."""
    words = ["وصل", "قال", "الجيش", "مدينة", "طريق", "ماء"]
    return [f"{words[n % 6]} {words[n // 6 % 6]} {words[n // 36 % 6]} {n}" for n in range(count)]


def save_arabic_to_english(directory: Path) -> Path:
    """An untrained Marian model from Arabic into English, which writes Latin letters only."""
    from transformers import MarianMTModel

    from mt.models.from_scratch import create_marian

    english, arabic = news_pairs()
    shape = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "attention_heads": 2, "ffn_dim": 32}
    scratch = ScratchConfig(vocabulary_size=300, lexical_start=False, **shape)
    create_marian(scratch, arabic, english, directory, seed=3, languages=LanguagePair(ARABIC, ENGLISH))
    model = MarianMTModel.from_pretrained(directory)
    vocabulary: dict[str, int] = json.loads((directory / "vocab.json").read_text(encoding="utf-8"))
    _forbid(model, [index for token, index in vocabulary.items() if not _is_latin(token)])
    model.save_pretrained(directory)
    return directory


def _is_latin(token: str) -> bool:
    return token == "</s>" or token.replace("▁", "a").isascii()


def _forbid(model: object, ids: Sequence[int]) -> None:
    bias = model.final_logits_bias  # type: ignore[attr-defined]
    bias[0, list(ids)] = -1e4
