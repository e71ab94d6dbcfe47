"""`mt translate`: which files it takes, where translations go, and what it refuses before a model is loaded."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from pathlib import Path

import pytest

from mt.commands.translate import files_first, parse_translate
from mt.config import CorpusConfig
from mt.data.readers import read_corpus
from mt.documents import outputs
from mt.errors import DataError, UsageError
from mt.files import UNFINISHED
from mt.report import reading_page
from mt.systems import translating
from tests.document_cases import Shouting
from tests.helpers import only_line, run

TEXT = "One came. Two left.\n\nThree.\n"
XLIFF = (
    '<xliff version="1.2"><file source-language="en"><body><trans-unit id="1"><source>One.</source></trans-unit>'
    "</body></file></xliff>"
)


@pytest.fixture(autouse=True)
def shouting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(translating, "open_translator", lambda *_: Shouting())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translating, "open_translator", lambda *_: pytest.fail("loaded"))


def translate(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    return run(monkeypatch, "mt", "translate", "tiny-en-ar", *argv, "--decoding.engine", "torch")


def test_lines_go_to_standard_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    Path("in.txt").write_text(TEXT)
    assert translate(monkeypatch, "in.txt") == 0
    assert capsys.readouterr().out == "ONE CAME. TWO LEFT.\n\nTHREE.\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert translate(monkeypatch) == 0
    assert capsys.readouterr().out == "ONE CAME. TWO LEFT.\n\nTHREE.\n"
    assert list(Path().iterdir()) == [Path("in.txt")]


def test_documents_go_beside_themselves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    Path("news").mkdir()
    Path("news/a.en.html").write_text("<p>One.</p>")
    Path("b.xlf").write_text(XLIFF)
    assert translate(monkeypatch, "news/a.en.html", "b.xlf") == 0
    assert capsys.readouterr().out.splitlines() == ["news/a.ar.html", "b.ar.xlf"]
    assert Path("news/a.ar.html").read_text() == '<p lang="ar" dir="rtl">ONE.</p>'
    assert ">ONE.</target>" in Path("b.ar.xlf").read_text()
    assert not [path for path in Path().rglob("*") if path.name.startswith(UNFINISHED)]


def test_text_of_paragraphs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    Path("in.txt").write_text(TEXT)
    assert translate(monkeypatch, "in.txt", "--format", "text") == 0
    assert capsys.readouterr().out == "in.ar.txt\n"
    assert Path("in.ar.txt").read_text() == TEXT.upper()


def test_output_is_a_file_a_directory_or_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    Path("a.html").write_text("One")
    Path("b.txt").write_text("Two\n")
    assert translate(monkeypatch, "a.html", "--output", "x.html") == 0
    assert translate(monkeypatch, "--output", "out/", "a.html") == 0
    assert translate(monkeypatch, "a.html", "b.txt", "--output", "out2") == 0
    assert capsys.readouterr().out.split() == ["x.html", "out/a.ar.html", "out2/b.ar.txt", "out2/a.ar.html"]
    assert [Path(name).read_text() for name in ("x.html", "out/a.ar.html", "out2/b.ar.txt")] == ["ONE", "ONE", "TWO\n"]
    assert translate(monkeypatch, "b.txt", "--output", "c.txt") == 0
    assert Path("c.txt").read_text() == "TWO\n"


def test_document_through_standard_streams(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"<p>One.</p>")))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(os.fdopen(os.dup(1), "wb", 0), write_through=True))
    assert translate(monkeypatch, "-", "--format", "html") == 0
    assert capfdbinary.readouterr().out == b'<p lang="ar" dir="rtl">ONE.</p>'


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["a.html"], "a.ar.html: is there already; give --overwrite to replace it, or --output"),
        (["a.html", "--output", "a.html", "--overwrite"], "a.html: the translation would be written over the document"),
        (["a.html", "b.html", "--output", "b.html", "--overwrite"], "is a file; of several documents, give a"),
        (["a.html", "--output", "link", "--overwrite"], "link: the translation would be written over the document"),
        (["a.html", "new/a.html", "--output", "o"], "o/a.ar.html: would be the translation of several files"),
        (["a.html", "a.html"], "a file is named twice; name it once"),
        (["b.html", "new/../b.html"], "b.ar.html: would be the translation of several files"),
        (["a.html", "b.html", "--output", "-"], "only one translation can go to standard output"),
        (["--bilingual"], "--bilingual needs a name: give --output FILE, or a file to translate"),
        (["a.html", "-"], "-: the translation needs a name; give --output FILE"),
        (["--page"], "--page needs a name: give --output FILE, or a file to translate"),
        (["b.html", "--page"], "b.ar.html.review.html: is there already; give --overwrite"),
        (["b.html", "--bilingual"], "b.ar.html.bilingual.tsv: is there already; give --overwrite"),
        (["none.html"], "none.html: no such text file (seen from "),
        (["new"], "new: no such text file (seen from "),
        (["a.pdf"], "a.pdf: .pdf files cannot be translated; save its text as .docx or .txt"),
        (["a.html.gz"], "a.html.gz: only plain lines may be compressed; unpack the document"),
        (["a.html", "--format", "word"], "--format must be one of lines, text, markdown, docx, srt, vtt, html, xliff,"),
        (["a.html", "--column", "2"], "--column is for csv and tsv files"),
        (["t.csv"], "t.csv: which column? Give --column NAME or NUMBER; its columns are 1 `id`, 2 `text`"),
        (["bad.xlf"], "bad.xlf:1: not valid XML ("),
        (["b.html", "bad.xlf"], "bad.xlf:1: not valid XML ("),
        (["bad.docx"], "bad.docx: not a DOCX file (File is not a zip file)"),
        (["a.html", "--output", "a.pdf/x/o.html"], "a.pdf/x/o.html: cannot be written (a.pdf is no directory); give"),
        (["a.html", "--output", "x" * 250, "--page"], ".review.html: cannot be written (File name too long); give"),
        (["b.html", "--output", "closed/o.html"], "closed/o.html: cannot be written (closed is not writable); give"),
        (
            ["b.html", "--output", "pipe", "--overwrite"],
            "pipe: is a pipe or a device, which a file would replace",
        ),
        (
            ["b.html", "--output", "to_null", "--overwrite"],
            "to_null: is a pipe or a device, which a",
        ),
        (["b.html", "--output", "closed/new/o.html"], "cannot be written (closed is not writable); give --output"),
    ],
)
def test_refused_before_a_model_is_loaded(
    argv: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    if "bad.docx" in argv:
        pytest.importorskip("docx")
    Path("new").mkdir()
    for name in ("a.html", "a.ar.html", "b.html", "new/a.html", "b.ar.html.bilingual.tsv", "b.ar.html.review.html"):
        Path(name).write_text("One")
    for name in ("a.pdf", "a.html.gz"):
        Path(name).write_text("One")
    Path("t.csv").write_text("id,text\n1,One\n")
    Path("bad.xlf").write_text("<xliff")
    Path("bad.docx").write_text("text")
    Path("link").symlink_to("a.html")
    Path("to_null").symlink_to("/dev/null")
    os.mkfifo("pipe")
    Path("closed").mkdir()
    access = os.access
    # A test that root runs may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed" and access(path, mode))
    before = sorted(Path().rglob("*"))
    assert translate(monkeypatch, *argv) in (1, 2)
    assert message in only_line(capsys)
    assert sorted(Path().rglob("*")) == before


def test_overwriting_when_told(monkeypatch: pytest.MonkeyPatch):
    Path("a.html").write_text("One")
    Path("a.ar.html").write_text("old")
    assert translate(monkeypatch, "a.html", "--overwrite") == 0
    assert Path("a.ar.html").read_text() == "ONE"


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("a.docx", "docx", "python-docx"),
        ("a.md", "markdown_it", "markdown-it-py"),
        ("a.srt", "srt", "srt"),
        ("a.vtt", "webvtt", "webvtt-py"),
    ],
)
def test_package_that_is_missing(
    name: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from mt.documents import reading

    find_spec = reading.find_spec
    monkeypatch.setattr(reading, "find_spec", lambda name: None if name == module else find_spec(name))
    Path(name).write_text("One.")
    assert translate(monkeypatch, name) == 1
    assert only_line(capsys) == (
        f"mt translate: {name}: needs the package `{package}`, which is not installed: "
        "pip install 'mt-conflict-news[documents]'\n"
    )


def test_bilingual_table_is_a_corpus(monkeypatch: pytest.MonkeyPatch):
    class Arabic(Shouting):
        def decode(self, token_ids: list[list[int]]) -> list[str]:
            return [f"جملة «{len(ids)}»" if 34 not in ids else '"جملة" هنا' for ids in token_ids]

    monkeypatch.setattr(translating, "open_translator", lambda *_: Arabic())
    Path("a.txt").write_text('One came. "Two" left.\n\n=3 and\tfour\n')
    assert translate(monkeypatch, "a.txt", "--format", "text", "--bilingual") == 0
    assert Path("a.ar.txt.bilingual.tsv").read_text(encoding="utf-8") == (
        "\ufeffsource\ttarget\tmachine\tfile\tsegment\n"
        "One came.\tجملة «9»\tجملة «9»\ta.txt\t1\n"
        '"""Two"" left."\t"""جملة"" هنا"\t"""جملة"" هنا"\ta.txt\t2\n'
        "'=3 and\tجملة «6»\tجملة «6»\ta.txt\t3\n"
        "four\tجملة «4»\tجملة «4»\ta.txt\t4\n"
    )
    text = Path("a.ar.txt.bilingual.tsv").read_text(encoding="utf-8")
    Path("b.bilingual.tsv").write_text(text.replace('"""جملة"" هنا"', '"""جملتان"" هنا"', 1), encoding="utf-8")
    pairs = list(read_corpus("news", CorpusConfig(path="b.bilingual.tsv")))
    assert [(pair.source, pair.target, pair.document, pair.fault is None) for pair in pairs] == [
        ("One came.", "جملة «9»", "a.txt", False),
        ('"Two" left.', '"جملتان" هنا', "a.txt", True),
        ("=3 and", "جملة «6»", "a.txt", False),
        ("four", "جملة «4»", "a.txt", False),
    ]


