"""Terms given inline: the Arabic of a term behind the term, in the source, for the model to take over.

Dinu et al., 2019, "Training Neural Machine Translation to Apply Terminology Constraints" (their `append`). A model
follows what it is given, and inflects it, only once it has been trained on sources like that; no word of Arabic
stands in an English source otherwise, so nothing else needs to mark it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from mt.config import DecodingConfig
from mt.models.translator import inline_term, without_inline_marks
from mt.text.glossary import Glossary, Term, fold_for_terms


def with_terms(sources: Sequence[str], glossary: str | None) -> list[str]:
    """The sources with the preferred Arabic form of every term of the glossary (a file) that they name.

    Raises `DataError` for a file that is no glossary.
    """
    if glossary is None:
        return list(sources)
    terms = Glossary.read(Path(glossary))
    return [_annotated(source, terms, lambda term: term.arabic[0]) for source in sources]


def check_terminology(decoding: DecodingConfig) -> None:
    """Raise a `DataError` if the terms that decoding is to be given cannot be read."""
    if decoding.terminology is not None:
        Glossary.read(Path(decoding.terminology))


def with_translated_terms(
    sources: Sequence[str], targets: Sequence[str], glossary: str | None, share: float, seed: int
) -> list[str]:
    """The sources of training pairs with the Arabic form that the target has; a random `share` of such terms.

    A term whose target says something else is left alone: what is given must be worth following.
    """
    if glossary is None or share == 0:
        return list(sources)
    terms, random = Glossary.read(Path(glossary)), Random(seed)

    def choose(target: str) -> Callable[[Term], str | None]:
        folded = fold_for_terms(target)
        return lambda term: term.form_in(folded) if random.random() < share else None

    return [_annotated(source, terms, choose(target)) for source, target in zip(sources, targets, strict=True)]


def _annotated(source: str, glossary: Glossary, choose: Callable[[Term], str | None]) -> str:
    """`source` with what `choose` says behind each term that has been found.

    Behind the whole word, be it `Aleppo's` or `Aleppo,`: what is cut elsewhere would be other pieces of text.
    """
    plain = without_inline_marks(source)
    parts, position = [], 0
    for found in glossary.find(plain):
        form = choose(found.term)
        if form is not None:
            space = plain.find(" ", found.end)
            end = len(plain) if space < 0 else space
            parts += [plain[position:end], inline_term(form)]
            position = end
    return "".join([*parts, plain[position:]])
