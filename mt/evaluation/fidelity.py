"""The fidelity checks: what news editors look for first. They compare hypothesis and source, without a reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mt.evaluation.checks.attribution import check_attribution
from mt.evaluation.checks.form import (
    check_dropped_sentences,
    check_left_in,
    check_length,
    check_repetition,
    check_untranslated,
)
from mt.evaluation.checks.marks import check_characters, check_punctuation, check_quotes
from mt.evaluation.checks.names import check_names
from mt.evaluation.checks.negation import check_negation
from mt.evaluation.checks.numbers import check_numbers
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.glossary import Glossary, fold_for_terms
from mt.text.languages import can_check

TERMS = "terms"
"""The one entry of `Fidelity` that counts terms instead of sentences."""
REFERENCE = "reference"
"""The name of the references, which are checked like a system."""

Check = Callable[[str, str, Glossary], str | None]

CHECKS: dict[str, Check] = {
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

_READING_BOTH = ("numbers", "names", "negation", "attribution", "dropped sentences", TERMS)
"""Checks that read words of both languages, and so need modules in `mt.text.languages` that declare them."""


def checks_of(languages: LanguagePair) -> dict[str, Check]:
    """The checks that can be made for a pair, without the one of terms."""
    found = {name: check for name, check in CHECKS.items() if is_checked(name, languages)}
    if "untranslated" in found and languages.source.script != "latin":
        found["untranslated"] = partial(check_left_in, languages.source.script)
    return found


def is_checked(name: str, languages: LanguagePair) -> bool:
    """Whether a check, which may be that of terms, can be made for a pair."""
    if name == "untranslated":
        return languages.has_two_scripts
    return name not in _READING_BOTH or can_check(languages, name)


def unchecked(languages: LanguagePair) -> str:
    """Which checks are left out for a pair and why, as a sentence; empty if none is."""
    missing = [name for name in (*CHECKS, TERMS) if not is_checked(name, languages)]
    if not missing:
        return ""
    return (
        f"Not checked for {languages}: {', '.join(missing)}; what these checks must know of both languages is not "
        "there. What a pass of the others is worth was measured on English to Arabic only."
    )


# docs/evaluation.md says how these shares were measured.
WORTH = {
    "numbers": "finds nearly every number, month, day or time of day that is lost or wrong, but only 2 in 10 pairs of "
    "numbers that were swapped; ignores 0, 1 and 2",
    "names": "finds 9 in 10 lost names from the glossary's region and 6 in 10 from elsewhere; sees only names that the "
    "glossary lists",
    "negation": "finds about 9 in 10 lost negations, but none that has moved to another verb; a pass proves nothing",
    "attribution": "finds about 9 in 10 lost attributions, but none that has moved to another clause; a pass proves "
    "nothing, and about 1 in 50 correct translations is flagged",
    "untranslated": "finds every word left in Latin letters, including foreign names that a translator would keep",
    "repetition": "finds every repeated sentence or clause, and every loop",
    "length": "finds about 9 in 10 translations that break off half-way, but only 2 in 10 that lose their last clause",
    "dropped sentences": "finds about 9 in 10 lost sentences, and only in sources of two or more sentences",
    "characters": "finds every control, zero-width, private-use and replacement character",
    "quotes": "finds every lost quotation mark",
    "punctuation": "finds every doubled mark, and every Latin mark beside its Arabic form",
}
"""What a check finds and what it misses, in words for the reader of a report, by check."""


@dataclass(frozen=True)
class Fidelity:
    """How many of a system's hypotheses pass a check, among those that the check applies to."""

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
    """Position in the test set, from 1."""
    detail: str


def check_fidelity(
    system: str,
    test_set: str,
    sources: Sequence[str],
    hypotheses: Sequence[str],
    glossary: Glossary,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
) -> tuple[list[Fidelity], list[Failure]]:
    """The results and failures of every check on one system, and the number of terms it translates as listed."""
    results: list[Fidelity] = []
    failures: list[Failure] = []
    for name, check in checks_of(languages).items():
        found = [check(source, line, glossary) for source, line in zip(sources, hypotheses, strict=True)]
        failed = [(i, detail) for i, detail in enumerate(found, start=1) if detail]
        total = sum(detail is not None for detail in found)
        results.append(Fidelity(system, test_set, name, total - len(failed), total))
        failures += [Failure(system, test_set, name, i, detail) for i, detail in failed]
    if is_checked(TERMS, languages):
        results.append(Fidelity(system, test_set, TERMS, *count_terms(sources, hypotheses, glossary)))
    return results, failures


def count_terms(sources: Sequence[str], hypotheses: Sequence[str], glossary: Glossary) -> tuple[int, int]:
    """(glossary terms of the sources with an accepted form in the hypothesis, all glossary terms of the sources).

    A term counts once per sentence. Their ratio is called term accuracy or term use rate in the literature.
    """
    hits = total = 0
    for source, hypothesis in zip(sources, hypotheses, strict=True):
        terms, folded = glossary.terms_in(source), fold_for_terms(hypothesis)
        hits += sum(term.pattern.search(folded) is not None for term in terms)
        total += len(terms)
    return hits, total
