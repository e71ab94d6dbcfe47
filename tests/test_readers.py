"""Readers: what they take, and the one sentence for what they refuse."""

import contextlib
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.config import CorpusConfig
from mt.data.readers import Pair, read_corpus
from mt.errors import DataError


def read(path: Path, **options: str) -> list[Pair]:
    return list(read_corpus("news", CorpusConfig(path=str(path), **options)))  # type: ignore[arg-type]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "A war.\tحرب.\nA city.\tمدينة.\n",
        "english\tarabic\nA war.\tحرب.\nA city.\tمدينة.\n",
        "ar\tcorpus\ten\nحرب.\tx\tA war.\nمدينة.\ty\tA city.\n",
        "\ufeffA war.\tحرب.\r\n\r\nA city.\tمدينة.\r\n",
    ],
    ids=["no header", "header", "columns in another order", "BOM, CRLF and a blank line"],
)
def test_tsv(content: str, tmp_path: Path):
    pairs = read(write(tmp_path / "news.tsv", content))
    assert [(pair.source, pair.target) for pair in pairs] == [("A war.", "حرب."), ("A city.", "مدينة.")]


def test_pairs_keep_their_place(tmp_path: Path):
    path = write(tmp_path / "news.tsv", "source\ttarget\nA war.\tحرب.\n")
    assert read(path) == [Pair("A war.", "حرب.", "news", f"{path}:2")]


def test_tsv_columns_by_name_and_by_number(tmp_path: Path):
    path = write(tmp_path / "news.tsv", "id\tEnglish text\tArabic text\n7\tA war.\tحرب.\n")
    by_name = read(path, source_column="english text", target_column="arabic text")
    assert [(pair.source, pair.target) for pair in by_name] == [("A war.", "حرب.")]
    path = write(tmp_path / "bare.tsv", "7\tA war.\tحرب.\n")
    by_number = read(path, source_column="2", target_column="3")
    assert [(pair.source, pair.target) for pair in by_number] == [("A war.", "حرب.")]


def test_gzip_and_stated_format(tmp_path: Path):
    path = write(tmp_path / "news.dat.gz", gzip.compress("A war. حرب.\n".encode()))
    assert read(path, format="pairs")[0][:2] == ("A war.", "حرب.")


REFUSED = [
    ("news.txt", "", "no sentence pairs in the file"),
    ("news.tsv", "english\tarabic\n", "no sentence pairs in the file"),
    ("news.txt", "A war. حرب.\nOnly English here.\n", "news.txt:2: no border between English and Arabic"),
    ("news.tsv", "A war.\tحرب.\nA city.\tمدينة.\textra\n", r"news.tsv:2: expected 2 .* found 3 \(a stray tab\?\)"),
    ("news.tsv", "A war.\tحرب.\nA city. مدينة.\n", "news.tsv:2: expected 2 .* found 1"),
    ("news.tsv", "A war. حرب.\n", "news.tsv:1: expected at least 2 tab-separated fields"),
    ("news.tsv", b"A war.\tx\nA city.\t\xff\xfe\n", "news.tsv:2: byte 0xff at position 9 is not UTF-8"),
    ("news.tsv", "A war.\tحرب.\n".encode("utf-16"), "news.tsv:1: byte 0xff at position 1 is not UTF-8"),
    ("news.docx", "x", "no known format for the ending `.docx`"),
    ("news.tsv.gz", gzip.compress("A war.\tحرب.\n".encode() * 900)[:40], "damaged or incomplete gzip after line"),
    ("news.tsv.gz", b"A war.\tx\n", "damaged or incomplete gzip after line 0"),
]


@pytest.mark.parametrize(("name", "content", "message"), REFUSED, ids=[message[:40] for *_, message in REFUSED])
def test_refused(name: str, content: str | bytes, message: str, tmp_path: Path):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / name, content))


def test_missing_file_and_directory(tmp_path: Path):
    with pytest.raises(DataError, match="corpus `news` does not exist"):
        read(tmp_path / "none.tsv")
    with pytest.raises(DataError, match="is a directory, not a file"):
        read(tmp_path)


def test_unknown_column(tmp_path: Path):
    path = write(tmp_path / "news.tsv", "id\tenglish\tarabic\n")
    with pytest.raises(DataError, match="no column `englisch`; the first line has 3: id, english, arabic"):
        read(path, source_column="englisch")


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200), name=st.sampled_from(["f.txt", "f.tsv", "f.tsv.gz"]))
def test_any_bytes_give_pairs_or_one_sentence(content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory):
    path = write(tmp_path_factory.getbasetemp() / name, content)
    # Any other exception fails the test.
    with contextlib.suppress(DataError):
        read(path)
