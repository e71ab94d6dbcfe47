"""Letters of Persian and Urdu keyboards in Arabic text, and their Arabic counterparts."""

from __future__ import annotations

import re

from mt.text.familiar import count_familiar

_FOREIGN = re.compile("[\u06a9\u06aa\u06be\u06c0-\u06c3\u06cc-\u06ce\u06d0-\u06d3\u06d5]")
_FOLDED = str.maketrans(
    dict.fromkeys("\u06a9\u06aa", "ك")
    | dict.fromkeys("\u06be\u06c1\u06d5", "ه")
    | dict.fromkeys("\u06c0\u06c2\u06c3", "ة")
    | dict.fromkeys("\u06cc\u06cd\u06ce\u06d0\u06d1\u06d2", "ي")
    | {"\u06d3": "ئ"}
)
_FINAL_YEH = re.compile("(?P<stem>)\u06cc(?![\u0621-\u065f\u0670-\u06d3])")
# Stems of news words that end in alef maksura, for writers who type one letter for both it and ي.
_MAKSURA_WORDS = """
عل إل ال حت لد مت سو مد أت أن رأ جر أخر الأخر كبر الكبر الأول أول أدن الأدن أعل الأعل أقص الأقص مستشف المستشف مبن المبن
معن المعن مستو المستو قو القو شت ذكر الذكر جرح الجرح قتل القتل أسر الأسر مرض المرض موت الموت موس عيس مصطف يحي القر قر
الوسط وسط العظم عظم يبق تبق بق أبق أد يسم تلق ألق انته التق نف
"""
_STEMS = "|".join(sorted(_MAKSURA_WORDS.split(), key=len, reverse=True))
_MAKSURA = re.compile(rf"(?<!\w)(?P<stem>[وفبل]?(?:{_STEMS}))\u06cc(?!\w)")
# Letters and words that tell Persian, Urdu and Kurdish from Arabic; the letters of a few foreign names do not.
_NOT_ARABIC_LETTERS = re.compile("[\u067e\u0686\u0698\u06af\u0679\u0688\u0691\u06ba\u06c6\u06b5\u0695]")
_NOT_ARABIC_WORDS = re.compile(
    r"(?<!\w)(?:که|از|به|را|در|این|آن|است|اند|شد|شده|کرد|کرده|می\w*|نمی\w*|برای|تا|یک|های|خود|باید|بود|گفت|"
    r"کے|کی|کا|کو|ہے|ہیں|میں|نے|سے|پر|اور|یہ|وہ|تھا|لە|بە|کە|ئە\w*)(?!\w)"
)


def fold_keyboard_letters(text: str) -> str:
    """`text` with letters of Persian and Urdu keyboards (ی ک ە ۀ ھ and similar) replaced by Arabic ones.

    A final ی becomes alef maksura in words spelt with it, and in texts that have ي but no ى and use ی only at the ends
    of words; otherwise it becomes ي.
    """
    if not _FOREIGN.search(text):
        return text
    # The text has ي but no ى, and ی only at the ends of words: so ی is its ى.
    is_maksura = "\u064a" in text and "\u0649" not in text and "\u06cc" not in _FINAL_YEH.sub("", text)
    text = (_FINAL_YEH if is_maksura else _MAKSURA).sub("\\g<stem>\u0649", text)
    return text.translate(_FOLDED)


def is_arabic_from_other_keyboard(text: str) -> bool:
    """Whether a text is Arabic with letters of a Persian or Urdu keyboard, not Persian or Urdu."""
    if not _FOREIGN.search(text):
        return False
    foreign = len(_NOT_ARABIC_WORDS.findall(text)) + len(_NOT_ARABIC_LETTERS.findall(text))
    return foreign == 0 or sum(count_familiar(fold_keyboard_letters(text))) > 2 * foreign
