"""`mt backtranslate`: what it writes, what it leaves out, what it refuses, and what is beside the table."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from mt.commands.backtranslate import names_of, output_of, parse_backtranslate, settings_of
from mt.errors import UsageError
from mt.systems import backtranslation, translating
from mt.systems.translating import open_translator
from tests.backtranslation_cases import Romanising, backtranslate, numbered, rows_of, use_windows_of
from tests.conftest import run_with
from tests.document_cases import Shouting
from tests.helpers import only_line

TABLE = "news.backtranslated.tsv"


@pytest.fixture(autouse=True)
def romanising(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Romanising:
    translator = Romanising()
    monkeypatch.setattr(translating, "open_translator", lambda *_: translator)
    monkeypatch.chdir(tmp_path)
    return translator


def write(name: str, text: str | bytes) -> Path:
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names_here() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one sentence with which the command ends."""
    capsys.readouterr()
    assert backtranslate(monkeypatch, *argv) == 1
    return only_line(capsys)


def test_lines_get_sources(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    write("news.ar.txt", "وصل الجيش\n\n  ماء \nقال 12\n")
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    captured = capsys.readouterr()
    assert captured.out == f"{TABLE}\n"
    assert captured.err == "3 pairs of 4 lines; left out: 1 blank\n"
    assert Path(TABLE).read_text(encoding="utf-8") == (
        "source\ttarget\tdocument\tline\n"
        "usl aljys\tوصل الجيش\tnews.ar.txt\t1\n"
        "mae\tماء\tnews.ar.txt\t3\n"
        "qal 12\tقال 12\tnews.ar.txt\t4\n"
    )
    assert names_here() == ["news.ar.txt", TABLE, f"{TABLE}.json"]


def test_provenance(monkeypatch: pytest.MonkeyPatch):
    write("news.ar.txt", "ماء\r\n\r\nقال\r\n")
    assert backtranslate(monkeypatch, "news.ar.txt", "--decoding.num_beams", "2") == 0
    facts = json.loads(Path(f"{TABLE}.json").read_text(encoding="utf-8"))
    assert (facts["model"]["name"], facts["model"]["revision"]) == ("tiny-en-ar", "main")
    assert len(facts["model"]["identity"]["model.safetensors"]) == 64
    assert facts["languages"] == {"source": "ar", "target": "en"}
    assert (facts["decoding"]["num_beams"], facts["decoding"]["mbr"]) == (2, 0)
    assert (facts["engine"]["name"], facts["engine"]["precision"]) == ("torch", "float32")
    of_lines = hashlib.sha256("ماء\n\nقال\n".encode()).hexdigest()
    assert facts["inputs"] == [{"document": "news.ar.txt", "lines": 3, "sha256": of_lines}]
    assert facts["counts"] == {"lines": 3, "pairs": 2, "blank": 1}
    assert facts["sha256"] == hashlib.sha256(Path(TABLE).read_bytes()).hexdigest()


def test_several_texts_of_several_kinds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    write("a.txt.gz", gzip.compress("ماء\nقال\n".encode()))
    write("b.txt", "\ufeffطريق\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("وصل".encode())))
    output = f"out/all{TABLE}"
    assert backtranslate(monkeypatch, "a.txt.gz", "b.txt", "-", "--output", output) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert [row[1:] for row in rows_of(Path(output))[1:]] == [
        ["ماء", "a.txt.gz", "1"],
        ["قال", "a.txt.gz", "2"],
        ["طريق", "b.txt", "1"],
        ["وصل", "stdin", "1"],
    ]


def test_nasty_lines_are_one_row_each(monkeypatch: pytest.MonkeyPatch):
    lines = ["قال\t«لا»", 'قال "لا" ماء', "وصل\u2028الجيش\u0085ماء", "قال\x0bماء\x1fطريق", '"', "=ماء"]
    write("news.ar.txt", "\n".join(lines) + "\r\n")
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    content = Path(TABLE).read_text(encoding="utf-8")
    assert content.count("\n") == 1 + len(lines) == len(content.splitlines())
    rows = list(csv.reader(content.splitlines(), "excel-tab", strict=True))
    assert [row[1] for row in rows[1:]] == [
        *("قال «لا»", 'قال "لا" ماء', "وصل الجيش ماء", "قال ماء طريق", '"', "'=ماء"),
    ]
    assert content.splitlines()[2] == '"qal ""la"" mae"\t"قال ""لا"" ماء"\tnews.ar.txt\t2'


def test_a_line_that_is_too_long_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], romanising: Romanising
):
    write("news.ar.txt", "ماء\n" + "ا" * 10_000 + "\nقال\n")
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    assert "2 pairs of 3 lines; left out: 1 too long" in capsys.readouterr().err
    assert [row[3] for row in rows_of(Path(TABLE))[1:]] == ["1", "3"]
    assert sorted(romanising.translated) == ["قال", "ماء"]


