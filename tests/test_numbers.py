"""Numbers in any digits and in words, worked out by hand."""

from collections import Counter
from decimal import Decimal

import pytest

from mt.text.numbers import digit_numbers, unmatched, word_numbers
from mt.text.numbers.dates import day_parts, decades, months, times_of_day, weekdays

DIGITS = [
    ("20,000 people", [20000]),
    ("20،000 شخص", [20000]),
    ("٢٠٬٠٠٠ شخص", [20000]),
    ("20 000 people", [20000]),
    ("۲۰ هزار", [20]),
    ("700 ألف دولار", [700000]),
    ("٣ آلاف", [3000]),
    ("2.5 million", [2500000]),
    ("2,5 مليون", [2500000]),
    ("٢٫٥ مليون", [2500000]),
    ("3.75 per cent", [Decimal("3.75")]),
    ("1,234.5 km", [Decimal("1234.5")]),
    ("On 15/3/2011", [15, 3, 2011]),
    ("the 1990s", [1990]),
    ("between 12 and 15", [12, 15]),
    ("12, 13 and 14", [12, 13, 14]),
    ("5 p.m. or 17:00", []),
    ("resolution 2254 (2015)", [2254, 2015]),
    ("no numbers", []),
    ("20 thousandths", [20]),
    ("10.0", [10]),
    ("20k people", [20000]),
    ("$1.5m", [1500000]),
    ("a 1.5m wall", [Decimal("1.5")]),
    ("$2bn", [2000000000]),
    ("في 2022 آلاف العائلات", [2022]),
    ("on 7.10.2023", [7, 10, 2023]),
    ("2½ years", [Decimal("2.5")]),
]


@pytest.mark.parametrize(("text", "values"), DIGITS, ids=[text for text, _ in DIGITS])
def test_digits(text: str, values: list[int]):
    assert sorted(digit_numbers(text).elements()) == sorted(map(Decimal, values))


WORDS = [
    ("twenty-five people", [25]),
    ("three hundred and fifty", [350]),
    ("two thousand five hundred", [2500]),
    ("seven and eight", [7, 8]),
    ("one million two hundred thousand", [1200000]),
    ("five, six", [5, 6]),
    ("20 thousand", []),
    ("خمسة وعشرون قتيلا", [25]),
    ("خمسة عشر", [15]),
    ("إحدى عشرة", [11]),
    ("ثلاثمئة وخمسون", [350]),
    ("ثلاث مائة", [300]),
    ("ألف وخمسمئة", [1500]),
    ("ثلاثة آلاف", [3000]),
    ("ثلاثمئة وخمسة وعشرون ألف لاجئ", [325000]),
    ("ألفي شخص", [2000]),
    ("ألفين ومئتين", [2200]),
    ("مليونا شخص", [1000000]),
    ("مليونان", [2000000]),
    ("مئتا شخص ومئتي شخص", [200, 200]),
    ("مئة", [100]),
    ("وقال ألف", [1000]),
    ("خمسة وستة", [5, 6]),
    ("بعشرين صاروخا", [20]),
    ("ثمانون", [80]),
    ("ثمانية", [8]),
    ("half a million", [500000]),
    ("مئتي ألف وثلاثمئة ألف", [200000, 300000]),
    ("نصف مليون", [500000]),
    ("66 في المئة", []),
    ("أسقطت خمسا منها", [5]),
    ("700 ألف", []),
    ("لا أرقام هنا", []),
]


@pytest.mark.parametrize(("text", "values"), WORDS, ids=[text for text, _ in WORDS])
def test_words(text: str, values: list[int]):
    assert sorted(word_numbers(text).elements()) == sorted(map(Decimal, values))


def test_ordinals_on_request():
    assert word_numbers("فجر يوم الثاني والعشرين من الشهر", ordinals=True) == {Decimal(22): 1}
    assert word_numbers("the twenty-second and the fifth", ordinals=True) == {Decimal(22): 1, Decimal(5): 1}
    assert not word_numbers("كانون الثاني")


# What the English has and the Arabic lacks in digits, and the reverse.
PAIRS = [
    ("12 people", "21 شخصا", [12], [21]),
    ("12 and 12", "12", [12], []),
    ("1.3 million", "مليون و300 ألف", [], []),
    ("1.3 million", "مليون و200 ألف", [1300000], [200000]),
    ("10,000 to 15,000", "10 إلى 15 ألفا", [], []),
    ("10,000 to 15,000", "10 إلى 50 ألفا", [15000], [50000]),
    ("7 October 2023", "7/10/2023", [], []),
    ("7 October 2023", "7/11/2023", [], [11]),
    ("0600 GMT", "6:00 بتوقيت غرينتش", [], []),
    ("5.3%", "5%", [Decimal("5.3")], [5]),
    ("50%", "نصف", [], []),
    ("2001-02", "2001 و2002", [], []),
    ("+963 11 555 1234", "00963115551234", [], []),
]


@pytest.mark.parametrize(("source", "target", "lost", "new"), PAIRS)
def test_unmatched(source: str, target: str, lost: list[int], new: list[int]):
    found = unmatched(source, target)
    assert [sorted(values.elements()) for values in found] == [sorted(map(Decimal, lost)), sorted(map(Decimal, new))]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("On 12 March and in May", [3, 5]),
        ("They may march", []),
        ("The March on the square", []),
        ("في كانون الثاني/يناير", [1]),
        ("في كانون الأول", [12]),
        ("في آب", [8]),
        ("أب وأم", []),
        ("في جانفي وأوت وغشت", [1, 8]),
        ("from Rajab to Ramadan", [19, 21]),
        ("من رجب إلى رمضان", [19, 21]),
    ],
)
def test_months(text: str, numbers: list[int]):
    assert sorted(months(text)) == numbers


def test_days_and_times():
    assert weekdays("من الإثنين إلى الجمعة").keys() == weekdays("From Monday to Friday").keys() == {1, 5}
    assert list(times_of_day("at 6 p.m.").values()) == [{(18, 0)}]
    assert list(times_of_day("at 6:00").values()) == [{(6, 0), (18, 0)}]
    assert list(times_of_day("at 0600 gmt").values()) == [{(6, 0)}]
    assert list(times_of_day("في الساعة السادسة والنصف مساء").values()) == [{(18, 30)}]
    assert list(times_of_day("الساعة 11 ليلا").values()) == [{(23, 0)}]
    assert list(decades("the 1990s and the eighties").values()) == [90, 80]
    assert list(decades("في التسعينيات").values()) == [90]
    assert day_parts("صباحا") == [{"dawn", "morning"}]


def test_more_digits_than_a_decimal_divides():
    assert unmatched("9" * 300 + " and half a million", "نصف مليون") == (
        Counter({Decimal("9" * 60).scaleb(60): 1}),
        Counter(),
    )
