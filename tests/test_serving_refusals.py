"""What requests may hold in memory together while they arrive."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from mt.serving.refusals import Arriving, RefusalError

TOO_LONG = RefusalError(413, "too long")


def request_of(*messages: dict[str, Any], then: asyncio.Event | None = None) -> Request:
    """A request that sends these messages, the last one after an event."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if len(waiting) == 1 and then is not None:
            await then.wait()
        return waiting.pop(0)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def part(size: int, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


def read(arriving: Arriving, request: Request) -> asyncio.Task[bytes]:
    return asyncio.ensure_future(arriving.read(request, 80, TOO_LONG))


async def until_waiting() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("end", [part(10), {"type": "http.disconnect"}])
def test_requests_that_arrive_share_a_limit(end: dict[str, Any]):
    async def scene() -> None:
        arriving, goes_on = Arriving(limit=100), asyncio.Event()
        slow = read(arriving, request_of(part(60, more=True), end, then=goes_on))
        await until_waiting()
        # 60 + 41 bytes are too many, 60 + 40 are not.
        with pytest.raises(RefusalError, match="busy with long texts; try again in a few seconds") as refused:
            await read(arriving, request_of(part(41)))
        assert refused.value.status == 503
        assert refused.value.retry_after == 5
        assert await read(arriving, request_of(part(20, more=True), part(20))) == b"x" * 40
        goes_on.set()
        if end["type"] == "http.request":
            assert await slow == b"x" * 70
        else:
            with pytest.raises(ClientDisconnect):
                await slow
        # Complete, gone or refused: none of them counts any more.
        assert await read(arriving, request_of(part(80))) == b"x" * 80
        with pytest.raises(RefusalError, match="too long"):
            await read(arriving, request_of(part(60, more=True), part(21)))
        assert await read(arriving, request_of(part(80))) == b"x" * 80

    # In a thread of its own: Playwright has an event loop in that of the tests.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, scene()).result()
