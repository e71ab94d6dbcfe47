"""Tables: which columns are read, quoted cells, delimiters, line ends and encodings."""

import logging
from itertools import count
from pathlib import Path

import pytest

from mt.config import CorpusConfig
from mt.data.readers import read_corpus
from mt.errors import DataError
from tests.helpers import read_pairs, texts

PAIRS = [
    ("The convoy left the town at dawn.", "غادرت القافلة البلدة عند الفجر."),
    ("Two lorries were hit on the road.", "أصيبت شاحنتان على الطريق."),
    ("Nobody was killed, police said.", "لم يقتل أحد، حسب الشرطة."),
]


def table(header: str, row: str = "{e}\t{a}", pairs: list[tuple[str, str]] = PAIRS) -> str:
    rows = (
        row.format(e=english, a=arabic, n=number) for number, (english, arabic) in zip(count(1), pairs, strict=False)
    )
    return "".join(f"{line}\n" for line in ([header] if header else []) + list(rows))


HEADERS = [
    ("ID;Source text;Target text;Editor;Date", "{n};{e};{a};Sam Hill;1.2.2024"),
    ("id;en_US;ar-SY", "{n};{e};{a}"),
    ("eng_Latn;arb_Arab", "{e};{a}"),
    ("Arabic (Syria);English (UK)", "{a};{e}"),
    ("Translation;Original", "{a};{e}"),
    ("msgid;msgstr", "{e};{a}"),
    ("rowId;sourceText;targetText", "{n};{e};{a}"),
    ("text_en;sentence_ar", "{e};{a}"),
    ("العربية;الإنجليزية", "{a};{e}"),
    ("ar;en;source", "{a};{e};Reuters"),
    ("source;text;translation", "AP;{e};{a}"),
    ("\ufeff\ufeffEnglish;Arabic", "{e};{a}"),
    ("Source (AR);Target (EN)", "{a};{e}"),
    ("Englisch;Arabisch", "{e};{a}"),
    ("Nr;Erste;Zweite;Kürzel", "{n};{a};{e};SH"),
    ("source;target", "{a};{e}"),
    ("source_id;source;target_id;target", "{n};{e};{n};{a}"),
    ("", "{n};{e};{n};{a}"),
    ("", "{a};{e}"),
    ("", "eng;{e};ara;{a}"),
]


@pytest.mark.parametrize(("header", "row"), HEADERS)
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_columns_are_found_by_name_or_by_their_letters(header: str, row: str, ending: str, tmp_path: Path):
    content = table(header, row)
    assert (
        texts(read_pairs(tmp_path / f"news.{ending}", content.replace(";", "\t") if ending == "tsv" else content))
        == PAIRS
    )


def test_other_translations_behind_the_first_are_additions(tmp_path: Path):
    assert texts(read_pairs(tmp_path / "news.tsv", table("", "{e}\t{a}\t{a} ثم\t{a} أيضا"))) == PAIRS


def test_what_was_seen_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        read_pairs(tmp_path / "news.tsv", table("", "{n}\t{a}\t{e}"))
    assert "column 3 is English and column 2 Arabic by their letters, so source_column is 3 and target_column 2" in (
        caplog.text
    )


def test_columns_that_cannot_be_told_are_listed(tmp_path: Path):
    message = r"news\.tsv:1: neither names nor letters tell .*: Ref, One, Two; set source_column and target_col"
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / "news.tsv", table("Ref\tOne\tTwo", "{n}\t{a}\t{a}"))
    with pytest.raises(DataError, match="which of its 3 columns"):
        read_pairs(tmp_path / "news.tsv", table("Ref\tOne\tTwo", "{a}\t{e}\t{e}!"))


def test_named_columns_are_read_as_they_are_asked_for(tmp_path: Path):
    content = table("one\ttwo\ten\tar", "{e}\t{a}\tx\ty")
    assert texts(read_pairs(tmp_path / "n.tsv", content, source_column="ONE", target_column="two")) == PAIRS
    with pytest.raises(DataError, match="no column `docs`; the first line has 4: one, two, en, ar"):
        read_pairs(tmp_path / "n.tsv", content, document_column="docs")


