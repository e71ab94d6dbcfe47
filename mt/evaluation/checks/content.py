"""Is what the source says still said: numbers, names, negation, attribution."""

from __future__ import annotations

import re
from decimal import Decimal

from mt.evaluation.checks.numbers import digit_numbers, word_numbers
from mt.evaluation.glossary import Glossary, fold_for_terms
from mt.numbers import digit_runs
from mt.text import western_digits

# One and two are pronouns, articles and duals as often as numbers.
_SMALLEST = 3
_MAX_SUMMANDS = 100
_DECADE = re.compile(r"\b(?:1[89]|20)?(\d)0'?s\b", re.IGNORECASE)
_HALVES = {Decimal(1) / 2: "نصف", Decimal(1) / 4: "ربع", Decimal(1) / 3: "ثلث"}
_FRACTION = re.compile(
    r"\b(?:a|one|1)[ -](third|quarter)\b|\b(one|1|two|2|three|3) (?:in|out of) (?:every )?\w+\b", re.IGNORECASE
)
_FRACTIONS = {"third": "ثلث", "quarter": "ربع"}
_NOT_NUMBERS = re.compile(r"\b9/11\b")
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d\d)(?![\d:])")
_SCALE = re.compile(
    r"\b(?:hundred|thousand|million|billion|trillion)|(?<!\w)\w{0,3}(?:ألف|الف|آلاف|مليون|ملايين|مليار)"
)


def check_numbers(source: str, hypothesis: str, glossary: Glossary) -> str:
    """Every number of the source stands in the hypothesis, in any digits or in words, and no other one.

    Numbers up to two are not looked for: Arabic has a dual, and English a pronoun.
    """
    plain = _NOT_NUMBERS.sub(" ", _DECADE.sub(" ", source))
    hypothesis = _groups_in_order(source, hypothesis)
    fractions = [_FRACTIONS[match[1].lower()] for match in _FRACTION.finditer(plain) if match[1]]
    plain = _FRACTION.sub(" ", plain)
    digits, words = digit_numbers(plain), word_numbers(plain)
    theirs_digits, theirs_words = digit_numbers(hypothesis), word_numbers(hypothesis)
    large = [value for value in theirs_words if value >= _SMALLEST]
    if not (digits or words or theirs_digits or large or fractions or _CLOCK.search(source)):
        return ""
    if digit_runs(plain) == digit_runs(hypothesis) and not (
        words or theirs_words or _SCALE.search(source + hypothesis)
    ):
        return ""
    ours = {value for value in (*digits, *words) if value >= _SMALLEST}
    theirs = {*theirs_digits, *word_numbers(hypothesis, ordinals=True)}
    all_ours = {*digit_numbers(source), *word_numbers(source, ordinals=True), *word_numbers(source)}
    lost = [value for value in sorted(ours) if not _is_said(value, theirs, hypothesis)]
    # A number word that nothing in the source stands for may be an idiom; in digits it is a number.
    new = [value for value in sorted(theirs_digits) if value >= _SMALLEST and not _is_said(value, all_ours, "")]
    if not all_ours:
        new += [value for value in sorted(large) if not _SPELT_OUT.search(source)]
    found = [f"{_shown(lost)} of the source is missing"] * bool(lost)
    found += [f"{_shown(new)} is not in the source"] * bool(new)
    found += [f"a {word} of the source is missing" for word in _lost_fractions(fractions, hypothesis)]
    found += _other_times(source, hypothesis)
    return "; ".join(found)


# What Arabic may say with a number and English without.
_SPELT_OUT = re.compile(
    r"\b(?:decades?|fortnight|centur\w+|dozens?|scores?|triplets?|half|quarter|third|few|several|hundreds?|thousands?|millions?|billions?)\b",
    re.I,
)


def _is_said(value: Decimal, others: set[Decimal], hypothesis: str) -> bool:
    """As it is, as a sum of two, or as a number and a fraction of a scale: two million and a half."""
    if value in others:
        return True
    # In a list of numbers a sum of two would be found for any other.
    if len(others) <= _MAX_SUMMANDS and any(value - other in others and value != 2 * other for other in others):
        return True
    scales = (Decimal(10) ** power for power in (0, 3, 6, 9))
    parts = {scale * share for scale in scales for share, word in _HALVES.items() if word in hypothesis}
    return any(value - part in others or value == part for part in parts)


def _groups_in_order(source: str, hypothesis: str) -> str:
    """`182 1` as `1,182` where the source has it: older documents set the groups from right to left."""
    plain = western_digits(hypothesis)
    for number in dict.fromkeys(re.findall(r"\d{1,3}(?:,\d{3})+", source)):
        backwards = " ".join(reversed(number.split(",")))
        if backwards in plain:
            plain = re.sub(rf"(?<!\d){backwards}(?!\d)", number, plain)
    return plain


