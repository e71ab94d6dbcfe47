"""Inputs that are small and unfold, or go on and on, or are no files: one sentence, soon, and in little memory."""

import gzip
import json
import lzma
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from mt.config import CorpusConfig
from mt.data.formats import tables, xml
from mt.data.pair import Pair, Rejection
from mt.data.preparing import chunked
from mt.data.readers import check_corpus, input_files, read_corpus
from mt.data.rejects import RejectedFile
from mt.data.unseparated import split_at_border
from mt.errors import DataError, UserError
from mt.evaluation.fidelity import CHECKS
from mt.evaluation.rating_files import read_ratings_file
from mt.text import lines
from mt.text.glossary import Glossary
from mt.text.normalise import normalise
from mt.text.numbers import digit_numbers, word_numbers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def count(path: Path, **options: str) -> int:
    return sum(1 for _ in read_corpus("news", CorpusConfig(path=str(path), **options)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ending", "compress"),
    [
        (".gz", gzip.compress),
        (".gz", lambda content: gzip.compress(content, 1)),
        (".xz", lzma.compress),
        (".zst", zstd.compress),
    ],
)
def test_one_pair_over_and_over(
    ending: str, compress: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lines, "_FREE_BYTES", 100_000)
    path = tmp_path / f"news.tsv{ending}"
    path.write_bytes(compress("A war.\tحرب.\n".encode() * 200_000))
    with pytest.raises(
        DataError, match=r"news\.tsv\.\w+: its first \d+ bytes unpack to more than \d+, over (70|150) times"
    ):
        count(path)


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress), (".zst", zstd.compress)]
)
def test_an_honest_corpus_is_read_whole(
    ending: str, compress: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lines, "_FREE_BYTES", 1000)
    text = "".join(f"Page {n} of {n * 7 % 9973}.\tصفحة {n} من {n * 7 % 9973}.\n" for n in range(5_000)).encode()
    path = tmp_path / f"news.tsv{ending}"
    # Two streams behind one another are one file, to every such program.
    path.write_bytes(compress(text) + compress(text))
    assert count(path) == 10_000


def test_an_xz_file_that_asks_for_gigabytes(tmp_path: Path):
    path = tmp_path / "news.tsv.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    path.write_bytes(lzma.compress("A war.\tحرب.\n".encode(), filters=filters))
    with pytest.raises(DataError, match=r"news\.tsv\.xz: damaged or incomplete xz .*[Mm]emory"):
        count(path)


UNIT = '<tu><tuv xml:lang="en"><seg>A war.</seg></tuv><tuv xml:lang="ar"><seg>حرب.</seg></tuv></tu>'


