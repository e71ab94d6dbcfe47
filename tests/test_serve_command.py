"""`mt serve`: mistakes in one sentence before anything slow, and the real command from its start to SIGTERM."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("uvicorn")

from mt.commands import serve as command
from mt.serving import sockets
from tests.conftest import ROOT
from tests.helpers import only_line, run, sources

TIMEOUT = 300
TEXT = """The army entered Aleppo on 3 May 2016. Five people were killed, Dr. Salem said.

- Photos are at https://example.org/photos for now. The army left!
  An indented line, with  two spaces.

This paragraph was wrapped at a width of forty
characters or a few more, so its lines are put
together, translated, and wrapped once again.
\r\nNo words here: 1, 2, 3.\r\n\r\nThe end."""


def taken_port() -> socket.socket:
    """A socket that listens on some port."""
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen()
    return found


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        ([], 2, "required"),
        (["a", "b", "c", "d", "e"], 2, "at most 4 systems can be shown side by side, got 5"),
        (["tiny-en-ar", "--port", "70000"], 2, "--port must be from 0 to 65535, got 70000"),
        (["tiny-en-ar", "--nonsense", "1"], 2, "--nonsense"),
        (["tiny-en-ar", "--queue_size", "0"], 1, "queue_size must be greater than 0, got 0"),
        (["tiny-en-ar", "--decoding.num_beams", "0"], 1, "decoding.num_beams must be greater than 0, got 0"),
        (["tiny-en-ar", "--allowed_host", "https://a.org"], 2, "--allowed_host https://a.org: give a name only, as in"),
        (["tiny-en-ar", "--allowed_host", "a.org:80"], 2, "--allowed_host a.org:80: give a name only, as in"),
        (["tiny-en-ar", "--allowed_host", "*"], 2, "--allowed_host *: give a name only, as in"),
        (["tiny-en-ar", "--trusted_proxy", "localhost"], 2, "--trusted_proxy localhost: give an address, as in"),
        (["./none"], 1, "./none: no such file or directory"),
        (["none.txt"], 1, "none.txt: no such file or directory"),
        (["tiny-en-ar", "--glossary", "none.tsv"], 1, "none.tsv: no such glossary"),
        (["tiny-en-ar", "--host", "192.0.2.1"], 1, "--host 192.0.2.1: is no address of this machine"),
        (["tiny-en-ar", "--host", "a host"], 1, "--host a host: there is no such address"),
    ],
)
def test_mistakes(
    argv: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "mt", "serve", *argv) == status
    assert message in only_line(capsys)


def test_a_taken_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with taken_port() as taken:
        port = taken.getsockname()[1]
        assert run(monkeypatch, "mt", "serve", "tiny-en-ar", "--port", str(port)) == 1
    assert f"--port {port}: another program has it already; choose another port" in only_line(capsys)


def test_a_reserved_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    class Refusing(socket.socket):
        def bind(self, _: Any) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(sockets.socket, "socket", Refusing)
    assert run(monkeypatch, "mt", "serve", "tiny-en-ar", "--port", "80") == 1
    assert "--port 80: the system reserves ports below 1024" in only_line(capsys)


def test_without_its_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert run(monkeypatch, "mt", "serve", "tiny-en-ar") == 1
    expected = "mt serve: needs starlette and uvicorn, not installed here: pip install 'mt-conflict-news[serve]'\n"
    assert only_line(capsys) == expected


@pytest.mark.slow
def test_a_file_of_translations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "vendor.txt").write_text("a\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "mt", "serve", "tiny-en-ar", "vendor.txt", "--port", "0") == 1
    assert "vendor.txt: translations in a file cannot be served" in only_line(capsys)


@pytest.mark.slow
def test_a_directory_without_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "mt", "serve", "./notes", "--port", "0") == 1
    assert "./notes: is no run and holds no model; name a directory that does" in only_line(capsys)


@pytest.mark.slow
@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_server_that_others_reach_is_warned_of(
    host: str, warns: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    from mt.serving import server

    ready = []
    monkeypatch.setattr(server, "serve", lambda app, queue, found, line, proxy: ready.append((line, proxy)))
    options = ["--host", host, "--port", "0", "--trusted_proxy", "10.0.0.9", "--decoding.engine", "torch"]
    with caplog.at_level(logging.WARNING):
        assert run(monkeypatch, "mt", "serve", "mine=tiny-en-ar", *options) == 0
    ((line, proxy),) = ready
    assert re.fullmatch(rf"http://{host}:\d+ translates by mine; Ctrl-C stops it", line)
    assert proxy == "10.0.0.9"
    assert ("everybody who reaches this machine can use the server" in caplog.text) == warns


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(the process of the real command, its address)."""
    argv = [sys.executable, "-m", "mt.cli", "serve", *options, "--port", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, line.split()[0]
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT)


