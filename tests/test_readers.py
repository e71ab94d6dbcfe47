"""Readers: what they take, and the one sentence for what they refuse."""

import contextlib
import gzip
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.data.pair import Pair
from mt.errors import DataError
from tests.helpers import read_pairs

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
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
    pairs = read_pairs(write(tmp_path / "news.tsv", content))
    assert [(pair.source, pair.target) for pair in pairs] == [("A war.", "حرب."), ("A city.", "مدينة.")]


def test_pairs_keep_their_place(tmp_path: Path):
    path = write(tmp_path / "news.tsv", "source\ttarget\nA war.\tحرب.\n")
    assert read_pairs(path) == [Pair("A war.", "حرب.", f"{path}:2")]


def test_tsv_columns_by_name_and_by_number(tmp_path: Path):
    path = write(tmp_path / "news.tsv", "id\tEnglish text\tArabic text\n7\tA war.\tحرب.\n")
    by_name = read_pairs(path, source_column="english text", target_column="arabic text")
    assert [(pair.source, pair.target) for pair in by_name] == [("A war.", "حرب.")]
    path = write(tmp_path / "bare.tsv", "7\tA war.\tحرب.\n")
    by_number = read_pairs(path, source_column="2", target_column="3")
    assert [(pair.source, pair.target) for pair in by_number] == [("A war.", "حرب.")]


def test_gzip_and_stated_format(tmp_path: Path):
    path = write(tmp_path / "news.dat.gz", gzip.compress("A war. حرب.\n".encode()))
    assert read_pairs(path, format="pairs")[0][:2] == ("A war.", "حرب.")


REFUSED = [
    ("news.txt", "", "no sentence pairs in the file"),
    ("news.tsv", "english\tarabic\n", "no sentence pairs in the file"),
    ("news.txt", "A war. حرب.\nOnly English here.\n", "news.txt:2: no border between English and Arabic"),
    ("news.tsv", "A war.\tحرب.\nA city.\tمدينة.\textra\n", r"news.tsv:2: expected 2 .* found 3 \(a stray tab\?\)"),
    ("news.tsv", "A war.\tحرب.\nA city. مدينة.\n", "news.tsv:2: expected 2 .* found 1"),
    ("news.tsv", "A war. حرب.\n", "news.tsv:1: expected at least 2 tab-separated fields"),
    ("news.tsv", b"A war.\tx\nA city.\t\xff\xfe\n", "news.tsv:2: byte 0xff at position 9 is not UTF-8"),
    ("news.tsv", "A war.\tحرب.\n".encode("utf-16-le"), "news.tsv:1: NUL byte at position 2; .* save it as UTF-8 text"),
    ("news.tsv", "A war.\tحرب.\n".encode("utf-16")[:-1], "news.tsv:1: not valid UTF-16 from here on; save the file as"),
    ("news.docx", "x", "no known format for the ending `.docx`"),
    ("news.tsv.gz", gzip.compress("A war.\tحرب.\n".encode() * 900)[:40], "damaged or incomplete gzip after line"),
    ("news.tsv.gz", b"A war.\tx\n", "damaged or incomplete gzip after line 0"),
]


@pytest.mark.parametrize(("name", "content", "message"), REFUSED, ids=[message[:40] for *_, message in REFUSED])
def test_refused(name: str, content: str | bytes, message: str, tmp_path: Path):
    with pytest.raises(DataError, match=message):
        read_pairs(write(tmp_path / name, content))


def test_missing_file_and_directory(tmp_path: Path):
    with pytest.raises(DataError, match="corpus `news` does not exist"):
        read_pairs(tmp_path / "none.tsv")
    with pytest.raises(DataError, match=r"no file in it has the ending of a known format \(\.csv, \.en"):
        read_pairs(tmp_path)


def test_unknown_column(tmp_path: Path):
    path = write(tmp_path / "news.tsv", "id\tenglish\tarabic\n")
    with pytest.raises(DataError, match="no column `englisch`; the first line has 3: id, english, arabic"):
        read_pairs(path, source_column="englisch")


TWO = [("A war.", "حرب."), ("A city.", "مدينة.")]

TMX = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en" segtype="sentence"/><body>
<tu><tuv xml:lang="en-US"><seg>A <bpt i="1">&lt;b&gt;</bpt>war<ept i="1">&lt;/b&gt;</ept>.</seg></tuv>
<tuv xml:lang="AR"><seg>حرب.</seg></tuv></tu>
<tu><tuv xml:lang="fr"><seg>Une ville.</seg></tuv><tuv xml:lang="ar-SY"><seg>مدي<hi>نة</hi>.</seg></tuv>
<tuv xml:lang="en"><seg>A city.</seg></tuv></tu></body></tmx>"""

XLIFF_1 = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en" target-language="ar" datatype="plaintext" original="x"><body>
<trans-unit id="1"><source>A <g id="1">war</g><x id="2"/>.</source><target>حرب.</target>
<alt-trans><source>no</source><target>لا</target></alt-trans></trans-unit>
<trans-unit id="2"><source>A city.</source><target>مدينة.</target></trans-unit></body></file></xliff>"""

