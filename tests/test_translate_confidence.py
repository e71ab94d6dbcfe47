"""`mt translate --confidence`: its columns beside lines and in tables, and what it says of its calibration."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from mt.config import CorpusConfig, DecodingConfig, ModelConfig
from mt.data.readers import read_corpus
from mt.documents.bilingual import BilingualTable, line_of
from mt.documents.checking import Checker, Row, ranks
from mt.errors import RunError
from mt.evaluation.confidence import Calibration, Confidence, calibration_as_json
from mt.evaluation.searches import search_as_json
from mt.files import write_json
from mt.languages import ENGLISH_TO_ARABIC, pair_named
from mt.models.engines import Engine
from mt.models.log_probabilities import counted_tokens, mean_log_probabilities
from mt.models.transformers_model import load_translator
from mt.models.translator import Translator
from mt.runs import RunDirectory
from mt.systems import confidence as confidence_module
from mt.systems import streaming, translating
from mt.systems.confidence import Estimator, estimator_of
from mt.systems.streaming import Stream
from tests.conftest import news_pairs, news_sentences
from tests.document_cases import Shouting
from tests.helpers import only_line, run
from tests.llm_models import make_llm

SEARCH = DecodingConfig(num_beams=1, engine="torch")
# A straight line from chrF 20 at -2 to 60 at 0, and an interval of 15 down and up.
LINE = Calibration([(-2.0, 20.0), (0.0, 60.0)], 15.0, 100, decoding=search_as_json(SEARCH), engine="torch 2 in float32")


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[tuple[str, str]]]:
    """Translating is writing in capitals, and the mean log-probability a tenth of the length, negative.

    What is scored, call by call.
    """
    calls: list[list[tuple[str, str]]] = []

    def score(_: Translator, sources: Sequence[str], texts: Sequence[str], decoding: DecodingConfig) -> list[float]:
        calls.append(list(zip(sources, texts, strict=True)))
        return [-len(text) / 10 for text in texts]

    monkeypatch.setattr(translating, "open_translator", lambda *_: Shouting())
    monkeypatch.setattr(confidence_module, "mean_log_probabilities", score)
    monkeypatch.setattr(confidence_module, "counted_tokens", lambda _, texts: list(map(len, texts)))
    monkeypatch.chdir(tmp_path)
    return calls


def translate(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    return run(monkeypatch, "mt", "translate", "tiny-en-ar", *argv, "--decoding.engine", "torch")


# Beside lines


def test_columns_of_a_model_that_is_no_run(
    scored: list[list[tuple[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    Path("in.txt").write_text("One came.\n\nTwo\tleft.\nOne came.\n")
    with caplog.at_level(logging.WARNING):
        assert translate(monkeypatch, "in.txt", "--confidence") == 0
    # The tab of a translation would be taken for the end of its column.
    assert capsys.readouterr().out == (
        "ONE CAME.\t\t\t\t-0.9000\n\t\t\t\t\nTWO LEFT.\t\t\t\t-0.9000\nONE CAME.\t\t\t\t-0.9000\n"
    )
    assert scored == [[("One came.", "ONE CAME."), ("Two left.", "TWO LEFT.")]]
    assert [record.getMessage() for record in caplog.records] == [
        "tiny-en-ar: no expected chrF, because it is not a run; there is only the mean log-probability"
    ]


def test_line_of_a_translation():
    assert line_of("a\tb", Confidence(42.349, 27.0, 57.25, -0.88255)) == "a b\t42.3\t27.0\t57.2\t-0.8825"
    assert line_of("", None) == "\t\t\t\t"


def test_calibrated_confidence_of_a_stream(scored: list[list[tuple[str, str]]]):
    stream = Stream(ModelConfig(name="tiny-en-ar"), SEARCH, Estimator("a", SEARCH, LINE))
    ((first, blank, last),) = stream.lines(["Ten chars.", " ", "Twenty characters it"])
    assert first == ("TEN CHARS.", Confidence(40.0, 25.0, 55.0, -1.0))
    assert blank == ("", None)
    assert last.confidence == Confidence(20.0, 5.0, 35.0, -2.0)
    assert len(scored) == 1


def test_without_confidence_nothing_is_scored(scored: list[list[tuple[str, str]]]):
    ((only,),) = Stream(ModelConfig(name="tiny-en-ar"), SEARCH).lines(["One."])
    assert only == ("ONE.", None)
    assert scored == []


def test_a_sentence_in_parts_has_the_mean_of_its_tokens(
    scored: list[list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Shouting, "max_tokens", 12)
    stream = Stream(ModelConfig(name="tiny-en-ar"), SEARCH, Estimator("a", SEARCH))
    ((only,),) = stream.sentences(["One came, two of us left."])
    assert scored == [[("One came,", "ONE CAME,"), ("two of", "TWO OF"), ("us left.", "US LEFT.")]]
    assert only.text == "ONE CAME, TWO OF US LEFT."
    assert only.confidence is not None
    # (9 * 0.9 + 6 * 0.6 + 8 * 0.8) / 23
    assert only.confidence.mean_log_probability == pytest.approx(-18.1 / 23)


@pytest.mark.parametrize("family", ["marian_directory", "nllb_directory"])
def test_parts_are_weighted_by_the_tokens_that_are_scored(family: str, request: pytest.FixtureRequest):
    translator = load_translator(ModelConfig(name=str(request.getfixturevalue(family))))
    sources, targets = news_pairs()
    parts = list(zip(sources[:3], targets[:3], strict=True))
    means = mean_log_probabilities(translator, sources[:3], targets[:3], SEARCH)
    tokens = counted_tokens(translator, targets[:3])
    ids = translator.encode_targets(targets[:3])
    assert tokens == [len(each) - (family == "nllb_directory") for each in ids]
    (found,) = Estimator("a", SEARCH).confidences(translator, [parts])
    expected = sum(mean * count for mean, count in zip(means, tokens, strict=True)) / sum(tokens)
    assert found.mean_log_probability == pytest.approx(expected, abs=1e-6)


def test_rows_wait_for_their_ranks_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("mt.documents.bilingual._IN_MEMORY", 1 << 16)

    def rows(count: int) -> None:
        with (tmp_path / "t.tsv").open("wb") as stream, BilingualTable(stream, "a", has_confidence=True) as table:
            for number in range(count):
                table.add([Row("A sentence. " * 20, "Ein Satz. " * 20, Confidence(None, None, None, -number / 7))])

    rows(10)
    peaks = []
    for count in (500, 5_000):
        tracemalloc.start()
        rows(count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A few numbers a row; the rows themselves have 680 bytes each.
    assert peaks[1] - peaks[0] < 4_500 * 250


# In tables


def test_table_with_confidence(scored: list[list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch):
    class Miscounting(Shouting):
        def decode(self, token_ids: list[list[int]]) -> list[str]:
            return [text.replace("12", "13") for text in super().decode(token_ids)]

    monkeypatch.setattr(translating, "open_translator", lambda *_: Miscounting())
    Path("in.txt").write_text('These 12 "men".\n\nOne.\n')
    assert translate(monkeypatch, "in.txt", "--confidence", "--bilingual") == 0
    men = '"These 12 ""men""."\t"THESE 13 ""MEN""."\t"THESE 13 ""MEN""."'
    assert Path("in.ar.txt.bilingual.tsv").read_text(encoding="utf-8") == (
        "\ufeffsource\ttarget\tmachine\tfile\tsegment\texpected_chrf\tlow\thigh\tlog_probability\tchecks\tread_first\n"
        f"{men}\tin.txt\t1\t\t\t\t-1.5000\tnumbers: 12 of the source is missing; 13 is not in the source\t1\n"
        "\t\t\tin.txt\t2\t\t\t\t\t\t\n"
        "One.\tONE.\tONE.\tin.txt\t3\t\t\t\t-0.4000\t\t2\n"
    )


def test_table_of_a_document(scored: list[list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch):
    """Each sentence has the confidence of what the model wrote for it; what is copied or missing has none."""

    class Losing(Shouting):
        def decode(self, token_ids: list[list[int]]) -> list[str]:
            texts = super().decode(token_ids)
            return ["" if text == "NOTHING." else text.replace("HTTPS://A.ORG", "") for text in texts]

    monkeypatch.setattr(translating, "open_translator", lambda *_: Losing())
    Path("a.html").write_text("<p>One.</p><p>45�</p><p>Nothing.</p><p>See https://a.org now.</p><p>One.</p>")
    assert translate(monkeypatch, "a.html", "--confidence", "--bilingual") == 0
    rows = Path("a.ar.html.bilingual.tsv").read_text(encoding="utf-8-sig").splitlines()[1:]
    cells = [row.split("\t") for row in rows]
    assert [(row[0], row[8], row[10]) for row in cells] == [
        ("One.", "-0.4000", "3"),
        ("45�", "", ""),
        ("Nothing.", "", "1"),
        ("See https://a.org now.", "-0.8000", "2"),
        ("One.", "-0.4000", "4"),
    ]
    assert [row[9] for row in cells[1:3]] == ["", "not translated"]
    assert cells[3][9] == "address put back at the end"
    assert [text for call in scored for text, _ in call].count("One.") == 1


def test_a_table_with_confidence_is_a_corpus(scored: list[list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch):
    Path("in.txt").write_text('=One came.\n"Two" left.\n')
    assert translate(monkeypatch, "in.txt", "--confidence", "--bilingual") == 0
    table = Path("in.ar.txt.bilingual.tsv")
    text = table.read_text(encoding="utf-8").replace('"""TWO"" LEFT."', '"غادر ""اثنان""."', 1)
    for name in ("a.bilingual.tsv", "a.bilingual (1).tsv"):
        Path(name).write_text(text, encoding="utf-8")
        pairs = list(read_corpus("news", CorpusConfig(path=name)))
        assert [(pair.source, pair.target, pair.document, pair.fault is None) for pair in pairs] == [
            ("=One came.", "=ONE CAME.", "in.txt", False),
            ('"Two" left.', 'غادر "اثنان".', "in.txt", True),
        ]