def test_bilingual_table_of_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    Path("in.txt").write_text(TEXT)
    assert translate(monkeypatch, "in.txt", "--bilingual") == 0
    captured = capsys.readouterr()
    assert captured.out == "ONE CAME. TWO LEFT.\n\nTHREE.\n"
    assert "in.ar.txt.bilingual.tsv" in captured.err
    rows = Path("in.ar.txt.bilingual.tsv").read_text(encoding="utf-8-sig").splitlines()
    assert rows[1:] == [
        "One came. Two left.\tONE CAME. TWO LEFT.\tONE CAME. TWO LEFT.\tin.txt\t1",
        "\t\t\tin.txt\t2",
        "Three.\tTHREE.\tTHREE.\tin.txt\t3",
    ]


@pytest.mark.parametrize(("kind", "expected"), [("lines", TEXT.upper()), ("html", "ONE CAME. TWO LEFT. THREE.\n")])
def test_pipes_are_read(
    kind: str, expected: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
):
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_text(TEXT))
    writer.start()
    assert translate(monkeypatch, "pipe", "--format", kind, "--output", "out.txt") == 0
    writer.join()
    assert Path("out.txt").read_text() == expected
    assert capfdbinary.readouterr().out == b"out.txt\n"


def test_nothing_is_left_of_what_fails(monkeypatch: pytest.MonkeyPatch):
    class Failing(Shouting):
        def decode(self, token_ids: list[list[int]]) -> list[str]:
            raise DataError("broken")

    monkeypatch.setattr(translating, "open_translator", lambda *_: Failing())
    Path("a.html").write_text("One")
    Path("b.txt").write_text("One\n")
    for name in ("a.html", "b.txt"):
        assert translate(monkeypatch, name, "--output", "out.html", "--bilingual") == 1
    assert sorted(Path().iterdir()) == [Path("a.html"), Path("b.txt")]


