"""Rules that break what is denied, and who says it."""

from __future__ import annotations

import re

from breaking.case import Broken, Case, replaced

_DENIALS = re.compile(r"\b(?:not|no|never|none|nobody|nothing|neither|nor|cannot|without)\b|n['’]t\b", re.I)
# A particle and the imperfect that it rules, but "still", "at least" and "especially"; then nouns that negate another.
_PARTICLE = re.compile(
    r"(?<!\w)([وف]?)(?:(?:لم|لن|لا) (?=[يتنأ]\w)(?!(?:يزا?ل|تزا?ل|نزال|يقل|تقل|يتجاوز|تتجاوز)\w*)|ليس(?:ت|وا)? )"
)
_NEGATING_NOUN = re.compile(r"(?<!\w)([وفبل]?)(?:(?:من )?دون|عدم|غير|بدون|بلا) (?=\w)")
_IMPERFECT = re.compile(r"(?<!\w)[وف]?(?=[يت]\w{3,}(?!\w))")


def drop_denial(case: Case) -> Broken | None:
    """`لم يدخل` becomes `يدخل`, `دون قتال` becomes `مع قتال`."""
    found = _denials(case)
    if not found:
        return None
    match = case.chance.choice(found)
    without = "مع " if "دون" in match.group() or "بلا" in match.group() else ""
    return replaced(case, match, match[1] + without)


def move_denial(case: Case) -> Broken | None:
    """The particle goes to another verb of the sentence, behind the next comma or "and"."""
    found = [match for match in _denials(case) if match.re is _PARTICLE]
    for match in found:
        later = [m for m in _IMPERFECT.finditer(case.target, match.end() + 1) if _is_other_clause(case, match, m)]
        if later:
            there = case.chance.choice(later)
            text = case.target
            moved = f"{text[: match.start()]}{match[1]}{text[match.end() : there.end()]}لا {text[there.end() :]}"
            return Broken(case.source, moved)
    return None


def _is_other_clause(case: Case, first: re.Match[str], second: re.Match[str]) -> bool:
    return bool(re.search(r"[،؛]| و", case.target[first.end() : second.end()]))


def _denials(case: Case) -> list[re.Match[str]]:
    """What denies in the Arabic, if the English denies as often: then each of them is needed."""
    found = [*_PARTICLE.finditer(case.target), *_NEGATING_NOUN.finditer(case.target)]
    return found if len(_DENIALS.findall(case.source)) >= len(found) else []


_SPEECH = re.compile(r"\b(?:said|says|told|according to|reportedly|allegedly|claim(?:ed|s)|alleged|announced|stated)\b")
# After "to say" a clause begins with إن, and with nothing else does it; after most verbs of saying with أن.
_SAID = re.compile(r"(?<!\w)[وف]?[يت]?[قا]+[ول]*ل(?:ت|وا)? (?:[^\s.،]+ ){1,8}?إن(?:ه|ها|هم)? ")
_THAT = re.compile(
    r"(?<!\w)[وف]?(?:ي|ت)?(?:ذكر|أعلن|علن|صرح|أكد|ؤكد|أفاد|فيد|أوضح|زعم|ادع|دع|أضاف)(?:ت|وا|ون|ى|ي)? "
    r"(?:[^\s.،]+ ){1,8}?ب?أن(?:ه|ها|هم)? "
)
_AS_SAID = re.compile(
    r"[،]? ?(?<!\w)(?:وفقا ل|وفق |ب?حسب |حسبما |بحسب ما |نقلا عن |على حد قول )[^.،]{3,60}(?=[.،]|$)[،]?"
)


def drop_attribution(case: Case) -> Broken | None:
    """`قال الجيش إن المدينة سقطت` becomes `المدينة سقطت`; `بحسب الجيش` goes."""
    found = _attributions(case)
    return replaced(case, case.chance.choice(found), "") if found else None


def move_attribution(case: Case) -> Broken | None:
    """`قال الجيش إن أ، وب` becomes `أ، وقال الجيش إن ب`: the first half is a fact now."""
    for match in _attributions(case):
        text = case.target
        comma = text.find("، و", match.end())
        if comma > 0 and len(text[comma:].split()) > 3:
            moved = f"{text[: match.start()]}{text[match.end() : comma]}، و{match.group().strip()} {text[comma + 3 :]}"
            return Broken(case.source, moved)
    return None


def _attributions(case: Case) -> list[re.Match[str]]:
    found = [match for pattern in (_SAID, _THAT, _AS_SAID) for match in pattern.finditer(case.target)]
    return found if len(_SPEECH.findall(case.source)) >= len(found) else []