QUOTED = [
    ('"He said ""no"" twice."\t"قال ""لا"" مرتين."', ('He said "no" twice.', 'قال "لا" مرتين.')),
    ('"""We stay,"" he said."\tسنبقى.', ('"We stay," he said.', "سنبقى.")),
    ('"A tab\there"\tسنبقى.', ("A tab\there", "سنبقى.")),
    ('"Two\nlines"\tسنبقى.', ("Two\nlines", "سنبقى.")),
]


@pytest.mark.parametrize(("row", "expected"), QUOTED)
def test_the_quotes_of_a_spreadsheet_are_taken_off(row: str, expected: tuple[str, str], tmp_path: Path):
    pairs = texts(read_pairs(tmp_path / "news.tsv", "english\tarabic\n" + row + "\n" + table("")))
    assert pairs == [expected, *PAIRS]


def test_a_table_with_every_cell_quoted(tmp_path: Path):
    assert texts(read_pairs(tmp_path / "a.tsv", table('"English"\t"Arabic"', '"{e}"\t"{a}"'))) == PAIRS
    assert texts(read_pairs(tmp_path / "b.tsv", table("", '"{e}"\t"{a}"', PAIRS * 2))) == PAIRS * 2


def test_numbers_are_not_quoted_by_writers_that_quote_all_text(tmp_path: Path):
    content = table('"id"\t"text"\t"translation"', '{n}\t"{e}"\t"{a}"', PAIRS * 2)
    assert texts(read_pairs(tmp_path / "a.tsv", content)) == PAIRS * 2


def test_excel_quotes_what_holds_a_comma(tmp_path: Path):
    pairs = [*PAIRS[:2], *((f"Number {number}, and more.", "كذا وكذا.") for number in range(3))]
    content = "".join(f'"{e}"\t{a}\n' if "," in e else f"{e}\t{a}\n" for e, a in pairs)
    assert texts(read_pairs(tmp_path / "a.tsv", content)) == pairs


def test_a_table_with_the_ending_of_text(tmp_path: Path):
    assert texts(read_pairs(tmp_path / "a.txt", table("English\tArabic").encode("utf-16"))) == PAIRS
    content = table("") + '"He said ""no""."\t"قال ""لا""."\n'
    assert texts(read_pairs(tmp_path / "b.txt", content)) == [*PAIRS, ('He said "no".', 'قال "لا".')]


def test_quotation_marks_of_sentences_stay(tmp_path: Path):
    quotations = [('"We stay."', '"سنبقى."'), ('"No," he said.', '"لا"، قال.'), ('He said "no".', 'قال "لا".')]
    assert texts(read_pairs(tmp_path / "a.tsv", table("", pairs=quotations))) == quotations
    assert texts(read_pairs(tmp_path / "b.tsv", table("", pairs=quotations[:1]))) == quotations[:1]
    odd = [*quotations, ('"He said ""no""."', "x")]
    assert texts(read_pairs(tmp_path / "c.tsv", table("", pairs=odd))) == odd


def test_a_table_that_is_quoted_in_part_is_refused(tmp_path: Path):
    content = table("english\tarabic", '"{e} ""so"""\t"{a} ""كذا"""') + '"Yes," he said.\tنعم.\n'
    with pytest.raises(DataError, match=r"news\.tsv:5: most quotation marks .* set the corpus's `format` to csv"):
        read_pairs(tmp_path / "news.tsv", content)


def test_the_first_quoted_cell_may_come_late(tmp_path: Path):
    content = table("", pairs=PAIRS * 400) + '"He said ""no""."\tقال.\n'
    assert texts(read_pairs(tmp_path / "news.tsv", content))[-1] == ('He said "no".', "قال.")
    content = table("", pairs=PAIRS * 400) + 'He said "no".\tقال.\n"x ""y"" z"\tقال.\n'
    assert texts(read_pairs(tmp_path / "news.tsv", content))[-1] == ('"x ""y"" z"', "قال.")


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;"])
def test_a_line_that_names_the_separator(first: str, tmp_path: Path):
    path = tmp_path / "news.csv"
    pairs = read_pairs(path, table(f"{first}\r\nenglish;arabic", "{e};{a}"))
    assert texts(pairs) == PAIRS
    assert pairs[0].origin == f"{path}:3"


DELIMITERS = [
    (
        "",
        "{e},{a}",
        [("They came; they saw; they left.", "جاؤوا ورأوا."), *[(e.replace(",", ""), a) for e, a in PAIRS]],
    ),
    ("", "{e};{a}", [("Yes, yes, they did.", "نعم، فعلوا."), *PAIRS]),
    ("id;score;en;ar", '{n};0,{n}5;"{e}";"{a}"', PAIRS),
    ("", "{e}|{a}", PAIRS),
    ("en\tar", "{e}\t{a}", PAIRS),
]


