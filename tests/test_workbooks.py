"""Workbooks of spreadsheet programs: sheets, columns, cells, and what is none."""

import sys
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from mt.errors import DataError
from tests.helpers import read_pairs

Cell = str | int | float
PAIRS = [("The convoy left the town.", "غادرت القافلة البلدة."), ("Nobody was killed.", "لم يقتل أحد.")]
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def xlsx(path: Path, **sheets: list[list[Cell]]) -> Path:
    """A workbook of the parts that the format cannot do without."""
    numbered = list(enumerate(sheets.items(), start=1))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="text/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" Type="{_OFFICE}/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, (name, _) in numbered)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/s{n}.xml"/>' for n, _ in numbered
        )
        + "</Relationships>",
        **{f"xl/worksheets/s{n}.xml": _sheet(rows) for n, (_, rows) in numbered},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


def _sheet(rows: list[list[Cell]]) -> str:
    body = ""
    for number, row in enumerate(rows, start=1):
        cells = ((f"{chr(65 + column)}{number}", cell) for column, cell in enumerate(row) if cell != "")
        body += f'<row r="{number}">' + "".join(_cell(*cell) for cell in cells) + "</row>"
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'


def _cell(name: str, value: Cell) -> str:
    if isinstance(value, str):
        return f'<c r="{name}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{name}"><v>{value}</v></c>'


def ods(path: Path, rows: list[tuple[str, str]]) -> Path:
    cells = (
        "".join(f'<table:table-cell office:value-type="string"><text:p>{t}</text:p></table:table-cell>' for t in row)
        for row in rows
    )
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    base = "urn:oasis:names:tc:opendocument:xmlns"
    names = " ".join(f'xmlns:{name}="{base}:{name}:1.0"' for name in ("office", "table", "text"))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{base}:manifest:1.0"/>')
        file.writestr(
            "content.xml",
            f'<office:document-content {names}><office:body><office:spreadsheet><table:table table:name="One">{body}'
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
    return path


def rows(*header: Cell) -> list[list[Cell]]:
    return [list(header), *([number, english, arabic] for number, (english, arabic) in enumerate(PAIRS, start=1))]


def test_each_sheet_is_a_document(tmp_path: Path):
    path = xlsx(tmp_path / "desk.xlsx", May=rows("No", "English", "Arabic"), June=rows("", "", "")[1:])
    pairs = read_pairs(path)
    assert [(pair.source, pair.target) for pair in pairs] == PAIRS * 2
    assert [pair.document for pair in pairs] == ["May", "May", "June", "June"]
    assert [pair.origin for pair in pairs[1:3]] == [f"{path}:May:3", f"{path}:June:1"]


def test_one_sheet_alone_is_a_corpus(tmp_path: Path):
    header = rows("Story", "Source text", "Target text")
    assert [pair.document for pair in read_pairs(xlsx(tmp_path / "a.xlsx", One=header))] == ["", ""]
    named = read_pairs(xlsx(tmp_path / "a.xlsx", One=header), document_column="story")
    assert [pair.document for pair in named] == ["1", "2"]
    blank = [*header[:2], ["", "", ""], *header[2:]]
    assert [pair.document for pair in read_pairs(xlsx(tmp_path / "a.xlsx", One=blank))] == ["One:part 1", "One:part 2"]
    two = read_pairs(xlsx(tmp_path / "b.xlsx", One=rows("doc", "en", "ar"), Two=blank))
    assert [pair.document for pair in two] == ["One:1", "One:2", "Two:part 1", "Two:part 2"]


def test_cells_are_text(tmp_path: Path):
    table: list[list[Cell]] = [["en", "ar"], [2023, 2023.5], ["A\nwar.", 'حرب "س".'], ["A city."]]
    pairs = read_pairs(xlsx(tmp_path / "a.xlsx", One=table))
    assert [pair[:2] for pair in pairs] == [("2023", "2023.5"), ("A\nwar.", 'حرب "س".'), ("A city.", "")]


def test_sheets_of_something_else_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    notes: list[list[Cell]] = [["Who", "What", "When"], ["Sam", "checked", "May"]]
    path = xlsx(tmp_path / "a.xlsx", Notes=notes, Empty=[], One=rows("No", "English", "Arabic"))
    assert [pair[:2] for pair in read_pairs(path)] == PAIRS
    assert "a.xlsx:Notes:1: neither names nor letters tell which of its 3 columns is English" in caplog.text
    assert "this sheet is left out" in caplog.text
    with pytest.raises(DataError, match=r"a\.xlsx:Notes:1: neither names nor letters tell which of its 3 columns"):
        read_pairs(xlsx(tmp_path / "a.xlsx", Notes=notes))


def test_a_sheet_of_opendocument(tmp_path: Path):
    assert [pair[:2] for pair in read_pairs(ods(tmp_path / "a.ODS", [("English", "Arabic"), *PAIRS]))] == PAIRS


def test_what_is_no_workbook(tmp_path: Path):
    path = tmp_path / "a.xlsx"
    path.write_text("english,arabic\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.xlsx: cannot be read as a workbook \(.*\); save the sheet as CSV UTF-8"):
        read_pairs(path)
    whole = xlsx(path, One=rows("No", "English", "Arabic")).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a\.xlsx: cannot be read as a workbook"):
        read_pairs(path)


def test_a_workbook_that_unfolds_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mt.data.formats.sheets._MAX_BYTES", 50_000)
    path = xlsx(tmp_path / "a.xlsx", One=[["en", "ar"], *[["A war.", "حرب."]] * 2000])
    assert path.stat().st_size < 50_000
    with pytest.raises(DataError, match="a workbook of more than 50000 bytes, unpacked; save the sheet as CSV UTF-8"):
        read_pairs(path)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(
        DataError, match=r"workbooks need python-calamine, which is not installed; save the sheet as CSV"
    ):
        read_pairs(xlsx(tmp_path / "a.xlsx", One=rows("No", "English", "Arabic")))
