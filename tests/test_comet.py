"""COMET from an environment of its own: here a venv with a fake `comet`, run by this Python."""

import logging
import re
import sys
import time
from pathlib import Path

import psutil
import pytest

from mt import cli
from mt.errors import RunError
from mt.evaluation import comet_setup
from mt.evaluation.comet import CometFailure, CometSetup, comet_root, comet_scores, read_setup
from mt.evaluation.comet_setup import set_up_comet
from tests.helpers import make_environment, make_setup


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def beside_the_setup() -> list[str]:
    return [path.name for path in comet_root().parent.iterdir()]


HYPOTHESES = {"base": ["abcd", "ab"], "tuned": ["a", "abcdefgh"]}


def scores(timeout_seconds: float | None = None) -> dict[str, list[float]] | None:
    result = comet_scores(["The war.", "Peace."], HYPOTHESES, ["الحر", "سلام"], timeout_seconds)
    return None if result is None else result.segments


def test_scores_by_system_and_segment():
    make_setup()
    result = comet_scores(["The war.", "Peace."], HYPOTHESES, ["الحر", "سلام"])
    assert result is not None
    assert result.segments == {"base": [1.0, 0.5], "tuned": [0.25, 2.0]}
    assert result.score("base") == 0.75
    assert result.signature == "COMET|model:Unbabel/fake|version:0123456789|comet:2.2.7"


def test_not_set_up_is_nothing_to_speak_of(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, logger="mt"):
        assert scores() is None
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("raise RuntimeError('out of memory')", "no COMET scores (RuntimeError: out of memory); mt comet-setup"),
        ("os._exit(7)", "(it exited with status 7)"),
        ("return _Prediction([0.5])", "(1 scores for 4 segments, or some are not finite)"),
        ("return _Prediction([float('nan')] * 4)", "(4 scores for 4 segments, or some are not finite)"),
        ("sys.exit(0)", "(its answer cannot be read: "),
    ],
)
def test_failure_is_one_warning(behaviour: str, message: str, caplog: pytest.LogCaptureFixture):
    make_setup(behaviour)
    assert scores() is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert message in caplog.text


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_timeout_stops_all_that_was_started(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    pid = tmp_path / "pid"
    child = f"import subprocess; c = subprocess.Popen(['sleep', '900']); open({str(pid)!r}, 'w').write(str(c.pid))"
    make_setup(f"{child}; c.wait()")
    # Time enough to start on a busy machine, and far below what the child sleeps.
    assert scores(timeout_seconds=5) is None
    assert "(not finished after 5 seconds)" in caplog.text
    deadline = time.monotonic() + 300
    while is_alive(int(pid.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(int(pid.read_text()))


def test_vanished_environment_is_a_warning(caplog: pytest.LogCaptureFixture):
    make_setup()
    (comet_root() / "bin" / "python").unlink()
    assert scores() is None
    assert "cannot be run: No such file" in caplog.text


def test_damaged_setup_is_a_warning(caplog: pytest.LogCaptureFixture):
    make_setup()
    (comet_root() / "comet.json").write_text("{}")
    assert scores() is None
    assert "mt comet-setup --overwrite creates it again" in caplog.text


@pytest.fixture
def fake_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comet_setup, "_install", make_environment)


def mt(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mt", *argv])
    return cli.main()


@pytest.mark.usefixtures("fake_install")
def test_setup_then_scores(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert mt(monkeypatch, "comet-setup", "--model", "Unbabel/fake") == 0
    assert "COMET|model:Unbabel/fake|version:0123456789|comet:2.2.7" in capsys.readouterr().out
    checkpoint = "/hub/models--Unbabel--fake/snapshots/0123456789abcdef/checkpoints/model.ckpt"
    assert read_setup() == CometSetup("Unbabel/fake", "0123456789", "2.2.7", checkpoint)
    assert scores() == {"base": [1.0, 0.5], "tuned": [0.25, 2.0]}
    assert mt(monkeypatch, "comet-setup", "--model", "Unbabel/fake") == 1
    assert re.search("COMET is already set up, with Unbabel/fake; .* --overwrite", capsys.readouterr().err)
    assert mt(monkeypatch, "comet-setup", "--model", "Unbabel/fake", "--overwrite") == 0
    assert scores() is not None
    assert beside_the_setup() == ["comet"]


@pytest.mark.usefixtures("fake_install")
def test_failed_setup_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert mt(monkeypatch, "comet-setup", "--model", "Unbabel/none") == 1
    error = capsys.readouterr().err
    assert "the model Unbabel/none cannot be downloaded or does not run (KeyError: " in error
    assert error.count("\n") == 1
    assert not beside_the_setup()
    set_up_comet("Unbabel/fake")
    with pytest.raises(RunError):
        set_up_comet("Unbabel/none", overwrite=True)
    assert scores() is not None
    assert beside_the_setup() == ["comet"]


def test_failed_installation_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    commands: list[str] = []

    def run(command: list[str], *_: object) -> None:
        commands.append(" ".join(command))
        if "pip" in command:
            raise CometFailure("ERROR: No matching distribution found for unbabel-comet==2.2.7")

    monkeypatch.setattr(comet_setup, "run_quietly", run)
    with pytest.raises(RunError, match=r"unbabel-comet 2\.2\.7 cannot be installed \(ERROR: No matching .*network"):
        set_up_comet("Unbabel/fake")
    assert "-m venv" in commands[0]
    assert re.search(r"-m pip install --quiet unbabel-comet==2\.2\.7 torch==[\d.]+ setuptools<81$", commands[1])
    assert not beside_the_setup()


def test_unwritable_cache_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(RunError, match=r"cannot be written .* set XDG_CACHE_HOME to another directory"):
        set_up_comet("Unbabel/fake")