def tmx(path: Path, parts: Iterator[str]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.write(f"<tmx><header/><body>{UNIT}")
        file.writelines(parts)
        file.write(f"{UNIT}</body></tmx>")
    return path


@pytest.mark.parametrize(
    "alien", ["<a/>" * 1000, "<a><b>x</b>y</a>" * 300, "<!-- x -->" * 500, "<?x y?>" * 700, "z<a/>" * 900]
)
def test_what_lies_between_the_units_is_not_kept(alien: str, tmp_path: Path):
    path = tmx(tmp_path / "news.tmx", repeat(alien, 500))
    before = _resident_megabytes()
    assert count(path) == 2
    # Half a million elements, kept, take a hundred.
    assert _resident_megabytes() - before < 30


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


TOO_MUCH = [
    ("a unit without end", "<tu>" + "<a/>" * 300_000, r"news\.tmx: a unit of more than 1048576 bytes"),
    ("a text without end", "x" * 1_200_000, r"news\.tmx: a text or tag of more than 1048576 bytes"),
    ("a tag without end", "<a " + "".join(f'b{n}="" ' for n in range(150_000)), r"a text or tag of more than 1048576"),
    ("nested", "<a>" * 1000, r"news\.tmx:1: not valid XML .*depth"),
]


@pytest.mark.parametrize(("content", "message"), [x[1:] for x in TOO_MUCH], ids=[x[0] for x in TOO_MUCH])
def test_xml_without_end(content: str, message: str, tmp_path: Path):
    with pytest.raises(DataError, match=message):
        count(tmx(tmp_path / "news.tmx", iter([content])))


def test_declarations_that_would_be_written_into_every_element(tmp_path: Path):
    path = tmp_path / "news.tmx"
    path.write_text(f'<!DOCTYPE tmx [<!ATTLIST a b CDATA "x">]><tmx><body>{UNIT}<a/></body></tmx>')
    with pytest.raises(DataError, match=r"news\.tmx: declares attributes of its own \(ATTLIST\)"):
        count(path)
    path.write_text("<!DOCTYPE tmx [" + "".join(f'<!ENTITY b{n} "x">' for n in range(5000)) + f"]><tmx>{UNIT}</tmx>")
    with pytest.raises(DataError, match=r"news\.tmx: no element in its first 65536 bytes"):
        count(path)


@pytest.mark.parametrize("alien", ["<l:tu><a:b/></l:tu>", "<x:y>z</x:y>", UNIT.replace("war", "<x:hi>war</x:hi>")])
def test_prefixes_that_are_not_declared(alien: str, tmp_path: Path):
    path = tmx(tmp_path / "news.tmx", iter([alien]))
    with pytest.raises(DataError, match=r"news\.tmx:1: not valid XML \(Namespace prefix . on \w+ is not defined"):
        count(path)
    path.write_text(f"<l:tmx><body>{UNIT}</body></l:tmx>")
    with pytest.raises(DataError, match=r"news\.tmx: the prefix of its root `l:tmx` is not declared"):
        count(path)


def test_a_unit_that_spans_chunks_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(xml, "_CHUNK_BYTES", 7)
    path = tmx(tmp_path / "news.tmx", repeat(f"<note>x</note>{UNIT}\n", 20))
    pairs = list(read_corpus("news", CorpusConfig(path=str(path))))
    assert [(pair.source, pair.target) for pair in pairs] == [("A war.", "حرب.")] * 22


TOO_LONG = [
    ("news.csv", 'en,ar\n"A war.' + ",x\n" * 400_000, r"news\.csv:2: not valid CSV .*unclosed"),
    ("news.txt", "war " * 60_000 + "حرب " * 60_000, r"news\.txt:1: a line of 480000 characters, which is no sentence"),
    ("news.tsv", "a" * 1_100_000, r"news\.tsv:1: a line of more than 1048576 bytes, which is no sentence pair"),
    ("news.jsonl", '{"en": ' + "9" * 5000 + "}", r"news\.jsonl:1: not valid JSON \(a number too long\)"),
    ("news.jsonl", '{"en": "a", "en": "b", "ar": "c"}', r"news\.jsonl:1: not valid JSON \(the key `en` occurs twice\)"),
    ("news.jsonl", '{"en": "a\\u0000", "ar": "c"}', r"news\.jsonl:1: `en` holds a NUL character"),
]


@pytest.mark.parametrize(("name", "content", "message"), TOO_LONG, ids=[x[2][:40] for x in TOO_LONG])
def test_lines_and_rows_without_end(name: str, content: str, message: str, tmp_path: Path):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        count(tmp_path / name)


def test_a_csv_row_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "MAX_LINE_BYTES", 1000)
    (tmp_path / "news.csv").write_text("en,ar\nA war.,حرب.\n" + '"A\n",' * 300, encoding="utf-8")
    with pytest.raises(DataError, match=r"news\.csv:3: a row of more than 1000 characters.* unclosed quotation mark"):
        count(tmp_path / "news.csv")


def test_a_column_that_is_no_number(tmp_path: Path):
    (tmp_path / "news.tsv").write_text("A war.\tحرب.\n", encoding="utf-8")
    for column in ("²", "٢", "9" * 5000):
        with pytest.raises(DataError, match=r"news\.tsv:1: no column `"):
            count(tmp_path / "news.tsv", source_column=column)