@pytest.mark.parametrize(("header", "row", "pairs"), DELIMITERS)
def test_the_delimiter_is_the_one_that_fits_all_rows(
    header: str, row: str, pairs: list[tuple[str, str]], tmp_path: Path
):
    assert texts(read_pairs(tmp_path / "news.csv", table(header, row, pairs))) == pairs


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with BOM", "utf-16-be with BOM"])
def test_line_ends_and_encodings(end: str, encoding: str, tmp_path: Path):
    def encoded(text: str) -> bytes:
        codec, _, bom = encoding.partition(" with ")
        return (("\ufeff" if bom else "") + text.replace("\n", end)).encode(codec)

    assert texts(read_pairs(tmp_path / "a.tsv", encoded(table("en\tar")))) == PAIRS
    assert texts(read_pairs(tmp_path / "b.csv", encoded(table("en,ar", '"{e}","{a}"')))) == PAIRS
    assert texts(read_pairs(tmp_path / "c.txt", encoded(table("", "{e} {a}")))) == PAIRS
    assert texts(read_pairs(tmp_path / "d.jsonl", encoded(table("", '{{"en": "{e}", "ar": "{a}"}}')))) == PAIRS
    (tmp_path / "m.ar").write_bytes(encoded(table("", "{a}")))
    assert texts(read_pairs(tmp_path / "m.en", encoded(table("", "{e}")))) == PAIRS


def test_a_cell_of_an_old_mac_holds_newlines(tmp_path: Path):
    assert texts(read_pairs(tmp_path / "a.csv", 'en,ar\r"One\nmore.","واحد\nآخر."\r')) == [("One\nmore.", "واحد\nآخر.")]


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\r"])
def test_only_line_ends_end_a_line(separator: str, tmp_path: Path):
    pairs = [(f"One{separator}two and three.", "واحد واثنان وثلاثة."), *PAIRS]
    assert texts(read_pairs(tmp_path / "a.tsv", table("", pairs=pairs))) == pairs
    expected = [(pairs[0][0].replace("\r", " "), pairs[0][1]), *PAIRS]
    assert texts(read_pairs(tmp_path / "a.csv", table("", "{e};{a}", pairs))) == expected


def test_line_ends_of_two_kinds_are_named(tmp_path: Path):
    content = table("") + table("").replace("\n", "\r")
    with pytest.raises(DataError, match=r"a\.tsv:4: expected 2 .* found 4 \(line ends of two kinds\?\)"):
        read_pairs(tmp_path / "a.tsv", content)


RECORDS = [
    '{{"id": {n}, "Source": "{e}", "Translation": "{a}"}}',
    '{{"id": {n}, "en_US": "{e}", "ar-SY": "{a}"}}',
    '{{"id": {n}, "first": "{e}", "second": "{a}"}}',
    '{{"source": "Reuters", "english": "{e}", "arabic": "{a}"}}',
    '{{"source": "{a}", "target": "{e}"}}',
]


@pytest.mark.parametrize("record", RECORDS)
def test_keys_are_found_likewise(record: str, tmp_path: Path):
    assert texts(read_pairs(tmp_path / "news.jsonl", table("", record))) == PAIRS


def test_a_data_set_of_tables_without_header(tmp_path: Path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "train.tsv").write_text(table("", "{e} And more of it.\t{a}"), encoding="utf-8")
    with pytest.raises(DataError, match=r"is a sentence, not .* Set the corpus's `format` to tsv or csv"):
        list(read_corpus("news", CorpusConfig(path=str(tmp_path / "d"), format="hf")))
    corpus = CorpusConfig(path=str(tmp_path / "d"), format="tsv")
    assert [pair.target for pair in read_corpus("news", corpus)] == [arabic for _, arabic in PAIRS]


def test_lines_may_be_long(tmp_path: Path):
    pairs = [("A war. " * 50_000, "حرب. " * 50_000)] * 12
    assert texts(read_pairs(tmp_path / "a.tsv", table("", pairs=pairs))) == pairs
    assert texts(read_pairs(tmp_path / "a.jsonl", table("", '{{"en": "{e}", "ar": "{a}"}}', pairs))) == pairs
