"""Checks of the hypothesis as a text: Latin letters, repetition, length, dropped sentences."""

from __future__ import annotations

import re

from mt.evaluation.checks.numbers import digit_numbers, word_numbers
from mt.languages import Script
from mt.text.glossary import Glossary, fold_for_terms
from mt.text.normalise import words_in_script

_LINKS = re.compile(
    r"(?:https?://|www\.)\S+|\S{1,64}@\S+|[@#]\w+|\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.(?:com|org|net|info|int|gov|sy|eu)\b"
)
_BRACKETED = re.compile(r"[(\[][^()\[\]]*[)\]]")
_UNITS = frozenset({"mg", "kg", "km", "cm", "mm", "ml", "kw", "mw", "kwh", "pm", "am"})
_LATIN = re.compile(r"(?<![A-Za-z\d-])[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ'’-]*[A-Za-zÀ-ɏ](?![A-Za-z-]*\d)")


def check_untranslated(source: str, hypothesis: str, glossary: Glossary) -> str:
    """No Latin words except acronyms, names with a digit, addresses, and original names in brackets."""
    plain = _LINKS.sub(" ", hypothesis)
    # The original name in brackets behind its Arabic form helps the reader; a whole clause does not.
    plain = _BRACKETED.sub(lambda match: " " if len(match.group().split()) <= 4 else match.group(), plain)
    words = [word for word in _LATIN.findall(plain) if not _is_acronym(word) and word.lower() not in _UNITS]
    return f"left in Latin letters: {', '.join(words[:5])}" if words else ""


def check_left_in(script: Script, source: str, hypothesis: str, glossary: Glossary) -> str:
    """No words in the letters of a source that is not Latin, except in brackets, where the original name may be."""
    plain = _BRACKETED.sub(lambda match: " " if len(match.group().split()) <= 4 else match.group(), hypothesis)
    words = [word for word in words_in_script(plain, script) if len(word) > 1]
    return f"left in {script.title()} letters: {', '.join(words[:5])}" if words else ""


def _is_acronym(word: str) -> bool:
    """Two capitals or more: UN, UNHCR, DShK, and brands such as YouTube."""
    return sum(letter.isupper() for letter in word) >= 2


_WORDS = re.compile(r"\w+")
_CAPITALISED = re.compile(r"(?<!\w)[A-Z]\w+")
_MAX_LOOP_WORDS = 60
_MIN_SENTENCE_WORDS = 4
_CLAUSE_END = re.compile(r"[.!?؟؛…]+|[،,:] ")
_SAME_LETTER = re.compile(r"([^\W\d_])\1{4,}")


