"""A real browser for pages that are made for one. `page` in conftest.py is the fixture to ask for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

_LOCAL = ("file:", "data:", "blob:", "about:")
_TIMEOUT_MS = 60_000
"""Long enough for a busy machine; what waits for nothing that will come only fails later."""
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """The browser's program, if one is installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def launched_chromium() -> Iterator[Browser]:
    """Chromium without a window; skips the test where there is none, but fails it in CI."""
    program = find_chromium()
    if program is None:
        _do_without("no chromium, chromium-browser or google-chrome on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS, timeout=2 * _TIMEOUT_MS)
        yield browser
        browser.close()


def _do_without(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI must not skip")
    pytest.skip(reason)


@contextmanager
def watched_page(browser: Browser) -> Iterator[Page]:
    """A page with cookies and storage of its own. Console errors and requests to elsewhere fail at the end."""
    complaints: list[str] = []
    expect.set_options(timeout=_TIMEOUT_MS)
    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(_TIMEOUT_MS)
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(_LOCAL) else complaints.append(r.url))
        yield page
    if complaints:
        pytest.fail("the page: " + "; ".join(complaints))