def _lost_fractions(words: list[str], hypothesis: str) -> list[str]:
    english = {arabic: name for name, arabic in _FRACTIONS.items()}
    # Another fraction in its place: one that is put as a percentage cannot be told from one that is lost.
    return [
        english[w] for w in words if w not in hypothesis and any(o in hypothesis for o in _HALVES.values() if o != w)
    ]


def _other_times(source: str, hypothesis: str) -> list[str]:
    """Times of day that differ, by a clock of twelve hours."""
    ours, theirs = (
        {(int(hour) % 12, int(minute)) for hour, minute in _CLOCK.findall(western_digits(text))}
        for text in (source, hypothesis)
    )
    return ["the time of day is another one"] if ours and theirs and ours != theirs else []


def _shown(values: list[Decimal]) -> str:
    return ", ".join(f"{value:f}" for value in values)


def check_names(source: str, hypothesis: str, glossary: Glossary) -> str | None:
    """Every place, organisation and armed group of the glossary that the source names is named in the hypothesis."""
    named = [term for term in glossary.terms_in(source) if term.is_name]
    if not named:
        return None
    folded = fold_for_terms(hypothesis)
    missing = [f"{term.name} ({term.arabic[0]})" for term in named if not term.pattern.search(folded)]
    return f"not named: {', '.join(missing)}" if missing else ""


