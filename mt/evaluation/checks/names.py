"""Checks that every name of the source is named in the hypothesis."""

from __future__ import annotations

from mt.text.glossary import Glossary, fold_for_terms


def check_names(source: str, hypothesis: str, glossary: Glossary) -> str | None:
    """The hypothesis names every place, organisation and armed group of the glossary that the source names."""
    named = [term for term in glossary.terms_in(source) if term.is_name]
    if not named:
        return None
    folded = fold_for_terms(hypothesis)
    missing = [f"{term.name} ({term.arabic[0]})" for term in named if not term.pattern.search(folded)]
    return f"not named: {', '.join(missing)}" if missing else ""
