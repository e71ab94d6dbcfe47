"""Ways of breaking one thing in a right translation, by rule, to see which fidelity check notices.

The rules come from Arabic grammar and from lists of their own, never from those of the checks: a negation is a particle
before a verb, an attribution what stands before إن, a name what a list of names says. A rule returns None
where it finds nothing to break, or where breaking would leave a right translation.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import NamedTuple

Names = list[tuple[str, str]]


class Case(NamedTuple):
    """A right pair, and what a rule may need beside it."""

    source: str
    target: str
    following: tuple[str, str]
    """The next pair, for rules that need two sentences."""
    names: Names
    """(English, Arabic) of the names that both sides have."""
    all_names: Names
    chance: random.Random


class Broken(NamedTuple):
    source: str
    hypothesis: str


Rule = Callable[[Case], Broken | None]

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
    return _replaced(case, match, match[1] + without)


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


def _replaced(case: Case, match: re.Match[str], by: str) -> Broken:
    text = f"{case.target[: match.start()]}{by}{case.target[match.end() :]}"
    return Broken(case.source, re.sub(" {2,}", " ", text).strip())


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
    return _replaced(case, case.chance.choice(found), "") if found else None


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


_DIGITS = re.compile(r"(?<![\d.,٬])(?:\d+|[٠-٩]+)(?![\d.,٬]\d)(?!\d)")
_SPELT = (
    ("three", "ثلاث"), ("four", "أربع"), ("five", "خمس"), ("six", "ست"), ("seven", "سبع"), ("eight", "ثماني"),
    ("nine", "تسع"),
)  # fmt: skip
_SCALES = (("million", "مليون"), ("billion", "مليار"), ("thousand", "ألف"))


def drop_number(case: Case) -> Broken | None:
    """A number in digits goes."""
    found = _shared_digits(case)
    return _replaced(case, case.chance.choice(found), "") if found else None


def swap_digits(case: Case) -> Broken | None:
    """45 becomes 54."""
    found = [
        match for match in _shared_digits(case) if len(match.group()) > 1 and match.group()[-1] != match.group()[-2]
    ]
    if not found:
        return None
    match = case.chance.choice(found)
    return _replaced(case, match, match.group()[:-2] + match.group()[-1] + match.group()[-2])


def wrong_digit(case: Case) -> Broken | None:
    """45 becomes 46 or 75."""
    found = _shared_digits(case)
    if not found:
        return None
    match = case.chance.choice(found)
    place = case.chance.randrange(len(match.group()))
    first = ord(match.group()[place]) - int(match.group()[place])
    digit = (int(match.group()[place]) + case.chance.randint(1, 8)) % 9 + 1
    if digit == int(match.group()[place]):
        digit = digit % 9 + 1
    return _replaced(case, match, match.group()[:place] + chr(first + digit) + match.group()[place + 1 :])


def exchange_numbers(case: Case) -> Broken | None:
    """Two numbers change places: `12 killed, 40 wounded` becomes `40 killed, 12 wounded`."""
    found = _shared_digits(case)
    pairs = [(a, b) for a in found for b in found if a.start() < b.start() and a.group() != b.group()]
    if not pairs:
        return None
    a, b = case.chance.choice(pairs)
    text = case.target
    middle = text[a.end() : b.start()]
    return Broken(case.source, f"{text[: a.start()]}{b.group()}{middle}{a.group()}{text[b.end() :]}")


def wrong_number_word(case: Case) -> Broken | None:
    """`three villages` becomes four villages: words from three to nine."""
    found = []
    for english, arabic in _SPELT:
        matches = list(re.finditer(rf"(?<!\w)([وبل]?){arabic}(?=ة?(?!\w))", case.target))
        if len(matches) == 1 and len(re.findall(rf"\b{english}\b", case.source, re.I)) == 1:
            found.append((arabic, matches[0]))
    if not found:
        return None
    arabic, match = case.chance.choice(found)
    other = case.chance.choice([word for _, word in _SPELT if word != arabic and word not in case.target])
    return _replaced(case, match, match[1] + other)


def wrong_scale(case: Case) -> Broken | None:
    """A million becomes a billion."""
    for english, arabic in _SCALES:
        matches = list(re.finditer(rf"(?<!\w)(و?){arabic}(?!\w)", case.target))
        if matches and re.search(rf"\b{english}\b|,000\b", case.source):
            other = case.chance.choice([word for _, word in _SCALES if word != arabic])
            return _replaced(case, matches[0], matches[0][1] + other)
    return None


def _shared_digits(case: Case) -> list[re.Match[str]]:
    """Numbers of two and more digits, or from 3 on, that the English has once."""
    english = re.findall(r"(?<![\d.,])\d+(?![\d.,]\d)(?!\d)", case.source)
    found = _DIGITS.finditer(case.target)
    return [m for m in found if english.count(str(int(m.group()))) == 1 and int(m.group()) > 2]


_MONTHS = (
    ("January", "كانون الثاني/يناير"), ("February", "شباط/فبراير"), ("March", "آذار/مارس"), ("April", "نيسان/أبريل"),
    ("May", "أيار/مايو"), ("June", "حزيران/يونيو"), ("July", "تموز/يوليو"), ("August", "آب/أغسطس"),
    ("September", "أيلول/سبتمبر"), ("October", "تشرين الأول/أكتوبر"), ("November", "تشرين الثاني/نوفمبر"),
    ("December", "كانون الأول/ديسمبر"),
)  # fmt: skip
_DAYS = (
    ("Monday", "الاثنين"), ("Tuesday", "الثلاثاء"), ("Wednesday", "الأربعاء"), ("Thursday", "الخميس"),
    ("Friday", "الجمعة"), ("Saturday", "السبت"), ("Sunday", "الأحد"),
)  # fmt: skip
_DATES = frozenset(english for english, _ in (*_MONTHS, *_DAYS))
_DAY_PARTS = (
    (r"morning|a\.m\.|dawn", r"صباحا?|فجرا?", "مساء"),
    (r"evening|p\.m\.|night|midnight", r"مساء|ليلا?|عصرا?", "صباح"),
    (r"noon|midday", r"ظهرا?", "ليل"),
)


def wrong_month(case: Case) -> Broken | None:
    """March becomes May, by its Levantine, its Western or both names."""
    for english, arabic in _MONTHS:
        names = re.compile(
            "|".join([arabic, "/".join(reversed(arabic.split("/"))), *arabic.split("/")])
            .replace("يونيو", "يوني[وه]")
            .replace("يوليو", "يولي[وه]")
        )
        match = names.search(case.target)
        if match and re.search(rf"\b{english}\b", case.source):
            other = case.chance.choice([each for _, each in _MONTHS if each != arabic])
            wanted = other if "/" in match.group() else other.split("/")[match.group() != arabic.split("/")[0]]
            return Broken(case.source, case.target.replace(match.group(), wanted))
    return None


def wrong_weekday(case: Case) -> Broken | None:
    """Monday becomes Friday."""
    for english, arabic in _DAYS:
        match = re.search(rf"(?<!\w){arabic}(?!\w)", case.target)
        if match and re.search(rf"\b{english}\b", case.source):
            return _replaced(case, match, case.chance.choice([each for _, each in _DAYS if each != arabic]))
    return None


def wrong_day_part(case: Case) -> Broken | None:
    """Morning becomes evening."""
    for english, arabic, other in _DAY_PARTS:
        match = re.search(rf"(?<!\w)((?:ال)?)(?:{arabic})(?!\w)", case.target)
        if match and re.search(rf"\b(?:{english})(?!\w)", case.source):
            return _replaced(case, match, match[1] + other)
    return None


def drop_name(case: Case) -> Broken | None:
    """A name goes wherever the sentence has it."""
    if not case.names:
        return None
    name = case.chance.choice(case.names)[1]
    return Broken(case.source, re.sub(rf" ?{_name_pattern(name)}", "", case.target).strip())


def wrong_name(case: Case) -> Broken | None:
    """Another name of the list stands in its place."""
    if not case.names:
        return None
    name = case.chance.choice(case.names)[1]
    other = case.chance.choice([each for _, each in case.all_names if each not in case.target])
    return Broken(case.source, re.sub(_name_pattern(name), lambda match: match[1] + other, case.target))


def _name_pattern(name: str) -> str:
    return rf"(?<!\w)([وفبلك]?){re.escape(name)}(?!\w)"


def names_in(source: str, target: str, names: Names) -> Names:
    """Those of `names`, dates aside, that stand once in `source`, and as they are or behind one letter in `target`."""
    return [
        (english, arabic)
        for english, arabic in names
        if arabic in target
        and english[0].isupper()
        and english not in _DATES
        and len(re.findall(rf"(?<!\w){re.escape(english)}(?!\w)", source)) == 1
        and re.search(_name_pattern(arabic), target)
    ]


def drop_clause(case: Case) -> Broken | None:
    """What stands behind the last comma goes, a quarter of the sentence or more."""
    head, _, tail = case.target.rstrip(".").rpartition("،")
    words, all_words = len(tail.split()), len(case.target.split())
    return Broken(case.source, f"{head}.") if head and words >= max(5, all_words / 4) else None


def drop_half(case: Case) -> Broken | None:
    """The second half of the words goes, and the full stop with it."""
    words = case.target.split()
    return Broken(case.source, " ".join(words[: len(words) // 2])) if len(words) >= 8 else None


def drop_sentence(case: Case) -> Broken | None:
    """Of two sentences one goes; the source is a pair and the next one."""
    source = f"{case.source} {case.following[0]}"
    return Broken(source, case.chance.choice([case.target, case.following[1]]))


def double_sentence(case: Case) -> Broken | None:
    """The sentence comes twice."""
    return Broken(case.source, f"{case.target} {case.target}")


def double_clause(case: Case) -> Broken | None:
    """What stands behind the last comma comes twice."""
    head, _, tail = case.target.rstrip(".").rpartition("،")
    return Broken(case.source, f"{head}،{tail}،{tail}.") if head and len(tail.split()) >= 4 else None


def loop_words(case: Case) -> Broken | None:
    """Three words come four times."""
    words = case.target.split()
    if len(words) < 8:
        return None
    start = case.chance.randrange(len(words) - 4)
    return Broken(case.source, " ".join([*words[: start + 3], *words[start : start + 3] * 3, *words[start + 3 :]]))


_MARKS = re.compile(r"[«»“”\"]")


def drop_quote(case: Case) -> Broken | None:
    """One quotation mark goes."""
    found = list(_MARKS.finditer(case.target))
    return _replaced(case, case.chance.choice(found), "") if found and _MARKS.search(case.source) else None


def drop_all_quotes(case: Case) -> Broken | None:
    """All quotation marks go."""
    if not (_MARKS.search(case.target) and _MARKS.search(case.source)):
        return None
    return Broken(case.source, _MARKS.sub("", case.target))


CONTROLS = "\u200e\u200f\u061c\u202a\u202b\u202e\u2066\u2069\u200b\ufeff\ufffd\u00ad\x00\x1f\x7f\x80\x85\x91\x9d"


def add_control(case: Case) -> Broken | None:
    """A character that no page shows: a mark of direction, a zero-width one, a C0 or C1 control."""
    place = case.chance.randrange(len(case.target))
    return Broken(case.source, case.target[:place] + case.chance.choice(CONTROLS) + case.target[place:])


def double_mark(case: Case) -> Broken | None:
    """A mark comes twice, or in Latin beside the Arabic one."""
    found = list(re.finditer("[،؛.؟!]", case.target))
    if not found:
        return None
    match = case.chance.choice(found)
    latin = {"،": ",", "؛": ";", "؟": "?"}.get(match.group(), match.group())
    return _replaced(case, match, match.group() + case.chance.choice([match.group(), latin]))


def leave_word(case: Case) -> Broken | None:
    """An Arabic word is the English one."""
    words = case.target.split(" ")
    english = re.findall(r"(?<![\w-])[A-Z]?[a-z]{4,}(?![\w-])", case.source)
    places = [i for i, word in enumerate(words) if len(word) > 4]
    if not english or not places:
        return None
    place = case.chance.choice(places)
    return Broken(case.source, " ".join([*words[:place], case.chance.choice(english), *words[place + 1 :]]))


RULES: dict[str, tuple[str, Rule]] = {
    "a denial dropped": ("negation", drop_denial),
    "a denial moved": ("negation", move_denial),
    "an attribution dropped": ("attribution", drop_attribution),
    "an attribution moved": ("attribution", move_attribution),
    "a number dropped": ("numbers", drop_number),
    "two digits swapped": ("numbers", swap_digits),
    "a wrong digit": ("numbers", wrong_digit),
    "a wrong number word": ("numbers", wrong_number_word),
    "a wrong scale": ("numbers", wrong_scale),
    "two numbers exchanged": ("numbers", exchange_numbers),
    "a wrong month": ("numbers", wrong_month),
    "a wrong weekday": ("numbers", wrong_weekday),
    "a wrong part of the day": ("numbers", wrong_day_part),
    "a name dropped": ("names", drop_name),
    "a wrong name": ("names", wrong_name),
    "a clause dropped": ("length", drop_clause),
    "half of it dropped": ("length", drop_half),
    "a sentence dropped": ("dropped sentences", drop_sentence),
    "the sentence twice": ("repetition", double_sentence),
    "a clause twice": ("repetition", double_clause),
    "three words four times": ("repetition", loop_words),
    "a quotation mark lost": ("quotes", drop_quote),
    "all quotation marks lost": ("quotes", drop_all_quotes),
    "an invisible character": ("characters", add_control),
    "a mark doubled": ("punctuation", double_mark),
    "a word left in English": ("untranslated", leave_word),
}
"""What is broken: (the check that should find it, the rule)."""
