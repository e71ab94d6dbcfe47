"""`mt backtranslate` that was interrupted: nothing that was kept is lost, and the table is the one of a single go."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mt.config import ModelConfig
from mt.models.engines import Engine
from mt.systems import backtranslation, translating, unfinished_table
from mt.systems.unfinished_table import UnfinishedTable
from tests.backtranslation_cases import (
    Romanising,
    backtranslate,
    numbered,
    rows_of,
    save_arabic_to_english,
    use_windows_of,
)
from tests.commands import TIMEOUT_SECONDS, at_call
from tests.conftest import ROOT, news_pairs
from tests.helpers import only_line, run

TABLE = "news.backtranslated.tsv"
UNFINISHED = f"{TABLE}.unfinished"
LINES = [*numbered(24), "", *numbered(30)[24:]]


class Killed(BaseException):
    """The end of a process, for a test that goes on in it."""


@pytest.fixture(autouse=True)
def romanising(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Romanising:
    translator = Romanising()
    monkeypatch.setattr(translating, "open_translator", lambda *_: translator)
    use_windows_of(monkeypatch, 10)
    monkeypatch.chdir(tmp_path)
    Path("news.ar.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return translator


def kill() -> None:
    raise Killed


def die_at(monkeypatch: pytest.MonkeyPatch, call: int, where: tuple[object, str]) -> None:
    """Have the next command end before its call of this number."""
    with monkeypatch.context() as patched:
        patched.setattr(*where, at_call(call, getattr(*where), kill))
        with pytest.raises(Killed):
            backtranslate(patched, "news.ar.txt")


def in_one_go(monkeypatch: pytest.MonkeyPatch, *argv: str) -> tuple[bytes, Any]:
    """(table, provenance without its time) of the same texts elsewhere."""
    assert backtranslate(monkeypatch, *(argv or ["news.ar.txt"]), "--output", f"whole/{TABLE}") == 0
    return result_in("whole")


def result_in(directory: str) -> tuple[bytes, Any]:
    facts = json.loads(Path(directory, f"{TABLE}.json").read_text(encoding="utf-8"))
    del facts["finished"]
    return Path(directory, TABLE).read_bytes(), facts


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    assert backtranslate(monkeypatch, "news.ar.txt", *argv) == 1
    return only_line(capsys)


@pytest.mark.parametrize(
    ("where", "call", "kept"),
    [
        # Each window is written, and then its state; there is a state of nothing before the first.
        ((UnfinishedTable, "add"), 1, 0),
        ((UnfinishedTable, "_write_state"), 2, 0),
        ((unfinished_table.os, "fsync"), 4, 0),
        ((UnfinishedTable, "add"), 2, 10),
        ((UnfinishedTable, "add"), 4, 30),
        ((UnfinishedTable, "_write_state"), 4, 20),
        ((UnfinishedTable, "finish"), 1, 31),
        ((unfinished_table, "write_json"), 6, 31),
        ((Path, "replace"), 7, 31),
    ],
    ids=str,
)
def test_killed_anywhere(
    where: tuple[object, str], call: int, kept: int, monkeypatch: pytest.MonkeyPatch, romanising: Romanising
):
    expected = in_one_go(monkeypatch)
    die_at(monkeypatch, call, where)
    romanising.translated.clear()
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    assert sorted(romanising.translated) == sorted(filter(None, LINES[kept:]))
    assert result_in(".") == expected
    assert len(rows_of(Path(TABLE))) == 31
    assert sorted(path.name for path in Path().iterdir()) == ["news.ar.txt", TABLE, f"{TABLE}.json", "whole"]


def test_interrupted_by_a_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def press() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(UnfinishedTable, "add", at_call(3, UnfinishedTable.add, press))
        assert backtranslate(patched, "news.ar.txt") == 130
    said = only_line(capsys)
    assert "mt backtranslate: interrupted; 20 pairs are kept, and the same command goes on" in said
    assert backtranslate(monkeypatch, "news.ar.txt") == 0


def test_several_texts_go_on_where_they_were(monkeypatch: pytest.MonkeyPatch, romanising: Romanising):
    Path("b.txt").write_text("وصل\nماء\n", encoding="utf-8")
    argv = ["b.txt", "news.ar.txt"]
    expected = in_one_go(monkeypatch, *argv)
    for call in (2, 2):
        with monkeypatch.context() as patched:
            patched.setattr(UnfinishedTable, "add", at_call(call, UnfinishedTable.add, kill))
            with pytest.raises(Killed):
                backtranslate(patched, *argv, "--output", TABLE)
    romanising.translated.clear()
    assert backtranslate(monkeypatch, *argv, "--output", TABLE) == 0
    assert sorted(romanising.translated) == sorted(filter(None, LINES[10:]))
    assert result_in(".") == expected


def test_what_was_begun_otherwise_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], marian_directory: Path
):
    die_at(monkeypatch, 2, (UnfinishedTable, "add"))
    before = Path(UNFINISHED).read_bytes()
    again = "or give --overwrite to begin anew"
    said = refusal(monkeypatch, capsys, "--decoding.num_beams", "1")
    assert f"{UNFINISHED}: was begun with decoding.num_beams 4, not 1; go on as it was begun, {again}" in said
    said = refusal(monkeypatch, capsys, "--model.source_language", "fa", "--output", TABLE)
    assert "was begun with other languages" in said
    Path("first.txt").write_text("ماء\n", encoding="utf-8")
    assert backtranslate(monkeypatch, "first.txt", "news.ar.txt", "--output", TABLE) == 1
    assert f"{UNFINISHED}: was begun from news.ar.txt; name the same texts first, {again}" in only_line(capsys)
    assert backtranslate(monkeypatch, "news.ar.txt", model=str(marian_directory)) == 1
    assert "was begun with another model; go on as it was begun" in only_line(capsys)
    monkeypatch.setattr(translating, "own_engine", lambda *_: Engine("torch", "2.0", "float16"))
    assert "was begun with torch 2" in refusal(monkeypatch, capsys)
    assert Path(UNFINISHED).read_bytes() == before
    assert backtranslate(monkeypatch, "news.ar.txt", "--overwrite") == 0
    assert len(rows_of(Path(TABLE))) == 31


def test_overwrite_begins_anew(monkeypatch: pytest.MonkeyPatch, romanising: Romanising, tmp_path: Path):
    die_at(monkeypatch, 2, (UnfinishedTable, "add"))
    romanising.translated.clear()
    assert backtranslate(monkeypatch, "news.ar.txt", "--decoding.num_beams", "1", "--overwrite") == 0
    assert len(romanising.translated) == 30
    assert not Path(UNFINISHED).exists()
    # What was begun in the same way is gone on with, also when a table is to be replaced.
    with monkeypatch.context() as patched:
        patched.setattr(UnfinishedTable, "add", at_call(2, UnfinishedTable.add, kill))
        with pytest.raises(Killed):
            backtranslate(patched, "news.ar.txt", "--overwrite")
    romanising.translated.clear()
    assert backtranslate(monkeypatch, "news.ar.txt", "--overwrite") == 0
    assert len(romanising.translated) == 20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines.__setitem__(3, "قال"), "news.ar.txt: has changed since"),
        (lambda lines: lines.__delitem__(slice(5, None)), "news.ar.txt: has changed since"),
    ],
)
def test_a_text_that_has_changed_is_refused(
    change: Callable[[list[str]], None], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    die_at(monkeypatch, 2, (UnfinishedTable, "add"))
    lines = list(LINES)
    change(lines)
    Path("news.ar.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert said in refusal(monkeypatch, capsys)
    assert backtranslate(monkeypatch, "news.ar.txt", "--overwrite") == 0
    assert [row[1] for row in rows_of(Path(TABLE))[1:]] == list(filter(None, lines))
    assert not Path(UNFINISHED).exists()


def test_a_pipe_is_not_read_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def piped(lines: list[str], *argv: str) -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
        return backtranslate(monkeypatch, "-", "--output", TABLE, *argv)

    add = UnfinishedTable.add
    monkeypatch.setattr(UnfinishedTable, "add", at_call(3, add, kill))
    with pytest.raises(Killed):
        piped(LINES)
    monkeypatch.setattr(UnfinishedTable, "add", add)
    assert piped(["ماء", *LINES[1:]], "--overwrite") == 1
    said = only_line(capsys)
    assert f"stdin: has changed since {UNFINISHED} was begun; put the former text back, or remove {UNFINISHED}" in said
    assert piped(LINES) == 0
    assert [row[3] for row in rows_of(Path(TABLE))[1:]] == [str(n) for n in range(1, 32) if n != 25]


def test_lines_may_be_added_behind_those_that_are_done(monkeypatch: pytest.MonkeyPatch):
    die_at(monkeypatch, 2, (UnfinishedTable, "add"))
    Path("news.ar.txt").write_text("\n".join([*LINES, "ماء"]) + "\n", encoding="utf-8")
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    assert rows_of(Path(TABLE))[-1] == ["mae", "ماء", "news.ar.txt", "32"]


@pytest.mark.parametrize("damage", [b"", b"source\ttarget\n", b"x" * 9000])
def test_a_damaged_table_is_refused(damage: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    die_at(monkeypatch, 2, (UnfinishedTable, "add"))
    Path(UNFINISHED).write_bytes(damage)
    said = refusal(monkeypatch, capsys)
    assert f"{UNFINISHED}: was changed or has lost rows since it was written; give --overwrite to begin anew" in said


def test_rows_behind_those_that_count_are_cut_off(monkeypatch: pytest.MonkeyPatch):
    expected = in_one_go(monkeypatch)
    die_at(monkeypatch, 2, (UnfinishedTable, "add"))
    with Path(UNFINISHED).open("ab") as stream:
        stream.write(b"half a row" * 1000)
    assert backtranslate(monkeypatch, "news.ar.txt") == 0
    assert result_in(".") == expected


def test_the_engine_is_that_of_the_beginning(monkeypatch: pytest.MonkeyPatch):
    """The last window alone would be too small for CTranslate2."""
    asked = []

    def plan(model: ModelConfig, decoding: Any, sentences: int) -> Engine:
        asked.append((decoding.engine, sentences))
        return Engine("ctranslate2", "4.0", "float32")

    monkeypatch.setattr(backtranslation, "plan_engine", plan)
    monkeypatch.setattr(translating, "open_conversion", lambda *_: Romanising())
    add = UnfinishedTable.add
    for call in (3, 9):
        monkeypatch.setattr(UnfinishedTable, "add", at_call(call, add, kill))
        argv = ("news.ar.txt", "--model", "tiny-en-ar")
        try:
            assert run(monkeypatch, "mt", "backtranslate", *argv) == 0
        except Killed:
            assert call == 3
    assert asked == [("auto", 10), ("ctranslate2", 9)]


DRIVER = """
import os, signal, sys
from mt import cli
from mt.systems import backtranslation
from mt.systems.unfinished_table import UnfinishedTable
from tests.commands import at_call
backtranslation.WINDOW = 7
call = int(sys.argv.pop(1))
if call:
    UnfinishedTable.add = at_call(call, UnfinishedTable.add, lambda: os.kill(os.getpid(), signal.SIGKILL))
