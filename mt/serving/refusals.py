"""Reading requests, and the sentences that answer those that cannot be translated."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse

BODY_SECONDS = 15.0
"""Within which a request must have arrived."""
BUSY_SECONDS = 5
"""After which a client may try again."""

ARRIVING_BYTES = 256 << 20
"""Of all requests that are arriving at the same time; a longest text allowed by the options takes 12 MB."""

_KEYS = ("text", "systems")
# A character outside the basic plane is two escapes of six bytes in JSON.
_BYTES_PER_CHARACTER = 12
_OTHER_BYTES = 8192


class RefusalError(Exception):
    """A request that is answered by one sentence."""

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.retry_after = status, sentence, retry_after

    def response(self) -> JSONResponse:
        """The answer: `{"error": "one sentence"}`."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return JSONResponse({"error": self.sentence}, self.status, headers)


class Arriving:
    """The bytes of all requests that are arriving at the moment, which are limited together.

    A request takes its place in the queue when all of it is there, so that slow clients keep no place from others; and
    of large ones, a thousand at a time would fill the memory.
    """

    def __init__(self, limit: int = ARRIVING_BYTES) -> None:
        self._limit, self._bytes = limit, 0

    async def read(self, request: Request, most: int, too_long: RefusalError) -> bytes:
        """The body of a request. Raises `too_long` beyond `most` bytes, and another `RefusalError` if all are busy."""
        body = bytearray()
        try:
            async for part in request.stream():
                if len(body) + len(part) > most:
                    raise too_long
                # Counted before the check, so that `finally` takes away what was added.
                body += part
                self._bytes += len(part)
                if self._bytes > self._limit:
                    raise RefusalError(503, "busy with long texts; try again in a few seconds", BUSY_SECONDS)
        finally:
            self._bytes -= len(body)
        return bytes(body)


class Wanted(NamedTuple):
    """What a request asks for."""

    text: str
    systems: list[str]


async def read_request(request: Request, systems: Sequence[str], max_characters: int, arriving: Arriving) -> Wanted:
    """What is asked for. Raises `RefusalError`; never holds more than a text of `max_characters` can take up in JSON.

    arriving: counts what all requests hold until they are complete. Raises `starlette.requests.ClientDisconnect` if
    the client goes away meanwhile.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusalError(415, "the request must have the content type application/json")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_body(request, max_characters, arriving)
    except TimeoutError:
        raise RefusalError(408, f"the request did not arrive within {BODY_SECONDS:g} seconds") from None
    return _check(_parsed(body), systems, max_characters)


async def _read_body(request: Request, max_characters: int, arriving: Arriving) -> bytes:
    limit = _BYTES_PER_CHARACTER * max_characters + _OTHER_BYTES
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and int(stated[:18]) > limit:
        raise _too_long(max_characters)
    return await arriving.read(request, limit, _too_long(max_characters))


def _too_long(max_characters: int) -> RefusalError:
    return RefusalError(413, f"the text is longer than {max_characters:,} characters; send it in parts")


def _parsed(body: bytes) -> Any:
    try:
        # Editors on Windows begin a file with a byte order mark.
        return json.loads(body.removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RefusalError(400, f"the request is not UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise RefusalError(400, f"the request is not JSON (line {error.lineno}, column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, "the request is nested too deeply, or has a number that is too long") from error


def _check(content: Any, systems: Sequence[str], max_characters: int) -> Wanted:
    if not isinstance(content, dict):
        raise RefusalError(400, 'the request must be a JSON object, as {"text": "..."}')
    unknown = next((key for key in content if key not in _KEYS), None)
    if unknown is not None:
        raise RefusalError(400, f"unknown key {_shown(unknown)}; there are `text` and `systems`")
    text, wanted = content.get("text"), content.get("systems")
    if not isinstance(text, str):
        raise RefusalError(400, "`text` must be a string")
    if len(text) > max_characters:
        raise _too_long(max_characters)
    if not text.strip():
        raise RefusalError(400, "`text` is empty")
    if "\0" in text:
        raise RefusalError(400, "`text` holds a NUL character, which no text has")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise RefusalError(400, "`text` holds half a character (a lone surrogate)")
    return Wanted(text, _check_systems(wanted, systems))


def _check_systems(wanted: Any, systems: Sequence[str]) -> list[str]:
    if wanted is None:
        return list(systems)
    if not isinstance(wanted, list) or not wanted or not all(isinstance(name, str) for name in wanted):
        raise RefusalError(400, "`systems` must be a list of names, or be left out for all systems")
    for name in wanted:
        if name not in systems:
            raise RefusalError(400, f"no system {_shown(name)}; there are {', '.join(systems)}")
    return [system for system in systems if system in wanted]


def _shown(name: str) -> str:
    return json.dumps(name[:40])
