"""What the tests of documents share: a translator that writes in capitals, and a document through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mt.config import DecodingConfig
from mt.documents.formats import Format, read_document
from mt.documents.translating import Translated, translate_documents
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.models.translator import Translator
from mt.systems.streaming import Translation

Translate = Callable[[Iterable[str]], Iterator[list[str]]]
"""Sentences in, the texts of their translations out."""


class Shouting(Translator):
    """A model of 512 tokens, which are bytes, that translates into capitals."""

    max_tokens = 512

    def __init__(self) -> None:
        """Without a tokenizer."""

    def encode_sources(self, texts: list[str]) -> list[list[int]]:
        return [list(text.encode()) for text in texts]

    def generate(
        self,
        batch: list[list[int]],
        limits: list[int],
        config: DecodingConfig,  # type: ignore[override]
    ) -> list[list[int]]:
        return batch

    def decode(self, token_ids: list[list[int]]) -> list[str]:
        return [bytes(ids).decode().upper() for ids in token_ids]


def shout(sentences: Iterable[str]) -> Iterator[list[str]]:
    """Each sentence in capitals, but for what must not change."""
    for sentence in sentences:
        yield [" ".join(word if "://" in word or "@" in word else word.upper() for word in sentence.split())]


def translated(
    content: str | bytes,
    kind: Format,
    *,
    column: str | None = None,
    translate: Translate = shout,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
) -> Translated:
    """A document after its translation."""
    content = content.encode() if isinstance(content, str) else content
    document = read_document(content, "in", kind, column, languages)

    def windows(sentences: Iterable[str]) -> Iterator[list[Translation]]:
        return (list(map(Translation, window)) for window in translate(sentences))

    (result,) = translate_documents([("in", document)], windows, languages)
    return result


def text_of(content: str | bytes, kind: Format, *, column: str | None = None, translate: Translate = shout) -> str:
    """The text of a document after its translation."""
    return translated(content, kind, column=column, translate=translate).content.decode("utf-8")
