"""Whether text in Arabic letters is Arabic: by words, beginnings and endings that occur in most sentences."""

from __future__ import annotations

import re

_FUNCTION_WORDS = """
في فى من على إلى الى أن إن ان عن مع هذا هذه ذلك تلك التي الذي الذين بعد قبل كان كانت يكون قال قالت يقول
لم لن ما هو هي هم نحن أنا انا أنت انت كما بين خلال حتى قد كل أو او ثم عند غير منذ حول ضد تم أي هناك لكن
كيف ماذا لماذا أين متى هل ليس ليست عليه عليها فيه فيها منه منها له لها به بها لك لي إنه إنها أنه أنها لقد
سوف إذا اذا كنت لدي لديه أكثر جدا أيضا يوم عام مثل شخص أشخاص توم
"""
_MARKS = "\u064b-\u0652\u0670"
_START, _END = rf"(?<![\w{_MARKS}])", rf"(?![\w{_MARKS}])"
_FUNCTION = re.compile(f"{_START}[وف]?(?:{'|'.join(sorted(_FUNCTION_WORDS.split(), key=len, reverse=True))}){_END}")
_ARTICLE = re.compile(rf"{_START}[وف]?(?:[بك]?ال|لل)[\u0621-\u064a{_MARKS}]{{3}}")
_ENDING = re.compile(rf"[\u0621-\u064a{_MARKS}]{{2}}[ةى][{_MARKS}]*{_END}")
_BACKWARDS = frozenset(word[::-1] for word in _FUNCTION_WORDS.split()) - frozenset(_FUNCTION_WORDS.split())
_ARTICLES = ("ال", "وال", "بال", "لل")
_SPACED_ARTICLES = tuple(f" {article}" for article in _ARTICLES)
_LAM_ALEF = re.compile("ل([اأإآ])")


def count_familiar(text: str) -> tuple[int, int]:
    """(number of words with the article, number of function words and of endings in ة or ى)."""
    return len(_ARTICLE.findall(text)), len(_FUNCTION.findall(text)) + len(_ENDING.findall(text))


def is_rather(text: str, other: str) -> bool:
    """Whether `other` is Arabic and `text`, another reading of the same bytes or letters, is not.

    A few words with the article alone do not suffice: the ending of an accusative, read backwards, is an article.
    """
    articles, others = count_familiar(other)
    return (articles + others >= 3 or others >= 1 < articles + others) and articles + others > 2 * sum(
        count_familiar(text)
    )


def has_article(text: str) -> bool:
    """Whether a word seems to begin with the article; a quick check."""
    return _count_articles(text) > 0


def has_familiar_words(text: str) -> bool:
    """Whether at least two words have the article or are function words; a quick check, true for most sentences."""
    return _count_articles(text) >= 2 or len(_ARTICLE.findall(text)) + len(_FUNCTION.findall(text)) >= 2


def _count_articles(text: str) -> int:
    return text.startswith(_ARTICLES) + sum(map(text.count, _SPACED_ARTICLES))


def may_be_backwards(text: str) -> bool:
    """Whether any word could be a reversed one; a quick check, false for most sentences."""
    if " ة" in text or " ى" in text or text.startswith(("ة", "ى")):
        return True
    return text.count("لا ") + text.endswith("لا") >= 2 or not _BACKWARDS.isdisjoint(text.split())


def backwards(text: str) -> tuple[str, str]:
    """(the reversed text, the reversed text if lam-alef was a single letter, as in PDF files)."""
    return text[::-1], _LAM_ALEF.sub(r"\1ل", text)[::-1]
