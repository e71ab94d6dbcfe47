"""Normalisation and scripts, by literal characters."""

import pytest

from mt.text import arabic_share, comparison_key, normalise, remove_diacritics, script_of, western_digits


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("e\u0301te\u0301", "\u00e9t\u00e9"),  # NFC
        ("\ufee3\ufea4\ufee4\ufeaa", "محمد"),  # presentation forms
        ("\ufefb", "لا"),  # the lam-alef ligature is two letters
        ("\ufe8dل\ufe72\ufe8e", "ال\u064cا"),  # an isolated vowel sign brings no space
        ("\ufdfc 50", "\ufdfc 50"),  # the rial sign is no Arabic word
        ("محـــمد", "محمد"),  # tatweel
        ("\u200fدير\u200c ا\u200dل\u2067زور\u2069\ufeff", "دير الزور"),  # zero-width and bidi controls
        ("  two\u00a0 words\t\u2003here \r\n", "two words here"),  # any white space
        ("مُحَمَّد ١٢٣ 45", "مُحَمَّد ١٢٣ 45"),  # diacritics and digits stay
        ("ا\u200d\u0654", "أ"),  # composed once the joiner between letter and hamza is gone
        ("bell\x07 and\x00 nul", "bell and nul"),
        ("", ""),
    ],
)
def test_normalise(raw: str, expected: str):
    assert normalise(raw) == expected
    assert normalise(expected) == expected


def test_diacritics_and_digits_go_only_when_asked():
    assert remove_diacritics("مُحَمَّدٌ رسولٰ") == "محمد رسول"
    assert western_digits("٢٠١٤ و۲۰۱۴ و2014") == "2014 و2014 و2014"


@pytest.mark.parametrize(
    ("character", "script"),
    [("a", "latin"), ("É", "latin"), ("ض", "arabic"), ("گ", "arabic"), ("٣", "other"), ("؟", "other"), ("Я", "other")],
)
def test_script_of(character: str, script: str):
    assert script_of(character) == script


def test_arabic_share():
    assert arabic_share("abc دير") == 0.5
    assert arabic_share("دير الزور ٢٠١٤ (2014)") == 1.0
    assert arabic_share("12, 13!") == 0.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The 20 men left.", "the 35 MEN left"),
        ("قُتل ٢٠ شخصا", "قتل 7 شخصا!"),
        ("in  Syria's north", "In Syria s North"),
    ],
)
def test_sentences_that_differ_in_nothing_that_matters(one: str, other: str):
    assert comparison_key(one) == comparison_key(other)


def test_sentences_that_do_differ():
    assert comparison_key("The 20 men left.") != comparison_key("The 20 women left.")
    assert comparison_key("The 20 men left.") == "the 0 men left"