sys.exit(cli.main())
"""


@pytest.mark.slow
def test_a_killed_process_and_a_real_model(tmp_path: Path):
    """Beam search of a model; the table is the same to the last byte."""
    model = save_arabic_to_english(tmp_path / "model")
    text = tmp_path / "news.ar.txt"
    text.write_text("\n".join(news_pairs()[1][:25]) + "\n", encoding="utf-8")

    def call(number: int, output: Path) -> subprocess.CompletedProcess[str]:
        argv = ["backtranslate", str(text), "--model", str(model), "--output", str(output)]
        argv += ["--decoding.max_length_ratio", "0.2", "--decoding.engine", "torch"]
        command = [sys.executable, "-c", DRIVER, str(number), *argv]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)

    whole, killed = tmp_path / "whole" / TABLE, tmp_path / TABLE
    assert call(0, whole).returncode == 0
    assert call(3, killed).returncode == -signal.SIGKILL
    assert json.loads(Path(f"{killed}.unfinished.json").read_text(encoding="utf-8"))["counts"]["lines"] == 14
    result = call(0, killed)
    assert (result.returncode, result.stdout) == (0, f"{killed}\n"), result.stderr
    assert killed.read_bytes() == whole.read_bytes()
    assert len({row[0] for row in rows_of(killed)}) > 3