def post(address: str, content: dict[str, Any]) -> tuple[int, Any]:
    body = json.dumps(content).encode()
    request = Request(f"{address}/translate", body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=TIMEOUT) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, json.load(error)


def get(address: str) -> Any:
    with urlopen(address, timeout=TIMEOUT) as response:
        return json.load(response)


def begin_long(address: str, answers: list[tuple[int, Any]]) -> Thread:
    """Have a text translated that takes a while, and return when the server has it."""
    text = " ".join(sources(60))[:9000]

    def ask() -> None:
        with suppress(OSError):  # the connection is cut when the process ends
            answers.append(post(address, {"text": text}))

    client = Thread(target=ask)
    client.start()
    while get(f"{address}/health")["requests"] == 0:
        assert client.is_alive()
    return client


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
def test_answers_are_those_of_mt_translate(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
):
    (tmp_path / "text.txt").write_bytes(TEXT.encode())
    arguments = [str(tmp_path / "text.txt"), "--format", "text", "--output", str(tmp_path / "out.txt")]
    assert run(monkeypatch, "mt", "translate", "tiny-en-ar", *arguments, "--decoding.engine", engine) == 0
    expected = (tmp_path / "out.txt").read_bytes().decode()
    with started("mine=tiny-en-ar", "--decoding.engine", engine) as (process, address):
        status, answer = post(address, {"text": TEXT})
        assert status == 200
        (found,) = answer["translations"]
        assert found["system"] == "mine"
        assert found["text"] == expected
        assert found["text"].count("\n") == TEXT.count("\n")
        assert all(
            sentence["translation"] in expected
            for sentence in found["sentences"]
            if "wrapped" not in sentence["source"]
        )
        (system,) = get(f"{address}/systems")["systems"]
        assert system["engine"].lower().startswith(engine)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
        _, errors = process.communicate()
    assert errors.splitlines()[-2:] == ["SIGTERM: finishing what has begun; once more stops at once", "stopped"]
    assert "Aleppo" not in errors


@pytest.mark.slow
def test_what_has_begun_is_finished_before_the_end():
    with started("tiny-en-ar", "--decoding.engine", "torch") as (process, address):
        answers: list[tuple[int, Any]] = []
        client = begin_long(address, answers)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0
        client.join(TIMEOUT)
    ((status, answer),) = answers
    # It may have been told to stop in the moment before it began.
    assert status == 200 or answer == {"error": "the server is stopping; try again when it is back"}


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once():
    with started("tiny-en-ar", "--decoding.engine", "torch") as (process, address):
        client = begin_long(address, [])
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "finishing what has begun" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 130
        client.join(TIMEOUT)


@pytest.mark.slow
def test_the_load_test(tmp_path: Path):
    argv = [sys.executable, "benchmarks/serving.py", "--clients", "3", "--requests", "6", "--alone", "2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    options = ["--engine", "torch", "--json", str(tmp_path / "serving.json")]
    subprocess.run([*argv, *options], cwd=ROOT, env=environment, check=True, timeout=TIMEOUT, capture_output=True)
    figures = json.loads((tmp_path / "serving.json").read_text(encoding="utf-8"))
    assert (figures["one client"]["requests"], figures["one client"]["statuses"]) == (2, {"200": 2})
    assert (figures["3 clients"]["requests"], figures["3 clients"]["statuses"]) == (6, {"200": 6})
    assert figures["3 clients"]["p50_seconds"] <= figures["3 clients"]["p95_seconds"]
    # Texts of one and two sentences in turn.
    many = figures["3 clients"]
    assert abs(many["sentences_per_second"] / many["requests_per_second"] - 1.5) < 0.2


def test_addresses_of_sockets():
    with sockets.open_socket("localhost", 0) as found:
        assert sockets.is_local(found)
        assert re.fullmatch(r"http://(127\.0\.0\.1|\[::1\]):\d+", sockets.url_of(found))
    with sockets.open_socket("0.0.0.0", 0) as found:
        assert not sockets.is_local(found)
