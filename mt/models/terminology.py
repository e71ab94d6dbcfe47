"""Inline terms: in the source, each glossary term is followed by its Arabic form, for the model to copy.

    The army entered Aleppo.  ->  The army entered Aleppo حلب.

Dinu et al., 2019, "Training Neural Machine Translation to Apply Terminology Constraints" (their method `append`). A
model uses the given form, and inflects it, only if it was trained on such sources. English sources otherwise contain no
Arabic, so the term needs no other mark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from mt.config import DecodingConfig
from mt.models.translator import inline_term, without_inline_marks
from mt.text.glossary import Glossary, Term, fold_for_terms


def with_terms(sources: Sequence[str], glossary: str | None) -> list[str]:
    """The sources with the preferred Arabic form after every term of the glossary, which is a file.

    Raises `DataError` for a file that is not a glossary.
    """
    if glossary is None:
        return list(sources)
    terms = Glossary.read(Path(glossary))
    return [_annotated(source, terms, lambda term: term.arabic[0]) for source in sources]


def check_terminology(decoding: DecodingConfig) -> None:
    """Raise `DataError` if the glossary in `decoding.terminology` cannot be read."""
    if decoding.terminology is not None:
        Glossary.read(Path(decoding.terminology))


def with_translated_terms(
    sources: Sequence[str], targets: Sequence[str], glossary: str | None, share: float, seed: int
) -> list[str]:
    """The sources of training pairs, a random `share` of their terms followed by the Arabic form in the target.

    A term that the target translates differently is left alone, so that the model learns to trust what it is given.
    """
    if glossary is None or share == 0:
        return list(sources)
    terms, random = Glossary.read(Path(glossary)), Random(seed)

    def choose(target: str) -> Callable[[Term], str | None]:
        folded = fold_for_terms(target)
        return lambda term: term.form_in(folded) if random.random() < share else None

    return [_annotated(source, terms, choose(target)) for source, target in zip(sources, targets, strict=True)]


def _annotated(source: str, glossary: Glossary, choose: Callable[[Term], str | None]) -> str:
    """`source` with the form that `choose` returns after each term that is found; none where it returns None.

    The form comes after the whole word (`Aleppo's`, `Aleppo,`): inside a word it would change how the word is
    tokenized.
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
