"""The formats of documents, by name and by the ending of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from mt.documents.marked import Document
from mt.errors import DataError, UsageError
from mt.languages import LanguagePair
from mt.text.lines import COMPRESSED

Format = Literal["lines", "text", "markdown", "docx", "srt", "vtt", "html", "xliff", "tmx", "csv", "tsv"]
"""`lines` is one sentence per line, streamed; all others are documents, read whole."""

FORMATS: tuple[Format, ...] = get_args(Format)

_ENDINGS: dict[str, Format] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".docx": "docx",
    ".srt": "srt",
    ".vtt": "vtt",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".xlf": "xliff",
    ".xliff": "xliff",
    ".sdlxliff": "xliff",
    ".mqxliff": "xliff",
    ".mxliff": "xliff",
    ".tmx": "tmx",
    ".csv": "csv",
    ".tsv": "tsv",
}
# What people will try, and what to do instead.
_OTHERS = {
    ".doc": "save it as .docx",
    ".odt": "save it as .docx",
    ".rtf": "save it as .docx",
    ".pdf": "save its text as .docx or .txt",
    ".xlsx": "save the sheet as .csv",
    ".xls": "save the sheet as .csv",
    ".ods": "save the sheet as .csv",
    ".pptx": "save its text as .txt",
    ".epub": "save its chapters as .html",
    ".zip": "unpack it",
}


def format_of(file: str) -> Format:
    """The format of a file by its name: `lines` for standard input, `.txt` and endings that are not known.

    Raises `DataError` for what is certainly no text.
    """
    ending = Path(file).suffix.lower()
    if ending in _OTHERS:
        raise DataError(f"{file}: {ending} files cannot be translated; {_OTHERS[ending]}")
    if ending in COMPRESSED and Path(Path(file).stem).suffix.lower() in _ENDINGS:
        raise DataError(f"{file}: only plain lines may be compressed; unpack the document")
    return _ENDINGS.get(ending, "lines")


def check_column(formats: list[Format], column: str | None) -> None:
    """Raise `UsageError` for `--column` without a table."""
    if column is not None and not {"csv", "tsv"} & set(formats):
        raise UsageError("--column is for csv and tsv files")


def read_document(content: bytes, name: str, kind: Format, column: str | None, languages: LanguagePair) -> Document:
    """A document of a format other than `lines`. Raises `DataError`, naming place and remedy."""
    # Each format imports its library only when it is used.
    if kind == "csv" or kind == "tsv":
        from mt.documents.tables import read_table

        return read_table(content, name, kind, column)
    if kind == "xliff" or kind == "tmx":
        from mt.documents.tmx import read_tmx
        from mt.documents.xliff import read_xliff

        memory = read_xliff(content, name) if kind == "xliff" else read_tmx(content, name)
        memory.check_languages(languages)
        return memory
    return _read_text(content, name, kind)


def _read_text(content: bytes, name: str, kind: Format) -> Document:
    from mt.documents import html, markdown, paragraphs, subtitles, word

    readers: dict[str, Callable[[bytes, str], Document]] = {
        "text": paragraphs.read_paragraphs,
        "markdown": markdown.read_markdown,
        "docx": word.read_word,
        "srt": subtitles.read_srt,
        "vtt": subtitles.read_vtt,
        "html": html.read_html,
    }
    return readers[kind](content, name)
