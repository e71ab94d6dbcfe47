"""How well a model's tokenizer covers the corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mt.text.normalise import comparison_words

if TYPE_CHECKING:
    from datasets import DatasetDict

_MAX_PAIRS_PER_CORPUS = 5000
_SHOWN_CHARACTERS = 10


def measure_vocabulary(tokenizer: Any, data: DatasetDict) -> dict[str, dict[str, Any]]:
    """By corpus, for `source` and `target` of at most 5,000 training pairs:

    `pieces_per_word` (fertility; many pieces per word mean that the model has seen little such text), `unknown_share`
    (of the pieces, 0 to 1), `words_covered` (share of the distinct words without an unknown piece, 0 to 1),
    `vocabulary_used` (share of the tokenizer's pieces that occur, 0 to 1) and `unknown_characters` (the most frequent).
    """
    train = data["train"]
    corpora = np.array(train["corpus"])
    measured = {}
    for corpus in sorted(set(corpora.tolist())):
        rows = np.flatnonzero(corpora == corpus)
        drawn = train.select(np.sort(np.random.default_rng(0).permutation(rows)[:_MAX_PAIRS_PER_CORPUS]))
        sides = {"source": list(drawn["source"]), "target": list(drawn["target"])}
        measured[corpus] = {side: _measure(tokenizer, texts, side) for side, texts in sides.items()}
    return measured


def _measure(tokenizer: Any, texts: Sequence[str], side: str) -> dict[str, Any]:
    pieces = [piece for ids in _pieces(tokenizer, texts, side) for piece in ids]
    words = sorted({word for text in texts for word in comparison_words(text)})
    unknown = tokenizer.unk_token_id
    is_covered = [unknown not in ids for ids in _pieces(tokenizer, words, side)]
    return {
        "pieces_per_word": round(len(pieces) / max(1, sum(len(text.split()) for text in texts)), 3),
        "unknown_share": round(pieces.count(unknown) / max(1, len(pieces)), 6),
        "words_covered": round(sum(is_covered) / max(1, len(words)), 4),
        "vocabulary_used": round(len(set(pieces)) / len(tokenizer), 4),
        "unknown_characters": _unknown_characters(tokenizer, texts, side),
    }


def _unknown_characters(tokenizer: Any, texts: Sequence[str], side: str) -> str:
    counts = Counter(character for text in texts for character in text if not character.isspace())
    characters = [character for character, _ in counts.most_common()]
    encoded = _pieces(tokenizer, characters, side)
    unknown = [c for c, ids in zip(characters, encoded, strict=True) if tokenizer.unk_token_id in ids]
    return "".join(unknown[:_SHOWN_CHARACTERS])


def _pieces(tokenizer: Any, texts: Sequence[str], side: str) -> list[list[int]]:
    """The ids of each text, without language and end tokens."""
    if not texts:
        return []
    key = "text" if side == "source" else "text_target"
    ids = tokenizer(**{key: list(texts)}, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return list(ids)
