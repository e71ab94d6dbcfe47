"""Documents: how files say which pairs belong together, and directories of files."""

from pathlib import Path

import pytest

from mt.config import CorpusConfig
from mt.data.formats import documents
from mt.data.readers import check_corpus, input_files, read_corpus
from mt.errors import DataError

ENGLISH = ["The convoy left.", "Two lorries were hit.", "Nobody was killed.", "The mayor came."]
ARABIC = ["غادرت القافلة.", "أصيبت شاحنتان.", "لم يقتل أحد.", "جاء رئيس البلدية."]


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def documents_of(path: Path, **options: object) -> list[str]:
    return [pair.document for pair in read_corpus("news", CorpusConfig(path=str(path), **options))]  # type: ignore[arg-type]


def lines(row: str, blank_behind: tuple[int, ...] = ()) -> str:
    rows = (
        row.format(e=e, a=a) + "\n" * (1 + blank_behind.count(i))
        for i, (e, a) in enumerate(zip(ENGLISH, ARABIC, strict=True))
    )
    return "".join(rows)


NAMES = ["document", "Doc_ID", "docid", "doc", "URL", "file", "filename", "Article", "doc id"]


@pytest.mark.parametrize("name", NAMES)
def test_a_column_names_the_document(name: str, tmp_path: Path):
    path = write(tmp_path / "a.tsv", f"en\t{name}\tar\nA war.\td1\tحرب.\nA city.\t \tمدينة.\n\nA road.\td1\tطريق.\n")
    assert documents_of(path) == ["d1", "", "d1"]


def test_the_column_of_the_document_can_be_named(tmp_path: Path):
    path = write(tmp_path / "a.tsv", "en\tstory\tar\tfile\nA war.\td1\tحرب.\tf\n")
    assert documents_of(path, document_column="Story") == ["d1"]
    assert documents_of(write(tmp_path / "b.csv", "d1,A war.,حرب.\n"), document_column="1") == ["d1"]
    path = write(tmp_path / "a.jsonl", '{"en": "A war.", "ar": "حرب.", "story": 7}\n{"en": "A war.", "ar": "حرب."}\n')
    assert documents_of(path, document_column="story") == ["7", ""]
    assert documents_of(path) == ["", ""]
    with pytest.raises(DataError, match=r"a\.jsonl:1: no key `doc`; the record's keys are: en, ar, story"):
        documents_of(path, document_column="doc")


BLANK = {"a.tsv": "{e}\t{a}", "a.csv": "{e},{a}", "a.txt": "{e} {a}", "a.jsonl": '{{"en": "{e}", "ar": "{a}"}}'}


@pytest.mark.parametrize("name", BLANK)
def test_blank_lines_stand_between_documents(name: str, tmp_path: Path):
    two = [f"{name}:part {part}" for part in (1, 1, 2, 2)]
    assert documents_of(write(tmp_path / name, lines(BLANK[name], (1,)))) == two
    assert documents_of(write(tmp_path / name, "\n" + lines(BLANK[name], (1, 1, 3, 3)))) == two
    assert documents_of(write(tmp_path / name, "\n" + lines(BLANK[name], (3, 3)))) == [""] * 4
    assert documents_of(write(tmp_path / name, lines(BLANK[name]))) == [""] * 4


def test_lines_that_are_blank_on_both_sides_of_moses_files(tmp_path: Path):
    path = write(tmp_path / "m.en", lines("{e}", (0, 2)))
    write(tmp_path / "m.ar", lines("{a}", (0, 2)))
    assert documents_of(path) == ["m.en:part 1", "m.en:part 2", "m.en:part 2", "m.en:part 3"]
    write(path, lines("{e}", (3,)))
    write(tmp_path / "m.ar", lines("{a}", (3,)))
    pairs = list(read_corpus("news", CorpusConfig(path=str(path))))
    assert [(pair.source, pair.target, pair.document) for pair in pairs[-2:]] == [
        (ENGLISH[3], ARABIC[3], ""),
        ("", "", ""),
    ]
    write(tmp_path / "m.ar", lines("{a}"))
    assert documents_of(path) == [""] * 4


