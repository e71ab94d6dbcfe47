"""Checks that what the source negates is negated in the hypothesis, and nothing else."""

from __future__ import annotations

import re

from mt.evaluation.checks.cues import count_unexplained, read_cues
from mt.text.glossary import Glossary, fold_for_terms

_NEGATED = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|nowhere|neither|cannot|without|unable|refus(?:ed|es|ing)|denie[ds]|"
    r"fail(?:ed|s|ing)? to|hardly any|yet to)\b|n['’]t\b",
    re.IGNORECASE,
)
# Words of negation that negate nothing, or that Arabic says differently; two negations make an affirmation.
_NOT_NEGATED = re.compile(
    r"\bnot (?:only|just|merely|least|long (?:after|before|ago))\b|"
    r"\bno (?:fewer|less|more|later|sooner|doubt|one but|matter|-?fly|other)\b|"
    r"\bno[- ]man['’]s[- ]land\b|\bnothing (?:but|less)\b|\b(?:if|whether or|or) not\b|\bnone other\b|\bno-\w+|"
    r"\bno \d+\b|\bNo\. ?\d+|\bnot un\w+|\bleft nothing\b|\bnon-\w+|\bWithout Borders\b|\bWithout Frontiers\b|"
    r"(?:\bnot|n['’]t|\bnever|\bno|\bnobody|\bno one\b[^,;]{0,80}?) (?:\w+ )?(?:until|stop\w*|rule\w* out|ceas\w*|"
    r"halt\w*|fail\w*|exclud\w*|hid\w*|deny|denied|object\w*|refus\w*|surviv\w*|leav\w*|left|"
    r"spar\w*|goes? by|went by)\b|\bfail(?:ed|s|ing)? to (?:prevent|stop|halt|hide)\b",
    re.IGNORECASE,
)
_NEGATIVE_SENSE = re.compile(
    r"\b(?:fail\w*|refus\w+|den(?:y|ied|ies|ying)|declin\w+|lack\w*|absen\w+|prevent\w*|unable|impossible|"
    r"reject\w*|barely|hardly|scarcely|rarely|only|except|unless|until|yet|still|remain\w*|rather|instead|stop\w*|"
    r"ceas\w+|halt\w*|avoid\w*|refrain\w*|un\w{4,}|in\w{4,}|im\w{4,}|il\w{4,}|ir\w{4,}|dis\w{3,}|non\w*|\w+less|"
    r"far from|short of|out of|any|ever|even|least|else|but|other than|too|ban\w*|forbid\w*|prohibit\w*|block\w*|"
    r"continu\w+|keep\w*|kept|miss\w+|ignor\w+|escap\w+|exceed\w*|more than|over|beyond|within|before|almost|nearly|"
    r"empty|free of|bare\w*|doubt\w*|despite|although|though|few\w*|little|less)\b",
    re.IGNORECASE,
)
# Idioms for still, especially, unless, as long as, until and that is; and "no" behind another negation.
_IDIOM_ARABIC = re.compile(
    r"(?<!\w)[وف]?(?:(?:لا|ما|لم) [يتن]?زا?ل\w*|لا (?:سيما|بد|شك|محاله|حصر|حقا|بل|غير|مثيل|يستهان)|"
    r"لا [يت](?:قل|تجاوز|زيد|ستهان|فتا|نفك)\w*|لم [يت](?:لبث|عد(?= ان))\w*|ما لم|غير ان|دون سن|"
    r"(?:اطباء|مراسلون|صحفيون|محامون|مهندسون) بلا حدود|(?:من دون|بدون|دون|بلا) طيار\w*|لا مركزي\w*|الا ان)(?!\w)"
)
# ما at the beginning of a sentence negates; behind a comma it means "which", as in "which led to".
_MA = re.compile(
    r"(?:^|[.:؟!«\"“] ?)[وف]?ما (?!زا?ل|يزال|تزال|دام|ان |ان\b|اذا|بين|بعد|قبل|يسمي|هو|هي)(?=\w)|"
    r"(?<!\w)[وف]?ما (?:كان|كانت|كانوا) لي?|"
    r"(?<!\w)[وف]?ما من (?:احد|شي)"
)
# Particles before a word, or as an answer; "or not" does not count.
_STRONG_ARABIC = re.compile(
    r"(?<!\w)[وف]?(?:لم|لن|ليس|ليست|ليسوا|لسنا|لست|ليسا|لا)(?= \w)|"
    r"(?<!\w)(?<!ام )(?<!او )(?:لا|كلا)(?= ?(?:[.،,!؛:]|$))"
)
# "Neither the one nor the other": a particle that continues a negation counts as often as the English has one.
_NOR_ARABIC = re.compile(r"(?<=\w )(?:ولا|او لا)(?= (?![يتن]\w\w)\w)")
_NOR = re.compile(r"(?:,|\band|\bor|\bbut) (?:no|not|never)\b", re.IGNORECASE)
_THAT_NOT = re.compile(r"(?<!\w)[وفب]?ألا(?!\w)|لئلا|كيلا")
# English adjectives with a negative prefix, which Arabic says with غير, عدم or a noun.
_PREFIXED = (
    "un(?!i|til|der|ab) il(?:legal|licit|legit) irregular irres irrel impossib impun improp immoral imprec impart "
    "indirect inadequ insuffic insecur instab informal inhum indiscrim ineffect inab incapab invis inexpl inaccu "
    "incorr incompl inaccess intoler injust involunt incompat inelig invalid inval disproport dissatisf distrust "
    "disab non (?!neverthe|nonethe|regard|un)\\w+less\\b"
)
_NOUNS = read_cues(f"""
رفض* يرفض* ترفض* رافض*: reject declin oppos turned_down rebuff dismiss
نفي نفت نفته نفتها نفوا* نفاه نفاها ينفي* تنفي* نافي* انكر* ينكر* انكار*: refut exile denial
تعذر* يتعذر* متعذر*: impossib difficult
ابي(?=_ال) ابت ابوا يابي*
امتنع* يمتنع* امتناع*: absten abstain refrain
عجز* يعجز* عاجز*: deficit helpless powerless incapab
فشل* يفشل* تفشل* فاشل* اخفق* اخفاق*: failure failed_(?!to) unsuccess collapse
منع* يمنع* تمنع* ممنوع* مانع*: prevent bann?\\w* barr block prohib stop keep kept forbid deter avert imped
حظر* يحظر* تحظر* محظور*: no-fly ban\\b bann embargo prohib curfew outlaw forbid
حرمت حرموا حرم_\\w+_من يحرم* محروم* حرمان*: depriv haram
افتقر* يفتقر* تفتقر* افتقار*: lack
مستحيل* استحال* يستحيل* تستحيل*: impossib
توقف* يتوقف* تتوقف* كف كفت كفوا يكف يكفون: stop halt ceas suspen paus depend
استبعد* يستبعد* مستبعد* استبعاد*: exclu unlikely dismiss
غياب* غاب غابت غابوا غايب*: absen lack
فقد(?:ت|وا|ان)* فقد(?=_(?:ال|\\w+ه\\b)) يفقد* تفقد* فقدان* مفقود*: los(?:e|t|s|ing) missing lack disappear inspect visit
نقص* ناقص*: lack short deficien cut shed
انقطع* انقطاع* ينقطع*: cut outage interrupt sever(?:ed|s)?\\b
حال_دون حالت_دون حالوا_دون يحول_دون تحول_دون حولت_دون: prevent
تجنب* يتجنب*: avoid shun
خال* خلا خلت خلو: empt free_of devoid clear
خسر* يخسر*: los(?:e|t|s|ing)
استثن* باستثناء: except exempt exclud
لاجدوي عبثا: vain
تخلف* يتخلف*: lag behind miss_
بالكاد: barely hardly scarce
استغن* استغناء*: dispens
عزل عزلا: unarmed isolat remov dismiss
انعدام*: {_PREFIXED} lack absen
غير لغير بغير: {_PREFIXED} other except than\\b
عدم: {_PREFIXED} lack absen avoid refrain short
(?<!حال_)(?<!حالت_)(?<!يحول_)(?<!تحول_)دون(?:ه|ها|هم|ما)? بدون*: under_(?:\\d|the_age) below younger less
بلا: {_PREFIXED}
""")