XLIFF_2 = """<xliff version="2.0" srcLang="ar" trgLang="en" xmlns="urn:oasis:names:tc:xliff:document:2.0"><file id="f">
<unit id="1"><segment><source>حرب.</source><target>A <pc id="1">war</pc>.</target></segment>
<segment><source>مدينة.</source><target>A city.</target></segment></unit></file></xliff>"""

JSONL = """{"en": "A war.", "ar": "حرب.", "id": 1}
{"translation": {"en": "A city.", "ar": "مدينة."}}
"""

CSV = """id,Arabic,English\n1,حرب.,A war.\n2,"مدينة.","A city."\n"""

FORMATS = {
    "news.csv": CSV,
    "semicolons.csv": CSV.replace(",", ";"),
    "news.jsonl": "\ufeff" + JSONL.replace("\n", "\r\n"),
    "news.tmx": TMX.format(encoding="UTF-8"),
    "utf16.tmx": TMX.format(encoding="UTF-16").encode("utf-16"),
    "old.xlf": XLIFF_1,
    "new.xliff": XLIFF_2,
}


@pytest.mark.parametrize("name", FORMATS)
def test_format(name: str, tmp_path: Path):
    pairs = read_pairs(write(tmp_path / name, FORMATS[name]))
    assert [(pair.source, pair.target) for pair in pairs] == TWO


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress), (".zst", zstd.compress)]
)
def test_compressed_and_truncated(ending: str, compress: Callable[[bytes], bytes], tmp_path: Path):
    path = write(tmp_path / f"news.jsonl{ending}", compress(JSONL.encode()))
    assert [(pair.source, pair.target) for pair in read_pairs(path)] == TWO
    write(path, compress(JSONL.encode() * 5000)[:-20])
    with pytest.raises(
        DataError, match=r"news\.jsonl\.\w+: damaged or incomplete \w+ after line \d+ .*; fetch it again"
    ):
        read_pairs(path)
    tmx = write(tmp_path / f"news.tmx{ending}", compress(TMX.format(encoding="UTF-8").encode())[:-20])
    with pytest.raises(DataError, match=r"damaged or incomplete|not valid XML"):
        read_pairs(tmx)


def test_moses_files_are_found_by_name_or_given(tmp_path: Path):
    path = write(tmp_path / "news.en", "A war.\nA city.\n")
    write(tmp_path / "news.ar.gz", gzip.compress("حرب.\nمدينة.\n".encode()))
    assert [(pair.source, pair.target) for pair in read_pairs(path)] == TWO
    other = write(tmp_path / "arabic.txt", "حرب.\nمدينة.\n")
    english = write(tmp_path / "english.txt", "A war.\nA city.\n")
    given = read_pairs(english, format="moses", target_path=str(other))
    assert [(pair.source, pair.target, pair.origin) for pair in given] == [
        ("A war.", "حرب.", f"{english}:1"),
        ("A city.", "مدينة.", f"{english}:2"),
    ]


def test_unequal_moses_files(tmp_path: Path):
    path = write(tmp_path / "news.en", "A war.\nA city.\nA third.\nA fourth.\n")
    write(tmp_path / "news.ar", "حرب.\nمدينة.\n")
    with pytest.raises(DataError, match=r"news\.ar:3: ends after 2 lines, .*news\.en has 4; .* fetch both again"):
        read_pairs(path)
    with pytest.raises(DataError, match=r"lonely\.en: its Arabic counterpart .*lonely\.ar does not exist"):
        read_pairs(write(tmp_path / "lonely.en", "A war.\n"))


def test_hf_data_set_in_a_directory(tmp_path: Path):
    columns = {"translation": [{"en": source, "ar": target} for source, target in TWO]}
    DatasetDict({"validation": Dataset.from_dict(columns)}).save_to_disk(tmp_path / "saved")
    pairs = read_pairs(tmp_path / "saved", hf_split="validation")
    assert [(pair.source, pair.target) for pair in pairs] == TWO
    assert pairs[1].origin.endswith("saved:row 2")
    write(tmp_path / "plain" / "train.jsonl", JSONL.splitlines()[0] + "\n")
    assert [(pair.source, pair.target) for pair in read_pairs(tmp_path / "plain", format="hf")] == TWO[:1]
    with pytest.raises(DataError, match=r"saved: the data set cannot be opened .* hf_split `train`"):
        read_pairs(tmp_path / "saved")


LAUGHS = """<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY x SYSTEM "file:///etc/passwd">]>
<tmx><body><tu><tuv xml:lang="en"><seg>ENTITY</seg></tuv><tuv xml:lang="ar"><seg>حرب</seg></tuv></tu></body></tmx>"""

