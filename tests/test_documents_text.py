"""Documents that are text: paragraphs, tables, subtitles, Markdown and HTML, through a translator of capitals."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator

import lxml.html
import pytest

from mt.documents.formats import Format
from mt.documents.marked import Marked
from mt.documents.tables import read_table
from mt.errors import DataError
from mt.languages import ARABIC, ENGLISH, ENGLISH_TO_ARABIC, LanguagePair
from tests.document_cases import shout, text_of, translated

WRAPPED = """\
The convoy left the city on Monday and reached the border in the evening,
where it was stopped. Nobody was hurt, and the drivers were sent back to
the capital.

Next one.
"""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("One. Two.  Three.\n\n\n  Four.\n", "ONE. TWO.  THREE.\n\n\n  FOUR.\n"),
        ("One.\r\n\r\nTwo.", "ONE.\r\n\r\nTWO."),
        ("\ufeffOne.\n", "\ufeffONE.\n"),
        ("", ""),
        ("\n \n\t\n", "\n \n\t\n"),
        ("12 %\n* * *\nhttps://a.org/b\n", "12 %\n* * *\nhttps://a.org/b\n"),
        ("- one\n- two\n  3) three\n", "- ONE\n- TWO\n  3) THREE\n"),
        ("Head\nAnother head\n", "HEAD\nANOTHER HEAD\n"),
        # Two sentences of a list, the first one longer: no wrapped paragraph.
        ("The army left the city of Homs on Monday morning.\nThree people died.\n", None),
    ],
)
def test_paragraphs(content: str, expected: str | None):
    assert text_of(content, "text") == (content.upper() if expected is None else expected)


def test_wrapped_paragraph_is_translated_whole_and_wrapped_again():
    asked: list[str] = []

    def double(sentences: Iterable[str]) -> Iterator[list[str]]:
        asked.extend(sentences)
        yield from ([f"{each} {each}"] for each in asked)

    found = text_of(WRAPPED, "text", translate=double)
    assert asked == [
        "The convoy left the city on Monday and reached the border in the evening, where it was stopped.",
        "Nobody was hurt, and the drivers were sent back to the capital.",
        "Next one.",
    ]
    assert found.split("\n\n")[1] == "Next one. Next one.\n"
    lines = found.split("\n\n")[0].split("\n")
    assert max(map(len, lines)) <= 73
    assert " ".join(lines) == " ".join(f"{each} {each}" for each in asked[:2])


def test_paragraph_of_400_words_is_translated_whole():
    sentence = "The committee said on {} May that the convoy had reached the town by road. "
    text = "".join(sentence.format(day) for day in range(1, 29))
    assert len(text.split()) == 420
    result = translated(text, "text")
    assert result.content.decode() == text.upper()
    assert len(result.sentences) == 28


def test_sentences_are_asked_for_once():
    asked: list[str] = []

    def spy(sentences: Iterable[str]) -> Iterator[list[str]]:
        asked.extend(sentences)
        yield from ([each.upper()] for each in asked)

    assert text_of("Yes. No. Yes.\nNo.\n" * 3, "text", translate=spy) == "YES. NO. YES.\nNO.\n" * 3
    assert asked == ["Yes.", "No."]


def test_thousand_paragraphs_keep_their_order():
    text = "".join(f"Number {number} came. It left.\n" for number in range(1000))
    assert text_of(text, "text") == text.upper()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"One.\ncaf\xe9\n", "in:2: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"One.\n\0", "in:2: NUL byte; the file is damaged or not text"),
        (codecs.BOM_UTF16_LE + b"a\0b", "in: not valid UTF-16"),
    ],
)
@pytest.mark.parametrize("kind", ["text", "csv", "srt", "vtt", "html", "markdown"])
def test_what_is_no_text(content: bytes, message: str, kind: Format):
    if kind in ("srt", "vtt", "markdown"):
        pytest.importorskip({"srt": "srt", "vtt": "webvtt", "markdown": "markdown_it"}[kind])
    with pytest.raises(DataError, match=re.escape(message)):
        translated(content, kind)


def test_utf_16_becomes_utf_8():
    assert translated("One. Two.\n".encode("utf-16"), "text").content == b"\xef\xbb\xbfONE. TWO.\n"


# Tables


@pytest.mark.parametrize(
    ("content", "kind", "column", "expected"),
    [
        ("id,text\n1,One. Two.\n2,\n", "csv", "text", "id,text,ar\n1,One. Two.,ONE. TWO.\n2,,\n"),
        ("id,text\n1,One.\n", "csv", "TEXT", "id,text,ar\n1,One.,ONE.\n"),
        ("id;text\r\n1;One.\r\n", "csv", "2", "id;text;TEXT\r\n1;One.;ONE.\r\n"),
        ('"id","text"\n"1","a, ""b"""\n', "csv", "text", '"id","text","ar"\n"1","a, ""b""","A, ""B"""\n'),
        ('a,"two\nlines"\n', "csv", "2", 'a,"two\nlines","TWO\nLINES"\n'),
        ('x\t"He left," he said\n', "tsv", "2", 'x\t"He left," he said\t"HE LEFT," HE SAID\n'),
        ("text\tar\nOne.\tواحد\n", "tsv", "text", "text\tar\tar (translated)\nOne.\tواحد\tONE.\n"),
        ("One.\n\nTwo.\n", "csv", None, "One.,ONE.\n\nTwo.,TWO.\n"),
        ("a,b,c\n1\n", "csv", "a", "a,b,c,ar\n1,,,1\n"),
        ("", "csv", "text", ""),
    ],
)
def test_tables(content: str, kind: Format, column: str | None, expected: str):
    found = text_of(content, kind, column=column)
    assert found == expected


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        ("id,text\n1,One.\n", None, "which column? Give --column NAME or NUMBER; its columns are 1 `id`, 2 `text`"),
        ("id,text\n1,One.\n", "body", "has no column `body`; its columns are 1 `id`, 2 `text`"),
        ("id,text\n1,One.\n", "3", "has no column `3`; its columns are 1 `id`, 2 `text`"),
        ("a,a\n1,One.\n", "a", "2 columns are named `a`; give --column a number: 1 `a`, 2 `a`"),
        ('a,b\n1,"One.\n', "b", "in:2: not a table with quoted cells"),
    ],
)
def test_wrong_columns(content: str, column: str | None, message: str):
    with pytest.raises(DataError, match=re.escape(message)):
        translated(content, "csv", column=column)


