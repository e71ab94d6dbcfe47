"""The watch over pages notices, and CI does not skip for want of a browser."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.browser import launched_chromium, watched_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.browser
@pytest.mark.parametrize(
    ("trouble", "complaint"),
    [
        ("console.error('a mistake')", "a mistake"),
        ("setTimeout(() => { throw new Error('thrown') })", "thrown"),
        ("document.body.innerHTML = '<img src=\"http://localhost:9/x.png\">'", "http://localhost:9/x.png"),
    ],
)
def test_trouble_on_a_page_fails_its_test(trouble: str, complaint: str, browser: Browser):
    with pytest.raises(pytest.fail.Exception, match=complaint), watched_page(browser) as page:
        page.evaluate(f"{trouble}; new Promise((done) => setTimeout(done, 200))")


def test_no_browser_skips_but_not_in_ci(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no chromium"), launched_chromium():
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must not skip"), launched_chromium():
        pass
