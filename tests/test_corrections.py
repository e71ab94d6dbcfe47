"""`corrections`: of a table for review only what a person has changed is learnt, and only in training."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mt.config import CorpusConfig
from mt.data.readers import format_of, read_corpus
from mt.errors import DataError

HEADER = ["source", "target", "machine", "file", "segment"]
ROWS = [
    ["The road is closed.", "الطريق مغلق.", "الطريق مغلق.", "report.docx", "1"],
    ["Two people were killed.", "قُتل شخصان.", "قتل شخصين.", "report.docx", "2"],
    ["The army said nothing.", " لم يقل  الجيش شيئا. ", "لم يقل الجيش شيئا.", "report.docx", "3"],
    ['He said: "No".', "قال: «لا».", "قال لا.", "report.docx", "4"],
]


def table(path: Path, rows: list[list[str]], delimiter: str = "\t") -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows([HEADER, *rows])
    return path


@pytest.mark.parametrize(("name", "delimiter"), [("report.ar.docx.bilingual.tsv", "\t"), ("edited.csv", ";")])
def test_only_corrected_rows_are_pairs(name: str, delimiter: str, tmp_path: Path):
    path = table(tmp_path / name, ROWS, delimiter)
    options = CorpusConfig(path=str(path), format="auto" if "bilingual" in name else "corrections")
    pairs = list(read_corpus("desk", options))
    assert [pair.fault.rule if pair.fault else "" for pair in pairs] == ["not corrected", "", "not corrected", ""]
    assert (pairs[1].source, pairs[1].target, pairs[1].origin) == (ROWS[1][0], ROWS[1][1], f"{path}:3")
    assert {pair.document for pair in pairs} == {"report.docx"}
    assert pairs[3].source == 'He said: "No".'
    assert options.own_split == "train"


def test_a_table_for_review_is_known_by_its_name():
    for name in ("a.bilingual.tsv", "a.ar.md.bilingual.CSV", "b.bilingual.xlsx", "a.bilingual.tsv.gz"):
        assert format_of(CorpusConfig(path=name)) == "corrections"
    assert format_of(CorpusConfig(path="bilingual.tsv")) == "tsv"
    assert CorpusConfig(path="a.bilingual.tsv.gz").own_split == "train"
    assert CorpusConfig(path="a.bilingual.tsv", split="test").own_split == "test"
    assert CorpusConfig(path="bilingual.tsv").own_split is None


def test_nothing_is_corrected(tmp_path: Path):
    path = table(tmp_path / "a.bilingual.tsv", [ROWS[0], ROWS[2]])
    with pytest.raises(
        DataError, match="none of its 2 translations is corrected: target is the same as machine in each"
    ):
        list(read_corpus("desk", CorpusConfig(path=str(path))))


def test_a_table_without_what_the_model_wrote(tmp_path: Path):
    path = tmp_path / "a.tsv"
    path.write_text("source\ttarget\nThe road.\tالطريق.\n", encoding="utf-8")
    with pytest.raises(DataError, match="machine"):
        list(read_corpus("desk", CorpusConfig(path=str(path), format="corrections")))