def test_no_translation_in_a_table_becomes_a_formula():
    """A cell that is one already, or a dialogue with dashes, stays what it is."""
    table = read_table(b"id,text\n1,'=x\n2,- a\n3,b\n4,'c\n", "in", "csv", "text")
    translations = [Marked("=X"), Marked("- A"), Marked("+B"), Marked("'C")]
    assert table.render(translations, ENGLISH_TO_ARABIC) == b"id,text,ar\n1,'=x,'=X\n2,- a,- A\n3,b,'+B\n4,'c,'C\n"


def test_table_opens_again():
    rows = [["id", "text"], ["1", 'Quote ", comma, and\nline.'], ["2", ""]]
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    again = list(csv.reader(io.StringIO(text_of(stream.getvalue(), "csv", column="text"), newline="")))
    assert [row[:2] for row in again] == rows
    assert [row[2] for row in again] == ["ar", 'QUOTE ", COMMA, AND\nLINE.', ""]


# HTML

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="latin-1"><title>The title</title><meta name="description" content="About it.">
<style>p { color: red }</style><script>if (a<b) alert("x");</script></head>
<body>
  <h1>Head <em>line</em></h1>
  <p>One with <a href="https://x.org" title="A tip">a link</a>. Two <b>bold <i>both</i></b> here.<br>
     After &amp; more &lt;tag&gt;. <img src="i.png" alt="A picture"> See https://a.b/c. End.</p>
  <ul><li>Item<ul><li>Sub <code>ls -l</code> now</li></ul></li></ul>
  <table><tr><td>Cell</td><td>42</td></tr></table>
  <pre>keep
  this</pre><p translate="no">Nor this</p><!-- comment -->