def test_what_occurs_a_thousand_times_is_translated_once(monkeypatch: pytest.MonkeyPatch, romanising: Romanising):
    write("news.ar.txt", "ماء\n" * 1000)
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    assert romanising.translated == ["ماء"]
    assert len(rows_of(Path(TABLE))) == 1001


def test_lines_without_translation_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(Romanising, "decode", lambda self, ids: ["" if len(each) > 6 else "mae" for each in ids])
    write("news.ar.txt", "ماء\nالطريق\n")
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    assert "1 pairs of 2 lines; left out: 1 untranslated" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "\n \n\t\n"])
def test_nothing_to_translate(content: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    write("news.ar.txt", content)
    assert "news.ar.txt: no line could be translated (0 pairs of" in refusal(monkeypatch, capsys, "news.ar.txt")
    assert names_here() == ["news.ar.txt"]


def test_what_cannot_be_read_is_found_before_anything_is_translated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], romanising: Romanising
):
    use_windows_of(monkeypatch, 2)
    for bad, said in ((b"\xe1\xe2\n", "news.ar.txt:5: byte 0xe1"), (b"a\0b\n", "news.ar.txt:5: NUL byte")):
        write("news.ar.txt", "ماء\n".encode() * 4 + bad)
        assert said in refusal(monkeypatch, capsys, "news.ar.txt")
    assert not romanising.translated
    assert names_here() == ["news.ar.txt"]


def test_a_model_of_another_direction_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    write("news.ar.txt", "ماء\nقال\nBBC\n")
    monkeypatch.setattr(translating, "open_translator", lambda *_: Shouting())
    said = refusal(monkeypatch, capsys, "news.ar.txt")
    assert (
        "tiny-en-ar: should translate into English, but 2 of the first 3 translations are not in Latin letters" in said
    )
    typed = ("--model.source_language", "en", "--model.target_language", "ar")
    said = refusal(monkeypatch, capsys, "news.ar.txt", *typed)
    assert (
        "should translate from English, but 2 of the first 3 sentences are not in Latin letters, such as `ماء`" in said
    )
    assert names_here() == ["news.ar.txt"]


def test_the_direction_is_told_as_soon_as_there_is_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], romanising: Romanising
):
    """A first text of a few lines in other letters says nothing; what follows does, and only once."""
    use_windows_of(monkeypatch, 4)
    write("news.ar.txt", "BBC\nCNN\n12\n\n" + "\n".join(numbered(4)) + "\nX\nY\nZ\n")
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    assert "10 pairs of 11 lines" in capsys.readouterr().err
    write("more.ar.txt", "BBC\nCNN\n12\n\nX\nY\nZ\n")
    assert "3 of the first 3 sentences are not in Arabic letters" in refusal(monkeypatch, capsys, "more.ar.txt")
    # What was translated before is kept: the model may be the right one, and the text mended.
    assert Path("more.backtranslated.tsv.unfinished").is_file()


def test_language_tokens_of_another_direction(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(translating, "open_translator", open_translator)
    write("news.ar.txt", "ماء\n")
    said = refusal(monkeypatch, capsys, "news.ar.txt")
    assert "tiny-en-ar: cannot translate Arabic to English: the model has no token for language `en`" in said


def test_nothing_is_replaced_unasked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    write("news.ar.txt", "ماء\n")
    write(TABLE, "mine")
    assert f"{TABLE}: is there already; give --overwrite" in refusal(monkeypatch, capsys, "news.ar.txt")
    assert Path(TABLE).read_text() == "mine"
    assert backtranslate(monkeypatch, "news.ar.txt", "--overwrite") == 0
    assert rows_of(Path(TABLE))[1] == ["mae", "ماء", "news.ar.txt", "1"]
    Path(TABLE).unlink()
    assert f"{TABLE}.json: is there already" in refusal(monkeypatch, capsys, "news.ar.txt")
    write(f"{TABLE}.unfinished", "mine")
    Path(f"{TABLE}.json").unlink()
    assert f"{TABLE}.unfinished: is without its {TABLE}.unfinished.json" in refusal(monkeypatch, capsys, "news.ar.txt")
    assert Path(f"{TABLE}.unfinished").read_text() == "mine"


def test_a_text_is_never_replaced(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    write(TABLE, "ماء\n")
    said = refusal(monkeypatch, capsys, TABLE, "--output", TABLE, "--overwrite")
    assert "would be written over the document" in said
    assert Path(TABLE).read_text(encoding="utf-8") == "ماء\n"


def test_one_process_per_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    write("news.ar.txt", "ماء\n")
    with FileLock(f".{TABLE}.lock"):
        said = refusal(monkeypatch, capsys, "news.ar.txt")
    assert f"{TABLE}: another process is writing it; wait for that, or choose another --output" in said


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["a.txt"], "--model is missing"),
        (["--model", "x/y"], "name a text in the target language"),
        (["a.txt", "--model", "x/y", "--modle", "z"], "unrecognized arguments"),
        (["a.txt", "--mode", "x/y"], "unrecognized arguments"),
        (["a.txt", "--model"], "expected one argument"),
    ],
)
def test_usage(argv: list[str], said: str):
    with pytest.raises(UsageError, match=said):
        parse_backtranslate(argv, "mt backtranslate")


