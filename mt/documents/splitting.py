"""Sentences of a paragraph, with the white space between them left aside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mt.languages import Language

Span = tuple[int, int]
"""Start and end in a text, in characters; the end is exclusive."""

_HARD_BREAK = re.compile(r"[\n\t\r\u2028]+")
# sentencex takes May, with which sentences often end in news, for an abbreviation unless a word such as "The" follows.
_BEHIND_MAY = re.compile(r"(?<=\bMay\.\s)(?=[A-Z])")
# It leaves the quotation mark or bracket that opens a sentence with the sentence before.
_OPENING = re.compile(r"\s([“«‘\"'(\[]+)$")
# It knows the abbreviations of English, but none of Arabic, which abbreviates titles to one letter: `د.`.
_ONE_LETTER = re.compile(r"(?:^|[\s(\[«\"“])[^\W\d_]\.\s*$")


def sentence_spans(text: str, language: Language, kept: Sequence[Span] = ()) -> list[Span]:
    """Where the sentences of a text are; newlines and tabs always separate sentences.

    kept: stretches inside which no sentence ends, such as addresses.
    """
    for start, end in kept:
        # One long word: `c.` at the end of an address would be taken for an abbreviation.
        text = text[:start] + "X" * (end - start) + text[end:]
    spans: list[Span] = []
    start = 0
    for line in [*_HARD_BREAK.finditer(text), None]:
        end = line.start() if line else len(text)
        spans += [(start + a, start + b) for a, b in _in_line(text[start:end], language)]
        start = line.end() if line else end
    return spans


def _in_line(line: str, language: Language) -> Iterator[Span]:
    position = 0
    for sentence in _split(line, language):
        start = position + len(sentence) - len(sentence.lstrip())
        end = position + len(sentence.rstrip())
        position += len(sentence)
        if end > start:
            yield start, end


def _split(line: str, language: Language) -> list[str]:
    if not line.strip():
        return []
    from sentencex import segment

    sentences: list[str] = []
    opening = ""
    parts = segment(language.code, line)
    for found in (each for part in parts for each in _BEHIND_MAY.split(part)):
        part = opening + found
        match = _OPENING.search(part)
        opening = match[1] if match else ""
        part = part.removesuffix(opening) if opening else part
        is_one_letter = language.script == "arabic" and sentences and _ONE_LETTER.search(sentences[-1])
        if is_one_letter:
            sentences[-1] += part
        else:
            sentences.append(part)
    if opening:
        sentences.append(opening)
    # Positions are counted in the line, so a splitter that changed it would shift everything behind.
    return sentences if "".join(sentences) == line else [line]