@pytest.mark.parametrize("name", ["a.html", "b.txt"])
def test_translation_and_table_survive_a_page_that_fails(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def render(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading_page, "render_page", render)
    monkeypatch.setattr("mt.systems.confidence.mean_log_probabilities", lambda _, sources, *__: [-1.0] * len(sources))
    Path(name).write_text("One\n")
    assert translate(monkeypatch, name, "--output", "out", "--bilingual", "--page") == 1
    assert "out.review.html: cannot be written (No space left on device); what was finished before" in only_line(capsys)
    assert sorted(Path().iterdir()) == [Path(name), Path("out"), Path("out.bilingual.tsv")]
    assert Path("out").read_text() == "ONE\n"
    assert Path("out.bilingual.tsv").read_text("utf-8-sig").splitlines()[1].split("\t")[:2] == ["One", "ONE"]


def test_what_to_look_at_is_one_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    Path("a.html").write_text("<p>See https://a.org/x for more. It came.</p>" * 7)
    assert translate(monkeypatch, "a.html") == 0
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert messages == [
        "a.html: look at 7 of 14 sentences: address put back at the end: 1 (line 1), 3 (line 1), "
        "5 (line 1), 7 (line 1), 9 (line 1) and 2 more"
    ]


def test_model_is_loaded_once(monkeypatch: pytest.MonkeyPatch):
    loaded: list[str] = []

    def load(*_: object) -> Shouting:
        loaded.append("x")
        return Shouting()

    monkeypatch.setattr(translating, "open_translator", load)
    for name in ("a.txt", "b.txt", "c.html", "d.html"):
        Path(name).write_text("One.")
    assert translate(monkeypatch, "a.txt", "b.txt", "c.html", "d.html") == 0
    assert loaded == ["x"]


def test_sentence_longer_than_the_model_allows(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    clause = "and the convoy went on to the next of the villages, "
    Path("a.html").write_text(f"It left, {clause * 12}where it was stopped.")
    assert translate(monkeypatch, "a.html") == 0
    assert Path("a.ar.html").read_text() == Path("a.html").read_text().upper()
    assert "a sentence of 138 words is too long for the model and is translated in 2 parts: It left, and" in caplog.text
    # A line is cut, as it always was, and the log says so.
    Path("a.txt").write_text("x" * 600)
    assert translate(monkeypatch, "a.txt", "--output", "b.txt") == 0
    assert "line 1 has 600 tokens and is cut to the 512 that the model can read" in caplog.text


def test_files_may_follow_options():
    argv = ["m", "--bilingual", "a.txt", "--format=text", "b.txt", "--decoding.num_beams", "2", "-", "--output", "o"]
    assert files_first(argv)[:4] == ["m", "a.txt", "b.txt", "-"]
    command = parse_translate(argv, "mt translate")
    assert (command.name, command.files, command.output) == ("m", ["a.txt", "b.txt", "-"], "o")
    assert (command.format, command.is_bilingual, command.decoding) == ("text", True, {"num_beams": 2})
    with pytest.raises(UsageError):
        parse_translate(["m", "a.txt", "--nonsense", "b"], "mt translate")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.txt", "a.ar.txt"), ("a.en.txt", "a.ar.txt"), ("a", "a.ar"), ("a.b.docx", "a.b.ar.docx"), (".md", ".md.ar")],
)
def test_names_of_translations(name: str, expected: str):
    assert outputs.translated_name(Path(name), ("en", "ar")).name == expected