_NEGATED = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|nowhere|neither|nor|cannot|without|unable|refus(?:ed|es|ing)|denie[ds]|"
    r"fail(?:ed|s|ing)? to|hardly any|yet to)\b|n['’]t\b",
    re.IGNORECASE,
)
# Words of negation that deny nothing, or that Arabic says otherwise; two negations are one affirmation.
_NOT_NEGATED = re.compile(
    r"\bnot (?:only|just|merely|least)\b|\bno (?:fewer|less|more|later|sooner|doubt|one but|matter|-?fly|other)\b|"
    r"\bno[- ]man['’]s[- ]land\b|\bnothing (?:but|less)\b|\b(?:if|whether or|or) not\b|\bnone other\b|\bno-\w+|"
    r"\bno \d+\b|\bNo\. ?\d+|\bnot un\w+|\bleft nothing\b|\bnon-\w+|"
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
_NEGATIVE_ARABIC = re.compile(
    r"(?<!\w)[وف]?(?:لم|لن|لا|ما|ليس|ليست|ليسوا|لسنا|لست|ليسا|لما|غير|دون|بدون|بلا|عدم|بعدم|لعدم|من دون|سوي|"
    r"الا|باستثناء|انعدام|انعدمت|انعدم|لانعدام|بانعدام|لولا|كلا|بغير|لغير|فقط|مجرد|قط|ابدا|اي|ايا|خالي|خاليه|خلا|خلت|خلو|"
    r"\w{0,3}(?:رفض|نفي|نف[تو]|تعذر|امتنع|امتناع|عجز|فشل|منع|حظر|حرم|افتقر|افتقار|استحال|مستحيل|استحاله|توقف|كف|اخفق|"
    r"اخفاق|انكر|انكار|استبعد|استبعاد|غياب|غاب|فقد|نقص|انقطع|انقطاع|حال|ممنوع|محروم|تجنب|نادر|الاستغناء|استثن|تخلف|"
    r"لاجدوي|بعيدا|ابي|يابي)\w*)(?!\w)"
)
_STRONG_ARABIC = re.compile(r"(?<!\w)[وف]?(?:لم|لن|ليس|ليست|ليسوا|لا|ما)(?= \w)")
_STILL_ARABIC = re.compile(r"(?<!\w)[وف]?(?:(?:لا|ما|لم) (?:[يت]?زا?ل\w*)|لا سيما|لا بد|لا شك|لا يقل|لا تقل)")
# Negations that are none: still, especially, unless, as long as, until, that is, inevitable.
_IDIOM_ARABIC = re.compile(
    r"(?<!\w)[وف]?(?:(?:لا|ما|لم) [يت]?زا?ل\w*|لا (?:سيما|بد|شك|محاله|حصر|حقا|بل|غير|مثيل)|لا \w*تثن\w*|لم يسبق|"
    r"لا [يت](?:قل|تجاوز|زيد|ستهان|فتا|نفك)\w*|لم [يت](?:لبث|عد)\w*|ما \w+|"
    # Two negations are one affirmation: has never stopped, is not excluded.
    r"(?:لم|لن|لا|ليس|ليست) (?:\w+ )?\w{0,3}(?:كف|توقف|ستبعد|يمنع|تمنع|منع|نقطع|تردد|خف|خلو|ينكر|تنكر)\w*)"
)


def check_negation(source: str, hypothesis: str, glossary: Glossary) -> str:
    """A sentence that denies something denies something in translation, and one that does not, does not."""
    plain = _NOT_NEGATED.sub(" ", source)
    denies = bool(_NEGATED.search(plain))
    folded = fold_for_terms(hypothesis)
    denied = bool(_STRONG_ARABIC.search(_IDIOM_ARABIC.sub(" ", folded)))
    if denies:
        kept = _NEGATIVE_ARABIC.search(_STILL_ARABIC.sub(" ", folded))
        return "" if kept else "the source denies something, the translation does not"
    if _NEGATED.search(source) or not denied or _NEGATIVE_SENSE.search(source):
        return ""
    return "the translation denies something that the source does not"


_ATTRIBUTED = re.compile(
    r"\b(?:said|says|saying|told|tells|reportedly|allegedly|according to|claim(?:ed|s|ing)|alleg(?:ed|es|ing)|"
    r"accus(?:ed|es|ing)|announced|stated|warned|confirmed|asserted|insisted|acknowledged|argued|maintained that|"
    r"reported that|reports? said|is reported to|was reported to|were reported to|are reported to|purported(?:ly)?|"
    r"supposedly|quoted|added that|estimated|estimates|believed to|suspected of|"
    r"den(?:ied|ies|ying) (?:that|any|being|involvement|responsib\w+|\w+ing|the (?:report|claim|accus|alleg)\w*))\b",
    re.IGNORECASE,
)
_NOT_ATTRIBUTED = re.compile(
    r"\b(?:the|of|at|in) said \w+|\ball told\b|\bafore-?said\b|\bthat said\b|\bclaimed (?:the lives?|\d|\w+ lives)|"
    r"\bclaims? (?:of|for|to the)\b|\bclaim(?:ed|s|ing)? (?:more than |at least |about )?[\w,]+ (?:civilian )?lives\b|"
    r"\bneedless to say\b|\bestimated (?:at|time)\b|\bstated (?:aims?|goals?|policy|objectives?)\b|"
    r"\bconfirmed (?:dead|cases?|deaths?)\b|\bquoted? (?:price|on|in dollars)\w*|\bbeing told\b|\btold apart\b|"
    r"\bclaim(?:ed|ing)? (?:an?|his|her|their|its|responsibility|compensation|asylum|victory|the (?:city|town|land))\b|"
    r"\btells? the difference\b|\b(?:told|tell(?:s|ing)?) (?:\w+ ){1,4}(?:not )?to\b",
    re.IGNORECASE,
)
# Stems behind clitics and the prefixes of verbs and participles, then short words that stand alone.
_ATTRIBUTED_ARABIC = re.compile(
    r"(?<!\w)(?:[وف]?[يت]?نقل\w*(?: [^.،]{1,80}?)? عن|[وفلبك]*(?:ال)?(?:[ايتنسم]{0,3}(?:"
    r"قال|قول|قاءل|قايل|افاد|فيد|مفيد|ذكر|اعلن|علن|اعلان|صرح|تصريح|اكد|اكيد|اوضح|وضح|حسب|وفق|زعم|مزعوم|مزاعم|ادع|دعي|"
    r"انباء|تقرير|تقارير|تهم|تهام|بيان|اشار|شير|اشاره|حذر|تحذير|نفي|نفت|نفوا|اعتبر|عتبر|اعرب|عرب|شدد|لفت|نوه|اضاف|ضيف|"
    r"تابع|اخبر|بلغ|حكي|روي|رواي|رواه|رووا|روت|سرد|كشف|اعترف|اقر|تقدير|عتقد|شتبه|فترض|سمي|منسوب|نسب|شهد|شهاد|شاهد|اصر|"
    r"صر علي|جادل|رجح|مقول|شكا|شكو|شكت|شتك|تحدث|عزو|لمح|تسميه|اطلع|ندد|وصف|طالب|دعا|دعت|دعوا|تعهد|وعد|هدد|ناشد|اورد|"
    r"ورد|ارجع|ستنكر|احتج|اجاب|خلص|تبن|جزم|لوحظ|لاحظ|حجه|دعوي|ذريعه|نبا|انبا|عنون|نشر)\w*|"
    r"(?:رد|ردت|ردا|علق|علقت|علقوا|راي|رات|راوا|يري|تري|يرون|قدر|قدرت|يقدر|تقدر|عزا|عزت|يبدو|خبر|اخبار|يقر|تقر|اقرت|"
    r"قيل|يقال|قالوا)(?!\w))|علي حد )"
)


def check_attribution(source: str, hypothesis: str, glossary: Glossary) -> str | None:
    """What somebody says, claims or alleges in the source is still somebody's word in the hypothesis."""
    cue = _ATTRIBUTED.search(_NOT_ATTRIBUTED.sub(" ", source))
    if not cue:
        return None
    kept = _ATTRIBUTED_ARABIC.search(fold_for_terms(hypothesis))
    return "" if kept else f"`{cue.group()}` is lost: a claim reads as a fact"