def test_model_is_a_name():
    for argv in (["a.txt", "--model", "x/y"], ["--model=x/y", "a.txt"], ["--model.name", "x/y", "a.txt"]):
        command = parse_backtranslate([*argv, "--model.source_language", "arb_Arab"], "mt backtranslate")
        assert (command.name, command.files, command.model) == ("x/y", ["a.txt"], {"source_language": "arb_Arab"})


@pytest.mark.parametrize(
    ("of_the_run", "typed", "pair"),
    [
        (None, [], ("ar", "en")),
        (None, ["--model.source_language", "fa"], ("fa", "en")),
        (("eng_Latn", "arb_Arab"), [], ("eng_Latn", "arb_Arab")),
        (("fr", "en"), ["--model.source_language", "es"], ("es", "en")),
    ],
)
def test_languages(of_the_run: tuple[str, str] | None, typed: list[str], pair: tuple[str, str], tmp_path: Path):
    """From Arabic to English, or as a run translates; what is typed wins."""
    name = "tiny-en-ar"
    if of_the_run is not None:
        source, target = of_the_run
        options = {"model": {"name": "x/y", "source_language": source, "target_language": target}}
        name = str(run_with(tmp_path / "run", json.dumps(options)))
        Path(name, "model").mkdir()
        Path(name, "model", "config.json").write_text("{}")
    model = settings_of(parse_backtranslate(["a.txt", "--model", name, *typed], "")).model
    assert (model.source_language, model.target_language) == pair


def test_names(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def named(*argv: str, language: str = "ar") -> str:
        return str(output_of(parse_backtranslate([*argv, "--model", "x/y"], ""), language))

    assert named("d/news.ar.txt.gz") == "d/news.backtranslated.tsv"
    assert named("news.2024") == "news.2024.backtranslated.tsv"
    assert named("news.ar.txt", language="arb_Arab") == "news.backtranslated.tsv"
    assert named("news.ar") == "news.backtranslated.tsv"
    assert names_of(["a/1.txt", "2.txt"]) == ["1.txt", "2.txt"]
    assert names_of(["a/1.txt", "b/1.txt"]) == ["a/1.txt", "b/1.txt"]
    write("a.txt", "ماء\n")
    write("b.txt", "ماء\n")
    for argv, said in (
        (["a.txt", "b.txt"], "give --output NAME.backtranslated.tsv"),
        (["a.txt", "a.txt"], "a text is named twice"),
        (["a.txt", "--output", "pairs.tsv"], "must be a file that ends in .backtranslated.tsv"),
    ):
        assert backtranslate(monkeypatch, *argv) == 2
        assert said in only_line(capsys)
    assert "nowhere.txt: no such text file" in refusal(monkeypatch, capsys, "nowhere.txt")


def test_long_texts_take_the_memory_of_a_window(monkeypatch: pytest.MonkeyPatch):
    """No window is read before the one ahead of it is kept."""
    read: list[int] = []
    kept: list[int] = []
    lines_of = backtranslation.lines_of

    def counting(*arguments: object):
        for number, line in enumerate(lines_of(*arguments), start=1):  # type: ignore[arg-type]
            read.append(number)
            yield line

    def keep(self: backtranslation.BackTranslation, rows: list[backtranslation.Row]) -> None:
        kept.append(read[-1])
        keeping(self, rows)

    keeping = backtranslation.BackTranslation._keep
    write("news.ar.txt", "\n".join(numbered(25)) + "\n")
    use_windows_of(monkeypatch, 10)
    monkeypatch.setattr(backtranslation, "lines_of", counting)
    monkeypatch.setattr(backtranslation, "count_lines", lambda *_: 25)
    monkeypatch.setattr(backtranslation.BackTranslation, "_keep", keep)
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    assert kept == [10, 20, 25]