def test_a_file_name_of_two_lines(scored: list[list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch):
    Path("a\nb\tc.txt").write_text("One.\nTwo.\n")
    assert translate(monkeypatch, "a\nb\tc.txt", "--output", "out", "--bilingual", "--confidence") == 0
    lines = Path("out.bilingual.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[3:5] for line in lines[1:]] == [["a b c.txt", "1"], ["a b c.txt", "2"]]


def test_ranks_of_rows():
    assert ranks([-1.0, None, -3.0, float("-inf"), -1.0]) == [3, None, 2, 1, 4]


def test_documents_need_a_table_or_a_page(
    scored: list[list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    Path("a.html").write_text("<p>One.</p>")
    assert translate(monkeypatch, "a.html", "--confidence") == 2
    assert "--confidence has columns beside lines and in the table of --bilingual; for documents" in only_line(capsys)
    assert translate(monkeypatch, "a.html", "--confidence", "--page") == 0
    assert "log-probability" in Path("a.ar.html.review.html").read_text(encoding="utf-8")


# Checks in words


def test_checks_in_words(tmp_path: Path):
    checker = Checker(ENGLISH_TO_ARABIC)
    assert list(checker.failed("It killed 12.", "قتل الكثير.")) == ["numbers: 12 of the source is missing"]
    assert list(checker.failed("It killed 12.", "قتل ١٢.")) == []
    terms = tmp_path / "terms.tsv"
    terms.write_text("english\tarabic\tkind\nceasefire\tهدنة\tpolitical\n", encoding="utf-8")
    own = Checker(ENGLISH_TO_ARABIC, str(terms))
    assert list(own.failed("A ceasefire.", "وقف إطلاق النار.")) == ["terms: not as listed: ceasefire (هدنة)"]
    assert list(own.failed("A ceasefire.", "الهدنة.")) == []
    # Without what the check of numbers must know of a language, digits are compared.
    other = Checker(pair_named("en", "fr"))
    assert list(other.failed("It killed 12.", "Douze morts.")) == ["numbers: digits of the source are missing"]


# What the confidence rests on


@pytest.fixture
def calibrated(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run")
    directory.root.mkdir()
    write_json(directory.confidence, calibration_as_json(LINE))
    return directory


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_run_brings_its_calibration(calibrated: RunDirectory, caplog: pytest.LogCaptureFixture):
    estimator = estimator_of("run", calibrated, SEARCH)
    assert estimator.calibration == LINE
    estimator.check_engine(Engine("ctranslate2", "4", "float32"))
    assert messages(caplog) == []


def test_another_search_is_said(calibrated: RunDirectory, caplog: pytest.LogCaptureFixture):
    estimator_of("run", calibrated, DecodingConfig(num_beams=4, tag="<news>"))
    assert messages(caplog) == [
        "run: its expected chrF was learnt with num_beams 1, tag none, and this is decoded with num_beams 4, tag "
        "<news>: the intervals may be too narrow or in the wrong place"
    ]


def test_another_precision_is_said(calibrated: RunDirectory, caplog: pytest.LogCaptureFixture):
    estimator_of("run", calibrated, SEARCH).check_engine(Engine("ctranslate2", "4", "int8"))
    assert messages(caplog) == [
        "run: its expected chrF was learnt from translations in float32, and these are in int8: the intervals may be "
        "too narrow or in the wrong place"
    ]


def test_a_run_without_a_calibration_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert estimator_of("run", RunDirectory(tmp_path), SEARCH).calibration is None
    assert messages(caplog) == [
        "run: no expected chrF, because the run has no confidence.json; there is only the mean log-probability"
    ]


def test_the_same_terms_by_another_path_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "terms.tsv").write_text("english\tarabic\tkind\nMosul\tالموصل\tplace\n", encoding="utf-8")
    learnt = search_as_json(DecodingConfig(terminology="terms.tsv"))
    write_json(
        RunDirectory(tmp_path).confidence, calibration_as_json(Calibration([(-1.0, 1.0)], 1.0, 50, decoding=learnt))
    )
    estimator_of("run", RunDirectory(tmp_path), DecodingConfig(terminology=str(tmp_path / "terms.tsv")))
    assert messages(caplog) == []


def test_a_damaged_calibration_is_refused(calibrated: RunDirectory):
    calibrated.confidence.write_text("{")
    with pytest.raises(RunError, match=r"confidence\.json: cannot be read"):
        estimator_of("run", calibrated, SEARCH)


# With real models


@pytest.mark.parametrize("kind", ["torch", "ctranslate2", "decoder-only"])
def test_lines_get_what_the_model_finds(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    sources, _ = news_pairs()
    is_llm = kind == "decoder-only"
    name = str(make_llm("qwen3", tmp_path, news_sentences())) if is_llm else "tiny-en-ar"
    search = DecodingConfig(num_beams=1, max_length_ratio=0.2, engine="torch" if is_llm else kind)  # type: ignore[arg-type]
    monkeypatch.setattr(streaming, "WINDOW", 4)
    stream = Stream(ModelConfig(name=name), search, Estimator("m", search))
    found = [each for window in stream.lines(sources[:6]) for each in window]
    by_torch = load_translator(ModelConfig(name=name))
    expected = mean_log_probabilities(by_torch, sources[:6], [each.text for each in found], search)
    values = [each.confidence.mean_log_probability for each in found if each.confidence]
    assert values == pytest.approx(expected, abs=1e-3)
