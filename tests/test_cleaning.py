"""Each rule on pairs that break it and on pairs that nearly do."""

import pytest

from mt.config import CleaningConfig
from mt.data.cleaning import PAIR_RULES, find_fault

ENGLISH = "The convoy reached the besieged town after a delay of two weeks, the agency said."
ARABIC = "وصلت القافلة إلى البلدة المحاصرة بعد تأخير دام أسبوعين، وفق ما قالته الوكالة."

BROKEN = [
    ("too long", "word " * 201, "كلمة " * 201, "201 words"),
    ("length ratio", "Yes.", ARABIC * 3, "4 and 231 characters"),
    ("only links", "https://example.org/a?b=c", ARABIC[:20], "https://example.org/a?b=c"),
    ("only links", "Write to us today", "desk@example.org", "desk@example.org"),
    ("wrong script", ARABIC, ARABIC, "0% of the source is Latin"),
    ("wrong script", ENGLISH, "Вооружённые силы вошли в город после боёв.", "0% of the target is Arabic"),
    ("untranslated", "The SDF and ISIL met", "The SDF and ISIL مفاوضات واجتماعات", "The SDF and ISIL"),
    ("mojibake", ENGLISH, ARABIC + " â€“ وقال", "وصلت القافلة"),
    ("mojibake", ENGLISH, ARABIC + "\ufffd", "وصلت القافلة"),
    ("mojibake", ENGLISH, "ظˆطµظ„طھ ط§ظ„ظ‚ط§ظپظ„ط© ط¥ظ„ظ‰", "ظˆطµظ„طھ"),
    ("mojibake", ENGLISH, "وصلت انçاènة إنé انبندة بظد أسبèظêن", "وصلت انçاènة"),
    ("lost text", ENGLISH, "???? ??????? ??? ??????.", "????"),
    ("lost text", ENGLISH, "وصلت ????? إلى البلدة المحاصرة بعد تأخير", "?????"),
    ("lost text", ENGLISH, "وصلت القا?لة إلى البلدة المحاصرة بعد تأخير", "ا?ل"),
    ("lost text", ENGLISH, "وصلت ¿¿¿¿¿ إلى البلدة المحاصرة بعد تأخير", "¿¿¿¿¿"),
    ("lost text", ENGLISH, "وصلت □□□□ إلى البلدة المحاصرة بعد تأخير", "□□□□"),
    ("lost text", ENGLISH, "وصلت \ue012\ue013 إلى البلدة المحاصرة بعد تأخير", "\ue012"),
    ("lost text", "Ten men were held.", "...", "..."),
    ("lost text", "Ten men were held.", "_____", "_____"),
    ("lost text", "Ten men were held.", "10", "10"),
    ("lost text", "...", "وصلت القافلة أمس", "..."),
    ("lost text", "#REF!", "وصلت القافلة أمس", "#REF!"),
    ("lost text", "[TBD]", "وصلت القافلة أمس إلى البلدة", "[TBD]"),
    ("lost text", "Translation missing", "وصلت القافلة أمس إلى البلدة", "Translation missing"),
    ("lost text", "The army?s convoy is here", "قافلة الجيش هنا الآن", "y?s"),
    ("visual order", ENGLISH, ARABIC[::-1], "ةلاكولا"),
    ("visual order", ENGLISH, ".ةلفاقلا تلصو", ".ةلفاقلا تلصو"),
    ("visual order", ENGLISH, ".أسبوعين بعد البلدة إلى القافلة وصلت", ".أسبوعين"),
    ("visual order", ENGLISH, "ندملا يف سانلا نم ريثك كانهو", "ندملا يف"),
    ("markup", "{1>The convoy<1} left", "غادرت القافلة", "{1>"),
    ("markup", "The [1}convoy{1] left", "غادرت القافلة", "[1}"),
    ("markup", "The <1>convoy</1> left", "غادرت القافلة", "<1>"),
    ("markup", "The convoy left", "غادرت القافلة </1>", "</1>"),
    ("markup", "The {0>convoy<}95{>left<0}", "غادرت القافلة", "{0>"),
    ("markup", "The convoy of {{ user.name }} left", "غادرت القافلة", "{{ user.name }}"),
    ("markup", "The convoy of %1$@ left", "غادرت القافلة", "%1$@"),
    ("markup", "The [b]convoy[/b] left", "غادرت القافلة", "[/b]"),
    ("markup", "The convoy ⟦1⟧ left", "غادرت القافلة", "⟦"),
    ("markup", 'See [ui id="G-1"}the map{ui].', "انظر الخريطة", '[ui id="G-1"}'),
    ("markup", "Click <b>here</b> to read", "انقر هنا للقراءة", "<b>"),
    ("markup", "Hello %s, you have mail", "مرحبا، لديك بريد جديد", "%s"),
    ("markup", "Salt &amp; pepper are here", "الملح والفلفل موجودان هنا", "&amp;"),
    ("markup", "You have {count} messages", "لديك {count} رسالة في البريد", "{count}"),
    ("repetition", ENGLISH, "قال إن " * 6 + "الوضع هادئ", "قال إن"),
    ("numbers", "They killed 12 people.", "قتلوا 21 شخصا.", "12 against 21"),
    ("numbers", "Some 20,000 people fled 3 towns.", "فر ٢٠٠ ألف شخص من ٣ بلدات.", "20000 against 200000"),
    (
        "wrong language",
        ENGLISH,
        "رئیس جمهور ایران امروز در تهران با وزیر خارجه این کشور دیدار و گفتگو کرد.",
        "the target looks like `fa`",
    ),
    (
        "wrong language",
        ENGLISH,
        "وزیر اعظم نے کہا کہ فوج شہر میں داخل ہو گئی ہے اور لڑائی ابھی جاری ہے۔",
        "the target looks like `ur`",
    ),
    (
        "wrong language",
        "Les forces gouvernementales sont entrées dans la ville après de violents combats.",
        ARABIC,
        "the source looks like `fr`",
    ),
]