SLOW = {
    "words": "word " * 12_000 + "كلمة " * 6_000,
    "scripts that meet": "aب" * 30_000,
    "full stops": "." * 60_000 + "aب",
    "numbers": "1 " * 5_000 + "a ب " + "1 " * 5_000,
    "marks": "a" + "\u0315\u0300\u0316\u0301" * 15_000,
    "harakat": "ب" + "\u064e\u0651" * 30_000,
    "hundreds": "one " + "hundred " * 7_000,
    "digits": "9" * 60_000,
    "domains": "a-" * 30_000,
    "nobody": "no one x " * 7_000,
    "sentences": "At 5 p.m. He said No. " * 3_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_time_grows_with_the_text_and_not_with_its_square(text: str):
    started = time.process_time()
    split_at_border(text)
    normalise(text)
    digit_numbers(text), word_numbers(text)
    for check in CHECKS.values():
        check(text, text + "x", Glossary.read())
    # By the square, the least of them takes half a minute.
    assert time.process_time() - started < 8


def test_more_marks_than_a_letter_bears_are_cut():
    assert normalise("ب" + "\u064e" * 100) == "ب" + "\u064e" * 30
    assert normalise("\u0628" + "\u064e\u200b" * 100) == "\u0628" + "\u064e" * 30
    assert normalise("e\u0301") == "é"


def test_numbers_of_a_million_digits():
    assert len(digit_numbers("9" * 1_000_001)) == 1
    assert digit_numbers("1" + "0" * 30) == {10**30: 1}


def test_large_pairs_go_to_the_workers_in_small_chunks():
    pairs = [Pair("x" * 3_000_000, "y", "a:1")] * 4 + [Pair("x", "y", "a:2")] * 4500
    assert [len(chunk) for chunk in chunked(pairs)] == [2, 2, 2000, 2000, 500]


NO_FILES = {
    "pipe.tsv": "is a pipe, socket or device, not a file",
    "loop.tsv": "cannot be read (Too many levels of symbolic links)",
    "zero.tsv": "is a pipe, socket or device, not a file",
    "directory.tsv": "is a directory, not a file",
    "a" * 300 + ".tsv": "cannot be read (File name too long)",
    "a\0b.tsv": "is not a usable path (it contains a NUL character or is not UTF-8; rename it)",
    "\udcff.tsv": "is not a usable path (it contains a NUL character or is not UTF-8; rename it)",
    "file/a.tsv": "does not exist",
}


@pytest.fixture
def odd_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.tsv")
    Path("loop.tsv").symlink_to("loop.tsv")
    Path("zero.tsv").symlink_to("/dev/zero")
    Path("directory.tsv").mkdir()
    Path("file").write_text("x")
    Path(os.fsdecode(b"\xff.tsv")).write_text("a\tb\n")
    return tmp_path


@pytest.mark.usefixtures("odd_files")
@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_is_refused_before_it_is_opened(name: str):
    readers: list[Callable[[], object]] = [
        lambda: check_corpus("news", CorpusConfig(path=name)),
        lambda: check_corpus("news", CorpusConfig(path=name, format="tmx")),
        lambda: check_corpus("news", CorpusConfig(path="file", format="moses", target_path=name)),
        lambda: list(lines.read_lines(Path(name))),
        lambda: read_ratings_file(Path(name)),
    ]
    for read in readers:
        with pytest.raises(DataError) as caught:
            read()
        assert NO_FILES[name] in str(caught.value)
    with pytest.raises(DataError, match=r"the glossary (is|cannot)|no such glossary"):
        Glossary.read(Path(name))
    assert input_files(CorpusConfig(path=name)) in ([], [Path(name)])


def test_a_directory_with_a_pipe_in_it(tmp_path: Path):
    (tmp_path / "set").mkdir()
    os.mkfifo(tmp_path / "set" / "train.jsonl")
    with pytest.raises(DataError, match=r"corpus `news`: .*train\.jsonl is a pipe, socket or device"):
        check_corpus("news", CorpusConfig(path=str(tmp_path / "set"), format="hf"))


def test_a_message_is_one_line_whatever_is_in_it():
    assert str(UserError("a\nb\x1b[2J\u202e\ud800 مدينة é")) == "a\\nb\\x1b[2J\\u202e\\ud800 مدينة é"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Raqqa\tالرقة " + "x" * 300 + "\tplace", r"terms\.tsv:1: a form of 306 characters is no term"),
        ("Raqqa\tً\tplace", r"terms\.tsv:1: a form without a letter would be found anywhere or nowhere"),
        ("…\tالرقة\tplace", r"terms\.tsv:1: a form without a letter would be found anywhere or nowhere"),
    ],
)
def test_terms_that_are_none(line: str, message: str, tmp_path: Path):
    (tmp_path / "terms.tsv").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        Glossary.read(tmp_path / "terms.tsv")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@"])
def test_no_cell_of_rejected_tsv_is_a_formula(begin: str, tmp_path: Path):
    with RejectedFile(tmp_path / "rejected.tsv") as file:
        fault = Rejection("markup", f"{begin}1")
        file.write(Pair(f"\t\r{begin}cmd|' /C calc'!A0", "حرب = سلام", "news.tsv:1", fault=fault))
    row = (tmp_path / "rejected.tsv").read_text(encoding="utf-8").splitlines()[1]
    assert row == f"markup\t'{begin}1\tnews.tsv:1\t'{begin}cmd|' /C calc'!A0\tحرب = سلام"


def test_ratings_too_large_or_unwritable(tmp_path: Path):
    path = tmp_path / "noor.json"
    path.write_text(json.dumps({"format": "x" * (5 << 20)}))
    with pytest.raises(DataError, match=r"noor\.json: is longer than 4194304 bytes, too long for a ratings file"):
        read_ratings_file(path)
    path.write_text(json.dumps({"format": "mt-ratings-1", "reviewer": "\ud800"}))
    with pytest.raises(DataError, match=r"noor\.json: not JSON \(.*surrogates not allowed\)"):
        read_ratings_file(path)
