"""The process: the thread of the event loop, that of the models, and how both end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from threading import Thread
from types import FrameType
from typing import Any

import uvicorn

from mt.serving.connections import Connection
from mt.serving.queue import Queue

# More connections than a browser or a proxy opens for all requests that may wait; others are refused at once.
_CONNECTIONS = 1000
_MAX_HEAD_BYTES = 32_768


class _Server(uvicorn.Server):
    """uvicorn, ended as `serve` says."""

    def __init__(self, config: uvicorn.Config, queue: Queue, ready: str) -> None:
        super().__init__(config)
        self._queue, self._ready = queue, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._queue.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Without super(), which would send the signal again in the end.
        if self.should_exit:
            print("stopped at once", file=sys.stderr, flush=True)
            os._exit(128 + sig)
        self.should_exit = True
        name = signal.Signals(sig).name
        print(f"{name}: finishing what has begun; once more stops at once", file=sys.stderr, flush=True)


def serve(app: Any, queue: Queue, found: socket.socket, ready: str, trusted_proxy: str | None) -> None:
    """Answer until SIGTERM or Ctrl-C, then finish the requests that have begun, refuse those that wait, and return.

    A second signal ends the process at once. ready: the line that says that it listens. trusted_proxy: the address from
    which `X-Forwarded-For` is believed.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    # A daemon: what it translates must not keep the process from ending at once.
    worker = Thread(target=queue.run, name="translating", daemon=True)
    worker.start()
    _Server(config_of(app, trusted_proxy), queue, ready).run([found])
    worker.join()


def config_of(app: Any, trusted_proxy: str | None) -> uvicorn.Config:
    """HTTP without a log of requests, which would say who asks; proxies are believed only if they are named."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        proxy_headers=trusted_proxy is not None,
        forwarded_allow_ips=trusted_proxy or "",
    )