@pytest.mark.parametrize(
    ("rule", "source", "target", "detail"), BROKEN, ids=[f"{r}: {d[:25]}" for r, _, _, d in BROKEN]
)
def test_broken(rule: str, source: str, target: str, detail: str):
    found = find_fault(source.strip(), target.strip(), CleaningConfig())
    assert found is not None
    assert found.rule == rule
    assert found.detail.startswith(detail)


FINE = [
    (ENGLISH, ARABIC),
    ("Yes.", "نعم، هذا صحيح."),
    ("Some 20,000 people fled.", "فر نحو ٢٠ ألف شخص."),
    ("About 700,000 barrels", "نحو 700 ألف برميل"),
    ("Twenty-five died on 5 May 2015.", "قُتل 25 في الخامس من أيار/مايو 2015."),
    ("At 5 p.m. 3 shells fell.", "سقطت 3 قذائف في الساعة 17:00."),
    ("In 2015 they left.", "غادروا قبل سنوات."),
    ("The report (see www.example.org) is out.", "صدر التقرير (انظر www.example.org)."),
    ("The SDF said so.", "قالت قوات سوريا الديمقراطية (SDF) ذلك."),
    ("2,300 persons", "300 2 شخص"),
    ("If a < b then stop.", "إذا كان أ < ب فتوقف."),
    ("50% of homes & shops", "50% من المنازل والمتاجر"),
    ("1998", "1998"),
    ("No, no, no, no!", "لا، لا، لا، لا!"),
    ("Ankara", "أنقرة"),
    ("He is well.", "انظر أدناه"),
    ("Twelve", "12"),
    ("12 percent", "12%"),
    ("(a)", "(1)"),
    ("...", "..."),
    ("Why??? Tell me.", "لماذا؟؟؟ أخبرني."),
    ("N/A", "غير متوفر"),
    ("None", "لا شيء"),
    ("\uf0b7 water", "\uf0b7 ماء"),
    ("... and they left the city", "...وغادروا المدينة"),
    ("They ate a dish, a sweet", "أكلا أكلا حلالا"),
    ("On 3 and 4 February", "في 3 شباط/فبراير و4 شباط/فبراير"),
    ("See note [1] and [12].", "انظر الحاشية [1] و[12]."),
    ("{God is great} he said", "{الله} أكبر"),
    ("1.3 million people and 12 towns", "مليون و300 ألف شخص و12 بلدة"),
    ("Between 10,000 and 15,000 fled.", "فر ما بين 10 و15 ألف شخص."),
    ("Some 20k fled 3 towns.", "فر 20,000 شخص من 3 بلدات."),
    ("It cost $1.5m in 2013.", "كلف 1,500,000 دولار عام 2013."),
    ("It began on 07.10.2023.", "بدأ في 7 تشرين الأول 2023."),
    ("Shelling began at 1800 local time.", "بدأ القصف الساعة 6 مساء بالتوقيت المحلي."),
    ("The 2023-24 budget was cut.", "خُفضت موازنة 2023-2024."),
]


@pytest.mark.parametrize(("source", "target"), FINE, ids=[source for source, _ in FINE])
def test_fine(source: str, target: str):
    assert find_fault(source, target, CleaningConfig()) is None


def test_every_rule_can_be_switched_off():
    off = CleaningConfig(
        max_words=None,
        max_length_ratio=None,
        min_script_share=None,
        language=False,
        max_copied_share=None,
        numbers="none",
        mojibake=False,
        lost_text=False,
        visual_order=False,
        markup=False,
        links=False,
        max_repeats=None,
    )
    # A target that equals its source teaches to copy, whatever the limit on copied words.
    assert [find_fault(source.strip(), target.strip(), off) for _, source, target, _ in BROKEN if source != target] == [
        None
    ] * sum(source != target for _, source, target, _ in BROKEN)


def test_missing_numbers_on_request():
    missing = CleaningConfig(numbers="missing")
    found = find_fault("In 2015 they left.", "غادروا قبل سنوات.", missing)
    assert found == ("numbers", "2015 against none")


def test_every_rule_is_tested():
    assert {rule for rule, *_ in BROKEN} == set(PAIR_RULES) - {"empty side"}
