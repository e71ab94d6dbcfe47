"""Wrong decodings are undone where that is certain, found otherwise, and right text is left alone."""

import pytest

from mt.data.mojibake import is_mojibake, repair

ARABIC = "أعلنت الوزارة أن القافلة وصلت إلى البلدة المحاصرة في الشمال؟"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("utf-8", "cp1256"),
        ("utf-8", "latin-1"),
        ("utf-8", "iso8859_15"),
        ("utf-8", "cp720"),
        ("utf-8", "cp850"),
        ("utf-8", "mac_roman"),
        ("cp1256", "latin-1"),
        ("cp1256", "cp1252"),
        ("iso8859_6", "cp1256"),
        ("mac_arabic", "cp1256"),
        ("iso8859_6", "latin-1"),
        ("cp720", "cp1256"),
    ],
)
def test_undone(written: str, read: str):
    text = ARABIC if written != "cp720" else ARABIC.replace("؟", ".")
    assert repair(text.encode(written).decode(read)) == text


@pytest.mark.parametrize("times", [2, 3])
def test_undone_when_it_happened_several_times(times: int):
    text = ARABIC
    for _ in range(times):
        text = text.encode().decode("cp1256")
    assert repair(text) == ARABIC


def test_english_is_restored():
    assert repair("The army\u00e2\u20ac\u2122s convoy") == "The army\u2019s convoy"
    assert repair("Cram\u00c3\u00a9r") == "Cram\u00e9r"


@pytest.mark.parametrize(
    "broken",
    [
        ARABIC.encode().decode("cp1252", "ignore"),
        ARABIC.encode().decode("mac_arabic"),
        ARABIC.encode().decode("iso8859_6", "replace"),
        ARABIC.encode("cp1256").decode("iso8859_6", "ignore"),
        ARABIC.encode("cp1256").decode("iso8859_6", "replace"),
        ARABIC.encode("cp1256").decode("mac_arabic"),
        ARABIC.encode().decode("cp1256").replace("\u2026", ""),
    ],
)
def test_found_where_it_cannot_be_undone(broken: str):
    assert repair(broken) is None
    assert is_mojibake(broken)


@pytest.mark.parametrize(
    "text",
    [
        ARABIC,
        "أفرط، ولاحظ: «حفظ؟» ثم شباط/فبراير وشباط/مارس",
        "الجیش فی شرطک وأعطھم",
        "Café Müller — “naïve” 5 €",
        "مرحبًا. أوغاوا يتحدث.",
        "ط؟",
        "درجة الحرارة 25°م ± 2",
        "این کتاب را به من بده",
    ],
)
def test_left_alone(text: str):
    assert repair(text) is None
    assert not is_mojibake(text)
