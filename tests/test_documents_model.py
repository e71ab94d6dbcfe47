"""Documents through the included model, by the command, opened again by the libraries that wrote them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from lxml import etree

from tests.helpers import run

pytestmark = pytest.mark.slow

SENTENCES = [
    "The Syrian army entered the city on Monday.",
    "The Security Council called for an end to the fighting.",
    "Five people were killed, a doctor said.",
]
SRT = "1\n00:00:01,000 --> 00:00:02,500\n<i>{}</i>\n\n2\n00:00:03,000 --> 00:00:04,000\n{}\n\n"
XLIFF = """<xliff version="1.2"><file source-language="en" target-language="ar"><body>
<trans-unit id="1"><source><g id="1">{}</g> {}</source></trans-unit>
</body></file></xliff>"""


def is_arabic(text: str) -> bool:
    return any("\u0620" <= character <= "\u064a" for character in text)


def test_word_subtitles_and_xliff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    docx, srt = pytest.importorskip("docx"), pytest.importorskip("srt")
    monkeypatch.chdir(tmp_path)
    document = docx.Document()
    document.add_heading(SENTENCES[0], 1)
    paragraph = document.add_paragraph()
    paragraph.add_run(SENTENCES[1]).bold = True
    paragraph.add_run(f" {SENTENCES[2]}")
    document.add_table(1, 1).cell(0, 0).text = SENTENCES[0]
    document.save("a.docx")
    Path("a.srt").write_text(SRT.format(*SENTENCES[:2]))
    Path("a.xlf").write_text(XLIFF.format(*SENTENCES[:2]))
    argv = ["a.docx", "a.srt", "a.xlf", "--decoding.num_beams", "1"]
    assert run(monkeypatch, "mt", "translate", "tiny-en-ar", *argv) == 0

    new = docx.Document("a.ar.docx")
    assert [each.style.name for each in new.paragraphs] == ["Heading 1", "Normal"]
    assert [bool(each.bold) for each in new.paragraphs[1].runs] == [True, False]
    texts = [*(each.text for each in new.paragraphs), *(each.text for each in new.paragraphs[1].runs)]
    assert all(map(is_arabic, [*texts, new.tables[0].cell(0, 0).text]))
    assert new.tables[0].cell(0, 0).text == new.paragraphs[0].text

    old, cues = (list(srt.parse(Path(name).read_text(encoding="utf-8"))) for name in ("a.srt", "a.ar.srt"))
    assert [(cue.index, cue.start, cue.end) for cue in cues] == [(cue.index, cue.start, cue.end) for cue in old]
    assert cues[0].content.replace("\n", " ") == f"<i>{new.paragraphs[0].text}</i>"

    (target,) = etree.parse("a.ar.xlf").iter("target")
    assert [child.tag for child in target] == ["g"]
    assert target[0].text == new.paragraphs[0].text
    assert is_arabic(target[0].tail)


def test_paragraph_of_400_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
    text = " ".join(sentence.replace("Monday", day) for day in days for sentence in SENTENCES * 3)
    assert len(text.split()) == 450
    Path("a.txt").write_text(text)
    argv = ["a.txt", "--format", "text", "--bilingual", "--decoding.num_beams", "1"]
    assert run(monkeypatch, "mt", "translate", "tiny-en-ar", *argv) == 0
    with Path("a.ar.txt.bilingual.tsv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["source"] for row in rows] == [
        sentence.replace("Monday", day) for day in days for sentence in SENTENCES * 3
    ]
    assert all(is_arabic(row["target"]) for row in rows)
    assert " ".join(row["target"] for row in rows) == Path("a.ar.txt").read_text(encoding="utf-8")
