"""What every way of running a model shares: text to token ids and back, by the model's language contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from mt.config import DecodingConfig
from mt.languages import LanguageContract


@dataclass(kw_only=True)
class AnyTranslator(ABC):
    """A tokenizer and the languages it is set to; how token ids are translated is the subclasses' matter."""

    tokenizer: PreTrainedTokenizerBase
    languages: LanguageContract
    name: str
    """As the user gave it."""
    location: str
    """Hub name or directory that it was loaded from."""
    revision: str | None = None
    """The commit of a hub model; None for a directory."""

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """The longest source or target, in tokens, that the model's positions allow."""

    @abstractmethod
    def search(self, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig) -> list[list[int]]:
        """The best hypothesis of each source as token ids, for `decode`: no start or language token before it.

        An end token and padding may follow it. All sources are one batch. `limits` are the most tokens of each
        hypothesis, start, language and end tokens counted.
        """

    def encode_sources(self, sources: list[str]) -> list[list[int]]:
        """Token ids with language and end tokens, one list a sentence; text that looks like a token stays text."""
        texts = [self.languages.source_prefix + self._defused(source) for source in sources]
        return list(self.tokenizer(texts, split_special_tokens=True)["input_ids"]) if texts else []

    def encode_targets(self, targets: list[str]) -> list[list[int]]:
        """Label ids with language and end tokens, one list a sentence."""
        # The space: see `mt.languages` on Marian sentences that begin with `>>`.
        texts = [" " + target if target.startswith(">>") else self._defused(target) for target in targets]
        return list(self.tokenizer(text_target=texts, split_special_tokens=True)["input_ids"]) if texts else []

    def _defused(self, text: str) -> str:
        """`text` with a space inside each literal special token, for mBART, whose vocabulary would match it."""
        if not self.languages.family.startswith("mbart"):
            return text
        for token in self.tokenizer.all_special_tokens:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def decode(self, token_ids: list[list[int]]) -> list[str]:
        """Text of each list of ids, without special tokens."""
        decoded: list[str] = self.tokenizer.batch_decode(
            token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return [text.strip() for text in decoded]
