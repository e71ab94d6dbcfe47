"""Connections on which nothing happens, closed so that no client can hold all that the server takes."""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0
"""Within which the head of a request must have arrived, from the connection or its first byte on."""
UNREAD_SECONDS = 60.0
"""After which a client that reads nothing of its answer is given up."""


class Connection(H11Protocol):
    """uvicorn's, which by itself waits for ever for the head of a request, and for a client that does not read."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Go on waiting unless the head is complete; a byte now and then gains no time."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """As uvicorn, which begins the next request if it has arrived already."""
        super().on_response_complete()
        if self._is_answering():
            self._watch()

    def pause_writing(self) -> None:
        """Called when too much waits to be read by the client."""
        super().pause_writing()
        self._give_up_later()

    def resume_writing(self) -> None:
        """Called when the client has read nearly everything."""
        super().resume_writing()
        _cancel(self._unread)
        self._unread = None

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nobody uses, after its client has read everything."""
        super().timeout_keep_alive_handler()
        self._give_up_later()

    def shutdown(self) -> None:
        """Close the connection as soon as its request is answered."""
        super().shutdown()
        if self.transport.is_closing():
            self._give_up_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        _cancel(self._deadline)
        _cancel(self._unread)
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _give_up_later(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def _watch(self) -> None:
        if self._is_answering():
            _cancel(self._deadline)
            self._deadline = None
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