</body></html>
"""


def skeleton(element: object) -> object:
    """Tags, in their order, without text."""
    return (element.tag, [skeleton(child) for child in element])  # type: ignore[attr-defined]


def test_page():
    found = text_of(PAGE, "html")
    old, new = (lxml.html.document_fromstring(text.replace("latin-1", "utf-8").encode()) for text in (PAGE, found))
    assert skeleton(new) == skeleton(old)
    assert (new.get("lang"), new.get("dir")) == ("ar", "rtl")
    assert found.startswith('<!DOCTYPE html>\n<html lang="ar" dir="rtl">\n<head><meta charset="utf-8">')
    assert '<script>if (a<b) alert("x");</script>' in found
    assert "<style>p { color: red }</style>" in found
    assert "<h1>HEAD <em>LINE</em></h1>" in found
    assert '<p>ONE WITH <a href="https://x.org" title="A TIP">A LINK</a>. TWO <b>BOLD <i>BOTH</i></b> HERE.' in found
    assert 'AFTER &amp; MORE &lt;TAG&gt;. <img src="i.png" alt="A PICTURE"> SEE https://a.b/c. END.</p>' in found
    assert "<li>SUB NOW <code>ls -l</code></li>" in found
    assert "<pre>keep\n  this</pre>" in found
    assert '<p translate="no">Nor this</p>' in found
    assert '<meta name="description" content="ABOUT IT.">' in found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ""),
        ("<p>One.</p>\n<p>Two.</p>\n", '<p lang="ar" dir="rtl">ONE.</p>\n<p lang="ar" dir="rtl">TWO.</p>\n'),
        ("Just text", "JUST TEXT"),
        ("<b></b><i><u></u></i>", "<b></b><i><u></u></i>"),
        ("<b>a <i>b <u>c</u></i></b>", "<b>A <i>B <u>C</u></i></b>"),
        ("<p>1&nbsp;&mdash;&nbsp;2</p>", '<p lang="ar" dir="rtl">1\u00a0—\u00a02</p>'),
        ("<div>a<p>b</p>c</div>", '<div lang="ar" dir="rtl">A<p>B</p>C</div>'),
        ("<p>One\n   two\r\n  three.</p>", '<p lang="ar" dir="rtl">ONE TWO THREE.</p>'),
        ("<p>One.</p>\r\n<hr>\r\n", '<p lang="ar" dir="rtl">ONE.</p>\r\n<hr lang="ar" dir="rtl">\r\n'),
        ('<p lang="en-GB" dir="ltr">One.</p>', '<p lang="ar" dir="rtl">ONE.</p>'),
        ("<p>\u200fOne\u200e.</p>", '<p lang="ar" dir="rtl">\u200fONE\u200e.</p>'),
        ("<code>a <kbd>b</kbd> c</code> to go", "<code>a <kbd>b</kbd> c</code> TO GO"),
        ("<p><i>One.</i> Two.</p>", '<p lang="ar" dir="rtl"><i>ONE.</i> TWO.</p>'),
    ],
)
def test_parts_of_pages(content: str, expected: str):
    assert text_of(content, "html") == expected


def test_xhtml_stays_xml():
    page = '<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><body><p>One.<br/>Two.</p></body></html>'
    found = text_of(page, "html")
    assert found.startswith('<?xml version="1.0"?>\n<html xmlns=')
    assert "<p>ONE.<br/>TWO.</p>" in found


def test_page_in_a_language_written_from_left_to_right():
    pair = LanguagePair(ARABIC, ENGLISH)
    found = translated('<html lang="ar" dir="rtl"><body><p>نعم</p></body></html>', "html", languages=pair).content
    assert b'<html lang="en" dir="ltr">' in found


# Markdown

MARKDOWN = r"""---
title: Not this
---
# Title *x*

