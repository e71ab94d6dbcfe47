"""Where English ends and Arabic begins: each seed line, and every way a border can mislead."""

import pytest

from mt.data.unseparated import split_at_border
from tests.conftest import SEED

SEED_BORDERS = [
    ("in the hands of the government.", "وقد سيطر المتمردون على"),
    ("in the eastern province of Deir ez-Zor and 20,000 in Aleppo.", "وخرج 700 ألف شخص"),
    ("in Mayadin in the eastern Deir ez-Zor Governorate.", "وقال إن هجمات مماثلة"),
    ("almost all of Deir ez-Zor Governorate in July 2014.", "وأدى ذلك إلى الهزيمة"),
    ("at an oil-pumping station in the Deir ez-Zor province of Syria.", "وأدت الغارات الجوية للتحالف"),
    ("natural resources (most importantly its oil fields).", "تتنافس الحكومة وقوات"),
    ("in Deir ez-Zor Governorate was found by their relatives.", "في منتصف ديسمبر 2014،"),
    ("carried out by U.S. forces in Deir ez-Zor Governorate.", "وسائل إعلام سورية"),
]
SEED_ENDS = [
    ("The rebels took over", "ظلت في أيدي الحكومة."),
    ("700,000 came out in", "و 20،000 في حلب."),
    ("He said similar", "في محافظة دير الزور الشرقية."),
    ("This resulted in", "دير الزور تقريبًا في يوليو 2014."),
    ("Coalition airstrikes", "في محافظة دير الزور في سوريا."),
    ("The Syrian government", "في المنطقة (خاصة حقول النفط)."),
    ("In mid December 2014,", "العثور عليها من قبل ذويهم."),
    ("Syrian media and U.S.-based", "بعض مقاتلين من تنظيم داعش."),
]


@pytest.mark.parametrize("number", range(8))
def test_seed_line(number: int):
    line = SEED.read_text(encoding="utf-8").splitlines()[number]
    english, arabic = split_at_border(line) or ("", "")
    assert english.endswith(SEED_BORDERS[number][0])
    assert arabic.startswith(SEED_BORDERS[number][1])
    assert english.startswith(SEED_ENDS[number][0])
    assert arabic.endswith(SEED_ENDS[number][1])
    assert f"{english} {arabic}" == line.strip()


@pytest.mark.parametrize(
    ("english", "arabic"),
    [
        # digits at the border go where they belong
        ("ISIL took the town in July 2014.", "سيطر التنظيم على البلدة في يوليو 2014."),
        ("Of them 350,000 were in Hama.", "700 ألف شخص منهم كانوا في حماة."),
        ("He left in 2014", "غادر في 2014"),
        ("20 people died", "20 شخصا قتلوا"),
        # quotes and brackets too
        ('He said: "We won."', '"انتصرنا"، على حد قوله.'),
        ("The fields burned (all of them).", "(كلها) احترقت الحقول."),
        ("“Never again,” she said.", "وقالت: «لن يتكرر ذلك»."),
        # acronyms inside, at the start and at the end of the Arabic
        ("UNICEF said so on Monday.", "قالت منظمة UNICEF ذلك يوم الاثنين."),
        ("The alliance denied it.", "NATO نفى ذلك."),
        ("The agency closed its office.", "أغلقت الوكالة مكتبها UNHCR."),
        ("Troops entered the U.S. base.", "دخلت القوات القاعدة الأمريكية."),
        # an Arabic word quoted inside, or at the end of, the English
        ('The group, known as "داعش" in Arabic, lost the city.', "خسر التنظيم المدينة."),
        ('Its Arabic acronym is "داعش".', "هذا هو اسمه المختصر."),
        ("The word (شهيد) means martyr.", "تعني هذه الكلمة ذلك."),
        # no space at the border
        ("The city fell.", "سقطت المدينة."),
    ],
)
def test_hard_borders(english: str, arabic: str):
    assert split_at_border(f"{english} {arabic}") == (english, arabic)


@pytest.mark.parametrize(
    ("english", "arabic"),
    [
        ("The city fell in 2017.", "سقطت المدينة عام 2017."),
        ("The UN said 20,000 people fled.", "قالت الأمم المتحدة إن 20،000 شخص فروا."),
    ],
)
def test_arabic_first(english: str, arabic: str):
    assert split_at_border(f"{arabic} {english}") == (english, arabic)


def test_border_without_a_space():
    assert split_at_border("The city fell.سقطت المدينة.") == ("The city fell.", "سقطت المدينة.")


@pytest.mark.parametrize(
    "line",
    ["The city fell.", "سقطت المدينة.", "2014 – 2017", "", "The مدينة city سقطت fell في in عام 2017 the الصيف summer"],
)
def test_no_border(line: str):
    assert split_at_border(line) is None
