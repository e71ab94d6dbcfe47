"""DOCX files, made and opened again by python-docx."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from mt.errors import DataError
from mt.languages import ARABIC, ENGLISH, LanguagePair
from tests.document_cases import translated

docx = pytest.importorskip("docx")
from docx.oxml import OxmlElement, parse_xml  # noqa: E402
from docx.oxml.ns import nsdecls, qn  # noqa: E402

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
NOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
NOTES_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"


def saved(document: Any) -> bytes:
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def opened(content: bytes) -> Any:
    return docx.Document(io.BytesIO(content))


def add(paragraph: Any, *parts: str) -> None:
    """Append XML, in which `w:` is the namespace of Word."""
    for part in parts:
        paragraph._p.append(parse_xml(re.sub(r"^<([\w:]+)", rf"<\1 {nsdecls('w', 'r')}", part)))


@pytest.fixture
def report() -> Any:
    """A document with all that a newsroom's has."""
    document = docx.Document()
    document.add_heading("The heading", 1)
    mixed = document.add_paragraph("First sentence with ")
    mixed.add_run("bold words").bold = True
    mixed.add_run(" inside. Second ")
    mixed.add_run("one").italic = True
    mixed.add_run(".")
    linked = document.add_paragraph("Read ")
    number = document.part.relate_to("https://example.org", LINK, is_external=True)
    add(linked, f'<w:hyperlink r:id="{number}"><w:r><w:t>the report</w:t></w:r></w:hyperlink>')
    linked.add_run(" of 45 villages.")
    add(linked, '<w:r><w:footnoteReference w:id="2"/></w:r>')
    document.add_paragraph("Item one", style="List Bullet")
    document.add_paragraph("Item two", style="List Number")
    table = document.add_table(2, 2)
    for index, text in enumerate(("Cell a", "Cell b", "12", "")):
        table.cell(index // 2, index % 2).text = text
    document.sections[0].header.paragraphs[0].text = "The header"
    document.sections[0].footer.paragraphs[0].text = "The footer"
    field = document.add_paragraph("See ")
    add(
        field,
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>',
        '<w:r><w:instrText xml:space="preserve"> HYPERLINK "http://a.b" </w:instrText></w:r>',
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r>',
        '<w:r><w:rPr><w:b/><w:sz w:val="20"/></w:rPr><w:t>that page</w:t></w:r>',
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>',
        '<w:bookmarkStart w:id="1" w:name="a"/>',
        '<w:r><w:t xml:space="preserve"> now</w:t></w:r>',
        '<w:bookmarkEnd w:id="1"/>',
    )
    document.add_paragraph("Name:\tValue\nNext line")
    document.add_paragraph("")
    note = '<w:footnote w:id="2"><w:p><w:r><w:t>The note.</w:t></w:r></w:p></w:footnote>'
    notes = f"<w:footnotes {nsdecls('w')}>{note}</w:footnotes>"
    part = docx.opc.part.Part(
        docx.opc.packuri.PackURI("/word/footnotes.xml"), NOTES_TYPE, notes.encode(), document.part.package
    )
    document.part.relate_to(part, NOTES)
    return document


def texts(document: Any) -> list[str]:
    return [paragraph.text for paragraph in document.paragraphs]


def test_report(report: Any):
    result = translated(saved(report), "docx")
    new = opened(result.content)
    assert texts(new) == [text.upper() for text in texts(report)]
    assert [each.style.name for each in new.paragraphs] == [each.style.name for each in report.paragraphs]
    assert [(run.text, run.bold, run.italic) for run in new.paragraphs[1].runs] == [
        ("FIRST SENTENCE WITH ", None, None),
        ("BOLD WORDS", True, None),
        (" INSIDE. SECOND ", None, None),
        ("ONE", None, True),
        (".", None, None),
    ]
    (link,) = new.paragraphs[2].hyperlinks
    assert (link.text, link.address) == ("THE REPORT", "https://example.org")
    assert len(list(new.element.body.iter(f"{W}footnoteReference"))) == 1
    assert [[cell.text for cell in row.cells] for row in new.tables[0].rows] == [["CELL A", "CELL B"], ["12", ""]]
    section = new.sections[0]
    assert (section.header.paragraphs[0].text, section.footer.paragraphs[0].text) == ("THE HEADER", "THE FOOTER")
    assert result.faults == {}
    with zipfile.ZipFile(io.BytesIO(result.content)) as archive:
        assert b">THE NOTE.<" in archive.read("word/footnotes.xml")
        names = set(archive.namelist())
    with zipfile.ZipFile(io.BytesIO(saved(report))) as archive:
        assert names == set(archive.namelist())


def test_field_keeps_its_order(report: Any):
    paragraph = opened(translated(saved(report), "docx").content).paragraphs[5]
    kinds = [
        each.get(f"{W}fldCharType") or each.text or each.tag.removeprefix(W)
        for each in paragraph._p.iter()
        if each.tag.removeprefix(W) in ("fldChar", "instrText", "t", "bookmarkStart", "bookmarkEnd")
    ]
    assert kinds == [
        *("SEE ", "begin", ' HYPERLINK "http://a.b" ', "separate", "THAT PAGE", "end"),
        *("bookmarkStart", " NOW", "bookmarkEnd"),
    ]


def test_breaks_and_tabs_stay(report: Any):
    paragraph = opened(translated(saved(report), "docx").content).paragraphs[6]
    assert paragraph.text == "NAME:\tVALUE\nNEXT LINE"


def arabic(sentences: Iterable[str]) -> Iterator[list[str]]:
    """Every sentence becomes `نص`, with the words of marks as they are listed."""
    known = {"bold words": "كلمات", "First sentence with bold words inside.": "جملة فيها كلمات هنا."}
    yield from ([known.get(each, "نص")] for each in sentences)


def test_right_to_left(report: Any):
    report.paragraphs[1].runs[1].font.size = docx.shared.Pt(20)
    new = opened(translated(saved(report), "docx", translate=arabic).content)
    roots = [new.element.body, new.sections[0].header._element]
    for root in roots:
        assert all(each.find(f"{W}pPr/{W}bidi") is not None for each in root.iter(f"{W}p"))
    assert new.tables[0]._tbl.tblPr.find(f"{W}bidiVisual") is not None
    run = new.paragraphs[1].runs[1]
    assert run.text == "كلمات"
    names = [each.tag.removeprefix(W) for each in run._r.rPr]
    assert names == ["b", "bCs", "sz", "szCs", "rtl"], "Word wants them in the order of its schema"
    # Numbers and Latin letters alone are no Arabic.
    page = opened(translated(saved(report), "docx").content)
    assert page.paragraphs[0].runs[0]._r.rPr is None
    heading = [each.tag.removeprefix(W) for each in new.paragraphs[0]._p.pPr]
    assert heading == ["pStyle", "bidi"]


def test_left_to_right():
    document = docx.Document()
    document.add_paragraph("نص. نص.")
    new = opened(translated(saved(document), "docx", languages=LanguagePair(ARABIC, ENGLISH)).content)
    assert new.element.body.find(f".//{W}bidi") is None
    assert new.element.body.find(f".//{W}rtl") is None


def test_runs_that_look_alike_are_one_text():
    document = docx.Document()
    paragraph = document.add_paragraph()
    for part in ("Th", "e ar", "my le", "ft."):
        paragraph.add_run(part)
    paragraph.runs[1]._r.get_or_add_rPr().append(OxmlElement("w:noProof"))
    asked: list[str] = []

    def spy(sentences: Iterable[str]) -> Iterator[list[str]]:
        asked.extend(sentences)
        yield from ([each.upper()] for each in asked)

    assert texts(opened(translated(saved(document), "docx", translate=spy).content)) == ["THE ARMY LEFT."]
    assert asked == ["The army left."]


def test_text_boxes_and_changes():
    document = docx.Document()
    paragraph = document.add_paragraph("Outside. ")
    box = "<w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent>"
    add(paragraph, f"<w:r><w:pict>{box}</w:pict></w:r>")
    changed = document.add_paragraph("It ")
    add(
        changed,
        '<w:ins w:id="5" w:author="a"><w:r><w:t xml:space="preserve">really </w:t></w:r></w:ins>',
        '<w:del w:id="6" w:author="a"><w:r><w:delText>never </w:delText></w:r></w:del>',
        "<w:r><w:t>fell.</w:t></w:r>",
    )
    assert qn("w:p") == f"{W}p"
    new = opened(translated(saved(document), "docx").content)
    body = new.element.body
    assert [each.text for each in body.iter(f"{W}t")] == ["OUTSIDE. ", "IN THE BOX.", "IT ", "REALLY", " FELL."]
    assert len(list(body.iter(f"{W}txbxContent"))) == 1
    assert [each.text for each in body.iter(f"{W}delText")] == ["never "]
    assert "REALLY" in "".join(body.find(f".//{W}ins").itertext())


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * (80 << 20))
    return stream.getvalue()


def archive_of(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"", "in: not a DOCX file (File is not a zip file); save it as .docx with a word processor"),
        (lambda: b"just text", "in: not a DOCX file (File is not a zip file)"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "in: an old .doc file, or protected by a password"),
        (bomb, "unpack to 83886080, which no document does"),
        (lambda: archive_of(a="b"), "in: not a DOCX file that can be read ("),
        (lambda: saved(docx.Document())[:-400], "in: not a DOCX file ("),
    ],
)
def test_what_is_no_docx(make: Any, message: str):
    with pytest.raises(DataError, match=re.escape(message)) as raised:
        translated(make(), "docx")
    assert "\n" not in str(raised.value)


def test_damaged_part():
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(docx.Document()))) as old, zipfile.ZipFile(stream, "w") as new:
        for entry in old.infolist():
            is_body = entry.filename == "word/document.xml"
            new.writestr(entry.filename, old.read(entry)[: -40 if is_body else None])
    with pytest.raises(DataError, match="in: damaged inside"):
        translated(stream.getvalue(), "docx")
