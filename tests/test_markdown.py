"""Text in Markdown stays text, as a parser of GitHub's dialect reads it."""

import pytest

from mt.report.markdown import code, table, text_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, (really) - with 1. dots!", "plain text, (really) - with 1. dots!"),
        ("a | b", r"a \| b"),
        ("one\ntwo\r\n\n| three", r"one two \| three"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
        ("![x](http://evil.example/x.png)", r"!\[x](http\://evil.example/x.png)"),
        ("see www.evil.example", r"see www\.evil.example"),
        ("`code` *bold* _soft_ ~~no~~ $x$", r"\`code\` \*bold\* \_soft\_ \~\~no\~\~ \$x\$"),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("> quoted", r"\> quoted"),
        (r"\| already", r"\\\| already"),
        ("قال: «نعم» | لا", r"قال: «نعم» \| لا"),
        ("\u2028next\x85line", "next line"),
    ],
)
def test_text(text: str, expected: str):
    assert text_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("nrefs:1|case:mixed", "`nrefs:1|case:mixed`"), ("a`b", "`` a`b ``"), ("a``\nb", "``` a`` b ```")],
)
def test_code(text: str, expected: str):
    assert code(text) == expected


def test_table():
    rows = [[text_of("x | y"), "007"], ["*", "1e3"]]
    assert table(["a", "b"], rows) == [
        "| a      |   b |",
        "|:-------|----:|",
        r"| x \| y | 007 |",
        "| *      | 1e3 |",
    ]
