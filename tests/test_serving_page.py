"""The page in a browser: translations side by side, by mouse and by key, right to left where it must be, readable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import pytest

pytest.importorskip("uvicorn")

import uvicorn

from mt.config.serving import ServingConfig
from mt.languages import pair_named
from mt.serving.sockets import open_socket, url_of
from mt.text.glossary import Glossary
from tests.serving_cases import Served, serving
from tests.test_leaderboard_page import CONTRAST

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

TEXT = "The army entered Aleppo. They left.\n\nAn air strike hit 12 houses in Aleppo."
EVIL = "<img src=x onerror=\"document.title='ran'\"> & <b>They</b> left."


class Site(NamedTuple):
    """A server, and its address."""

    served: Served
    address: str


@contextmanager
def site_of(served: Served) -> Iterator[Site]:
    """The application behind a real socket."""
    found = open_socket("127.0.0.1", 0)
    found.listen()  # who connects before the thread has begun waits for it
    config = uvicorn.Config(served.app, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = Thread(target=lambda: server.run([found]), daemon=True)
    thread.start()
    try:
        yield Site(served, url_of(found))
    finally:
        for fake in served.fakes.values():
            fake.may_go_on.set()
        server.should_exit = True
        thread.join(60)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as served, site_of(served) as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may ask servers on this machine, and nothing else; errors of its script fail the test."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    complaints: list[str] = []
    with browser.new_context() as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened = context.new_page()
        opened.set_default_timeout(60_000)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on(
            "console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None
        )
        opened.on(
            "request", lambda r: None if r.url.startswith(("http://127.0.0.1:", "data:")) else complaints.append(r.url)
        )
        yield opened
    assert complaints == []


def rows(page: Page, count: int) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#sentences > li")).to_have_count(count)


def translate(page: Page, site: Site, text: str = TEXT, count: int = 3) -> None:
    page.goto(site.address)
    page.get_by_label("English text").fill(text)
    page.get_by_role("button", name="Translate").click()
    rows(page, count)


def test_side_by_side(site: Site, page: Page):
    translate(page, site)
    first = page.locator("#sentences > li").first
    assert first.locator(".written").all_inner_texts() == [
        "The army entered Aleppo.",
        "دخل الجيش حلب.",
        "دخل الجيش حلب.",
    ]
    assert page.locator("#heads h3").all_inner_texts() == ["English", "base", "tuned"]
    assert first.locator("mark").all_inner_texts() == ["Aleppo", "حلب", "حلب"]
    # e to the power of -0.24 is 0.79.
    assert "79 % sure of each word piece" in first.locator(".cell").nth(1).inner_text()
    assert "expected chrF 50 (41 to 61)" in first.locator(".cell").nth(2).inner_text()
    third = page.locator("#sentences > li").nth(2)
    assert third.locator(".missing").all_inner_texts() == ["air strike", "Aleppo"]
    assert third.locator(".badge.first").all_inner_texts() == ["read first", "read first"]
    failed = third.locator(".cell").nth(1).locator("ul.failed li").all_inner_texts()
    assert any("names" in line and "not named: Aleppo (حلب)" in line for line in failed)
    assert any("numbers" in line and "12 of the source is missing" in line for line in failed)
    assert page.locator("#status").inner_text() == (
        "3 sentences by 2 systems; a check found something in 2 translations."
    )
    assert page.locator("#sentences > li.paragraph").count() == 1


def test_terms_behind_characters_of_two_units(site: Site, page: Page):
    translate(page, site, "\U0001f600 They saw Aleppo.", 1)
    assert page.locator("#sentences .missing").inner_text() == "Aleppo"


def test_direction_of_each_side(site: Site, page: Page):
    translate(page, site)
    source, target = page.locator("#sentences .written").nth(0), page.locator("#sentences .written").nth(1)
    assert (source.get_attribute("dir"), source.get_attribute("lang")) == ("ltr", "en")
    assert (target.get_attribute("dir"), target.get_attribute("lang")) == ("rtl", "ar")
    assert target.evaluate("(e) => getComputedStyle(e).textAlign") == "start"
    languages = pair_named("ar", "fr")
    with serving(languages=languages, glossary=Glossary([])) as served, site_of(served) as other:
        page.goto(other.address)
        text = page.get_by_label("Arabic text")
        assert (text.get_attribute("dir"), text.get_attribute("lang")) == ("rtl", "ar")
        text.fill("غادروا.")
        page.keyboard.press("Control+Enter")
        rows(page, 1)
        assert page.locator("#sentences .written").nth(0).get_attribute("dir") == "rtl"
        assert page.locator("#sentences .written").nth(1).get_attribute("dir") == "ltr"


def test_by_keyboard_alone(site: Site, page: Page):
    page.goto(site.address)
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("They left. They left.")
    page.keyboard.press("Control+Enter")
    rows(page, 2)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "base"
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Copy"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    first = page.locator("#sentences > li").first
    assert first.evaluate("(e) => e === document.activeElement")
    width = "(e) => getComputedStyle(e).outlineWidth"
    assert first.evaluate(width) == "3px"
    page.keyboard.press("ArrowDown")
    second = page.locator("#sentences > li").nth(1)
    assert second.evaluate("(e) => e === document.activeElement")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert first.evaluate("(e) => e === document.activeElement")


def test_a_sentence_is_marked_in_all_columns(site: Site, page: Page):
    translate(page, site)
    colour = "(e) => getComputedStyle(e).backgroundColor"
    row = page.locator("#sentences > li").nth(1)
    before = row.evaluate(colour)
    row.locator(".cell").nth(2).hover()
    assert row.evaluate(colour) != before
    page.mouse.move(0, 0)
    assert row.evaluate(colour) == before
    row.focus()
    assert row.evaluate(colour) != before


def test_only_what_is_chosen_is_asked(site: Site, page: Page):
    page.goto(site.address)
    page.get_by_role("checkbox", name="base").uncheck()
    page.get_by_label("English text").fill("They left.")
    page.get_by_role("button", name="Translate").click()
    rows(page, 1)
    assert page.locator("#heads h3").all_inner_texts() == ["English", "tuned"]
    page.get_by_role("checkbox", name="tuned").uncheck()
    page.get_by_role("button", name="Translate").click()
    assert page.get_by_role("alert").inner_text() == "Choose a system."


def test_copied(site: Site, page: Page):
    translate(page, site, "They left.\n\nThe army entered Aleppo.", 2)
    page.get_by_role("button", name="Copy the translation by tuned").click()
    page.get_by_role("status").get_by_text("Copied the translation by tuned.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "غادروا.\n\nدخل الجيش حلب."


def test_the_history_is_in_the_browser_until_it_is_cleared(site: Site, page: Page):
    translate(page, site, "They left.", 1)
    page.get_by_label("English text").fill("The army entered Aleppo. They left.")
    page.keyboard.press("Control+Enter")
    rows(page, 2)
    page.reload()
    assert page.locator("#history button").all_inner_texts() == ["The army entered Aleppo. They left.", "They left."]
    turns = len(site.served.fakes["base"].turns)
    page.locator("#history button").nth(1).click()
    rows(page, 1)
    assert page.get_by_label("English text").input_value() == "They left."
    assert len(site.served.fakes["base"].turns) == turns
    page.get_by_role("button", name="Clear the history").click()
    assert page.locator("#past").is_hidden()
    assert page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize("kept", ["{", "null", "5", '[5, {"text": 5}, {"text": "They left.", "answer": {}}]'])
def test_a_damaged_history_harms_nothing(kept: str, site: Site, page: Page):
    page.goto(site.address)
    page.evaluate("(kept) => localStorage.setItem('mt-serve-history', kept)", kept)
    page.reload()
    for button in page.locator("#history button").all():
        button.click()
        assert page.get_by_role("status").inner_text() == "Press Translate to translate it again."
    translate(page, site, "They left.", 1)


def test_text_is_text(site: Site, page: Page):
    translate(page, site, EVIL, 1)
    assert page.locator("#sentences .written").first.inner_text() == EVIL
    page.reload()
    assert page.locator("#history button").first.inner_text() == EVIL
    assert page.locator("main img, main b").count() == 0
    assert page.title() != "ran"


def test_what_is_wrong_is_said_in_words(site: Site, page: Page):
    page.goto(site.address)
    page.get_by_role("button", name="Translate").click()
    alert = page.get_by_role("alert")
    assert alert.inner_text() == "There is no text to translate."
    page.get_by_label("English text").fill("a" * 10_001)
    assert page.locator("#count").inner_text() == "10,001 of 10,000 characters"
    page.get_by_role("button", name="Translate").click()
    assert alert.inner_text() == "The text is longer than 10,000 characters."
    page.get_by_label("English text").fill("This is poison.")
    page.get_by_role("button", name="Translate").click()
    alert.get_by_text("The server failed at this request; its log says where.").wait_for()
    page.route("**/translate", lambda route: route.abort())
    page.get_by_role("button", name="Translate").click()
    alert.get_by_text("The server cannot be reached.").wait_for()


def test_busy_and_stop(page: Page):
    config = ServingConfig(queue_size=1, requests_per_minute=0)
    with serving(config) as served, site_of(served) as site:
        fake = served.fakes["base"]
        fake.may_go_on.clear()
        page.goto(site.address)
        page.get_by_label("English text").fill("They left.")
        page.get_by_role("button", name="Translate").click()
        assert fake.has_begun.wait(60)
        assert page.get_by_role("status").inner_text() == "Translating ..."
        assert page.get_by_role("button", name="Translate").get_attribute("aria-disabled") == "true"
        other = page.context.new_page()
        other.goto(site.address)
        other.get_by_label("English text").fill("They left.")
        other.keyboard.press("Control+Enter")
        other.get_by_role("alert").get_by_text("Busy with 1 other request; try again in a few seconds.").wait_for()
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("status").get_by_text("Stopped.").wait_for()
        fake.may_go_on.set()
        assert page.get_by_role("button", name="Stop").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_text_is_faint_and_no_page_too_wide(width: int, scheme: str, site: Site, page: Page):
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 844})
    translate(page, site, TEXT + " " + "w" * 300, 4)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    page.locator("#sentences > li").nth(2).hover()
    assert page.evaluate(CONTRAST) == []
    page.get_by_label("English text").fill("a" * 10_001)
    page.get_by_role("button", name="Translate").click()
    assert page.get_by_role("alert").is_visible()
    assert page.evaluate(CONTRAST) == []
    tops = (
        page.locator("#sentences > li")
        .first.locator(".cell")
        .evaluate_all("(all) => all.map((e) => Math.round(e.getBoundingClientRect().top))")
    )
    # Side by side, or one under another.
    assert len(set(tops)) == (1 if width == 1280 else 3)
    page.evaluate("document.querySelector('h1').style.color = getComputedStyle(document.body).backgroundColor")
    assert len(page.evaluate(CONTRAST)) == 1


def test_everything_has_a_name(site: Site, page: Page):
    translate(page, site)
    nameless = """() => [...document.querySelectorAll("button, input:not([type=hidden]), textarea")]
      .filter((e) => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute("aria-label")).length"""
    assert page.evaluate(nameless) == 0
    assert page.locator("[role=status]").count() == 1
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"


def test_a_copy_that_failed_is_not_called_one(site: Site, page: Page):
    translate(page, site)
    page.evaluate("navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false")
    page.get_by_role("button", name="Copy the translation by base").click()
    page.get_by_role("alert").get_by_text("The browser does not allow this page to copy.").wait_for()
    # Empty, but there: screen readers announce nothing in what was hidden before.
    assert page.get_by_role("status").text_content(timeout=5000) == ""


def test_another_tab_shows_the_same_history(site: Site, page: Page):
    page.goto(site.address)
    other = page.context.new_page()
    translate(other, site, "They left.", 1)
    page.get_by_role("button", name="They left.").wait_for()
    other.get_by_role("button", name="Clear the history").click()
    page.get_by_role("button", name="They left.").wait_for(state="detached")


def test_the_count_is_right_after_coming_back(site: Site, page: Page):
    page.goto(site.address)
    page.get_by_label("English text").fill("They left.")
    page.goto("about:blank")
    page.go_back()
    page.wait_for_load_state("load")
    used = len(page.get_by_label("English text").input_value())
    page.get_by_text(f"{used} of 10,000 characters").wait_for()


def test_on_paper_there_are_only_the_translations(site: Site, page: Page):
    translate(page, site)
    page.emulate_media(media="print")
    assert page.locator("button:visible, textarea:visible").count() == 0
    assert page.locator(".written:visible").count() == 9
