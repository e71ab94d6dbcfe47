"""`docx`: documents of Word, read and written by python-docx: body, tables, headers, footers, notes, text boxes."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from lxml import etree

from mt.documents.marked import Marked, Unit
from mt.documents.reading import require
from mt.documents.word_runs import Paragraph, W, put_before
from mt.errors import DataError
from mt.languages import LanguagePair

_TRANSLATED = ("document.main+xml", "header+xml", "footer+xml", "footnotes+xml", "endnotes+xml")
_FREE_BYTES = 64 << 20
_MAX_RATIO = 150
_OLD_WORD = b"\xd0\xcf\x11\xe0"
# Behind `w:bidi` in the schema.
_BEHIND_BIDI = str.split(
    "adjustRightInd snapToGrid spacing ind contextualSpacing mirrorIndents suppressOverlap jc textDirection "
    "textAlignment textboxTightWrap outlineLvl divId cnfStyle rPr sectPr pPrChange"
)
_BEHIND_BIDI_VISUAL = str.split(
    "tblStyleRowBandSize tblStyleColBandSize tblW jc tblCellSpacing tblInd tblBorders shd tblLayout tblCellMar "
    "tblLook tblCaption tblDescription tblPrChange"
)


class WordDocument:
    """A DOCX file, whose units are its paragraphs."""

    def __init__(self, document: Any) -> None:
        """document: of python-docx."""
        self._document = document
        self._roots: list[tuple[Any, Any]] = []
        self.units: list[Unit] = []
        self._paragraphs: list[Paragraph] = []
        for part in document.part.package.iter_parts():
            if str(part.content_type).endswith(_TRANSLATED):
                self._read(part)

    def _read(self, part: Any) -> None:
        from docx.oxml import parse_xml

        # python-docx keeps the parts that it does not know as bytes: foot- and endnotes.
        is_bytes = not hasattr(part, "element")
        root = parse_xml(part.blob) if is_bytes else part.element
        self._roots.append((part if is_bytes else None, root))
        name = str(part.partname).rpartition("/")[2].removesuffix(".xml")
        for number, element in enumerate(root.iter(f"{W}p"), start=1):
            paragraph = Paragraph(element)
            if paragraph.marked.text.strip():
                self.units.append(Unit(paragraph.marked, f"{name}, paragraph {number}"))
                self._paragraphs.append(paragraph)

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The document; paragraphs, tables and runs say so if the target language is written from right to left."""
        is_rtl = languages.target.direction == "rtl"
        for paragraph, translation in zip(self._paragraphs, translations, strict=True):
            paragraph.write(translation, is_rtl=is_rtl)
        for part, root in self._roots:
            if is_rtl:
                _make_rtl(root)
            if part is not None:
                part._blob = etree.tostring(root, encoding="UTF-8", xml_declaration=True, standalone=True)
        stream = io.BytesIO()
        self._document.save(stream)
        return stream.getvalue()


def read_word(content: bytes, name: str) -> WordDocument:
    """A DOCX file. Raises `DataError` for any other file, and for one that unpacks to far more than any text."""
    require("python-docx", "docx", name)
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    _check_archive(content, name)
    try:
        return WordDocument(docx.Document(io.BytesIO(content)))
    except (PackageNotFoundError, KeyError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        problem = " ".join(str(error).replace("<_io.BytesIO object", "the file").split())[:150]
        raise DataError(f"{name}: not a DOCX file that can be read ({problem}); save it again as .docx") from error
    except etree.XMLSyntaxError as error:
        raise DataError(f"{name}: damaged inside ({' '.join(str(error).split())}); save it again as .docx") from error


def _check_archive(content: bytes, name: str) -> None:
    if content.startswith(_OLD_WORD):
        raise DataError(f"{name}: an old .doc file, or protected by a password; save it as .docx, without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(f"{name}: not a DOCX file ({error}); save it as .docx with a word processor") from error
    if size > max(_FREE_BYTES, _MAX_RATIO * len(content)):
        raise DataError(
            f"{name}: its {len(content)} bytes unpack to {size}, which no document does; if it is right, save its text "
            "as several documents"
        )


def _make_rtl(root: Any) -> None:
    """Turn the paragraphs, and the order of the columns of tables, to right to left."""
    from docx.oxml import OxmlElement

    for paragraph in root.iter(f"{W}p"):
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            properties = OxmlElement("w:pPr")
            paragraph.insert(0, properties)
        if properties.find(f"{W}bidi") is None:
            put_before(properties, "bidi", _BEHIND_BIDI)
    for properties in root.iter(f"{W}tblPr"):
        if properties.find(f"{W}bidiVisual") is None:
            put_before(properties, "bidiVisual", _BEHIND_BIDI_VISUAL)
