"""`corrections`: of a table for review only what a person has changed is learnt, and only in training."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from datasets import load_from_disk

from mt.config import CorpusConfig, DataConfig
from mt.data.builder import build_data
from mt.data.pair import Rejection
from mt.data.readers import check_corpus, format_of, read_corpus
from mt.documents.bilingual import BilingualTable
from mt.documents.checking import Row
from mt.errors import DataError
from tests.commands import write_small_config
from tests.helpers import run

HEADER = ["source", "target", "machine", "file", "segment"]
ROWS = [
    ["The road is closed.", "الطريق مغلق.", "الطريق مغلق.", "report.docx", "1"],
    ["Two people were killed.", "قُتل شخصان.", "قتل شخصين.", "report.docx", "2"],
    ["The army said nothing.", " لم يقل  الجيش شيئا. ", "لم يقل الجيش شيئا.", "report.docx", "3"],
    ['He said: "No".', "قال: «لا».", "قال لا.", "report.docx", "4"],
]


SOURCES = [
    "The bridge at Manbij was reopened to buses on Thursday.",
    "Farmers near Taiz lost their wheat to a late frost.",
    "A court in Basra freed two reporters.",
    "Snow cut off the camps above Arsal for a week.",
    "The port of Hodeidah received four ships of fuel.",
    "Teachers in Sebha have not been paid since March.",
    "Nurses carried patients down the stairs by hand.",
    "Rain flooded the old market of Mosul.",
    "Envoys met in Muscat and agreed on little.",
]
TARGETS = [
    "أعيد فتح جسر منبج أمام الحافلات يوم الخميس.",
    "خسر مزارعون قرب تعز قمحهم بسبب صقيع متأخر.",
    "أطلقت محكمة في البصرة سراح صحفيين اثنين.",
    "قطعت الثلوج الطريق إلى المخيمات فوق عرسال أسبوعا.",
    "استقبل ميناء الحديدة أربع سفن محملة بالوقود.",
    "لم يتقاض المعلمون في سبها رواتبهم منذ آذار/مارس.",
    "حمل الممرضون المرضى على الدرج بأيديهم.",
    "أغرقت الأمطار سوق الموصل القديم.",
    "التقى المبعوثون في مسقط ولم يتفقوا إلا على القليل.",
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
    for name in (
        "a.bilingual.tsv",
        "a.ar.md.bilingual.CSV",
        "b.bilingual.xlsx",
        "a.bilingual.tsv.gz",
        "a.bilingual (2).tsv",
    ):
        assert format_of(CorpusConfig(path=name)) == "corrections"
    assert format_of(CorpusConfig(path="bilingual.tsv")) == "tsv"
    assert CorpusConfig(path="a.bilingual.tsv.gz").own_split == "train"
    assert CorpusConfig(path="a.bilingual.tsv", split="test").own_split == "test"
    assert CorpusConfig(path="bilingual.tsv").own_split is None


def test_no_cell_of_a_table_is_a_formula(tmp_path: Path):
    """What a spreadsheet would run has an apostrophe before it, which the reader takes away again."""
    texts = ["=1+1", "- Yes", "@a", "+9", "'=1", "''-", "'quoted'", "1 = 1", "'", "\uff1d1"]
    stream = io.BytesIO()
    with BilingualTable(stream, "=a.txt") as writing:
        writing.add(Row(f"{text} in English", f"{text} بالعربية") for text in texts)
    lines = stream.getvalue().decode("utf-8-sig").splitlines()
    assert [line.split("\t")[0] for line in lines[1:]] == [
        "'=1+1 in English",
        "'- Yes in English",
        "'@a in English",
        "'+9 in English",
        "''=1 in English",
        "'''- in English",
        "'quoted' in English",
        "1 = 1 in English",
        "' in English",
        "'\uff1d1 in English",
    ]
    rows = [line.split("\t") for line in lines[1:]]
    for row in rows[:-1]:
        row[1] = row[1].replace("بالعربية", "بالعربي")
    # A spreadsheet may take the apostrophe for its own when a cell is edited.
    rows[-1][1] = rows[-1][1].removeprefix("'")
    pairs = list(read_corpus("desk", CorpusConfig(path=str(table(tmp_path / "a.bilingual.tsv", rows)))))
    assert [pair.source for pair in pairs] == [f"{text} in English" for text in texts]
    assert [pair.target for pair in pairs] == [*(f"{text} بالعربي" for text in texts[:-1]), f"{texts[-1]} بالعربية"]
    assert [pair.fault for pair in pairs] == [*[None] * 9, Rejection("not corrected")]
    assert {pair.document for pair in pairs} == {"=a.txt"}


def test_targets_that_were_sorted_without_their_rows(tmp_path: Path):
    rows = [[SOURCES[n], TARGETS[n], TARGETS[n], "a.txt", str(n + 1)] for n in range(9)]
    shifted = [[source, after, *rest] for (source, _, *rest), after in zip(rows[:-1], TARGETS[1:], strict=True)]
    path = table(tmp_path / "a.bilingual.tsv", [*shifted, rows[-1]])
    with pytest.raises(
        DataError,
        match="8 of its 8 changed targets are machine translations of other rows: was the column `target` sorted or",
    ):
        list(read_corpus("desk", CorpusConfig(path=str(path))))
    # Two sentences may well be given the translation of a third.
    for row in rows[:2]:
        row[1] = TARGETS[2]
    pairs = list(read_corpus("desk", CorpusConfig(path=str(table(path, rows)))))
    assert sum(pair.fault is None for pair in pairs) == 2


def test_letters_that_a_spreadsheet_has_lost(tmp_path: Path):
    """As older spreadsheets save it, in an encoding that has no Arabic letters."""
    rows = [[re.sub("[^ -~]", "?", cell) for cell in row] for row in ROWS]
    with_number = [["It is 5.", "5?", "5.", "a.txt", "9"], ["", "", "", "a.txt", "10"]]
    path = table(tmp_path / "a.bilingual.tsv", rows + with_number)
    with pytest.raises(
        DataError, match=r"a\.bilingual\.tsv: 4 of its 5 translations are question marks: the program that saved it"
    ):
        list(read_corpus("desk", CorpusConfig(path=str(path))))


def test_a_table_for_review_under_another_name_is_not_learnt_as_it_is(tmp_path: Path):
    path = str(table(tmp_path / "edited.csv", ROWS, ","))
    with pytest.raises(
        DataError, match=r"edited\.csv:1: a table for review, .* set the corpus's `format` to corrections"
    ):
        list(read_corpus("desk", CorpusConfig(path=path)))
    told = CorpusConfig(path=path, source_column="source", target_column="target")
    assert len(list(read_corpus("desk", told))) == 4


def test_corrections_in_a_directory_are_for_training(tmp_path: Path):
    table(tmp_path / "a.bilingual.tsv", ROWS)
    rated(tmp_path / "amal.json", [BETTER])
    (tmp_path / "notes.tsv").write_text("No.\tلا.\n", encoding="utf-8")
    with pytest.raises(
        DataError,
        match=r"holds corrections, such as a\.bilingual\.tsv, which are for training only; set its `format` to",
    ):
        check_corpus("desk", CorpusConfig(path=str(tmp_path)))
    check_corpus("desk", CorpusConfig(path=str(tmp_path), split="train"))
    pairs = list(read_corpus("desk", CorpusConfig(path=str(tmp_path), format="corrections")))
    assert [pair.target for pair in pairs if pair.fault is None] == ["قُتل شخصان.", "قال: «لا».", "الطريق مغلق."]


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


def rated(path: Path, corrections: list[object], **changes: object) -> CorpusConfig:
    """What a page of `mt review` exports, with these corrections of its sentences."""
    items = [
        {"sentence": n, "choice": "left", "correction": correction} for n, correction in enumerate(corrections, start=4)
    ]
    head = {"format": "mt-ratings-2", "reviewer": "Amal", "test_set": "news", "page": "a page", "items": items}
    path.write_text(json.dumps({**head, **changes}, ensure_ascii=False), encoding="utf-8")
    return CorpusConfig(path=str(path), format="corrections")


BETTER = {"source": "The road is closed.", "target": "الطريق مغلق.", "machine": "طريق مغلقة.", "from": "left"}


def test_translations_of_reviewers_are_corrections(tmp_path: Path):
    same = {**BETTER, "machine": " الطريق  مغلق. "}
    options = rated(tmp_path / "amal.json", [None, BETTER, same, {**BETTER, "machine": "", "from": None}])
    pairs = list(read_corpus("desk", options))
    assert [(pair.origin, pair.document, pair.fault.rule if pair.fault else "") for pair in pairs] == [
        (f"{options.path}:sentence 6", "news", ""),
        (f"{options.path}:sentence 7", "news", "not corrected"),
        (f"{options.path}:sentence 8", "news", ""),
    ]
    assert {(pair.source, pair.target) for pair in pairs} == {("The road is closed.", "الطريق مغلق.")}
    assert options.own_split == "train"


@pytest.mark.parametrize(
    ("corrections", "changes", "message"),
    [
        ([None], {}, "holds ratings, but no translation that a reviewer has written; leave the corpus out"),
        ([{"source": "A."}], {}, "a correction lacks sentence, source, target or machine; export it again"),
        (["A."], {}, "a correction lacks sentence, source, target or machine; export it again"),
        ([], {"items": [{"sentence": "4", "correction": BETTER}]}, "a correction lacks sentence, source, target or"),
        ([BETTER], {"format": "other"}, "no ratings exported from a page of `mt review`"),
        ([BETTER], {"format": "mt-ratings-3"}, "no ratings exported from a page of `mt review`"),
        ([BETTER], {"items": None}, "no ratings exported from a page of `mt review`"),
    ],
)
def test_ratings_without_corrections(
    corrections: list[object], changes: dict[str, object], message: str, tmp_path: Path
):
    with pytest.raises(DataError, match=message):
        list(read_corpus("desk", rated(tmp_path / "amal.json", corrections, **changes)))


def test_ratings_that_are_no_json(tmp_path: Path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match=r"a\.json: not JSON"):
        list(read_corpus("desk", CorpusConfig(path=str(tmp_path / "a.json"), format="corrections")))


def test_ratings_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "a.json").write_text('{"format": "mt-ratings-2", "items": ["\\ud800"]}')
    with pytest.raises(DataError, match=r"a\.json: not JSON .*surrogates not allowed"):
        list(read_corpus("desk", CorpusConfig(path=str(tmp_path / "a.json"), format="corrections")))


def test_a_reviewed_test_sentence_is_not_learnt(tmp_path: Path):
    """Of what a reviewer has bettered, sentences of a test set that is named stay out of training."""
    news = "".join(f"Word {letter}.\tكلمة {letter}\n" for letter in "abcdefghijkl")
    (tmp_path / "news.tsv").write_text(news, encoding="utf-8")
    (tmp_path / "test.tsv").write_text("The road is closed!\tأغلق الطريق.\n", encoding="utf-8")
    other = {**BETTER, "source": "Rain flooded the market.", "target": "أغرقت الأمطار السوق."}
    corpora = {
        "news": CorpusConfig(path=str(tmp_path / "news.tsv")),
        "desk": rated(tmp_path / "amal.json", [BETTER, other]),
    }
    held_out = {"reviewed": CorpusConfig(path=str(tmp_path / "test.tsv"))}
    data, report = build_data(DataConfig(corpora=corpora), tmp_path, held_out)
    assert [row["source"] for row in data["train"] if row["corpus"] == "desk"] == ["Rain flooded the market."]
    assert dict(report.corpora["desk"].dropped) == {"like a held-out pair": 1}
    assert f"{tmp_path / 'amal.json'}:sentence 5" in (tmp_path / "rejected.tsv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_from_a_translation_to_the_next_model(
    marian_directory: Path, few_news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Translate, correct ten lines of twelve, one of them in the test set, fine-tune; the run's report names them."""
    config = write_small_config(tmp_path, marian_directory, few_news, max_updates=2)
    assert run(monkeypatch, "train", str(config), "--output_dir", str(tmp_path / "first")) == 0
    [held_out, *_] = load_from_disk(str(tmp_path / "first" / "data"))["test"]
    article = tmp_path / "article.txt"
    lines = [held_out["source"], *SOURCES, "It rained.", "Nobody came."]
    article.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert run(monkeypatch, "mt", "translate", str(tmp_path / "first"), str(article), "--bilingual") == 0
    file = tmp_path / "article.ar.txt.bilingual.tsv"
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    rows[0]["target"] = held_out["target"]
    for row, target in zip(rows[1:], TARGETS, strict=False):
        row["target"] = target
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, HEADER, delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    second = tmp_path / "second"
    assert run(monkeypatch, "train", str(config), "--data.corpora.desk", str(file), "--output_dir", str(second)) == 0
    report = json.loads((second / "data_report.json").read_text(encoding="utf-8"))["corpora"]["desk"]
    assert report["read"] == 12
    assert report["dropped"]["not corrected"] == 2
    train = load_from_disk(str(second / "data"))["train"]
    assert [row["target"] for row in train if row["corpus"] == "desk"] == TARGETS
    assert held_out["target"] not in train["target"]
    assert "desk" in (second / "report.html").read_text(encoding="utf-8")
    assert "not corrected" in (second / "data_card.md").read_text(encoding="utf-8")
