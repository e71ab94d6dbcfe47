"""What news editors look for first, counted: each check looks at source and hypothesis, with no reference needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mt.evaluation.checks.attribution import check_attribution
from mt.evaluation.checks.form import (
    check_dropped_sentences,
    check_length,
    check_repetition,
    check_untranslated,
)
from mt.evaluation.checks.marks import check_characters, check_punctuation, check_quotes
from mt.evaluation.checks.names import check_names
from mt.evaluation.checks.negation import check_negation
from mt.evaluation.checks.numbers import check_numbers
from mt.text.glossary import Glossary, fold_for_terms

TERMS = "terms"
"""The one row of `Fidelity` that counts terms, not sentences."""
REFERENCE = "reference"
"""The name under which the references go through the checks, beside the systems."""

CHECKS: dict[str, Callable[[str, str, Glossary], str | None]] = {
    "numbers": check_numbers,
    "names": check_names,
    "negation": check_negation,
    "attribution": check_attribution,
    "untranslated": check_untranslated,
    "repetition": check_repetition,
    "length": check_length,
    "dropped sentences": check_dropped_sentences,
    "characters": check_characters,
    "quotes": check_quotes,
    "punctuation": check_punctuation,
}

# From docs/evaluation.md, where the shares of ten come from.
WORTH = {
    "numbers": "finds nearly every number, month, day or part of the day that is lost or wrong, but only 2 of 10 pairs "
    "of numbers that have changed places; nothing below three",
    "names": "finds 9 of 10 lost names of the glossary's region and 6 of 10 elsewhere: those that the glossary lists",
    "negation": "finds about 9 of 10 lost denials, none that has moved to another verb; a pass is no proof",
    "attribution": "finds about 9 of 10 lost attributions, none that has moved to another clause; a pass is no proof, "
    "and about 1 right translation in 50 is flagged",
    "untranslated": "finds every word left in Latin letters, also foreign names that a translator keeps so",
    "repetition": "finds every sentence or clause that comes twice, and every loop",
    "length": "finds about 9 of 10 translations that stop half-way, but only 2 of 10 that lose their last clause",
    "dropped sentences": "finds about 9 of 10 lost sentences, only where the source has two or more",
    "characters": "finds every control, zero-width, private and replacement character",
    "quotes": "finds every lost quotation mark",
    "punctuation": "finds every mark that comes twice, or in Latin beside its Arabic form",
}
"""What a pass of a check is worth, in words, by check."""


@dataclass(frozen=True)
class Fidelity:
    """How many hypotheses of a system pass a check, of those that it applies to."""

    system: str
    test_set: str
    check: str
    passed: int
    total: int


@dataclass(frozen=True)
class Failure:
    """A hypothesis that fails a check."""

    system: str
    test_set: str
    check: str
    sentence: int
    """Number of the sentence, from 1."""
    detail: str


def check_fidelity(
    system: str, test_set: str, sources: Sequence[str], hypotheses: Sequence[str], glossary: Glossary
) -> tuple[list[Fidelity], list[Failure]]:
    """Every check on one system, and how many of the terms that the sources name the hypotheses have."""
    results: list[Fidelity] = []
    failures: list[Failure] = []
    for name, check in CHECKS.items():
        found = [check(source, line, glossary) for source, line in zip(sources, hypotheses, strict=True)]
        failed = [(i, detail) for i, detail in enumerate(found, start=1) if detail]
        total = sum(detail is not None for detail in found)
        results.append(Fidelity(system, test_set, name, total - len(failed), total))
        failures += [Failure(system, test_set, name, i, detail) for i, detail in failed]
    results.append(Fidelity(system, test_set, TERMS, *count_terms(sources, hypotheses, glossary)))
    return results, failures


def count_terms(sources: Sequence[str], hypotheses: Sequence[str], glossary: Glossary) -> tuple[int, int]:
    """(terms of the glossary in the sources whose hypothesis has an accepted form, all that are in the sources).

    A term counts once a sentence. The share is what the literature calls term accuracy or term use rate.
    """
    hits = total = 0
    for source, hypothesis in zip(sources, hypotheses, strict=True):
        terms, folded = glossary.terms_in(source), fold_for_terms(hypothesis)
        hits += sum(term.pattern.search(folded) is not None for term in terms)
        total += len(terms)
    return hits, total
