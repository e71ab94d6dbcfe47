"""Checks that what the source attributes to somebody is still attributed in the hypothesis."""

from __future__ import annotations

import re

from mt.evaluation.checks.cues import count_unexplained, read_cues
from mt.text.glossary import Glossary, fold_for_terms

_ATTRIBUTED = re.compile(
    r"\b(?:said|says|saying|told|tells|reportedly|allegedly|according to|claim(?:ed|s|ing)|alleg(?:ed|es|ing)|"
    r"accus(?:ed|es|ing)|announced|stated|warned|confirmed|asserted|insisted|acknowledged|argued|maintained that|"
    r"reported that|reports? said|is reported to|was reported to|were reported to|are reported to|purported(?:ly)?|"
    r"supposedly|quoted|added that|estimated|estimates|believed to|suspected of|"
    r"(?<!the )(?<!a )claims? (?:that|to have|to be|it|they|he|she)|"
    r"den(?:ied|ies|ying) (?:that|any|being|involvement|responsib\w+|\w+ing|the (?:report|claim|accus|alleg)\w*))\b",
    re.IGNORECASE,
)
_NOT_ATTRIBUTED = re.compile(
    r"\b(?:the|of|at|in) said \w+|\ball told\b|\bafore-?said\b|\bthat said\b|\bclaimed (?:the lives?|\d|\w+ lives)|"
    r"\b(?:the|these|those|such|of|their|his|her|its|all|any|both|false|other|mentioned) claims\b|(?-i:\bSaid\b)|"
    r"\bclaims? (?:of|for|to the)\b|\bclaim(?:ed|s|ing)? (?:more than |at least |about )?[\w,]+ (?:civilian )?lives\b|"
    r"\bneedless to say\b|\bestimated (?:at|time)\b|\bstated (?:aims?|goals?|policy|objectives?)\b|"
    r"\bconfirmed (?:dead|cases?|deaths?)\b|\bquoted? (?:price|on|in dollars)\w*|\bbeing told\b|\btold apart\b|"
    r"\bclaim(?:ed|ing)? (?:an?|his|her|their|its|them|him|responsibility|compensation|asylum|victory)\b|"
    r"\bclaim(?:ed|ing)? the (?:city|town|land)\b|"
    r"\btells? the difference\b|\b(?:told|tell(?:s|ing)?) (?:\w+ ){0,4}(?:not )?to\b|"
    r"\btold of\b|\bbe(?:en)? confirmed\b",
    re.IGNORECASE,
)
# Arabic often has one verb for two in a row, such as "was quoted as saying" or "denied, saying that".
_ATTRIBUTED_TWICE = re.compile(
    r",? (?:as )?(?:saying|claiming|alleging|adding) (?:that )?|[,.]?[\"”],? (?:he|she|they) (?:said|says|added)",
    re.IGNORECASE,
)
# Behind the colon: other English words that the same Arabic may translate; lines without one always attribute.
_CUES = read_cues("""
قال قالت قالوا قالا قالته قاله يقول* تقول* نقول قول قوله* قولها قولهم اقوال* قايل* قيل يقال مقول*
نقل_عن نقلت_عن نقلوا_عن ينقل_عن تنقل_عن نقلا_عن منقول_عن
نقل(?:ت|وا)?_[^.،]{1,60}_(?:عن|ان): transfer transport moved carr evacuat taken
علي_حد تداول(?:ت)?
(?<!ف)حسب حسبما بحسب
وفق وفقا: accordance in_line consistent pursuant under_(?:\\w+_){0,2}(?:law|agreement|deal|treaty|accord|resolution)
جاء(?:ت)?_في* ورد(?:ت)?_في* وردت?_(?:انباء|تقارير|ان) مفاد*
زعم زعمه زعمها زعمهم زعمت زعموا يزعم* تزعم* مزعوم* مزاعم* زاعم*: claims?_of
ادعي ادعت ادعوا ادعاء* يدعي يدعون تدعي مدعي*: claims?_of prosecut plaintiff
افاد افادت افادوا يفيد* تفيد* افاده* افادات*: useful
ذكر ذكرت ذكروا ذكره ذكرته يذكر* تذكر* ذاكرا* مذكور*: mention recall remind memor anniversar remember
اعلن* يعلن* تعلن* اعلان* معلن*: declar proclaim unilateral
صرح صرحت صرحوا يصرح* تصرح* تصريح* مصرحا*: permit licen authori
اكد* يوكد* توكد* تاكيد* موكد*: stress assur emphasi reaffirm affirm underlin certain verif
اوضح* يوضح* توضح* توضيح* موضحا*: clarif explain illustrat show
انباء نبا انباءه: news
تقرير* تقارير*: reports?\\b(?!_(?:said|says|that))
اتهم* يتهم* تتهم* اتهام* متهم*: charge[ds]? defendant indict
بيان بيانا بيانه* بيانها: statements?\\b data\\b declaration
اشار* يشير* تشير* اشاره* مشيرا* مشيره: indicat refer point sign
حذر حذرت حذروا يحذر* تحذر* تحذير* محذر*: caution alert warnings?\\b
نفي نفت نفته نفوا نفاه نفاها ينفي* تنفي* نافيا* نافيه: refut exile denial
اعتبر* يعتبر* تعتبر*: consider deem regard treat
اعرب* يعرب* تعرب* معربا* معربه: express voic
شدد شددت شددوا يشدد* مشددا*: stress tighten strict emphasi underscor underlin
لفت لفتت لفتوا يلفت* لافتا*: draw_attention
نوه نوهت ينوه*: prais commend
اضاف اضافت اضافوا يضيف* تضيف* مضيفا* مضيفه: add(?:s|ed|ing)?\\b(?!_that)
تابع_قايلا تابع_ان تابعت_قايله
ابلغ* يبلغ_(?:عن|ان|ب)* تبلغ_(?:عن|ان)* ابلاغ* بلاغ* بلاغات: inform notif communiqu
اخبر اخبرت اخبروا اخبره* اخبرهم يخبر* تخبر*: inform
خبر اخبار: news
روي روت رووا روايه روايات روايت* يروي يروون تروي رواه: novel stor(?:y|ies) narrat
كشف كشفت كشفوا يكشف* تكشف*: reveal uncover detect disclos expos found discover
اعترف* يعترف* تعترف* اعتراف*: recogni confess admi
اقر اقرت اقروا يقر يقرون تقر: approv adopt pass admi endors
قدر(?:ت|وا)?_(?:\\w+_){0,5}(?:ان|بان|عدد)* يقدر* تقدر* تقدير* تقديرات: apprec able assess valu worth
يعتقد* تعتقد* اعتقد* اعتقاد*: believ(?:e|es|ing)\\b belief think thought conviction
اشتبه* يشتبه* تشتبه* مشتبه* اشتباه* شبهه شبهات: suspects?\\b suspicious
يفترض مفترض*: assum suppos should presum
منسوب* نسب(?:ت|وا)?_(?:الي|ل)* ينسب* تنسب*
شهد(?:ت|وا)?_(?:\\w+_){0,3}(?:بان|علي_ان)* شهاده شهادات شهادت*: testimon certif martyr diploma
اصر اصرت اصروا يصر يصرون تصر مصرا اصرار*: determin persist
جادل* يجادل* احتج_بان احتجت_بان
رجح رجحت رجحوا يرجح* ترجح* مرجحا*: likely probabl
شكا شكت شكوا يشكو* تشكو* شكوي شكاوي اشتكي* يشتكي*: complain
تحدث تحدثت تحدثوا يتحدث* تتحدث*: spoke\\b speak talk
عزا عزت عزوا يعزو تعزو: attribut blam
ندد* يندد* تندد*: condemn denounc
وصف وصفت وصفوا يصف يصفون تصف (?<!ب)وصفه (?<!ب)وصفها: describ called\\b label brand term characteri
خلص خلصت خلصوا تخلص_الي يخلص_الي: conclu found finds
تبني تبنت تبنوا: adopt build claim(?:ed)?_responsibility
لاحظ* يلاحظ* تلاحظ* لوحظ ملاحظا*: not(?:e|ed|es|ing)\\b observ
رد ردت ردا ردوا: respon repl react retaliat answer repel
علق علقت علقوا: comment suspen hang hung
راي رات راوا يري يرون تري: s(?:ee|aw|een)\\b view opinion think regard
يسمي تسمي مسمي تسميه سمي سمت سمته سماه يسميه* تسميه*: so-called call nam dubbed
استنكر* يستنكر* احتج احتجت احتجوا: protest condemn
ذريعه حجه دعوي: pretext excuse
نشر(?:ت|وا)?_(?:\\w+_){0,3}(?:تقريرا|بيانا|خبرا|ان)
نبه نبهت نبهوا ينبه*: alert
كتب(?:ت|وا)?_(?:\\w+_){0,5}(?:ان|علي_(?:تويتر|تلغرام|تليغرام|فيسبوك|موقع|منصه|حساب*|صفح*)): writ wrot
غرد غردت غردوا: tweet
اورد اوردت اوردوا: list includ mention
توعد توعدت توعدوا يتوعد* تتوعد*: threat vow pledg promis
هدد هددت هددوا يهدد* تهدد* مهددا* تهديد*: threat
حمل(?:ت|وا)?_(?:\\w+_){0,4}مسووليه: responsib blam
في_حديث(?:ه|ها)?_(?:ل|مع_|الي_)*: talk conversation sp(?:ea|o)k
جزم يجزم* ادلي ادلت ادلوا: \\bgave
""")


def check_attribution(source: str, hypothesis: str, glossary: Glossary) -> str | None:
    """The hypothesis attributes at least as often as the source says, claims, alleges and so on.

    Attributions are counted, not aligned: one that has moved to another clause goes unnoticed.
    """
    plain = _NOT_ATTRIBUTED.sub(" ", source)
    cues = [match.group() for match in _ATTRIBUTED.finditer(_ATTRIBUTED_TWICE.sub(" ", plain))]
    if not cues:
        only = _ATTRIBUTED.search(plain)
        if not only:
            return None
        cues = [only.group()]
    kept = count_unexplained(_CUES, source, fold_for_terms(hypothesis))
    if kept >= len(cues):
        return ""
    if not kept:
        return f"`{cues[0]}` is lost: a claim reads as a fact"
    return f"of {len(cues)} attributions ({', '.join(cues)}) {len(cues) - kept} are lost: a claim reads as a fact"
