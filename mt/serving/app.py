"""The application: its addresses, and what happens to a text between request and answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mt.config.serving import ServingConfig
from mt.errors import DataError
from mt.languages import Language, LanguagePair
from mt.report.pages import part_of_page, render_served_page
from mt.serving.protection import PAGE_POLICY, AllowedHosts, Protection
from mt.serving.queue import Answers, BrokenError, Queue, StoppingError
from mt.serving.rate_limit import RateLimit
from mt.serving.refusals import BUSY_SECONDS, Arriving, RefusalError, Wanted, read_request
from mt.serving.texts import PastedText
from mt.text.glossary import Glossary
from mt.wording import counted

_STYLES = ("page.css", "serve.css")
# Splitting and checking hold the interpreter's lock: more threads would only take turns.
_THREADS = 2
READ_SECONDS = 60.0
"""Within which a client must have read its answer."""
_PART_BYTES = 65_536


@dataclass(frozen=True)
class Described:
    """What clients learn about a system."""

    name: str
    engine: str
    is_calibrated: bool


class Service:
    """Translates requests; all its methods run in the event loop."""

    def __init__(
        self,
        queue: Queue,
        systems: Sequence[Described],
        languages: LanguagePair,
        glossary: Glossary,
        config: ServingConfig,
    ) -> None:
        self._queue, self._languages, self._glossary, self._config = queue, languages, glossary, config
        self._systems = list(systems)
        self._rate = RateLimit(config.requests_per_minute)
        self._active, self._arriving = 0, Arriving()
        self._threads = CapacityLimiter(_THREADS)

    async def translate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /translate`."""
        request = Request(scope, receive)
        try:
            self._check_rate(request)
            names = [system.name for system in self._systems]
            wanted = await read_request(request, names, self._config.max_characters, self._arriving)
            async with self._place():
                # The place is free when the answer is read, so that no answers pile up for clients that do not read.
                await send_in_parts(JSONResponse(await self._answer(wanted, request)), send)
        except RefusalError as refusal:
            await refusal.response()(scope, receive, send)
        except ClientDisconnect:
            await Response(status_code=499)(scope, receive, send)  # nobody reads it
        except TimeoutError:
            return  # half an answer was sent, and the connection is closed

    def _check_rate(self, request: Request) -> None:
        seconds = self._rate.seconds_to_wait(request.client.host if request.client else "")
        if seconds:
            count = counted(self._config.requests_per_minute, "text")
            raise RefusalError(
                429, f"too many requests: {count} per minute are allowed; wait {counted(seconds, 'second')}", seconds
            )

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the places in the queue. Raises `RefusalError` if all are taken."""
        if self._active >= self._config.queue_size:
            others = counted(self._active, "other request")
            raise RefusalError(503, f"busy with {others}; try again in a few seconds", BUSY_SECONDS)
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1

    async def _answer(self, wanted: Wanted, request: Request) -> dict[str, Any]:
        try:
            pasted = await to_thread.run_sync(PastedText, wanted.text, self._languages, limiter=self._threads)
        except DataError as error:
            raise RefusalError(400, str(error)) from error
        texts = pasted.texts()
        try:
            answers = await _result_unless_gone(self._queue.submit(dict.fromkeys(wanted.systems, texts)), request)
        except StoppingError:
            raise RefusalError(503, "the server is stopping; try again when it is back", BUSY_SECONDS) from None
        except BrokenError:
            raise RefusalError(500, "the server translates no more and must be restarted; its log says why") from None
        translations = [
            {"system": name}
            | await to_thread.run_sync(pasted.translated, answers[name], self._glossary, limiter=self._threads)
            for name in wanted.systems
        ]
        return {"translations": translations}

    async def systems(self, _: Request) -> Response:
        """`GET /systems`."""
        languages = {
            f"{side}_language": _described(language)
            for side, language in (("source", self._languages.source), ("target", self._languages.target))
        }
        rows = [
            {"name": system.name, **languages, "engine": system.engine, "calibrated": system.is_calibrated}
            for system in self._systems
        ]
        return JSONResponse({"systems": rows, "max_characters": self._config.max_characters})

    async def health(self, _: Request) -> Response:
        """`GET /health`."""
        status, code = ("failed", 503) if self._queue.is_broken else ("ok", 200)
        content = {"status": status, "requests": self._active, "queue_size": self._config.queue_size}
        return JSONResponse(content, code)

    def page(self) -> str:
        """The page, which is the same for everybody."""
        return render_served_page(
            "serve.html.jinja",
            policy=PAGE_POLICY,
            title=f"Translate {self._languages}",
            languages=self._languages,
            systems=self._systems,
            max_characters=self._config.max_characters,
        )


class _Translate:
    """`Service.translate` for Starlette, which takes a method for something else."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._service.translate(scope, receive, send)


async def send_in_parts(response: Response, send: Send) -> None:
    """Send a response as fast as it is read. Raises `TimeoutError` if that takes longer than `READ_SECONDS`."""
    body = bytes(response.body)
    async with asyncio.timeout(READ_SECONDS):
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        # The server waits at the beginning of a part until the one before has nearly been read.
        for start in range(0, len(body), _PART_BYTES):
            await send({"type": "http.response.body", "body": body[start : start + _PART_BYTES], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def make_app(service: Service, hosts: AllowedHosts) -> Starlette:
    """The application around a service."""
    page, style, script = service.page(), part_of_page(*_STYLES), part_of_page("serve.js")

    async def send_page(_: Request) -> Response:
        return HTMLResponse(page)

    async def send_style(_: Request) -> Response:
        return Response(style, media_type="text/css")

    async def send_script(_: Request) -> Response:
        return Response(script, media_type="text/javascript")

    routes = [
        Route("/", send_page),
        Route("/serve.css", send_style),
        Route("/serve.js", send_script),
        Route("/systems", service.systems),
        Route("/health", service.health),
        Route("/translate", _Translate(service), methods=["POST"]),
    ]
    guards = [Middleware(Protection, hosts=hosts)]
    return Starlette(routes=routes, middleware=guards, exception_handlers={HTTPException: _refused})


async def _refused(request: Request, error: Exception) -> Response:
    """Addresses and methods that there are not."""
    assert isinstance(error, HTTPException)
    sentences = {404: "there is nothing at this address", 405: f"{request.method} is not allowed here"}
    sentence = sentences.get(error.status_code, str(error.detail))
    return JSONResponse({"error": sentence}, error.status_code, headers=dict(error.headers or {}))


async def _result_unless_gone(future: Future[Answers], request: Request) -> Answers:
    """The answers. If the client goes away first, nothing is translated for it any more; raises `ClientDisconnect`."""
    result = asyncio.wrap_future(future)
    gone = asyncio.ensure_future(_until_gone(request))
    either: set[asyncio.Future[Any]] = {result, gone}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise ClientDisconnect
        return result.result()
    finally:
        future.cancel()
        result.cancel()
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _described(language: Language) -> dict[str, str]:
    return {"code": language.code, "name": language.name, "direction": language.direction}
