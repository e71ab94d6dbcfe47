"""What keeps other web pages away from the server, and says nothing of what was sent.

A page from elsewhere could have its visitor's browser send requests to 127.0.0.1. The host is checked against names
that another site makes point here (DNS rebinding), the origin against requests from its scripts. There are no CORS
headers, so no browser shows it an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import ip_address
from socket import gethostname
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mt.serving.failures import log_failure
from mt.serving.refusals import RefusalError

logger = logging.getLogger(__name__)

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
"""The page may load its own script and style, ask its own server, and nothing else."""

_HEADERS = {
    "Content-Security-Policy": f"{PAGE_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class AllowedHosts:
    """By which names the server may be called."""

    def __init__(self, names: Iterable[str], *, is_local: bool) -> None:
        """names: further ones than its own. is_local: whether only programs on this machine reach it."""
        own = ["localhost", "127.0.0.1", "::1"] if is_local else ["localhost", gethostname()]
        self._further = {_plain(name) for name in names}
        self._names = {*map(_plain, own), *self._further}
        self._is_local = is_local

    def allow(self, host: str) -> bool:
        """Whether a `Host` header names the server.

        An address is no name that could be made to point elsewhere, so on a network each one is accepted.
        """
        name = _name_in(host)
        return name in self._names or (not self._is_local and _is_address(name))

    def allow_origin(self, origin: str, host: str) -> bool:
        """Whether a page from `origin` is the server's own; a proxy may have changed the host."""
        found = origin.partition("://")[2]
        return found.casefold() == host.casefold() or _name_in(found) in self._further


def _plain(name: str) -> str:
    return name.casefold().strip("[]").rstrip(".")


def _name_in(host: str) -> str:
    """The host without its port; empty if it is none."""
    try:
        return _plain(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class Protection:
    """Around the application: hosts and origins are checked, headers added, and failures kept to one sentence."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._fault(Headers(scope=scope))
        if refusal is not None:
            await refusal.response()(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if has_begun:
                raise
            log_failure(logger, "a request failed", error)
            refusal = RefusalError(500, "the server failed at this request; its log says where")
            await refusal.response()(scope, receive, send_with_headers)

    def _fault(self, headers: Headers) -> RefusalError | None:
        host = headers.get("host", "")
        if not self._hosts.allow(host):
            return RefusalError(
                403, f"this server has not the name `{host[:60]}`; start it with --allowed_host to allow that"
            )
        origin = headers.get("origin")
        if origin is not None and not self._hosts.allow_origin(origin, host):
            return RefusalError(403, "requests from other web pages are refused")
        return None
