"""Connections of clients that say nothing, say it too slowly, or do not read."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from typing import NamedTuple

import pytest

pytest.importorskip("uvicorn")

import uvicorn

from mt.serving import connections
from mt.serving.server import config_of
from tests.serving_cases import serving

HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
SECONDS = 0.4


class Running(NamedTuple):
    """A server, and where it listens."""

    port: int
    server: uvicorn.Server


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server that waits for 0.4 seconds where the real one waits for 15 or 60."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", SECONDS)
    monkeypatch.setattr(connections, "UNREAD_SECONDS", SECONDS)
    with serving() as served, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(config_of(served.app, None))
        thread = Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield Running(listening.getsockname()[1], server)
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def port(running: Running) -> int:
    return running.port


def is_closed(client: socket.socket, seconds: float) -> bool:
    """Whether the server closes the connection within a time."""
    client.settimeout(seconds)
    try:
        while client.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"GET /hea", HEALTH + b"GET /hea"])
def test_a_request_that_does_not_arrive(sent: bytes, port: int):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(sent)
        # After an answer, uvicorn waits for 5 seconds.
        assert is_closed(client, 10)


def test_a_byte_now_and_then_gains_no_time(port: int):
    with socket.create_connection(("127.0.0.1", port)) as client:
        began = time.monotonic()
        for letter in HEALTH:
            with suppress(ConnectionResetError, BrokenPipeError):
                client.sendall(bytes([letter]))
            if is_closed(client, 0.05):
                break
        assert letter != HEALTH[-1]
        assert time.monotonic() - began < 10


def test_a_client_that_does_not_read(running: Running):
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", running.port))
        # 13 MB of answers, more than the system keeps for a connection.
        client.sendall(HEALTH.replace(b"/health", b"/serve.js") * 1000)
        until = time.monotonic() + 5
        while not running.server.server_state.connections:
            assert time.monotonic() < until
        while running.server.server_state.connections:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_others_have_all_the_time_they_need(port: int):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(10)
        for _ in range(3):
            client.sendall(HEALTH)
            answer = b""
            while not answer.endswith(b"}"):
                answer += client.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            time.sleep(2 * SECONDS)
