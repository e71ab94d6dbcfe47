"""The interface of everything that translates: text to token ids, `generate`, token ids to text."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase
from transformers.tokenization_python import Trie

from mt.config import DecodingConfig
from mt.errors import ModelError
from mt.models.families import LanguageContract, family_by_name
from mt.models.languages import added_words

# Private-use characters around an inline term while it is text; they are removed before tokenizing.
_OPENING, _CLOSING = "\ue000", "\ue001"
_INLINE = re.compile(f"{_OPENING}([^{_OPENING}{_CLOSING}]*){_CLOSING}")


Batch = tuple[Sequence[list[int]], Sequence[int]]
"""Sources as token ids, and the maximum length of the hypothesis of each."""


def inline_term(term: str) -> str:
    """A word of the target language, marked so that `Translator.encode_sources` finds it inside a source."""
    return f" {_OPENING}{term}{_CLOSING}"


def without_inline_marks(text: str) -> str:
    """`text` without the characters that mark inline terms, which have no other use in a text."""
    return text.replace(_OPENING, "").replace(_CLOSING, "")


@dataclass(kw_only=True)
class Translator(ABC):
    """A tokenizer, set to two languages; subclasses add the model that translates token ids."""

    tokenizer: PreTrainedTokenizerBase
    languages: LanguageContract
    name: str
    """As the user gave it."""
    location: str
    """Hub name or directory that the model was loaded from."""
    revision: str | None = None
    """The commit of a hub model; None for a directory."""

    overflows: bool = False
    """Whether half precision, which a GPU decodes in, has turned out to be too small for the model."""

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """The longest source or target, in tokens, that the model's positions allow."""

    @abstractmethod
    def generate(self, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig) -> list[list[int]]:
        """The best hypothesis of each source as token ids, for `decode`, without the start and language tokens.

        An end token and padding may follow. All sources are one batch. limits: the maximum number of tokens of each
        hypothesis, counting start, language and end tokens.
        """

    def text_tokens(self, source: list[int]) -> int:
        """Tokens of the text in an encoded source, from which the length of its translation is bounded."""
        return len(source)

    def within_limit(self, source: list[int]) -> list[int]:
        """An encoded source cut to `max_tokens`, of which the end token stays the last."""
        limit = self.max_tokens
        return source if len(source) <= limit else [*source[: limit - 1], source[-1]]

    def batch_tokens(self, config: DecodingConfig) -> int:
        """Padded source tokens of a batch, all beams counted."""
        return config.batch_tokens or 4096

    def search_limit(self, limit: int) -> int:
        """The maximum length that a hypothesis with this limit is searched with, before it is cut to the limit.

        Only sources that are searched with the same one share a batch. 0: that of the longest in the batch.
        """
        return 0

    def generate_each(self, batches: Iterable[Batch], config: DecodingConfig) -> Iterator[list[list[int]]]:
        """The hypotheses of each batch, in order, as `generate` returns them."""
        for sources, limits in batches:
            yield self.generate(sources, limits, config)

    def encode_sources(self, sources: list[str]) -> list[list[int]]:
        """Token ids with language and end tokens, one list per sentence; text like `</s>` or `>>fra<<` stays text.

        An `inline_term` becomes the ids that it would have in a target. Raises `ModelError` for one if the model has
        separate vocabularies for source and target.
        """
        texts = [self.languages.source_prefix + self._without_special_tokens(source) for source in sources]
        has_terms = [_INLINE.search(text) is not None for text in texts]
        plain = [text for text, has in zip(texts, has_terms, strict=True) if not has]
        encoded = iter(self._encoder(plain, **self._as_text)["input_ids"] if plain else [])
        before, after = self._tokens_around_source() if any(has_terms) else ([], [])
        return [
            [*before, *self._encode_with_terms(text), *after] if has else next(encoded)
            for text, has in zip(texts, has_terms, strict=True)
        ]

    @cached_property
    def _words(self) -> list[str]:
        return added_words(self.tokenizer, self.languages.family)

    @cached_property
    def _encoder(self) -> PreTrainedTokenizerBase:
        """The tokenizer, adjusted: it recognises words added to the vocabulary, but treats special tokens as text.

        Tokenizers in Python (Marian, M2M-100) recognise both or neither, so their search tree is rebuilt with the added
        words alone. Those in Rust never recognise an added word that is marked special, so a copy is made in which the
        added words are not.
        """
        if hasattr(self.tokenizer, "tokens_trie"):
            self.tokenizer.tokens_trie = Trie(self._words)
            return self.tokenizer
        special = {str(token) for token in self.tokenizer.added_tokens_decoder.values() if token.special}
        if special.isdisjoint(self._words):
            return self.tokenizer
        encoder = deepcopy(self.tokenizer)
        content = json.loads(encoder.backend_tokenizer.to_str())
        for token in content["added_tokens"]:
            token["special"] = token["special"] and token["content"] not in self._words
        encoder._tokenizer = Tokenizer.from_str(json.dumps(content))
        return encoder

    @cached_property
    def _as_text(self) -> dict[str, bool]:
        """The option with which `_encoder` must be called."""
        return {"split_special_tokens": not (self._words and hasattr(self._encoder, "tokens_trie"))}

    def _tokens_around_source(self) -> tuple[list[int], list[int]]:
        """(special tokens before a source, those after it). Raises `ModelError` if it cannot contain inline terms."""
        if getattr(self.tokenizer, "separate_vocabs", False):
            raise ModelError(
                f"{self.name}: has separate vocabularies for source and target, so a source cannot contain terms of "
                "the target; leave decoding.terminology out"
            )
        whole, bare = self._encoder("a", **self._as_text)["input_ids"], self._source_ids("a")
        start = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
        return whole[:start], whole[start + len(bare) :]

    def _encode_with_terms(self, text: str) -> list[int]:
        """Ids without special tokens."""
        # The parts are source, term, source, term ... Each begins a word, so each has the same pieces as in the whole.
        ids: list[int] = []
        for index, part in enumerate(_INLINE.split(text)):
            plain = without_inline_marks(part).strip()
            if not plain:
                continue
            if index % 2:
                ids += self.tokenizer(text_target=plain, add_special_tokens=False)["input_ids"]
            else:
                # The space: see `mt.models.families.marian` on Marian sentences that begin with `>>`.
                ids += self._source_ids(plain if index == 0 else f" {plain}")
        return ids

    def _source_ids(self, text: str) -> list[int]:
        ids: list[int] = self._encoder(text, **self._as_text, add_special_tokens=False)["input_ids"]
        return ids

    def encode_targets(self, targets: list[str]) -> list[list[int]]:
        """Label ids with language and end tokens, one list per sentence."""
        # The space: see `mt.models.families.marian` on Marian sentences that begin with `>>`.
        texts = [
            " " + target if target.startswith(">>") else self._without_special_tokens(target) for target in targets
        ]
        return list(self._encoder(text_target=texts, **self._as_text)["input_ids"]) if texts else []

    def _without_special_tokens(self, text: str) -> str:
        """`text` with a space inside each literal special token (`< /s>`) where the tokenizer would recognise it."""
        return family_by_name(self.languages.family).escaped(text, self.tokenizer, self._words)

    def decode(self, token_ids: list[list[int]]) -> list[str]:
        """Text of each list of ids, without special tokens, on one line: files hold one translation per line."""
        decoded: list[str] = self.tokenizer.batch_decode(
            token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return [" ".join(text.strip().splitlines()) for text in decoded]