> Quote one. Second
> two **bold \* star** &amp; [link](http://a.b "t") and <https://c.d> `code`\
> hard <b>html</b> snake_case. ![alt](i.png)

- item https://x.org/y. More[^1]
  1. sub [ref][r]
- [ ] task

| a | b \| c |
|---|---|
| x **y** | ~~z~~ |

[r]: http://r.r

    code

```py
x
```

<div>
html
</div>

Setext
======
1986\. A great year! And _under score_ here.

[^1]: The note.
"""


def outline(text: str) -> list[tuple[str, str, object]]:
    """What markdown-it-py makes of a page, without the text."""
    from markdown_it import MarkdownIt

    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        found.append((token.type, token.tag, token.content if token.type != "inline" else ""))
        kinds = [child.type for child in token.children or [] if child.type not in ("text", "softbreak")]
        found.append(("children", "", sorted(kinds)))  # type: ignore[arg-type]
    return found  # type: ignore[return-value]


def test_markdown():
    pytest.importorskip("markdown_it")
    found = text_of(MARKDOWN, "markdown")
    assert outline(found) == outline(MARKDOWN)
    assert found.startswith("---\ntitle: Not this\n---\n# TITLE *X*\n\n> QUOTE ONE. SECOND TWO **BOLD * STAR** & ")
    assert '[LINK](http://a.b "t") AND <https://c.d>' in found
    assert "\\\n> HARD <b>HTML</b> SNAKE_CASE. ![ALT](i.png)\n" in found
    assert "- ITEM https://x.org/y. MORE[^1]\n  1. SUB [REF](http://r.r)\n- [ ] TASK\n" in found
    assert "| A | B \\| C |\n|---|---|\n| X **Y** | ~~Z~~ |\n" in found
    assert "    code\n\n```py\nx\n```\n\n<div>\nhtml\n</div>\n\nSETEXT\n======\n" in found
    assert "1986\\. A GREAT YEAR! AND _UNDER SCORE_ HERE.\n\n[^1]: THE NOTE.\n" in found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ""),
        ("\n\n", "\n\n"),
        ("One.\r\nTwo.\r\n", "ONE. TWO.\r\n"),
        ("\ufeff# One\n", "\ufeff# ONE\n"),
        ("**\n", "**\n"),
        ("**one** _two_ `three`", "**ONE** _TWO_ `three`"),
        ("a  \nb", "A  \nB"),
        ("x < y & z > w", "X < Y & Z > W"),
        ("+ a\n\n  + b\n", "+ A\n\n  + B\n"),
        ("~~~\nnot\n~~~", "~~~\nnot\n~~~"),
        ("[a](<b c> 't')", '[A](<b c> "t")'),
        ("> > deep\n> > er\n", "> > DEEP ER\n"),
    ],
)
def test_odd_markdown(content: str, expected: str):
    pytest.importorskip("markdown_it")
    if content.startswith("**one"):

        def keep_code(sentences: Iterable[str]) -> Iterator[list[str]]:
            yield from ([each.upper().replace("THREE", "three")] for each in sentences)

        assert text_of(content, "markdown", translate=keep_code) == expected
    else:
        assert text_of(content, "markdown") == expected


def test_what_a_translation_adds_is_no_markup():
    pytest.importorskip("markdown_it")

    def rude(sentences: Iterable[str]) -> Iterator[list[str]]:
        yield from (["# *loud* [x](y)"] for _ in sentences)

    assert text_of("One.\n\n- Two.\n", "markdown", translate=rude) == (
        "\\# \\*loud\\* \\[x\\](y)\n\n- \\# \\*loud\\* \\[x\\](y)\n"
    )


def test_faults_are_counted():
    def lossy(sentences: Iterable[str]) -> Iterator[list[str]]:
        for each in sentences:
            yield ["" if each == "Gone." else "نص"]

    result = translated("It killed 45 people. Gone. See https://a.org/x for more.", "text", translate=lossy)
    assert result.faults == {
        "other numbers or dates": [1],
        "not translated": [2],
        "address put back at the end": [3],
    }
    assert [each.target for each in result.sentences] == ["نص", "Gone.", "نص https://a.org/x"]
    assert next(shout(["a"])) == ["A"]
