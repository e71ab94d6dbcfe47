"""SRT and VTT, opened again by the libraries that read them."""

from __future__ import annotations

import re

import pytest

from mt.documents.formats import Format
from mt.errors import DataError
from tests.document_cases import text_of

pytest.importorskip("srt")
pytest.importorskip("webvtt")

SRT = """\
1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> <font color="#ff0000">there</font>, this is a longer line
that goes on in a second line.

7
00:00:03,000 --> 00:00:04,000 X1:10 X2:20
{\\an8}- A word
- <i>B</i> & C <c>

8
00:00:05,000 --> 00:00:06,000
<b></b>

9
00:00:07,000 --> 00:00:08,000
12:30

"""
CUE = "\ufeff1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n"
SRT_END = "1\n00:00:01,000 --> 00:00:02,000\nOne.\n\nTwo.\n\n"
VTT = """\
WEBVTT - Title
Kind: captions

STYLE
::cue { color: red }

NOTE a comment

intro
00:00:01.000 --> 00:00:02.500 position:10% line:0 align:start
<v Roger>Hello <c.yellow>there</c> &amp; <00:00:02.000>you

00:00:03.000 --> 00:00:04.000
<i>Two</i>
"""


def test_srt():
    import srt

    found = text_of(SRT, "srt")
    assert found == (
        "1\n00:00:01,000 --> 00:00:02,500\n"
        '<i>HELLO</i> <font color="#ff0000">THERE</font>, THIS IS A LONGER LINE\nTHAT GOES ON IN A SECOND LINE.\n\n'
        "7\n00:00:03,000 --> 00:00:04,000 X1:10 X2:20\n{\\an8}- A WORD\n- <i>B</i> & C <c>\n\n"
        "8\n00:00:05,000 --> 00:00:06,000\n<b></b>\n\n9\n00:00:07,000 --> 00:00:08,000\n12:30\n\n"
    )
    times = [[(cue.index, cue.start, cue.end, cue.proprietary) for cue in srt.parse(text)] for text in (SRT, found)]
    assert times[0] == times[1]


def test_vtt():
    import webvtt

    found = text_of(VTT, "vtt")
    assert "WEBVTT - Title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE a comment\n\nintro\n" in found
    assert (
        "--> 00:00:02.500 position:10% line:0 align:start\n<v Roger>HELLO <c.yellow>THERE</c><00:00:02.000> &amp; YOU\n"
        in found
    )
    assert found.endswith("00:00:03.000 --> 00:00:04.000\n<i>TWO</i>\n")
    old, new = (webvtt.from_string(text) for text in (VTT, found))
    assert [(cue.identifier, cue.start, cue.end) for cue in new] == [
        (cue.identifier, cue.start, cue.end) for cue in old
    ]


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        ("", "srt", ""),
        (CUE.replace("\n", "\r\n"), "srt", CUE.upper().replace("\n", "\r\n")),
        ("1\n00:00:01,000 --> 00:00:02,000\n\n\n", "srt", None),
        ("WEBVTT\n", "vtt", "WEBVTT\n"),
        # What follows a blank line without times belongs to the cue before.
        (SRT_END, "srt", SRT_END.upper()),
    ],
)
def test_odd_subtitles(content: str, kind: Format, expected: str | None):
    import srt

    found = text_of(content, kind)
    if expected is not None:
        assert found == expected
    else:
        assert [cue.content for cue in srt.parse(found)] == [
            re.sub(r"(?<![<\/])\b[a-z]\b(?!>)", lambda match: match.group().upper(), cue.content)
            for cue in srt.parse(content)
        ]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ("Just text.\n", "srt", "in:1: no subtitle with its number and times, as `00:00:01,000 --> 00:00:02,500`"),
        (SRT.replace("00:00:03,000 -->", "00:00:0x,000 -->"), "srt", "in:6: no subtitle with its number and times"),
        ("Just text.\n", "vtt", "in:1: no WebVTT file"),
        ("", "vtt", "in:1: no WebVTT file"),
        ("WEBVTT\n\n00:99 --> 1\nHello\n", "vtt", "in:3: belongs to no cue with times such as"),
        (VTT + "\nSome text\n\n" + VTT[-50:], "vtt", "in:16: belongs to no cue with times such as"),
    ],
)
def test_what_is_no_subtitle(content: str, kind: Format, message: str):
    with pytest.raises(DataError, match=re.escape(message)) as raised:
        text_of(content, kind)
    assert "\n" not in str(raised.value)