def check_negation(source: str, hypothesis: str, glossary: Glossary) -> str:
    """The hypothesis negates as often as the source; where the source negates nothing, neither does the hypothesis.

    Negations are counted, not aligned: one that has moved to another verb goes unnoticed.
    """
    denials = _NEGATED.findall(_NOT_NEGATED.sub(" ", source))
    folded = _IDIOM_ARABIC.sub(" ", fold_for_terms(hypothesis))
    if denials:
        lost = len(denials) - _denials_in(folded, source) - len(_THAT_NOT.findall(hypothesis))
        if lost <= 0:
            return ""
        if lost == len(denials):
            return "the source negates something, the translation does not"
        return f"the source negates {len(denials)} times, the translation only {len(denials) - lost}"
    denied = _STRONG_ARABIC.search(_AFFIRMED_ARABIC.sub(" ", folded)) or _MA.search(folded)
    if denied and _ONLY_ARABIC.search(folded, denied.end()):
        return ""
    if _NEGATED.search(source) or not denied or _NEGATIVE_SENSE.search(source):
        return ""
    return "the translation negates something that the source does not"


_ONLY_ARABIC = re.compile(r"(?<!\w)(?:سوي|الا)(?!\w)")
# Two negations make an affirmation: has never stopped, is not excluded.
_AFFIRMED_ARABIC = re.compile(
    r"(?:لم|لن|لا|ليس|ليست) (?:\w+ )?\w{0,3}(?:كف|توقف|ستبعد|يمنع|تمنع|منع|نقطع|تردد|خف|خلو|ينكر|تنكر)\w*|"
    r"لم يسبق|لا \w*تثن\w*|لم [يت]عد\w*"
)


def _denials_in(folded: str, source: str) -> int:
    nor = len(_NOR_ARABIC.findall(folded)) if _STRONG_ARABIC.search(_NOR_ARABIC.sub(" ", folded)) else 0
    particles = len(_STRONG_ARABIC.findall(folded)) - nor + min(nor, len(_NOR.findall(source)))
    return particles + len(_MA.findall(folded)) + count_unexplained(_NOUNS, source, folded)
