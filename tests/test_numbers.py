"""Numbers in any digits and in words, worked out by hand."""

from decimal import Decimal

import pytest

from mt.numbers import digit_numbers, word_numbers

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
