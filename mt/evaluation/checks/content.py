"""Is what the source says still said: names, negation, attribution."""

from __future__ import annotations

import re

from mt.evaluation.glossary import Glossary, fold_for_terms


def check_names(source: str, hypothesis: str, glossary: Glossary) -> str | None:
    """Every place, organisation and armed group of the glossary that the source names is named in the hypothesis."""
    named = [term for term in glossary.terms_in(source) if term.is_name]
    if not named:
        return None
    folded = fold_for_terms(hypothesis)
    missing = [f"{term.name} ({term.arabic[0]})" for term in named if not term.pattern.search(folded)]
    return f"not named: {', '.join(missing)}" if missing else ""


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
