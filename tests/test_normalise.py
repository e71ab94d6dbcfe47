"""Normalisation and scripts, by literal characters."""

import pytest

from mt.text.keyboards import fold_keyboard_letters, is_arabic_from_other_keyboard
from mt.text.normalise import (
    arabic_share,
    comparison_key,
    fold_spelling,
    normalise,
    remove_diacritics,
    script_of,
    western_digits,
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("e\u0301te\u0301", "\u00e9t\u00e9"),  # NFC
        ("\ufee3\ufea4\ufee4\ufeaa", "محمد"),  # presentation forms
        ("\ufefb", "لا"),  # the lam-alef ligature is two letters
        ("\ufe8dل\ufe72\ufe8e", "ال\u064cا"),  # an isolated vowel sign brings no space
        ("\ufdfc 50", "\ufdfc 50"),  # the rial sign is no Arabic word
        ("محـــمد", "محمد"),  # tatweel that stretches a word
        ("عام 1445 هـ.", "عام 1445 هـ."),  # tatweel that is spelling
        ('الـ15 والـF-16 لـ"رويترز" بـ BBC', 'الـ15 والـF-16 لـ"رويترز" بـ BBC'),
        ("الـ\u200f(15)", "الـ(15)"),
        ("سلامــــ عبد الـله 2019 ـ 2020", "سلامـ عبد الله 2019 2020"),
        ("ضعيفةـ وهـً", "ضعيفة وهً"),  # behind a letter that does not join; under a sign
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


def test_tatweel_stays_or_goes_on_request():
    assert normalise("محـــمد الـ15", "keep") == "محـــمد الـ15"
    assert normalise("محـــمد الـ15", "remove") == "محمد ال15"
    assert comparison_key("الـ15 هـ") == comparison_key("ال15 ه")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u202bقال\u202c إنه \u200fهنا", "قال إنه هنا"),
        ("قا\u00adل\u00a0إنه\ufeff", "قال إنه"),
        ("\u061cقا\u200cل\u2067", "قال"),
        ("الجیش التركی", "الجيش التركي"),
        ("علی الحدود", "على الحدود"),
        ("کان ھناک مدرسۀ", "كان هناك مدرسة"),
        ("۱۲ قَالَ أن", "12 قال ان"),
    ],
)
def test_spellings_that_are_folded(one: str, other: str):
    assert fold_spelling(one) == fold_spelling(other)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ذهب إلی المکتب لیلا", "ذهب إلى المكتب ليلا"),
        ("لن أبقی هنا في البيت", "لن أبقى هنا في البيت"),  # the writer has a ي, but no ى
        ("هذا بیتی", "هذا بيتي"),
        ("رأی المعلم فی الصف", "رأى المعلم في الصف"),
        ("قرب مستشفی المدینە", "قرب مستشفى المدينه"),
    ],
)
def test_letters_of_other_keyboards(typed: str, meant: str):
    assert is_arabic_from_other_keyboard(typed)
    assert fold_keyboard_letters(typed) == meant


@pytest.mark.parametrize(
    "text",
    [
        "این کتاب را به من بده",  # Persian
        "یہ کتاب میری ہے اور وہ آپ کی",  # Urdu
        "هذا كتاب باللغة العربية",
        "the book",
    ],
)
def test_what_is_no_arabic_from_another_keyboard(text: str):
    assert not is_arabic_from_other_keyboard(text)


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