def test_a_stray_blank_line_of_a_large_file_is_no_border(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(documents, "MAX_DOCUMENT_PAIRS", 3)
    assert documents_of(write(tmp_path / "a.txt", lines("{e} {a}", (2,)))) == [""] * 4
    path = write(tmp_path / "m.en", lines("{e}", (2,)))
    write(tmp_path / "m.ar", lines("{a}", (2,)))
    pairs = list(read_corpus("news", CorpusConfig(path=str(path))))
    assert [pair.source for pair in pairs] == [*ENGLISH[:3], "", ENGLISH[3]]
    more = lines("{e}\t{a}", (0,)) + lines("{e}\t{a}")
    assert documents_of(write(tmp_path / "b.tsv", more)) == ["b.tsv:part 1", *["b.tsv:part 2"] * 3, *[""] * 4]


def test_a_directory_of_files(tmp_path: Path):
    root = tmp_path / "news"
    write(root / "b" / "x.en", lines("{e}"))
    write(root / "b" / "x.ar", lines("{a}"))
    write(root / "b" / "y.TSV", lines("{e}\t{a}", (1,)))
    write(root / "a.csv", "en,ar,doc\nA war.,حرب.,d1\nA city.,مدينة.,\n")
    write(root / "README.txt", "What this is.")
    write(root / ".hidden.tsv", "x")
    write(root / "notes.docx", "x")
    corpus = CorpusConfig(path=str(root))
    pairs = list(read_corpus("news", corpus))
    assert [pair.document for pair in pairs] == [
        *("a.csv:d1", "a.csv"),
        *["b/x.en"] * 4,
        *("b/y.TSV:part 1", "b/y.TSV:part 1", "b/y.TSV:part 2", "b/y.TSV:part 2"),
    ]
    assert pairs[2].origin == f"{root}/b/x.en:1"
    assert input_files(corpus) == [root / name for name in ("a.csv", "b/x.en", "b/x.ar", "b/y.TSV")]
    stated = CorpusConfig(path=str(root), format="tsv")
    assert input_files(stated) == [root / "b/y.TSV"]


def test_a_stated_format_holds_for_files_of_any_name(tmp_path: Path):
    for name in ("1.dat", "2.dat"):
        write(tmp_path / "d" / name, lines("{e}\t{a}"))
    assert documents_of(tmp_path / "d", format="tsv") == ["1.dat"] * 4 + ["2.dat"] * 4


def test_a_file_of_very_many_pairs_is_no_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(documents, "MAX_DOCUMENT_PAIRS", 3)
    write(tmp_path / "d" / "1.tsv", lines("{e}\t{a}"))
    write(tmp_path / "d" / "2.tsv", "A war.\tحرب.\n")
    assert documents_of(tmp_path / "d") == [""] * 4 + ["2.tsv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.en", r"d/x\.en: its Arabic counterpart .*x\.ar does not exist"),
        ("x.ar", r"d/x\.ar: corpus `news`: its English counterpart, .* is not there"),
    ],
)
def test_a_missing_counterpart_is_refused_before_reading(name: str, message: str, tmp_path: Path):
    write(tmp_path / "d" / "a.tsv", "A war.\tحرب.\n")
    write(tmp_path / "d" / name, "x\n")
    with pytest.raises(DataError, match=message):
        check_corpus("news", CorpusConfig(path=str(tmp_path / "d")))


def test_two_directories_of_parallel_files(tmp_path: Path):
    for name in ("1.txt", "b/2.txt"):
        write(tmp_path / "en" / name, lines("{e}"))
        write(tmp_path / "ar" / name, lines("{a}"))
    corpus = CorpusConfig(path=str(tmp_path / "en"), target_path=str(tmp_path / "ar"))
    pairs = list(read_corpus("news", corpus))
    assert [pair[:2] for pair in pairs] == [*zip(ENGLISH, ARABIC, strict=True)] * 2
    assert [pair.document for pair in pairs] == ["1.txt"] * 4 + ["b/2.txt"] * 4
    assert len(input_files(corpus)) == 4
    (tmp_path / "ar" / "b" / "2.txt").unlink()
    with pytest.raises(DataError, match=r"2\.txt: its Arabic counterpart .*ar/b/2\.txt does not exist"):
        check_corpus("news", corpus)