MALFORMED = [
    (
        "news.tmx",
        "<tmx><body><tu><tuv></tu></body></tmx>",
        r"news\.tmx:1: not valid XML \(Opening and ending tag",
    ),
    ("news.tmx", "", r"news\.tmx:1: not valid XML"),
    ("news.tmx", LAUGHS.replace("ENTITY<", "&c;<"), r"news\.tmx:3: the entity `&c;` is not one of XML's own five"),
    ("news.tmx", LAUGHS.replace("ENTITY<", "&x;<"), r"news\.tmx:3: the entity `&x;` is not one of XML's own five"),
    (
        "news.tmx",
        '<tmx><body><tu><tuv xml:lang="fr"><seg>x</seg></tuv></tu></body></tmx>',
        r"no unit has both English and Arabic; its languages are fr",
    ),
    ("news.xlf", XLIFF_1.replace('"en"', '"de"'), "is de to ar; expected English and Arabic"),
    ("news.xlf", XLIFF_1.replace('source-language="en" target-language="ar"', ""), "its languages are not declared"),
    ("news.xlf", "<xliff><file><body/></file></xliff>", "no sentence pairs in the file"),
    ("news.jsonl", '{"en": "A war."', r"news\.jsonl:1: not valid JSON .* write one object per line"),
    ("news.jsonl", "[1]\n", r"news\.jsonl:1: expected an object with a source and a target, found list"),
    ("news.jsonl", '{"en": "A war."}', r"news\.jsonl:1: no key such as `ar` or `target`; the record's keys are: en"),
    ("news.jsonl", '{"en": 3, "ar": "x"}', r"news\.jsonl:1: `en` is int, expected text"),
    ("news.jsonl", '{"en": "\\ud800", "ar": "x"}', r"news\.jsonl:1: `en` holds half a character"),
    ("news.jsonl", "[" * 100_000, r"news\.jsonl:1: not valid JSON \(nested too deeply\)"),
    ("news.csv", 'English,Arabic\n"A war.,x\n', r"news\.csv:2: not valid CSV from here on \(unexpected end of data\)"),
    ("news.csv", "English,Arabic\na,b,c\n", r"news\.csv:2: expected 2 separated fields .* found 3"),
    ("news.tsv", b"A war.\tx\n\0\0\n", r"news\.tsv:2: NUL byte at position 1"),
    ("news.tsv", "A war.\tحرب.\n".encode("cp1256"), r"news\.tsv:1: byte 0xcd .* save .* may be in Windows-1256"),
    ("news.tsv", "A café.\tx\n".encode("cp1252"), r"news\.tsv:1: byte 0xe9 .* save .* may be in Windows-1252"),
    ("news.txt", b"x" * (1 << 20) + b"y", r"news\.txt:1: a line of more than 1048576 bytes"),
]


@pytest.mark.parametrize(("name", "content", "message"), MALFORMED, ids=[message[:40] for *_, message in MALFORMED])
def test_malformed(name: str, content: str | bytes, message: str, tmp_path: Path):
    with pytest.raises(DataError, match=message):
        read_pairs(write(tmp_path / name, content))


ENDINGS = [
    "txt",
    "tsv",
    "csv",
    "jsonl",
    "tmx",
    "xlf",
    "en",
    "tsv.gz",
    "tmx.gz",
    "jsonl.zst",
    "csv.xz",
    "xlsx",
    "sdlxliff",
]
PIECES = [b"\n", b"\r", b"\t", b",", b'"', b"{", b"}", b"<tu>", b"</tu>", b"<seg>", b"&a;", b"\0", b"\xff", b"\xfe"]
PIECES += [b'"en":', b'"ar":', b"<?xml", b"<tmx>", b"<!DOCTYPE", b"A war. ", "حرب".encode(), b"\xef\xbb\xbf"]


@pytest.mark.slow
@settings(max_examples=400)
@given(
    content=st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)),
    ending=st.sampled_from(ENDINGS),
    is_packed=st.booleans(),
)
def test_any_bytes_give_pairs_or_one_sentence(
    content: bytes, ending: str, is_packed: bool, tmp_path_factory: pytest.TempPathFactory
):
    packer = {"gz": gzip.compress, "xz": lzma.compress, "zst": zstd.compress}.get(ending.rpartition(".")[2])
    path = write(tmp_path_factory.getbasetemp() / f"f.{ending}", packer(content) if packer and is_packed else content)
    write(path.with_name("f.ar"), content[::-1])
    # Any other exception fails the test.
    with contextlib.suppress(DataError):
        read_pairs(path)


def test_a_glossary_is_read_as_every_form_with_its_preferred_translation(tmp_path: Path):
    table = "english\tarabic\tkind\nRaqqa | Ar-Raqqah\tالرقة | الرقّة\tplace\nmine\tلغم\tweapon\n"
    pairs = read_pairs(write(tmp_path / "terms.tsv", table), format="glossary")
    assert [(pair.source, pair.target) for pair in pairs] == [
        ("Raqqa", "الرقة"),
        ("Ar-Raqqah", "الرقة"),
        ("mine", "لغم"),
    ]
    assert pairs[1].origin == "terms.tsv: Ar-Raqqah"
    with pytest.raises(DataError, match=r"bad\.tsv:1: expected 3 tab-separated columns"):
        read_pairs(write(tmp_path / "bad.tsv", "Raqqa\tالرقة\n"), format="glossary")