def check_repetition(source: str, hypothesis: str, glossary: Glossary) -> str:
    """No phrase is repeated in a row, or throughout the sentence, more often than in the source."""
    words, theirs = _WORDS.findall(fold_for_terms(hypothesis)), _WORDS.findall(source.casefold())
    letters = _SAME_LETTER.search(hypothesis)
    if letters and not _SAME_LETTER.search(source):
        return f"a letter over and over: {letters.group()}"
    for length in range(1, min(_MAX_LOOP_WORDS, len(words) // 2) + 1):
        times, phrase = _longest_run(words, length)
        allowed = max(2 if length <= 2 else 1, _longest_run(theirs, length)[0])
        if times > allowed and not phrase.replace(" ", "").isdigit():
            return f"`{phrase}` {times} times in a row"
    twice = _said_twice(hypothesis, source)
    if twice:
        return f"`{twice}` is said twice"
    # A name may recur as often as in the source, where it may be a single word, such as an acronym.
    names = [word.casefold() for word in _CAPITALISED.findall(source)]
    for length in (4, 3):
        times, phrase = _most_frequent(words, length)
        most = max(_most_frequent(theirs, length)[0], _most_frequent(theirs, 2)[0], _most_frequent(names, 1)[0] + 1)
        if times > max(2 if length == 4 else 3, most):
            return f"`{phrase}` {times} times"
    return ""


def _said_twice(hypothesis: str, source: str) -> str:
    """The first repeated sentence or clause of at least four words; empty if the source repeats one, too."""
    for text, least in ((source, _MIN_SENTENCE_WORDS - 1), (hypothesis, _MIN_SENTENCE_WORDS)):
        seen: set[str] = set()
        for clause in _CLAUSE_END.split(fold_for_terms(text).casefold()):
            words = _WORDS.findall(clause)
            words[:1] = [words[0].removeprefix("و") or words[0]] if words else []
            key = " ".join(words)
            if len(words) >= least and key in seen:
                return "" if text is source else key
            seen.add(key)
    return ""


def _longest_run(words: list[str], length: int) -> tuple[int, str]:
    """The longest run of one repeated phrase of `length` words: (repetitions, phrase).

    Words a b a b a with length 2: each of the last three words equals the one two before it, a run of 3, and
    3 // 2 + 1 = 2 repetitions of "a b"; the last "a" is half a phrase and does not count.
    """
    best, phrase, run = 1, "", 0
    for i in range(length, len(words)):
        run = run + 1 if words[i] == words[i - length] else 0
        if run and run // length + 1 > best:
            best, phrase = run // length + 1, " ".join(words[i - length + 1 : i + 1])
    return best, phrase


def _most_frequent(words: list[str], length: int) -> tuple[int, str]:
    counts: dict[str, int] = {}
    for i in range(len(words) - length + 1):
        phrase = " ".join(words[i : i + length])
        counts[phrase] = counts.get(phrase, 0) + 1
    return max(((count, phrase) for phrase, count in counts.items()), default=(0, ""))


# Arabic news has about nine tenths of the letters of its English; docs/evaluation.md says how the limits do.
_USUAL_RATIO = 0.88
_SHORT, _SHORT_AND_OPEN, _LONG = 0.32, 0.5, 1.6
# What names may need beyond that: two or three words, and eight words for an acronym.
_SPARE_LETTERS, _SPARE_LETTERS_OF_ACRONYM = 20, 45
_ACRONYM = re.compile(r"(?<!\w)[A-Z]{2,}\w*")
_MIN_LETTERS = 30
_FINAL = tuple(".!?؟…\"'»”’)]")
_OPEN_END = re.compile(
    r"(?<!\w)[وف]?(?:في|من|علي|الي|عن|مع|ان|بان|لان|التي|الذي|الذين|او|ثم|كما|قد|حتي|بين|بعد|قبل|خلال|عند|ضد|منذ|لم|لن|و|كان|كانت|حيث|ومن)[،,]?$"
)


def check_length(source: str, hypothesis: str, glossary: Glossary) -> str:
    """The hypothesis neither breaks off nor goes on after the end of the source."""
    ours, theirs = _letters(source), _letters(hypothesis)
    if not theirs:
        return "nothing was translated"
    ratio = theirs / max(ours, 1)
    text = hypothesis.strip()
    if _OPEN_END.search(fold_for_terms(text)) and not text.endswith(_FINAL):
        return f"breaks off: …{' '.join(text.split()[-3:])}"
    spare = _SPARE_LETTERS + _SPARE_LETTERS_OF_ACRONYM * len(_ACRONYM.findall(source))
    is_open = source.strip().endswith(_FINAL) and not text.endswith(_FINAL)
    too_short = ours >= _MIN_LETTERS and ratio < (_SHORT_AND_OPEN if is_open else _SHORT)
    return f"{ratio:.0%} of the source's length" if too_short or theirs > _LONG * ours + spare else ""


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


_MAX_SENTENCES = 50  # of one source; each is compared with all others
_SENTENCE_END = re.compile(r"(?<=[.!?؟…])[\"'”’»)]*\s+(?=[\"'“‘«(]*[A-Z0-9\u0620-\u064a])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Gen|Col|Lt|Maj|Capt|Sgt|Brig|Prof|St|No|Nos|vs|approx|Rev|Sen|Rep|Gov|Jr|Sr|Inc|Ltd|Co|Art|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|[A-Z]|[ap]\.m|i\.e|e\.g|[A-Z](?:\.[A-Z])+))\.$"
)


def check_dropped_sentences(source: str, hypothesis: str, glossary: Glossary) -> str | None:
    """None of several sentences is left out: their number, or the length, names and numbers of the text remain."""
    sentences = _sentences(source)
    if len(sentences) < 2:
        return None
    if len(_sentences(hypothesis)) >= len(sentences):
        return ""
    looked_at = sentences if len(sentences) <= _MAX_SENTENCES else []
    lost = next((s for s in looked_at if _has_vanished(s, sentences, hypothesis, glossary)), None)
    ratio = _letters(hypothesis) / (_letters(source) * _USUAL_RATIO)
    shortest = min(map(_letters, sentences)) / _letters(source)
    if lost is not None and ratio < 1 - shortest / 3:
        return f"left out: {lost}"
    return f"{len(sentences)} sentences in {ratio:.0%} of the usual length" if ratio < 1 - 0.75 * shortest else ""


def _has_vanished(sentence: str, sentences: list[str], hypothesis: str, glossary: Glossary) -> bool:
    """Whether the hypothesis has none of the names and numbers that only this sentence of the source has."""
    others = " ".join(other for other in sentences if other != sentence)
    elsewhere = {term.name for term in glossary.terms_in(others)}
    own_terms = [term for term in glossary.terms_in(sentence) if term.is_name and term.name not in elsewhere]
    numbers = set(digit_numbers(sentence)) | {n for n in word_numbers(sentence) if n > 2}
    own_numbers = numbers - set(digit_numbers(others)) - set(word_numbers(others))
    folded = fold_for_terms(hypothesis)
    theirs = set(digit_numbers(hypothesis)) | set(word_numbers(hypothesis, ordinals=True))
    anchors = [*(bool(term.pattern.search(folded)) for term in own_terms), *(n in theirs for n in own_numbers)]
    return bool(anchors) and not any(anchors)


def _sentences(text: str) -> list[str]:
    parts: list[str] = []
    for part in _SENTENCE_END.split(text.strip()):
        if parts and _ABBREVIATION.search(parts[-1][-20:]):
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    return [part for part in parts if sum(character.isalpha() for character in part) > 2]
